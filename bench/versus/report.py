"""From measurements to tables: medians over the rounds, ratios within each round. Standard library only."""
from __future__ import annotations

import statistics

GIZA = "giza"
COLUMNS = ("program", "median s", "best s", "time / giza", "range", "peak GB", "peak / giza", "steady GB")


def summarize(rows: dict[str, dict]) -> None:
    """Adds to each row {label, rounds, reason} its medians and ratios.

    A round's ratio compares runs that stood next to each other in time, so that a shared machine's drift cancels.
    """
    own = rows.get(GIZA, {}).get("rounds", {})
    own_peak = _median(own, "peak_rss_gb")
    for row in rows.values():
        rounds = row["rounds"]
        row["median_s"] = _median(rounds, "median_s")
        row["best_s"] = min((r["best_s"] for r in rounds.values()), default=None)
        row["peak_rss_gb"] = _median(rounds, "peak_rss_gb")
        row["steady_rss_gb"] = _median(rounds, "steady_rss_gb")
        ratios = [rounds[i]["median_s"] / own[i]["median_s"] for i in rounds if i in own]
        row["time_ratio"] = statistics.median(ratios) if ratios else None
        row["time_ratio_range"] = [min(ratios), max(ratios)] if ratios else None
        row["peak_ratio"] = row["peak_rss_gb"] / own_peak if row["peak_rss_gb"] and own_peak else None


def _median(rounds: dict[int, dict], field: str) -> float | None:
    values = [r[field] for r in rounds.values() if field in r]
    return statistics.median(values) if values else None


def conclusions(rows: dict[str, dict]) -> list[str]:
    """The best peers of each kind by time, and what giza is to them."""
    eager = {name: row for name, row in rows.items() if name.startswith("eager")}
    compiled = {name: row for name, row in rows.items() if name.startswith("compile")}
    runtimes = {name: row for name, row in rows.items() if name not in (GIZA, *eager, *compiled)}
    lines = []
    for title, group in (("PyTorch eager", eager), ("PyTorch, eager or compiled", eager | compiled),
                         ("torch.compile and the runtimes", compiled | runtimes)):
        timed = [row for row in group.values() if row["time_ratio"]]
        if timed:
            best = min(timed, key=lambda row: row["time_ratio"])
            lines.append(f"best of {title}: {best['label']}: giza is {best['time_ratio']:.2f} times as fast with "
                         f"{1 / best['peak_ratio']:.2f} of its peak memory")
    return lines


def table(rows: dict[str, dict], markdown: bool) -> str:
    """One line a program; those without a figure say why."""
    lines = [list(COLUMNS)] + [_cells(row) for row in rows.values()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    bar, end = ("| ", " |") if markdown else ("", "")
    out = [bar + (" | " if markdown else "  ").join(
        cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths))) + end
        for line in lines]
    if markdown:
        out.insert(1, "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|")
    notes = [f"{row['label']}: {row['reason']}" for row in rows.values() if row["reason"]]
    if notes:
        out += [""] + [f"- {note}" if markdown else f"  ! {note}" for note in notes]
    return "\n".join(out)


def _cells(row: dict) -> list[str]:
    span = row["time_ratio_range"]
    return [row["label"], _number(row["median_s"], 3), _number(row["best_s"], 3), _number(row["time_ratio"], 2),
            f"{span[0]:.2f}-{span[1]:.2f}" if span else "-", _number(row["peak_rss_gb"], 2),
            _number(row["peak_ratio"], 2), _number(row["steady_rss_gb"], 2)]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def header(record: dict) -> str:
    """Machine, versions and how it was measured."""
    machine, settings = record["machine"], record["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [
        f"{machine['cpu']}, {machine['processors']} processors, {machine['memory_gb']} GB, {machine['system']}; "
        f"load {machine['load']:.1f} at the start, {machine['date']}",
        f"{versions}; {record['giza']}",
        f"{settings['threads']} threads each; {settings['rounds']} alternated rounds, every figure from a process of "
        f"its own that warms up and times {settings['steps']} steps; medians over the rounds; fp32 on all sides",
        "time / giza: how many times as long as giza, median of the rounds' ratios. peak: ru_maxrss of the process",
        "alone (10^6 KiB; compile workers not counted); steady: the same while timing, after loading and compiling",
        *(f"agreement with PyTorch's logits: {line}" for line in record["checks"]),
    ]
    return "\n".join(lines)

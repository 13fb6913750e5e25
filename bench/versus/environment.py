"""The peers' virtual environment, and running one program in a process of its own. Standard library only."""
from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import platform
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# PyTorch goes first: what comes later must not pull another build of it.
PACKAGES = {"torch": "2.13.0", "numpy": "2.4.6", "onnx": "1.23.2", "onnxscript": "0.7.2", "onnxruntime": "1.31.1",
            "openvino": "2026.4.1"}

# glibc gives large blocks back to the kernel and takes them anew, page fault by page fault. These settings keep them,
# and let PyTorch ask for huge pages.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 33),
             "MALLOC_TOP_PAD_": str(1 << 28), "THP_MEM_ALLOC_ENABLE": "1"}


@dataclasses.dataclass
class Outcome:
    """A process's last JSON line, or why there is none."""

    result: dict | None
    reason: str = ""


def run(command: list[str], limit: float, extra_env: dict[str, str] | None = None) -> Outcome:
    """Runs the command with a time limit; its result is the last line of stdout that is a JSON object."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(extra_env or {})}
    memory = available_memory()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", env=env,
                          start_new_session=True, preexec_fn=lambda: confine(memory)) as process:
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return Outcome(None, f"no result within {limit:.0f} s")
        finally:
            kill_group(process.pid)  # compile workers outlive neither a time limit nor a control-C
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        return Outcome(None, f"ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else ""))
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if process.returncode == 0 and lines:
        return Outcome(json.loads(lines[-1]))
    return Outcome(None, f"status {process.returncode}: {last_words(err)}")


def available_memory() -> int:
    """Bytes that can be had without pushing other programs out; a little is left to them."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines())
    return max(int(fields["MemAvailable"].split()[0]) * 1024 - (512 << 20), 512 << 20)


def confine(memory: int) -> None:
    """In the new process: too large a case shall fail with a message, and not take the machine's memory with it."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def last_words(text: str) -> str:
    """The line of a traceback that names the error, in a length that fits a table."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if "Error" in line.split(":")[0]]
    return (named or lines or ["nothing on stderr"])[-1][:160]


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def installed(python: Path) -> dict[str, str]:
    """Version by package, of those that the environment has."""
    code = ("import json, importlib.metadata as m\nfound = {}\n"
            f"for name in {list(PACKAGES)!r}:\n"
            "    try: found[name] = m.version(name)\n"
            "    except m.PackageNotFoundError: pass\n"
            "print(json.dumps(found))")
    return run([str(python), "-c", code], 60).result or {}


def make_venv(venv: Path, pip_args: str) -> dict[str, str]:
    """Makes or completes the environment. Returns why, by package, something could not be installed."""
    if not python_of(venv).exists():
        say(f"making {venv}")
        made = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, check=False)
        if made.returncode:
            raise SystemExit(f"versus: {venv}: no virtual environment: {last_words(made.stderr or made.stdout)}; "
                             "Debian's package python3-venv makes them; --python uses an existing one")
    there, failed = installed(python_of(venv)), {}
    for package, version in PACKAGES.items():
        if there.get(package, "").split("+")[0] == version:
            continue
        say(f"installing {package} {version}")
        pip = subprocess.run([str(python_of(venv)), "-m", "pip", "install", "-q", *shlex.split(pip_args),
                              f"{package}=={version}"], capture_output=True, text=True, check=False)
        if pip.returncode:
            failed[package] = last_words("\n".join(x for x in pip.stderr.splitlines() if "[notice]" not in x))
    return failed


def machine() -> dict[str, object]:
    """What the figures depend on and a reader cannot know."""
    model = "unknown"
    with contextlib.suppress(OSError, StopIteration):
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"cpu": model, "processors": len(os.sched_getaffinity(0)), "memory_gb": round(memory, 1),
            "system": f"{platform.system()} {platform.release()}", "load": os.getloadavg()[0],
            "date": time.strftime("%Y-%m-%d %H:%M")}


def say(text: str) -> None:
    """Progress; results go to stdout."""
    print(f"versus: {text}", file=sys.stderr, flush=True)

#!/usr/bin/env python3
"""Writes statistics.json: what SciPy says about small tables of made-up figures, for tests/train/study/statistics_test.cc.

Made with SciPy 1.17.1 and NumPy of the same environment:
    python3 tests/golden/make_statistics_goldens.py
"""
import json
import pathlib

import numpy as np
import scipy
from scipy import stats


def quantiles():
    cases = [(0.975, n) for n in (1, 2, 3, 4, 5, 9, 30, 101)] + [(0.6, 1), (0.9, 5), (0.025, 2), (0.995, 8)]
    return [{"probability": p, "degrees": n, "value": float(stats.t.ppf(p, n))} for p, n in cases]


def correlations(random):
    cases = []
    for count in (2, 3, 5, 7, 7, 8):
        for ties in (False, True):
            a = np.round(random.normal(size=count), 3)
            b = np.round(a + random.normal(size=count), 3)
            if ties:
                b[0] = b[-1]
                a[count // 2] = a[0]
            if len(set(a)) < 2 or len(set(b)) < 2:
                continue

            def rho(order, b=b):
                return stats.spearmanr(order, b).statistic

            chance = stats.permutation_test(
                (a,), rho, permutation_type="pairings", alternative="greater", n_resamples=np.inf).pvalue
            cases.append({"a": a.tolist(), "b": b.tolist(), "ranks": stats.rankdata(b).tolist(),
                          "rho": float(rho(a)), "chance": float(chance)})
    return cases


def pairs(random):
    cases = []
    for count in (2, 3, 5, 10):
        a = np.round(0.6 + 0.01 * random.normal(size=count), 4)
        b = np.round(0.6 + 0.01 * random.normal(size=count), 4)
        interval = stats.ttest_rel(a, b).confidence_interval(0.95)
        cases.append({"a": a.tolist(), "b": b.tolist(), "mean": float(np.mean(a - b)),
                      "deviation": float(np.std(a - b, ddof=1)), "low": float(interval.low), "high": float(interval.high)})
    return cases


def main():
    random = np.random.default_rng(20170401)
    golden = {"scipy": scipy.__version__, "student": quantiles(), "spearman": correlations(random), "paired": pairs(random)}
    path = pathlib.Path(__file__).with_name("statistics.json")
    path.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

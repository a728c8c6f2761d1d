"""Works out `dtrak lds DB --report` again, in NumPy float64, from what the database holds.

    python check_lds.py DTRAK DB

Subsets from their bits, losses from subset_output, scores from the table score; then for every score set
LDS with average ranks, plain and centred, its standard error (every subset left out in turn, ranks made anew),
the paired difference from its reference, and what two seeds share.  Compared with the program's JSON to 1e-7
of a correlation.  Needs only NumPy and the standard library; shares no code with the program.
"""
import json
import sqlite3
import subprocess
import sys
import zlib

import numpy as np

TOLERANCE = 1e-7


def score_row(data, fmt, n):
    if fmt == 0:
        return np.frombuffer(data, "<f4").astype(float)
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(4, n).astype(np.uint32)
    turned = planes[0] << 24 | planes[1] << 16 | planes[2] << 8 | planes[3]
    return (turned >> 1 | turned << 31).astype(np.uint32).view("<f4").astype(float)


def ranks(v):
    """Average ranks along the first axis; v [M, Q]."""
    below = (v[None] < v[:, None]).sum(1)
    return below + ((v[None] == v[:, None]).sum(1) + 1) / 2


def correlate(a, b):
    """Pearson along the first axis, 0 where a side does not vary."""
    a, b = a - a.mean(0), b - b.mean(0)
    size = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    return np.where(size > 0, (a * b).sum(0) / np.where(size > 0, size, 1), 0)


class Fit:
    def __init__(self, p, y):
        self.M = len(p)
        self.rho = correlate(ranks(p), ranks(y))
        keep = [np.delete(np.arange(self.M), m) for m in range(self.M)]
        self.loo = np.array([correlate(ranks(p[k]), ranks(y[k])) for k in keep])

    def minus(self, other):
        d = object.__new__(Fit)
        d.M, d.rho, d.loo = self.M, self.rho - other.rho, self.loo - other.loo
        return d

    def estimate(self):
        def jackknife(v):
            return (self.M - 1) / self.M * ((v - v.mean(0)) ** 2).sum(0)
        Q = len(self.rho)
        inside = jackknife(self.loo).sum() / Q ** 2
        over_queries = self.rho.var(ddof=1) / Q if Q > 1 else 0
        return self.rho.mean(), np.sqrt(jackknife(self.loo.mean(1)) + max(0, over_queries - inside))


def centre(v):
    return v - v.mean(1, keepdims=True)


def outputs(db, eval_id, split, ids):
    out = []
    for i in ids:
        data, = db.execute("SELECT bytes FROM subset_output WHERE subset = ? AND protocol = ? AND split = ?",
                           (i, eval_id, split)).fetchone()
        out.append(np.frombuffer(data, "<f4").astype(float).reshape(-1, 2).mean(1))
    return np.array(out)


def check(dtrak, path):
    """Returns (values compared, largest difference, where)."""
    report = json.loads(subprocess.run([dtrak, "lds", path, "--report", "--json"], check=True, capture_output=True, text=True).stdout)
    db = sqlite3.connect(path)
    worst, count, where = 0.0, 0, ""

    def same(name, got, want, scale=100):
        nonlocal worst, count, where
        if got is None:
            if np.isfinite(want):
                worst, where = np.inf, name
            return
        d = abs(got / scale - want)
        count += 1
        if not d <= worst:
            worst, where = d, name

    protocols = {}
    for i, kind, text in db.execute("SELECT id, kind, text FROM protocol"):
        if json.loads(text) == report[f"{kind}_protocol"]:
            protocols[kind] = i
    done = {(idx, seed): (i, bits) for i, idx, seed, bits in db.execute(
        "SELECT id, idx, seed, members FROM subset WHERE protocol = ? AND state = 'done'", (protocols["train"],))}
    used = sorted(idx for idx, seed in done if seed == 0)
    assert report["seeds"] == 1 and len(used) == report["subsets"]
    n = report["train_protocol"]["n"]
    members = np.array([np.unpackbits(np.frombuffer(done[idx, 0][1], np.uint8), bitorder="little")[:n] for idx in used]).astype(float)
    for split in report["splits"]:
        y = outputs(db, protocols["eval"], split["split"], [done[idx, 0][0] for idx in used])
        twice = [idx for idx in used if (idx, 1) in done]
        if len(twice) >= 3:
            a, b = (outputs(db, protocols["eval"], split["split"], [done[idx, s][0] for idx in twice]) for s in (0, 1))
            r = correlate(a, b).mean()
            same("repeat", split["repeat"]["r"], r, 1)
            same("repeat centred", split["repeat_centred"]["r"], correlate(centre(a), centre(b)).mean(), 1)
            same("one more", split["repeat"]["one_more_retraining"], correlate(ranks(a), ranks(b)).mean())
            same("ceiling", split["repeat"]["ceiling"], np.sqrt(r) if r > 0 else np.nan)
        fits = {}
        for row in split["rows"]:
            scores = np.array([score_row(data, fmt, n) for data, fmt in db.execute(
                "SELECT bytes, format FROM score WHERE score_set = ? AND query >= ? AND query < ? ORDER BY query",
                (row["score_set"], split["first"], split["first"] + split["queries"]))])
            p = -(members @ scores.T)
            fits[row["score_set"]] = {"": Fit(p, y), "_centred": Fit(centre(p), centre(y))}
        for row in split["rows"]:
            for suffix, field in (("", "plain"), ("_centred", "centred")):
                fit = fits[row["score_set"]][suffix]
                value, se = fit.estimate()
                same(f"{row['name']} {field}", row[field]["lds"], value)
                same(f"{row['name']} {field} se", row[field]["se"], se)
                if "reference" in row:
                    value, se = fit.minus(fits[row["reference"]][suffix]).estimate()
                    same(f"{row['name']} minus", row["minus_reference" + suffix]["lds"], value)
                    same(f"{row['name']} minus se", row["minus_reference" + suffix]["se"], se)
    return count, worst, where


if __name__ == "__main__":
    count, worst, where = check(*sys.argv[1:3])
    print(f"{count} values, largest difference {worst:.2g} ({where})")
    sys.exit(0 if count and worst <= TOLERANCE else 1)

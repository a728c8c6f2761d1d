"""Works out `dtrak lds DB --report` again, in NumPy float64, from what the database holds.

    python check_lds.py DTRAK DB

Subsets from their bits, losses from subset_output, scores from the table score; then for every score set
LDS with average ranks, plain and centred (of scores that are made of these losses on the half of the subsets that
they are not made of), its standard error (every subset left out in turn, ranks made anew),
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


def lds_of(p, y):
    return correlate(ranks(p), ranks(y))


class Fit:
    """samples: groups of rows of loo, each left out from a sample of its own."""

    def __init__(self, rho, loo, samples):
        self.rho, self.loo, self.samples = rho, loo, samples

    @classmethod
    def whole(cls, p, y):
        M = len(p)
        keep = [np.delete(np.arange(M), m) for m in range(M)]
        return cls(lds_of(p, y), np.array([lds_of(p[k], y[k]) for k in keep]), [np.arange(M)])

    @classmethod
    def halves(cls, predict, y, centred):
        """predict(of, by): predictions for the subsets `of` from the subsets `by`."""
        def both(without):
            sides = []
            for h in (0, 1):
                of, by = (np.array([m for m in range(len(y)) if m % 2 == x and m != without]) for x in (h, 1 - h))
                # what is left out here is not predicted either, but who is centred is decided before
                p, t = predict(of, by), y[of]
                sides.append(lds_of(centre(p), centre(t)) if centred else lds_of(p, t))
            return (sides[0] + sides[1]) / 2
        M = len(y)
        return cls(both(None), np.array([both(m) for m in range(M)]), [np.arange(0, M, 2), np.arange(1, M, 2)])

    def minus(self, other):
        return Fit(self.rho - other.rho, self.loo - other.loo, self.samples)

    def estimate(self):
        def jackknife(v):
            return sum((len(s) - 1) / len(s) * ((v[s] - v[s].mean(0)) ** 2).sum(0) for s in self.samples)
        Q = len(self.rho)
        inside = jackknife(self.loo).sum() / Q ** 2
        over_queries = self.rho.var(ddof=1) / Q if Q > 1 else 0
        return self.rho.mean(), np.sqrt(jackknife(self.loo.mean(1)) + max(0, over_queries - inside))


def centre(v):
    return v - v.mean(1, keepdims=True)


# --- scores that are made of the outputs themselves ---

def influence(X, y):
    """Scores [Q, N]: mean loss without an item minus with it; 0 where it is in all subsets or in none."""
    inside = X.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        s = ((1 - X).T @ y) / (len(X) - inside)[:, None] - (X.T @ y) / inside[:, None]
    s[(inside == 0) | (inside == len(X))] = 0
    return s.T


def ridge_fit(X, y, a):
    Z, mean = X - X.mean(0), y.mean(0)
    w = Z.T @ np.linalg.solve(Z @ Z.T + a * np.eye(len(X)), y - mean)
    return w, mean - X.mean(0) @ w


def datamodel(X, y):
    """Scores [Q, N] = -weights of a ridge with intercept, its strength chosen per query by refits without each model."""
    Z = X - X.mean(0)
    strengths = np.array([0.1, 1, 10]) * (Z * Z).sum() / len(X)
    error = np.zeros((3, y.shape[1]))
    for i, a in enumerate(strengths):
        for m in range(len(X)):
            rest = np.delete(np.arange(len(X)), m)
            w, c = ridge_fit(X[rest], y[rest], a)
            error[i] += (y[m] - X[m] @ w - c) ** 2
    best, fits = error.argmin(0), [ridge_fit(X, y, a)[0] for a in strengths]
    return -np.array([fits[b][:, q] for q, b in enumerate(best)])


MADE_OF_OUTPUTS = {"emp-influence": influence, "datamodel": datamodel}


def outputs(db, eval_id, split, ids):
    text, = db.execute("SELECT text FROM protocol WHERE id = ?", (eval_id,)).fetchone()
    T = json.loads(text).get("timesteps", 0)
    n = ((T + 1) // 2, T // 2) if T > 1 else (1, 1)      # timesteps behind either part; of one both are its loss
    out = []
    for i in ids:
        data, = db.execute("SELECT bytes FROM subset_output WHERE subset = ? AND protocol = ? AND split = ?",
                           (i, eval_id, split)).fetchone()
        even, odd = np.frombuffer(data, "<f4").astype(float).reshape(-1, 2).T
        out.append((n[0] * even + n[1] * odd) / sum(n))
    return np.array(out)


def halves_of(predict, y):
    return {"": Fit.halves(predict, y, False), "_centred": Fit.halves(predict, y, True)}


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
            if row["halves"]:
                make = MADE_OF_OUTPUTS[row["method"]]
                want = make(members, y)
                same(f"{row['name']} scores", np.abs(scores - want).max() / np.abs(want).max(), 0, 1)
                fits[row["score_set"]] = halves_of(lambda of, by: -(members[of] @ make(members[by], y[by]).T), y)
            else:
                fits[row["score_set"]] = {"": Fit.whole(p, y), "_centred": Fit.whole(centre(p), centre(y)),
                                          "halves": halves_of(lambda of, by, p=p: p[of], y)}
        for row in split["rows"]:
            for suffix, field in (("", "plain"), ("_centred", "centred")):
                fit = fits[row["score_set"]][suffix]
                value, se = fit.estimate()
                same(f"{row['name']} {field}", row[field]["lds"], value)
                same(f"{row['name']} {field} se", row[field]["se"], se)
                if "reference" in row:
                    other = fits[row["reference"]]
                    value, se = fit.minus((other["halves"] if row["halves"] else other)[suffix]).estimate()
                    same(f"{row['name']} minus", row["minus_reference" + suffix]["lds"], value)
                    same(f"{row['name']} minus se", row["minus_reference" + suffix]["se"], se)
    return count, worst, where


if __name__ == "__main__":
    count, worst, where = check(*sys.argv[1:3])
    print(f"{count} values, largest difference {worst:.2g} ({where})")
    sys.exit(0 if count and worst <= TOLERANCE else 1)

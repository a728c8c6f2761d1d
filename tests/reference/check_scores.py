"""Recomputes what `dtrak rank` shows, in NumPy float64, from what the database holds.

    python check_scores.py DTRAK DB [QUERY ...]     (default: gen:0 gen:17 gen:60)

For each query and for the losses `simple` (TRAK) and `square` (D-TRAK) at the last
checkpoint: Gram and cross-Gram from the stored kernel, else from the stored features;
lambda by the effective-dimension rule (d_eff = min(N, k) / 4); scores by solving
(A + lambda I) x = b; then the top 10 beside the program's, and every score.  Needs only
NumPy and the standard library; shares no code with the program.  Exit status 1 on a
difference.
"""
import json
import sqlite3
import subprocess
import sys

import numpy as np

TOLERANCE = 1e-5      # of the largest score, where they are kept to 16 bits or more


def features(db, row, split, sha, loss, timesteps, k):
    """Rows of one feature set: float16 with a float32 scale in front of each, or float32; the mean of its parts, of
    which part p of block b has the number b * parts + p."""
    sid, is_f32, parts = db.execute(
        "SELECT id, float32, parts FROM feature_set WHERE split = ? AND checkpoint_sha256 = ? AND loss = ?"
        " AND timesteps = ? AND k = ?", (split, sha, loss, timesteps, k)).fetchone()
    out = [[] for _ in range(parts)]
    for block, rows, data in db.execute("SELECT block, rows, bytes FROM feature_block WHERE feature_set = ? ORDER BY block", (sid,)):
        if is_f32:
            out[block % parts].append(np.frombuffer(data, "<f4").reshape(rows, k).astype(np.float64))
        else:
            raw = np.frombuffer(data, np.uint8).reshape(rows, 4 + 2 * k)
            scale = np.ascontiguousarray(raw[:, :4]).view("<f4").astype(np.float64)
            out[block % parts].append(scale * np.ascontiguousarray(raw[:, 4:]).view("<f2").astype(np.float64))
    return np.mean([np.concatenate(part) for part in out], axis=0)


def kernel_part(db, sid, part, split):
    r = db.execute("SELECT rows, cols, float64, bytes FROM kernel WHERE feature_set = ? AND part = ? AND split = ?",
                   (sid, part, split)).fetchone()
    if r is None:
        return None
    rows, cols, is_f64, data = r
    v = np.frombuffer(data, "<f8" if is_f64 else "<f4").astype(np.float64)
    if part != "gram":
        return v.reshape(rows, cols)
    A = np.zeros((rows, rows))
    A[np.triu_indices(rows)] = v
    return A + np.triu(A, 1).T


def products(db, loss, split, timesteps, k):
    """A [N, N] and B [Q, N] of the last checkpoint's features of that loss."""
    sha, = db.execute("SELECT sha256 FROM checkpoint WHERE config = (SELECT config FROM checkpoint ORDER BY id LIMIT 1)"
                     " ORDER BY step DESC, ema DESC LIMIT 1").fetchone()     # of the first network, where there are several
    sid, = db.execute("SELECT id FROM feature_set WHERE split = 'train' AND checkpoint_sha256 = ? AND loss = ?"
                      " AND timesteps = ? AND k = ?", (sha, loss, timesteps, k)).fetchone()
    A, B = kernel_part(db, sid, "gram", "train"), kernel_part(db, sid, "cross", split)
    if A is not None and B is not None:
        return A, B, "kernel"
    phi = features(db, sid, "train", sha, loss, timesteps, k)
    g = features(db, sid, split, sha, loss, timesteps, k)
    return phi @ phi.T, g @ phi.T, "features"


def auto_lambda(A, k):
    w = np.clip(np.linalg.eigvalsh(A), 0, None)
    goal, low, high = 0.25 * min(len(A), k), np.log(w.sum()) - 60, np.log(w.sum()) + 20
    for _ in range(200):
        mid = (low + high) / 2
        if (w / (w + np.exp(mid))).sum() > goal:
            low = mid
        else:
            high = mid
    return np.exp((low + high) / 2)


def compare(program, path, db, loss, query):
    """A line for people, and the largest difference of any score over the largest score (nan: another order)."""
    split, index = query.split(":")
    train, = db.execute("SELECT count(*) FROM item WHERE split = 'train'").fetchone()
    shown = json.loads(subprocess.run(
        [program, "rank", path, "--query", query, "--method", "trak", "--loss", loss, "--checkpoint", "last",
         "--lambda", "auto", "--top", str(train), "--bottom", "0", "--json"], check=True, capture_output=True, text=True).stdout)
    timesteps, k = shown["timesteps"], shown["k"]
    A, B, source = products(db, loss, split, timesteps, k)
    lam = auto_lambda(A, k)
    tau = np.linalg.solve(A + lam * np.eye(len(A)), B[int(index)])
    order = np.lexsort((np.arange(len(tau)), -tau))[:10]
    names = [p["item"] for p in shown["proponents"]]
    scores = np.array([p["score"] for p in shown["proponents"]])
    same = names[:10] == ["train:%d" % i for i in order]
    where = [int(name.split(":")[1]) for name in names]
    error = np.abs(scores - tau[where]).max() / np.abs(tau).max() if same else np.nan
    return ("%-7s %-7s %d timesteps, k %d, from the %s, lambda %.4g (program: relative %.4g): top 10 %s, %d scores within %.1e"
            % (query, loss, timesteps, k, source, lam / np.trace(A) * len(A), shown["lambda"],
               "equal" if same else "DIFFER: %s against %s" % (names[:10], ["train:%d" % i for i in order]), len(names), error)), error


def main():
    program, path, queries = sys.argv[1], sys.argv[2], sys.argv[3:] or ["gen:0", "gen:17", "gen:60"]
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    bad = 0
    for loss in ("simple", "square"):
        for query in queries:
            said, error = compare(program, path, db, loss, query)
            print(said)
            bad += not error < TOLERANCE
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

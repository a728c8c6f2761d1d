"""Recomputes the error bars that `dtrak rank` shows, in NumPy float64, from stored features in blocks.

    python check_errors.py DTRAK DB [QUERY ...]     (default: gen:0 gen:1)

D-TRAK at the last checkpoint: each block left out of train and query features, lambda moved to the
effective dimension that all blocks have at theirs; the jackknife over blocks, and the spread over the sets
that differ in the projection's seed; then the first 10 beside the program's.  Stored differences are
float16, hence the tolerance.  Needs only NumPy and the standard library; shares no code with the program.
"""
import json
import sqlite3
import subprocess
import sys

import numpy as np

TOLERANCE = 2e-3


def rows_of(data, rows, k, is_f32):
    if is_f32:
        return np.frombuffer(data, "<f4").reshape(rows, k).astype(float)
    raw = np.frombuffer(data, np.uint8).reshape(rows, 4 + 2 * k)
    return np.ascontiguousarray(raw[:, :4]).view("<f4").astype(float) * np.ascontiguousarray(raw[:, 4:]).view("<f2").astype(float)


def features(db, set_id):
    """[parts, n, k]: part p of block b has the number b * parts + p."""
    k, is_f32, parts = db.execute("SELECT k, float32, parts FROM feature_set WHERE id = ?", (set_id,)).fetchone()
    out = [[] for _ in range(parts)]
    for block, rows, data in db.execute("SELECT block, rows, bytes FROM feature_block WHERE feature_set = ? ORDER BY block", (set_id,)):
        out[block % parts].append(rows_of(data, rows, k, is_f32))
    return np.array([np.concatenate(p) for p in out])


def dimension(w, lam):
    return (w / (w + lam)).sum()


def lambda_for(w, goal):
    low, high = np.log(w.sum()) - 60, np.log(w.sum()) + 20
    for _ in range(200):
        mid = (low + high) / 2
        low, high = (mid, high) if dimension(w, np.exp(mid)) > goal else (low, mid)
    return np.exp((low + high) / 2)


def scores(phi, g, goal):
    A = phi @ phi.T
    lam = lambda_for(np.clip(np.linalg.eigvalsh(A), 0, None), goal)
    return np.linalg.solve(A + lam * np.eye(len(A)), phi @ g)


def pairs(db, loss):
    """(train, query) set ids of the blocks, and of each other seed."""
    sha, = db.execute("SELECT sha256 FROM checkpoint WHERE config = (SELECT config FROM checkpoint ORDER BY id LIMIT 1)"
                     " ORDER BY step DESC, ema DESC LIMIT 1").fetchone()     # of the first network, where there are several
    sets = db.execute("SELECT id, split, parts, projection_seed FROM feature_set WHERE checkpoint_sha256 = ? AND loss = ?"
                      " AND rule = 'uniform'", (sha, loss)).fetchall()
    blocks = next(s for s in sets if s[1] == "train" and s[2] > 1)

    def partner(train, split):
        return next(s[0] for s in sets if s[1] == split and s[2] == train[2] and s[3] == train[3])
    others = [s for s in sets if s[1] == "train" and s[3] != blocks[3]]
    return lambda split: ((blocks[0], partner(blocks, split)), [(s[0], partner(s, split)) for s in others])


def check(dtrak, path, queries=("gen:0", "gen:1")):
    """Returns (values compared, largest relative difference)."""
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    find, count, worst = pairs(db, "square"), 0, 0.0
    for query in queries:
        split, index = query.split(":")
        (train, other), seeds = find(split)
        phi, g = features(db, train), features(db, other)[:, int(index)]
        B, goal = len(phi), 0.25 * min(phi.shape[1:])
        tau = scores(phi.mean(0), g.mean(0), goal)
        left = np.array([scores(np.delete(phi, b, 0).mean(0), np.delete(g, b, 0).mean(0), goal) for b in range(B)])
        square = (B - 1) / B * ((left - left.mean(0)) ** 2).sum(0)
        if seeds:
            all_seeds = [tau] + [scores(features(db, t).mean(0), features(db, q).mean(0)[int(index)], goal) for t, q in seeds]
            square = square + np.var(all_seeds, axis=0, ddof=1)
        shown = json.loads(subprocess.run([dtrak, "rank", path, "--query", query, "--method", "dtrak", "--json"], check=True,
                                          capture_output=True, text=True).stdout)
        assert shown["error_bars"]["blocks"] == B
        for entry in shown["proponents"] + shown["opponents"]:
            i = int(entry["item"].split(":")[1])
            se = np.sqrt(square[i])
            worst = max(worst, abs(entry["se"] - se) / se, abs(entry["score"] - tau[i]) / np.abs(tau).max())
            if abs(abs(tau[i]) / se - 2) > 0.01 and entry["sign_determined"] != (abs(tau[i]) > 2 * se):
                worst = np.inf
            count += 1
    return count, worst


if __name__ == "__main__":
    count, worst = check(sys.argv[1], sys.argv[2], *([sys.argv[3:]] if sys.argv[3:] else []))
    print(f"{count} errors, largest relative difference {worst:.2g}")
    sys.exit(0 if count and worst <= TOLERANCE else 1)

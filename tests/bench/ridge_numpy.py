"""The 27-lambda sweep the way the released notebooks do it: an explicit inverse of
Phi^T Phi + lambda I for each lambda, then two products, in float32 NumPy.
    python3 ridge_numpy.py N K QUERIES [LAMBDAS]
With fewer LAMBDAS than 27 the time of the whole is scaled up and said to be so."""
import os
import sys
import time

import numpy as np

n, k, queries = (int(x) for x in sys.argv[1:4])
count = int(sys.argv[4]) if len(sys.argv) > 4 else 27
rng = np.random.default_rng(5)
strength = (1 + np.arange(k)) ** -0.5
phi = (rng.standard_normal((n, k)) * strength).astype(np.float32)
g = (rng.standard_normal((queries, k)) * strength).astype(np.float32)
start, work = time.perf_counter(), time.process_time()
gram = phi.T @ phi
mean = float(np.trace(gram)) / n
for i in range(count):
    relative = (1, 2, 5)[(i * 27 // count) % 3] * 10.0 ** ((i * 27 // count) // 3 - 6)
    inverse = np.linalg.inv(gram + np.float32(relative * mean) * np.eye(k, dtype=np.float32))
    scores = g @ (phi @ inverse).T
took = time.perf_counter() - start
work = (time.process_time() - work) / len(os.sched_getaffinity(0))   # as bench/ridge counts
note = "" if count == 27 else f" (scaled up from {count})"
print(f"NumPy {np.__version__}, {n} x {k}, {queries} queries, 27 explicit inverses: {work * 27 / count:.1f} s (real {took * 27 / count:.1f}){note}")

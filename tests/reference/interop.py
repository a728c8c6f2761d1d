#!/usr/bin/env python3
"""Compares dtrak with the libraries whose work it does again, live, on random cases.

  interop.py --out BUILD [--count N] [--seed S] [SUBJECT...]

Each subject is a file interop_SUBJECT.py with checks(case): it yields (name, function); the function
returns what the line shall say beside the name, and raises Mismatch where the two do not agree.
Prints one line per check and at the end "N passed, N failed".
"""
import argparse
import importlib
import pathlib
import sys
import tempfile
import time
import traceback
import warnings


class Mismatch(Exception):
    """Two results differ by more than rounding."""


class Case:
    """What a subject gets: where the programs are, an empty directory, the seed, how many checks."""

    def __init__(self, out, work, seed, count):
        self.out, self.work, self.seed, self.count = pathlib.Path(out).resolve(), pathlib.Path(work), seed, count
        self.dtrak = self.out / "dtrak"


SUBJECTS = sorted(p.stem[len("interop_"):] for p in pathlib.Path(__file__).parent.glob("interop_*.py"))


def run(name, function):
    start = time.monotonic()
    try:
        said, ok = function(), True
    except Mismatch as e:
        said, ok = str(e), False
    except Exception:  # a subject that breaks must not hide the others
        said, ok = traceback.format_exc(), False
    print(f"{'ok' if ok else 'FAILED':6s} {name:24s} {said}  ({time.monotonic() - start:.1f} s)", flush=True)
    return ok


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default="build", help="the build directory")
    p.add_argument("--count", type=int, default=24, help="random cases per subject")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("subject", nargs="*", default=SUBJECTS, help=" ".join(SUBJECTS))
    a = p.parse_args()
    warnings.filterwarnings("ignore")
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="dtrak-interop.") as work:
        for subject in a.subject:
            where = pathlib.Path(work) / subject
            where.mkdir()
            module = importlib.import_module(f"interop_{subject}")
            for name, function in module.checks(Case(a.out, where, a.seed, a.count)):
                ok = run(name, function)
                passed, failed = passed + ok, failed + (not ok)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    sys.modules["interop"] = sys.modules["__main__"]  # so that subjects raise the same Mismatch
    main()

"""LDS: a small project with retrained networks, its scores (check_scores.py), its report (check_lds.py) and the
error bars of its scores (check_errors.py) against NumPy's."""
import sqlite3
import subprocess

import check_errors
import check_lds
import check_scores
from interop import Mismatch


def make(case, path):
    def run(*words):
        subprocess.run([str(case.dtrak), *map(str, words)], check=True, capture_output=True)
    tool, data = case.out / "cli" / "data", case.work / "data"
    subprocess.run([str(tool), "idx", str(data), "90"], check=True)
    run("new", path, "--idx", data / "images.idx", data / "labels.idx", "--classes", "0,1", "--per-class", 24,
        "--held-out", 7, "--patch", 2)
    run("train", path, "--width", "8,16", "--steps", 150, "--batch", 16, "--lr", "4e-3", "--seed", case.seed)
    run("sample", path, "--count", 5, "--steps", 10)
    run("features", path, "--loss", "simple,square", "--timesteps", 20, "--dims", 256)
    run("score", path, "--method", "trak,grad-cos,pixel-cos,random", "--loss", "simple,square")
    run("score", path, "--method", "trak", "--loss", "simple,square", "--lambda", "0.1", "--bits", 12)
    run("lds", path, "--subsets", 12, "--second-seed", 5, "--same", "steps", "--timesteps", 20)
    run("score", path, "--method", "emp-influence,datamodel")


def checks(case):
    def report():
        path = str(case.work / "lds.db")
        make(case, path)
        count, worst, where = check_lds.check(str(case.dtrak), path)
        said = f"{count} values, largest difference {worst:.2g} ({where})"
        if not count or worst > check_lds.TOLERANCE:
            raise Mismatch(said)
        return said
    yield "lds report", report

    def scores():
        path, worst, n = str(case.work / "lds.db"), 0, 0
        db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        for loss in ("simple", "square"):
            for query in ("gen:0", "gen:4", "val:3"):
                said, error = check_scores.compare(str(case.dtrak), path, db, loss, query)
                if not error < check_scores.TOLERANCE:
                    raise Mismatch(said)
                worst, n = max(worst, error), n + 1
        return f"{n} rankings, largest difference {worst:.2g} of the largest score"
    yield "scores", scores

    def errors():
        path = str(case.work / "lds.db")

        def run(*words):
            subprocess.run([str(case.dtrak), *map(str, words)], check=True, capture_output=True)
        run("features", path, "--loss", "square", "--timesteps", 20, "--dims", 256, "--blocks", 5)
        for seed in (1, 2):
            run("features", path, "--loss", "square", "--timesteps", 20, "--dims", 256, "--projection-seed", seed)
        run("score", path, "--method", "dtrak", "--errors")
        count, worst = check_errors.check(str(case.dtrak), path)
        said = f"{count} errors, largest relative difference {worst:.2g}"
        if not count or worst > check_errors.TOLERANCE:
            raise Mismatch(said)
        return said
    yield "error bars", errors

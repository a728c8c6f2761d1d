"""plots.py - the four pictures of a study, from `dtrak lds DB --report --csv`.

    plots.py NAME.csv PREFIX      writes PREFIX-methods.png, -checkpoints.png, -dims.png, -lambda.png

Bars and whiskers are LDS x 100 and one standard error.
"""
import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SPLITS = ("val", "gen")
LOSSES = ("simple", "elbo", "square", "avg", "l1", "l2", "linf")
COLOUR = {loss: f"C{i}" for i, loss in enumerate(LOSSES)}
GIVEN = 4096          # dimensions of everything but the sweep over them


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def rows(path):
    for row in csv.DictReader(open(path)):
        for key in row:
            if key not in ("split", "name", "method", "loss", "lambda"):
                row[key] = number(row[key])
        yield row


def pair(title):
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True)
    figure.suptitle(title)
    for axis, split in zip(axes, SPLITS):
        axis.set_title({"val": "held-out images", "gen": "generated images"}[split])
        axis.axhline(0, color="grey", linewidth=0.7)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("LDS x 100")
    return figure, dict(zip(SPLITS, axes))


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def methods(table, path):
    def counts(r):
        if r["lambda"] not in ("", "auto"):
            return False
        return not r["k"] or r["k"] == GIVEN and (r["timesteps"] == 100 or r["checkpoints"] > 1)

    chosen = {s: {r["name"] + (" (4 checkpoints)" if (r["checkpoints"] or 0) > 1 else ""): r
                  for r in table if r["split"] == s and counts(r)} for s in SPLITS}
    # By the held-out images; those that have generated ones alone stand by these.
    names = sorted({**chosen["gen"], **chosen["val"]}, key=lambda n: {**chosen["gen"], **chosen["val"]}[n]["lds"])
    figure, axis = plt.subplots(figsize=(9, 0.36 * len(names) + 1.2))
    for shift, split, colour in ((0.2, "val", "C0"), (-0.2, "gen", "C1")):
        have = [(i, chosen[split][n]) for i, n in enumerate(names) if n in chosen[split]]
        axis.barh([i + shift for i, _ in have], [r["lds"] for _, r in have], 0.38,
                  xerr=[r["se"] or 0 for _, r in have], color=colour, error_kw={"linewidth": 1},
                  label={"val": "held-out", "gen": "generated"}[split])
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_xlabel("LDS x 100, lambda by the effective dimension, no oracle")
    axis.grid(axis="x", alpha=0.3)
    axis.legend(loc="lower right")
    save(figure, path)


def checkpoints(table, path):
    figure, axes = pair("checkpoints, 10 timesteps")
    for loss in LOSSES:
        for split in SPLITS:
            points = sorted((r["percent"], r["lds"], r["se"]) for r in table
                            if r["split"] == split and r["method"] == "trak" and r["loss"] == loss and r["lambda"] == "auto"
                            and r["timesteps"] == 10 and r["k"] == GIVEN and r["checkpoints"] == 1)
            if points:
                x, y, e = zip(*points)
                axes[split].errorbar(x, y, e, marker="o", capsize=2, color=COLOUR[loss], label=loss)
    for axis in axes.values():
        axis.set_xlabel("percent of the training")
    axes["gen"].legend(fontsize=8)
    save(figure, path)


def dims(table, path):
    figure, axes = pair("dimensions of the projection, 100 timesteps; dashed: effective dimension")
    for loss in ("simple", "square"):
        for split in SPLITS:
            points = sorted((r["k"], r["lds"], r["se"], r["d_eff"]) for r in table
                            if r["split"] == split and r["method"] == "trak" and r["loss"] == loss and r["lambda"] == "auto"
                            and r["timesteps"] == 100 and r["checkpoints"] == 1)
            if points:
                k, y, e, d = zip(*points)
                axes[split].errorbar(k, y, e, marker="o", capsize=2, color=COLOUR[loss], label=loss)
                axes[split].axvline(d[-1], color=COLOUR[loss], linestyle="--", linewidth=1)
    for axis in axes.values():
        axis.set_xscale("log", base=2)
        axis.set_xlabel("k")
    axes["gen"].legend(fontsize=8)
    save(figure, path)


def sweep(table, path):
    figure, axes = pair("lambda, last checkpoint, 100 timesteps; dots: by the effective dimension")
    for loss in LOSSES:
        for split in SPLITS:
            mine = [r for r in table if r["split"] == split and r["method"] == "trak" and r["loss"] == loss
                    and r["timesteps"] == 100 and r["k"] == GIVEN and r["lambda_rel"]]
            points = sorted((r["lambda_rel"], r["lds"]) for r in mine if r["lambda"] != "auto")
            if points:
                axes[split].plot(*zip(*points), color=COLOUR[loss], label=loss)
            for r in mine:
                if r["lambda"] == "auto":
                    axes[split].plot(r["lambda_rel"], r["lds"], "o", color=COLOUR[loss])
    for axis in axes.values():
        axis.set_xscale("log")
        axis.set_xlabel("lambda / mean eigenvalue")
    axes["gen"].legend(fontsize=8)
    save(figure, path)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    table, prefix = list(rows(sys.argv[1])), sys.argv[2]
    methods(table, prefix + "-methods.png")
    checkpoints(table, prefix + "-checkpoints.png")
    dims(table, prefix + "-dims.png")
    sweep(table, prefix + "-lambda.png")


main()

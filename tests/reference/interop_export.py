"""Export: NumPy opens what dtrak writes and computes the same scores; traker goes on from its save_dir."""
import json
import os
import pathlib
import re

import numpy as np
from interop import Mismatch
from interop_exchange import K, M, N, TOLERANCE, Project, ridge

LAMBDA = 0.7


def close(got, want, what):
    worst = np.abs(got - want).max() / np.abs(want).max()
    if not worst <= TOLERANCE:
        raise Mismatch(f"{what}: largest difference {worst:.2g}")
    return worst


def project(case, name, steps=(100, 200)):
    """Features of two checkpoints, scored by dtrak."""
    p = Project(case, name)
    rng = np.random.default_rng(case.seed)
    for step in steps:
        base = rng.normal(size=(N + M, K)) * np.geomspace(1, 0.05, K)
        for split, x in (("train", base[:N]), ("val", base[N:])):
            np.save(p.dir / "x.npy", x.astype("f4"))
            p.run("import", p.dir / "x.npy", "--from", "npy", "--features", "--split", split, "--loss", "square", "--checkpoint", step,
                  "--timesteps", 10)
        p.run("score", "--method", "trak", "--loss", "square", "--checkpoint", step, "--lambda", f"abs:{LAMBDA}", "--split", "val")
    return p


def arrays_of(p, *words):
    where = p.dir / "arrays"
    p.run("export", "--npy", where, "--force", *words)
    listed = json.loads((where / "dtrak.json").read_text())
    for a in listed["arrays"]:
        x = np.load(where / a["file"], allow_pickle=False)
        if list(x.shape) != a["shape"] or str(x.dtype) != a["dtype"] or len(a["axes"]) != x.ndim:
            raise Mismatch(f"{a['file']}: {x.dtype} {x.shape}, dtrak.json says {a['dtype']} {a['shape']}")
        a["x"] = x
    found = {str(f.relative_to(where)) for f in where.rglob("*") if f.is_file() and f.name != "dtrak.json"}
    if found != set(listed["files"]):
        raise Mismatch("dtrak.json lists other files than there are")
    for split in ("train", "val", "gen"):
        if "items/" + split + ".json" in found:
            items = json.loads((where / "items" / f"{split}.json").read_text())
            if [i["item"] for i in items] != [f"{split}:{n}" for n in range(len(items))]:
                raise Mismatch(f"items/{split}.json has other items")
    return listed["arrays"]


def arrays(case):
    p = project(case, "arrays")
    made = arrays_of(p)
    features = {(a["checkpoint"], a["split"]): a["x"] for a in made if a["what"] == "features"}
    worst = 0
    for a in made:
        if a["what"] != "scores":
            continue
        step = a["checkpoints"][0]
        want = ridge(features[step, "train"], features[step, "val"], a["lambda_absolute"])
        worst = max(worst, close(a["x"].astype("f8"), want, a["file"]))
    labels = [a for a in made if a["what"] == "labels" and a["split"] == "train"][0]
    if sorted(np.unique(labels["x"])) != sorted(int(i) for i in labels["names"]):
        raise Mismatch("labels and their names differ")
    return f"{len(made)} arrays, scores from the features within {worst:.2g}"


def inverse(x):
    """What traker applies to the gradients: the inverse by its mean magnitude."""
    i = np.linalg.inv(x.T.astype("f8") @ x.astype("f8") + LAMBDA * np.eye(x.shape[1]))
    return i / np.abs(i).mean()


def traker(case):
    import torch
    from trak import TRAKer
    from trak.gradient_computers import IterativeGradientComputer
    from trak.modelout_functions import AbstractModelOutput
    from trak.projectors import BasicProjector, ProjectionType

    class Nothing(AbstractModelOutput):
        def __init__(self):
            pass

        def get_output(self, *args):
            raise NotImplementedError

        def get_out_to_loss_grad(self, *args):
            raise NotImplementedError

    p = project(case, "out")
    p.run("export", "--traker", p.dir / "tk", "--loss", "square", "--checkpoint", "all")
    net = torch.nn.Linear(3, 1)
    projector = BasicProjector(grad_dim=4, proj_dim=K, seed=0, proj_type=ProjectionType.normal, device="cpu", block_size=K, dtype=torch.float32)
    t = TRAKer(model=net, task=Nothing(), train_set_size=N, save_dir=str(p.dir / "tk"), device="cpu", projector=projector, proj_dim=K,
               gradient_computer=IterativeGradientComputer, use_half_precision=False, logging_level=50, lambda_reg=LAMBDA)
    if sorted(t.saver.model_ids) != [100, 200] or list(t.saver.experiments) != ["val"]:
        raise Mismatch(f"traker sees models {sorted(t.saver.model_ids)}, experiments {list(t.saver.experiments)}")
    t.finalize_features()
    scores = np.array(t.finalize_scores("val"))
    made = arrays_of(p, "--what", "features")
    features = {(a["checkpoint"], a["split"]): a["x"] for a in made}
    want = np.mean([features[s, "train"] @ inverse(features[s, "train"]) @ features[s, "val"].T for s in (100, 200)], axis=0)
    worst = np.abs(scores - want).max() / np.abs(want).max()
    if not worst <= TOLERANCE:
        raise Mismatch(f"traker's scores differ by {worst:.2g}")
    order = [np.argsort(-scores[:, q]) for q in range(M)]
    for q, o in enumerate(order):
        if not np.all(np.diff(want[o, q]) <= TOLERANCE * np.abs(want[:, q]).max()):
            raise Mismatch(f"query {q}: another order")
    # What traker made of it comes back.
    p.run("import", p.dir / "tk", "--from", "traker", "--split", "val", "--loss", "square", "--timesteps", 10)
    p.compare(scores.T.astype("f8"), "--method", "trak", "--loss", "square", "--checkpoint", "all")
    return f"2 models, {N} x {M} scores by traker within {worst:.2g}"


def stored_scores(case):
    """A save_dir of one checkpoint holds the scores that are stored."""
    p = project(case, "one", steps=(100,))
    p.run("export", "--traker", p.dir / "tk", "--loss", "square", "--lambda", f"abs:{LAMBDA}")
    made = arrays_of(p)
    want = [a["x"] for a in made if a["what"] == "scores"][0]
    got = np.load(p.dir / "tk" / "scores" / "val.mmap")
    if got.shape != (N, M):
        raise Mismatch(f"scores of {got.shape}")
    return f"largest difference {close(got.T.astype('f8'), want.astype('f8'), 'scores'):.2g}"


def example(case):
    """The example of dtrak-formats(5), run as it stands."""
    page = (pathlib.Path(__file__).parents[2] / "man" / "dtrak-formats.5").read_text()
    code = re.search(r"\.EX\n(import os.*?)\n\.EE", page, re.S).group(1).replace("\\-", "-").replace("\\e", "\\")
    rng = np.random.default_rng(case.seed)
    where = case.work / "example"
    where.mkdir()
    given = {"images": rng.integers(0, 255, (20, 16, 16, 3), dtype=np.uint8), "labels": rng.integers(0, 3, 20),
             "generated": rng.integers(0, 255, (5, 16, 16, 3), dtype=np.uint8), "phi": rng.normal(size=(20, 12)).astype("f4"),
             "psi": rng.normal(size=(5, 12)).astype("f4"), "scores": rng.normal(size=(5, 20)).astype("f4")}
    before, path = os.getcwd(), os.environ["PATH"]
    os.chdir(where)
    os.environ["PATH"] = f"{case.out}:{path}"
    try:
        exec(compile(code, "dtrak-formats.5", "exec"), given)
    finally:
        os.chdir(before)
        os.environ["PATH"] = path
    p = Project.__new__(Project)
    p.case, p.path, p.dir = case, where / "my.db", where
    made = arrays_of(p)
    want = given["scores"][:, given["order"]]
    got = [a["x"] for a in made if a["what"] == "scores" and a["loss"] == "square"][0]
    if not np.array_equal(got, want):
        raise Mismatch("the scores are not those that were given")
    labels = [a["x"] for a in made if a["what"] == "labels" and a["split"] == "train"][0]
    if not np.array_equal(labels, given["labels"][given["order"]]):
        raise Mismatch("the labels are not those that were given")
    trak = [a for a in made if a["what"] == "scores" and a["loss"] == "simple"][0]
    close(trak["x"].astype("f8"), ridge(given["phi"][given["order"]], given["psi"], trak["lambda_absolute"]), "trak")
    return f"{len(code.splitlines())} lines, {len(made)} arrays"


def checks(case):
    yield "arrays for NumPy", lambda: arrays(case)
    yield "save_dir for traker", lambda: traker(case)
    yield "save_dir with scores", lambda: stored_scores(case)
    yield "example of the manual", lambda: example(case)

"""Interchange: stores that other programs write, imported; scores and rankings against NumPy's."""
import json
import pickle
import subprocess

import numpy as np
from interop import Mismatch

N, M, K = 30, 6, 64      # training items, held-out queries, features
TOLERANCE = 1e-5


class Project:
    """A small project, and dtrak on it."""

    def __init__(self, case, name):
        self.case, self.path, self.dir = case, case.work / f"{name}.db", case.work / name
        self.dir.mkdir()
        data = case.work / "data"
        if not data.exists():
            subprocess.run([str(case.out / "cli" / "data"), "idx", str(data), "60"], check=True)
        self.run("new", "--idx", data / "images.idx", data / "labels.idx", "--classes", "0,1", "--per-class", N // 2,
                 "--held-out", M, "--size", 8)

    def run(self, verb, *words):
        done = subprocess.run([str(self.case.dtrak), verb, str(self.path), *map(str, words)], capture_output=True, text=True)
        if done.returncode:
            raise Mismatch(f"dtrak {verb} {' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout

    def scores(self, query, *words, split="val"):
        """All scores of a query, and the ranking, as rank prints them."""
        ranking = json.loads(self.run("rank", "--query", f"{split}:{query}", "--top", N, "--json", *words))
        row, order = np.full(N, np.nan), []
        for entry in ranking["proponents"]:
            i = int(str(entry["item"]).split(":")[-1])
            row[i] = entry["score"]
            order.append(i)
        return row, order

    def compare(self, want, *words):
        """want [M][N] against the scores that dtrak ranks by."""
        worst = 0
        for q in range(len(want)):
            row, order = self.scores(q, *words)
            scale = np.abs(want[q]).max()
            worst = max(worst, np.abs(row - want[q]).max() / scale)
            if not np.all(np.diff(want[q][order]) <= TOLERANCE * scale):
                raise Mismatch(f"query {q}: another order than NumPy's")
        if not worst <= TOLERANCE:
            raise Mismatch(f"largest difference {worst:.2g}")
        return f"{len(want)} x {N} scores, largest difference {worst:.2g}"


def ridge(train, query, absolute):
    """query (train' train + l)^-1 train' in float64."""
    train, query = train.astype("f8"), query.astype("f8")
    return query @ np.linalg.solve(train.T @ train + absolute * np.eye(train.shape[1]), train.T)


def traker_store(case, where, models=2, half=False):
    """A save_dir by the real package, of a small network that tells two classes apart."""
    import torch
    from trak import TRAKer
    from trak.gradient_computers import IterativeGradientComputer
    from trak.modelout_functions import AbstractModelOutput
    from trak.projectors import BasicProjector, ProjectionType

    class Margin(AbstractModelOutput):
        """The class's logit against the other's: its own needs a torch that has torch.func."""
        def __init__(self):
            pass

        def get_output(self, model, weights, buffers, image, label):
            z = model(image)
            return z[torch.arange(len(label)), label] - z[torch.arange(len(label)), 1 - label]

        def get_out_to_loss_grad(self, model, weights, buffers, batch):
            return (1 - torch.sigmoid(self.get_output(model, None, None, *batch))).clone().detach().unsqueeze(-1)

    torch.manual_seed(case.seed)
    x, y = torch.randn(N, 8), torch.arange(N) % 2
    tx, ty = torch.randn(M, 8), torch.arange(M) % 2
    nets = [torch.nn.Sequential(torch.nn.Linear(8, 24), torch.nn.ReLU(), torch.nn.Linear(24, 2)) for _ in range(models)]
    p = sum(v.numel() for v in nets[0].parameters())
    projector = BasicProjector(grad_dim=p, proj_dim=K, seed=0, proj_type=ProjectionType.rademacher, device="cpu", block_size=K,
                               dtype=torch.float16 if half else torch.float32)
    t = TRAKer(model=nets[0], task=Margin(), train_set_size=N, save_dir=str(where), device="cpu", projector=projector,
               gradient_computer=IterativeGradientComputer, proj_dim=K, use_half_precision=half, logging_level=50, lambda_reg=0.5)
    for i, net in enumerate(nets):
        t.load_checkpoint(net.state_dict(), model_id=i)
        t.featurize(batch=(x, y), num_samples=N)
    t.finalize_features()
    for i, net in enumerate(nets):
        t.start_scoring_checkpoint("val", net.state_dict(), model_id=i, num_targets=M)
        t.score(batch=(tx, ty), num_samples=M)
    return np.array(t.finalize_scores("val")).copy()


def checks(case):
    def traker():
        p = Project(case, "traker")
        scores = traker_store(case, p.dir)
        p.run("import", p.dir, "--from", "traker", "--split", "val", "--loss", "square", "--checkpoint", "100,200")
        said = p.compare(scores.T.astype("f8"), "--method", "trak", "--loss", "square", "--checkpoint", "all")
        p.run("score", "--method", "trak", "--loss", "square", "--checkpoint", "200", "--lambda", "abs:0.5", "--split", "val")
        want = ridge(np.load(p.dir / "1" / "grads.mmap"), np.load(p.dir / "1" / "val_grads.mmap"), 0.5)
        p.compare(want, "--method", "trak", "--loss", "square", "--checkpoint", "200", "--lambda", "abs:0.5")
        p.run("check")
        return said
    yield "traker save_dir", traker
    yield from dtrak_checks(case)


def dtrak_tree(case, root, origin):
    """What D-TRAK's released code leaves behind, small: two checkpoints, shards, pictures, subsets, scores."""
    from PIL import Image

    rng = np.random.default_rng(case.seed)
    indices, saved, G = root / "data" / "indices" / "30-0.5", root / "saved" / "30-0.5", 5
    (indices / "lds-val").mkdir(parents=True)
    order = {s: [int(i) for i in rng.permutation(origin[s])] for s in ("train", "val")}
    for s in order:
        (indices / f"idx-{s}.pkl").write_bytes(pickle.dumps(order[s], protocol=4))
    features = {}
    for step in (100, 200):
        where = saved / "ddpm" / f"checkpoint-{step}" / "features-0"
        where.mkdir(parents=True)
        for split, rows in (("train", N), ("val", M), ("gen", G)):
            for f in ("loss", "mean-squared-l2-norm"):
                x = rng.normal(size=(rows, K)).astype("f4")
                features[step, split, f] = x
                cut = 12 if split == "train" else rows
                for shard in range(0, (rows + cut - 1) // cut):
                    name = f"ddpm-{split}-keys-{shard}-10-{K}-{f}-uniform.npy"
                    m = np.memmap(where / name, dtype=np.float32, mode="w+", shape=(len(x[shard * cut:][:cut]), K))
                    m[:] = x[shard * cut:][:cut]
                    m.flush()
    (saved / "gen").mkdir()
    for i in range(G):
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(saved / "gen" / f"{i}.png")
    outputs, members = [], []
    for m in range(8):
        sub = [int(i) for i in rng.choice(order["train"], N // 2, replace=False)]
        (indices / "lds-val" / f"sub-idx-{m}.pkl").write_bytes(pickle.dumps(sub, protocol=4))
        members.append(np.isin(order["train"], sub))
        where = saved / "lds-val" / f"ddpm-sub-{m}-0"
        where.mkdir(parents=True)
        for split, rows in (("val", M), ("gen", G)):
            y = rng.normal(size=(20, rows)).astype("f4")
            batches = [[b.copy() for b in y[:, :4]], [b.copy() for b in y[:, 4:]]]
            (where / f"e-0-{split}.pkl").write_bytes(pickle.dumps(batches, protocol=4))
            if split == "val":
                outputs.append(y.mean(0))
    scores = rng.normal(size=(M, N)).astype("f4")
    (root / "methods").mkdir()
    (root / "methods" / "val_5000_0.5_mean-squared-l2-norm_10_5000000.0_12.3.pkl").write_bytes(pickle.dumps(scores))
    return order, features, scores, np.array(members), np.array(outputs)


def spearman(a, b):
    rank = lambda v: np.argsort(np.argsort(v)).astype("f8")
    return np.corrcoef(rank(a), rank(b))[0, 1]


def originals(p, split, count):
    """The number in its data set of every item."""
    import sqlite3
    with sqlite3.connect(f"file:{p.path}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT original FROM item WHERE split = ? ORDER BY idx", (split,)).fetchall()
    return [int(r[0].split("/")[-1]) for r in rows][:count]


def dtrak_checks(case):
    p = Project(case, "dtrak")
    origin = {"train": originals(p, "train", N), "val": originals(p, "val", M)}
    order, features, scores, members, outputs = dtrak_tree(case, p.dir, origin)
    place = {s: np.array([order[s].index(i) for i in origin[s]]) for s in origin}   # row of each item

    def tree():
        p.run("import", p.dir, "--from", "d-trak", "--checkpoint", "200")
        want = scores[place["val"]][:, place["train"]].astype("f8")
        said = p.compare(want, "--method", "dtrak", "--checkpoint", "200")
        p.run("check")
        return said

    def features_scored():
        p.run("score", "--method", "trak", "--loss", "square,simple", "--checkpoint", "all", "--lambda", "abs:7", "--split", "val,gen")
        for step in (100, 200):
            for f, loss in (("loss", "simple"), ("mean-squared-l2-norm", "square")):
                want = ridge(features[step, "train", f][place["train"]], features[step, "val", f][place["val"]], 7)
                said = p.compare(want, "--method", "trak", "--loss", loss, "--checkpoint", step, "--lambda", "abs:7")
        return said

    def lds():
        """What scores predict is the sum over the members; it is compared with the loss as it is."""
        report = json.loads(p.run("lds", "--report", "--json"))
        predicted = members.astype("f8") @ scores.T.astype("f8")
        want = 100 * np.mean([-spearman(predicted[:, q], outputs[:, q]) for q in range(M)])
        got = [r["plain"]["lds"] for s in report["splits"] if s["split"] == "val" for r in s["rows"] if not r["lambda"]]
        if len(got) != 1 or not abs(got[0] - want) < 1e-5:
            raise Mismatch(f"LDS {got}, NumPy says {want}")
        return f"{got[0]:.4f}, NumPy {want:.4f}"

    yield "d-trak tree", tree
    yield "d-trak features", features_scored
    yield "d-trak lds", lds

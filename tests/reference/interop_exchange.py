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

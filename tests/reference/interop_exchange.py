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
    yield from array_checks(case)
    yield from bergson_checks(case)
    yield from place_checks(case)


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
            noises = rng.normal(size=(3, 20, rows)).astype("f4")
            for e, y in enumerate(noises):
                batches = [[b.copy() for b in y[:, :4]], [b.copy() for b in y[:, 4:]]]
                (where / f"e-{e}-{split}.pkl").write_bytes(pickle.dumps(batches, protocol=4))
            if split == "val":
                outputs.append(noises.mean((0, 1)))
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


# --- arrays ---

def array_checks(case):
    rng = np.random.default_rng(case.seed + 1)
    scores = rng.normal(size=(M, N)).astype("f4")
    query, train = rng.permutation(M), rng.permutation(N)

    def arrays():
        """Scores by every kind of file, in both orders of axes, with index files."""
        from safetensors.numpy import save_file
        p = Project(case, "arrays")
        np.save(p.dir / "qt.npy", scores)
        np.save(p.dir / "tq.npy", scores.T.astype("f8"))
        scores.tofile(p.dir / "qt.raw")
        # kronfluence: queries on the first axis, a tensor per module or one of all
        save_file({"all_modules": scores}, str(p.dir / "pairwise_scores.safetensors"))
        np.save(p.dir / "mixed.npy", scores[query][:, train])
        np.savetxt(p.dir / "query.txt", query, fmt="%d")
        (p.dir / "train.pkl").write_bytes(pickle.dumps([int(i) for i in train], protocol=4))
        # val_dot.pkl: a list over timestep counts of lists over checkpoints
        (p.dir / "val_dot.pkl").write_bytes(pickle.dumps([[scores * 0 + 1] * 2, [scores * 0 + 1, scores]], protocol=4))
        with open(p.dir / "all.csv", "w") as f:
            f.write("query,item,score\n")
            f.writelines(f"val:{q},train:{i},{scores[q, i]:.9g}\n" for q in range(M) for i in rng.permutation(N))
        said = None
        for method, words in {
                "trak": ("qt.npy", "--from", "npy", "--axes", "query,train"),
                "grad-dot": ("tq.npy", "--from", "npy", "--axes", "train,query"),
                "grad-cos": ("qt.raw", "--from", "raw", "--axes", "query,train"),
                "relative-if": ("pairwise_scores.safetensors", "--from", "safetensors", "--axes", "query,train"),
                "renorm-if": ("mixed.npy", "--from", "npy", "--axes", "query,train", "--query-index", p.dir / "query.txt",
                              "--train-index", p.dir / "train.pkl"),
                "das-signed": ("val_dot.pkl", "--from", "pickle", "--tensor", "1.1", "--axes", "query,train"),
                "das": ("all.csv", "--from", "csv")}.items():
            p.run("import", p.dir / words[0], *words[1:], "--split", "val", "--method", method, "--loss", "avg", "--checkpoint", "100")
            said = p.compare(scores.astype("f8"), "--method", method, "--loss", "avg", "--checkpoint", "100")
        p.run("check")
        return said

    def features():
        """Features in float16, bfloat16, float32 and float64; the first columns of them; a safetensors file."""
        from safetensors.numpy import save_file
        g = {"train": rng.normal(size=(N, K)).astype("f4"), "val": rng.normal(size=(M, K)).astype("f4")}
        p = Project(case, "features")

        def take(split, file, loss, *words):
            p.run("import", p.dir / file, "--features", "--split", split, "--loss", loss, "--checkpoint", "100", *words)

        for s, x in g.items():
            np.save(p.dir / f"{s}.npy", x.astype("f2"))
            (x.view("u4") >> 16).astype("u2").tofile(p.dir / f"{s}.bf16")
            x.astype("f8").tofile(p.dir / f"{s}.f64")
            save_file({"x": x}, str(p.dir / f"{s}.safetensors"))
            take(s, f"{s}.npy", "simple", "--from", "npy")
            take(s, f"{s}.bf16", "elbo", "--from", "raw", "--dims", K, "--type", "bfloat16")
            take(s, f"{s}.f64", "square", "--from", "raw", "--dims", K, "--type", "float64", "--used", K // 2)
            take(s, f"{s}.safetensors", "avg", "--from", "safetensors", "--in-place")
        p.run("score", "--method", "trak", "--loss", "simple,elbo,square,avg", "--lambda", "abs:3", "--split", "val")
        made = {"simple": lambda x: x.astype("f2").astype("f4"), "elbo": lambda x: (x.view("u4") & 0xffff0000).view("f4"),
                "square": lambda x: x[:, :K // 2], "avg": lambda x: x}
        for loss, change in made.items():
            said = p.compare(ridge(change(g["train"]), change(g["val"]), 3), "--method", "trak", "--loss", loss, "--lambda", "abs:3")
        p.run("check")
        return said

    yield "arrays of scores", arrays
    yield "arrays of features", features


# --- bergson ---

def bergson_checks(case):
    rng = np.random.default_rng(case.seed + 2)
    sizes = {"down_blocks.0": 24, "mid": 8, "up_blocks.0": 32}

    def write_index(where, x, kind):
        """As create_index() there: a memmap of the whole, modules one after the other in a row."""
        where.mkdir()
        stored = (x.view("u4") >> 16).astype("u2") if kind == "bfloat16" else x.astype(kind)
        m = np.memmap(where / "gradients.bin", dtype=stored.dtype, mode="w+", shape=x.shape)
        m[:] = stored
        m.flush()
        (where / "info.json").write_text(json.dumps({"attribute_tokens": False, "num_items": len(x), "num_grads": len(x),
                                                     "grad_sizes": sizes, "base_dtype": kind}, indent=2))

    def index():
        said = None
        for kind in ("float32", "float16", "bfloat16"):
            p = Project(case, f"bergson-{kind}")
            g = {"train": rng.normal(size=(N, sum(sizes.values()))).astype("f4"), "val": rng.normal(size=(M, sum(sizes.values()))).astype("f4")}
            change = {"float32": lambda x: x, "float16": lambda x: x.astype("f2").astype("f4"),
                      "bfloat16": lambda x: (x.view("u4") & 0xffff0000).view("f4")}[kind]
            for s, x in g.items():
                write_index(p.dir / s, x, kind)
                p.run("import", p.dir / s, "--from", "bergson", "--split", s, "--loss", "simple", "--checkpoint", "100")
                p.run("import", p.dir / s, "--from", "bergson", "--split", s, "--loss", "avg", "--checkpoint", "100", "--tensor", "up_blocks.0",
                      "--in-place")
            p.run("score", "--method", "trak", "--loss", "simple,avg", "--lambda", "abs:2", "--split", "val")
            said = p.compare(ridge(change(g["train"]), change(g["val"]), 2), "--method", "trak", "--loss", "simple", "--lambda", "abs:2")
            one = lambda x: change(x)[:, 32:]
            p.compare(ridge(one(g["train"]), one(g["val"]), 2), "--method", "trak", "--loss", "avg", "--lambda", "abs:2")
            p.run("check")
        return said

    def scores():
        """Records of score_i and written_i, each pair aligned to 8 bytes."""
        p = Project(case, "bergson-scores")
        want = rng.normal(size=(M, N)).astype("f4")
        names = [n for q in range(M) for n in (f"score_{q}", f"written_{q}")]
        dtype = {"names": names, "formats": ["float32", "bool"] * M, "offsets": [8 * (i // 2) + 4 * (i % 2) for i in range(2 * M)], "itemsize": 8 * M}
        m = np.memmap(p.dir / "scores.bin", dtype=np.dtype(dtype), mode="w+", shape=(N,))
        for q in range(M):
            m[f"score_{q}"] = want[q]
            m[f"written_{q}"] = True
        m.flush()
        (p.dir / "info.json").write_text(json.dumps({"num_items": N, "num_scores": M, "dtype": dtype}, indent=2))
        p.run("import", p.dir, "--from", "bergson", "--split", "val", "--method", "trak", "--loss", "simple", "--checkpoint", "100")
        return p.compare(want.astype("f8"), "--method", "trak", "--loss", "simple", "--checkpoint", "100")

    yield "bergson index", index
    yield "bergson scores", scores


# --- features that stay where they are ---

def place_checks(case):
    def large():
        """50,000 x 32,768 raw float32 of which every 25th row was written: in place in under a second, and one query in
        2 GB, against the same ridge over the rows that are not zero."""
        import os
        import resource
        import struct
        import time
        n, k, step = 50000, 32768, 500
        rng = np.random.default_rng(case.seed + 3)
        where, p = case.work / "large", case.work / "large.db"
        where.mkdir()
        (where / "images.idx").write_bytes(struct.pack(">IIII", 0x803, n + 2, 4, 4) + rng.bytes((n + 2) * 16))
        (where / "labels.idx").write_bytes(struct.pack(">II", 0x801, n + 2) + bytes(n + 2))
        run = lambda *w: subprocess.run([str(case.dtrak), *map(str, w)], capture_output=True, text=True, check=True).stdout
        run("new", p, "--idx", where / "images.idx", where / "labels.idx", "--held-out", 2)
        rows = rng.normal(size=(n // step, k)).astype("f4")
        query = rng.normal(size=(2, k)).astype("f4")
        with open(where / "train.raw", "wb") as f:
            f.truncate(n * k * 4)
            for i, row in enumerate(rows):
                f.seek(i * step * k * 4)
                f.write(row.tobytes())
        query.tofile(where / "val.raw")
        words = ("--from", "raw", "--dims", k, "--features", "--loss", "square", "--checkpoint", "100", "--in-place", "--allow-zero")
        start = time.monotonic()
        run("import", p, where / "train.raw", "--split", "train", *words)
        took = time.monotonic() - start
        run("import", p, where / "val.raw", "--split", "val", *words)
        if took > 1:
            raise Mismatch(f"{took:.1f} s to import")
        child = subprocess.Popen([str(case.dtrak), "score", str(p), "--method", "dtrak", "--lambda", "abs:3000", "--query", "val:1", "--memory", "2G"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = child.stderr.read().decode()
        _, status, usage = os.wait4(child.pid, 0)
        if status or usage.ru_maxrss * 1024 > 2e9:
            raise Mismatch(f"status {status}, {usage.ru_maxrss / 1e6:.1f} GB: {said}")
        G = rows.astype("f8") @ rows.astype("f8").T     # the zero rows score 0
        want = np.linalg.solve(G + 3000 * np.eye(len(rows)), rows.astype("f8") @ query[1].astype("f8"))
        got = np.zeros(n)
        for e in json.loads(run("rank", p, "--query", "val:1", "--method", "dtrak", "--top", 50, "--bottom", 50, "--json"))["proponents"]:
            got[int(str(e["item"]).split(":")[-1])] = e["score"]
        top = np.argsort(-want)[:20]
        error = np.abs(got[top * step] - want[top]).max() / np.linalg.norm(want)
        if not error <= TOLERANCE:
            raise Mismatch(f"largest difference {error:.2g} of the row's length")
        return f"imported in {took:.2f} s, scored with {usage.ru_maxrss / 1e6:.2f} GB, largest difference {error:.2g}"

    yield "large features in place", large

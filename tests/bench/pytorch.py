"""The same work in PyTorch, side by side with the engine, in alternating rounds.

    make bench PYTHON=/path/to/python        (with torch and diffusers)
    python pytorch.py build/bench/engine [ROUNDS [FIGURE...]]

`engine serve` does one unit of a figure for each line it reads, this script the
same unit on the same architecture (diffusers' UNet2DModel from the engine's own
config), batch and two threads.  PyTorch runs in both memory formats and the
faster counts.  Reported is the least time of each side, and the median ratio.

ONE=1 in the environment: one thread each, by processor time instead of the
clock's.  That is what a busy machine can still measure: threads that wait for
each other lose far more than their share there, PyTorch's most of all.
"""
import json, os, subprocess, sys, time, warnings

ONE = bool(os.environ.get("ONE"))
os.environ["OMP_NUM_THREADS"] = "1" if ONE else "2"
clock = time.process_time if ONE else time.perf_counter
warnings.filterwarnings("ignore")
import torch
import diffusers

BATCH, TIMESTEPS, SAMPLES = 64, 10, 8
torch.set_num_threads(1 if ONE else 2)


class Engine:
    def __init__(self, path):
        self.path = path
        self.p = subprocess.Popen([path, "serve", "1" if ONE else "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def config(self, name):
        return json.loads(subprocess.run([self.path, "config", name], capture_output=True, text=True, check=True).stdout)

    def run(self, figure):
        self.p.stdin.write(figure + "\n")
        self.p.stdin.flush()
        seconds, processor, flop = map(float, self.p.stdout.readline().split())
        return processor if ONE else seconds, flop


def network(config, memory_format):
    torch.manual_seed(0)
    kept = {k: v for k, v in config.items() if not k.startswith("_")}
    return diffusers.UNet2DModel(**kept).to(memory_format=memory_format)


class Training:
    """A step: noise, forward, mean squared error, backward, clipping, AdamW."""

    def __init__(self, config, memory_format):
        self.format = memory_format
        self.net = network(config, memory_format).train()
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=1e-4)
        size = config["sample_size"]
        self.x = torch.randn(BATCH, config["in_channels"], size, size)
        self.alpha = torch.linspace(0.99, 0.01, 1000)

    def run(self):
        start = clock()
        t = torch.randint(0, 1000, (BATCH,))
        noise = torch.randn_like(self.x)
        a = self.alpha[t].view(-1, 1, 1, 1)
        x_t = (a.sqrt() * self.x + (1 - a).sqrt() * noise).contiguous(memory_format=self.format)
        self.optimiser.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(self.net(x_t, t).sample, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        return clock() - start


class Features:
    """SAMPLES samples: one forward over the timesteps, one backward per loss,
    the gradient left in .grad (no projection, which the engine's time includes)."""

    def __init__(self, config, memory_format, losses):
        self.net, self.losses = network(config, memory_format).eval(), losses
        size = config["sample_size"]
        self.x = torch.randn(TIMESTEPS, config["in_channels"], size, size).contiguous(memory_format=memory_format)
        self.t = torch.arange(TIMESTEPS) * 100

    def run(self):
        start = clock()
        for _ in range(SAMPLES):
            e = self.net(self.x, self.t).sample
            for l in range(self.losses):
                self.net.zero_grad(set_to_none=True)
                loss = (e ** 2).mean() if l % 2 == 0 else ((e - self.x) ** 2).mean()
                loss.backward(retain_graph=l + 1 < self.losses)
        return clock() - start


def median(values):
    return sorted(values)[len(values) // 2]


def compare(engine, figure, rounds):
    kind, name, *losses = figure.split()
    config = engine.config(name)
    formats = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
    make = (lambda f: Training(config, f)) if kind == "train" else (lambda f: Features(config, f, int(losses[0])))
    ours, theirs = [], {k: [] for k in formats}
    sides = {k: make(f) for k, f in formats.items()}
    for side in sides.values():
        side.run()
    engine.run(figure)
    peak = []
    for _ in range(rounds):
        peak.append(engine.run("sgemm")[0])
        seconds, flop = engine.run(figure)
        ours.append(seconds)
        for k, side in sides.items():
            theirs[k].append(side.run())
        time.sleep(0.15)   # OpenMP's threads go on spinning for a while
    best = min(formats, key=lambda k: min(theirs[k]))
    sgemm = 2 * 1536 ** 3 / min(peak) * 1e-9
    ratio = median([b / a for a, b in zip(ours, theirs[best])])
    print(f"{figure:14s} engine {flop / min(ours) * 1e-9:7.1f} GFLOP/s ({flop / min(ours) * 1e-7 / sgemm:5.1f} % of sgemm {sgemm:.0f})"
          f"  PyTorch {flop / min(theirs[best]) * 1e-9:7.1f} ({best})  ratio {min(theirs[best]) / min(ours):5.2f}, median {ratio:5.2f}", flush=True)


def main():
    engine = Engine(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    figures = sys.argv[3:] or ["train a", "train b", "features a 1", "features a 7", "features b 1", "features b 7"]
    print(f"PyTorch {torch.__version__}, diffusers {diffusers.__version__}, {torch.get_num_threads()} threads")
    for figure in figures:
        compare(engine, figure, rounds)


main()

#!/usr/bin/env python3
"""Reference values for the U-Net, its losses, its gradients and AdamW, computed by diffusers.

  make_vectors.py OUTDIR            write the .safetensors files
  make_vectors.py --check OUTDIR    recompute the outputs of the files with the diffusers installed
  make_vectors.py --names           print the parameter names and shapes of "attn12", in order

Weights and inputs come from numpy's PCG64, seeded per file, and are exact in float32. The
networks run in float64, except the sinusoids of the time step, which diffusers always computes
in float32; results are rounded to float32 once, when stored. So a float32 program is compared
with a value that carries no rounding of its own.
"""
import copy
import json
import os
import sys
import zlib

import diffusers
import numpy as np
import torch
from diffusers import UNet2DModel
from safetensors import safe_open
from safetensors.numpy import save_file


def scaled_bmm(addend, a, b, beta, alpha):
    """torch 1.12 scales uninitialised memory by beta = 0 in small products, which keeps its NaNs."""
    assert beta == 0
    return alpha * torch.bmm(a, b)


torch.baddbmm = scaled_bmm

LIMIT = 1_000_000
LOSSES = ("simple", "elbo", "square", "avg", "l1", "l2", "linf")
WITH_GRADIENT = ("simple", "square", "l1")
SMALLER = {"eighteen": ("square",)}
# The weights are drawn until torch's own float32 run stays this near, in every gradient tensor
# relative to the tensor's norm: 64 epsilon.  So what a float32 program is asked for is possible.
NEAR = 64 * 2.0 ** -23


def blocks(*kinds):
    """('-', 'A') -> the down and up block types, deepest last in down, first in up."""
    down = ["AttnDownBlock2D" if k == "A" else "DownBlock2D" for k in kinds]
    up = ["AttnUpBlock2D" if k == "A" else "UpBlock2D" for k in reversed(kinds)]
    return {"down_block_types": down, "up_block_types": up}


CONFIGS = {
    # Attention in the mid block only; three heads over twelve channels.
    "plain": dict(
        in_channels=3, out_channels=3, sample_size=8, block_out_channels=[8, 12],
        layers_per_block=1, norm_num_groups=4, attention_head_dim=4, **blocks("-", "-")),
    # Twelve channels in and out, two layers, two heads on the deepest level.
    "attn12": dict(
        in_channels=12, out_channels=12, sample_size=16, block_out_channels=[4, 8, 8],
        layers_per_block=2, norm_num_groups=2, attention_head_dim=4, **blocks("-", "-", "A")),
    # No attention at all, one-sided padding, the other order of sine and cosine.
    "noattn": dict(
        in_channels=3, out_channels=3, sample_size=8, block_out_channels=[6, 10],
        layers_per_block=1, norm_num_groups=2, norm_eps=1e-6, add_attention=False,
        downsample_padding=0, flip_sin_to_cos=False, freq_shift=1, **blocks("-", "-")),
    # Scale and shift; one head; attention in a middle level, before its resampling.
    # The mid block's attention has no group norm here, as in diffusers 0.21 and 0.27.
    "scaleshift": dict(
        in_channels=3, out_channels=3, sample_size=8, block_out_channels=[6, 6, 9],
        layers_per_block=1, norm_num_groups=3, attention_head_dim=None,
        resnet_time_scale_shift="scale_shift", **blocks("-", "A", "-")),
    # The same with that group norm, as in diffusers 0.16.
    "scaleshift-gn": dict(
        in_channels=3, out_channels=3, sample_size=8, block_out_channels=[4, 4, 8],
        layers_per_block=1, norm_num_groups=2, attention_head_dim=None, attn_norm_num_groups=2,
        resnet_time_scale_shift="scale_shift", **blocks("-", "A", "-")),
    # Channels that grow and shrink again, attention everywhere, one input channel.
    "odd": dict(
        in_channels=1, out_channels=1, sample_size=8, block_out_channels=[4, 8, 4],
        layers_per_block=1, norm_num_groups=2, attention_head_dim=2, **blocks("A", "A", "A")),
    # Centred input, a scaled middle with norm groups of its own, other channels out than in,
    # an oblong sample.
    "midscale": dict(
        in_channels=2, out_channels=4, sample_size=[8, 12], block_out_channels=[8, 8],
        layers_per_block=1, norm_num_groups=4, attention_head_dim=4, center_input_sample=True,
        mid_block_scale_factor=1.5, attn_norm_num_groups=2, **blocks("-", "A")),
    # The same middle under scale and shift.
    "midscale-ss": dict(
        in_channels=3, out_channels=3, sample_size=8, block_out_channels=[6],
        layers_per_block=2, norm_num_groups=3, attention_head_dim=3, center_input_sample=True,
        mid_block_scale_factor=-0.75, resnet_time_scale_shift="scale_shift", **blocks("-")),
    # Resnet samplers, which only attention blocks have; heads that do not fill the channels.
    "samplers": dict(
        in_channels=3, out_channels=3, sample_size=8, block_out_channels=[6, 10, 6],
        layers_per_block=1, norm_num_groups=2, attention_head_dim=4, downsample_type="resnet",
        upsample_type="resnet", **blocks("A", "A", "-")),
    "samplers-ss": dict(
        in_channels=3, out_channels=3, sample_size=4, block_out_channels=[6, 8],
        layers_per_block=1, norm_num_groups=2, attention_head_dim=None, downsample_type="resnet",
        upsample_type="resnet", resnet_time_scale_shift="scale_shift", **blocks("A", "A")),
    # One level with 256 tokens.
    "tokens": dict(
        in_channels=3, out_channels=3, sample_size=16, block_out_channels=[6],
        layers_per_block=1, norm_num_groups=3, attention_head_dim=3, **blocks("A")),
    # Four levels down to 3 x 3, three layers, one-sided padding.
    "deep": dict(
        in_channels=3, out_channels=3, sample_size=24, block_out_channels=[4, 4, 6, 4],
        layers_per_block=3, norm_num_groups=2, attention_head_dim=None, downsample_padding=0,
        **blocks("-", "-", "-", "A")),
    # More channels than a vector holds, and not a multiple of it.
    "eighteen": dict(
        in_channels=3, out_channels=3, sample_size=8, block_out_channels=[18],
        layers_per_block=1, norm_num_groups=3, attention_head_dim=9, **blocks("A")),
}
TIMESTEPS = {"plain": [13, 742], "attn12": [0, 350, 999], "noattn": [501],
             "scaleshift": [100, 900], "scaleshift-gn": [999, 0], "odd": [2, 640], "midscale": [7, 930],
             "midscale-ss": [410], "samplers": [55, 870], "samplers-ss": [333, 1], "tokens": [200],
             "deep": [620], "eighteen": [90]}


def build(config):
    known = {k: v for k, v in config.items() if k in UNet2DModel.__init__.__wrapped__.__code__.co_varnames}
    model = UNet2DModel(**known).double().eval()
    for module in model.modules():
        if hasattr(module, "upcast_softmax"):  # it would round scores down to float32
            module.upcast_softmax = False
    return model


def fill(model, rng):
    """Random weights: nothing keeps its initial zero or one; attention is far from uniform."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            z = rng.standard_normal(tuple(p.shape))
            if "norm" in name:
                z = 0.25 * z + (1.0 if name.endswith("weight") else 0.0)
            elif name.endswith("bias"):
                z = 0.2 * z
            else:
                z = z / np.sqrt(np.prod(p.shape[1:]))
            p.copy_(torch.from_numpy(z.astype(np.float32).astype(np.float64)))


def inputs(config, timesteps, rng):
    side = config["sample_size"]
    side = side if isinstance(side, list) else [side, side]
    x, noise = (rng.standard_normal((len(timesteps), config[c], *side)).astype(np.float32)
                for c in ("in_channels", "out_channels"))
    return x, np.array(timesteps, np.float32), noise


def run(model, x, t):
    return model(torch.from_numpy(x).double(), torch.from_numpy(t.astype(np.int64))).sample


def elbo_weight(t):
    beta = np.linspace(1e-4, 2e-2, 1000)
    alpha = 1.0 - beta
    return (beta / (2.0 * alpha * (1.0 - np.cumprod(alpha))))[t.astype(np.int64)]


def losses(eps, noise, t):
    """The seven functions, one value per sample."""
    e, n = eps.flatten(1), torch.from_numpy(noise).double().flatten(1)
    simple = ((e - n) ** 2).mean(1)
    return {"simple": simple, "elbo": torch.from_numpy(elbo_weight(t)) * simple,
            "square": (e ** 2).mean(1), "avg": e.mean(1), "l1": e.abs().sum(1),
            "l2": (e ** 2).sum(1).sqrt(), "linf": e.abs().amax(1)}


def f32(tensor):
    return np.ascontiguousarray(tensor.detach().numpy().astype(np.float32))


def decided(eps):
    """True when no element is so near a kink that float32 could choose the other side."""
    a = eps.detach().abs().flatten(1)
    top = a.topk(2, dim=1).values
    return bool(a.min() > 1e-5) and bool((top[:, 0] - top[:, 1]).min() > 1e-4)


def gradients(model, values, wanted=WITH_GRADIENT):
    out = {}
    for k in wanted:
        model.zero_grad()
        values[k].mean().backward(retain_graph=True)
        out[k] = {n: p.grad.detach().double().clone() for n, p in model.named_parameters()}
    return out


def near_in_float32(model, x, t, noise, values):
    """How far torch's own float32 gradients are, at the worst, from those in float64."""
    single, want = copy.deepcopy(model).float(), gradients(model, values)
    eps = single(torch.from_numpy(x), torch.from_numpy(t.astype(np.int64))).sample
    got = gradients(single, losses(eps.double(), noise, t))
    return max(float((got[k][n] - g).norm() / g.norm()) for k in want for n, g in want[k].items()
               if not n.endswith("to_k.bias"))


def metadata(config, model, seed, what):
    return {"config": json.dumps({"_class_name": "UNet2DModel", **config}),
            "order": json.dumps([n for n, _ in model.named_parameters()]),
            "seed": str(seed), "what": what,
            "made": f"diffusers {diffusers.__version__}, torch {torch.__version__}"}


def save(path, tensors, meta):
    save_file(tensors, path, metadata=meta)
    with open(path, "r+b") as f:  # the order of the metadata changes from run to run: sort it
        length = int.from_bytes(f.read(8), "little")
        header = json.loads(f.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= length
        f.seek(8)
        f.write(text.ljust(length))
    size = os.path.getsize(path)
    print(f"{os.path.basename(path):32s} {len(tensors):5d} tensors {size:8d} bytes")
    assert size < LIMIT, path


def make_model(name):
    """The first seed whose output is clear of every kink and whose gradients float32 can give."""
    config = CONFIGS[name]
    for seed in range(zlib.crc32(name.encode()) % 10_000, 20_000):
        rng = np.random.Generator(np.random.PCG64(seed))
        model = build(config)
        fill(model, rng)
        x, t, noise = inputs(config, TIMESTEPS[name], rng)
        eps = run(model, x, t)
        assert torch.isfinite(eps).all()
        if decided(eps) and near_in_float32(model, x, t, noise, losses(eps, noise, t)) < NEAR:
            return model, x, t, noise, eps, seed


def write_unet(outdir, name):
    model, x, t, noise, eps, seed = make_model(name)
    values = losses(eps, noise, t)
    main = {"x": x, "t": t, "noise": noise, "eps": f32(eps)}
    main.update({f"p.{n}": f32(p) for n, p in model.named_parameters()})
    main.update({f"loss.{k}": f32(values[k]) for k in LOSSES})
    for k, of_loss in gradients(model, values, SMALLER.get(name, WITH_GRADIENT)).items():
        main.update({f"g.{k}.{n}": f32(g) for n, g in of_loss.items()})
    meta = metadata(CONFIGS[name], model, seed, "output, losses and gradients of one batch")
    save(f"{outdir}/{name}.safetensors", main, meta)


def train(model, steps):
    """Three steps of AdamW; returns losses and gradient norms (before clipping)."""
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    dtype = next(model.parameters()).dtype
    seen = []
    for x, t, noise in steps:
        opt.zero_grad()
        eps = model(torch.from_numpy(x).to(dtype), torch.from_numpy(t.astype(np.int64))).sample
        loss = ((eps - torch.from_numpy(noise).to(dtype)) ** 2).flatten(1).mean(1).mean()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        seen.append((loss.item(), norm.item()))
    return seen


def write_adamw(outdir):
    config, seed = CONFIGS["plain"], 77
    rng = np.random.Generator(np.random.PCG64(seed))
    model, single = build(config), build(config)
    fill(model, rng)
    steps = [inputs(config, t, rng) for t in ([13, 742], [999, 0], [250, 251])]
    # A target near the present output, so that one step has a gradient too short to be clipped.
    x, t, noise = steps[1]
    near = run(model, x, t).detach().numpy() + 0.05 * noise
    steps[1] = (x, t, near.astype(np.float32))
    single.load_state_dict(model.state_dict())
    tensors = {f"p.{n}": f32(p) for n, p in model.named_parameters()}
    seen = train(model, steps)
    for i, ((x, t, noise), (loss, norm)) in enumerate(zip(steps, seen), 1):
        tensors.update({f"step{i}.x": x, f"step{i}.t": t, f"step{i}.noise": noise,
                        f"step{i}.loss": np.array([loss], np.float32),
                        f"step{i}.norm": np.array([norm], np.float32)})
    tensors.update({f"p3.{n}": f32(p) for n, p in model.named_parameters()})
    meta = metadata(config, model, seed, "three steps of AdamW")
    meta["adamw"] = json.dumps(dict(lr=1e-3, beta1=0.95, beta2=0.999, weight_decay=1e-6, eps=1e-8, max_norm=1.0))
    save(f"{outdir}/adamw.safetensors", tensors, meta)
    print("  loss, gradient norm per step:", [(round(a, 5), round(b, 5)) for a, b in seen])
    train(single.float(), steps)
    gap = {n: float((p.double() - q.double()).abs().max())
           for (n, p), (_, q) in zip(model.named_parameters(), single.named_parameters())}
    for n in sorted(gap, key=gap.get)[-3:]:
        print(f"  the same steps in float32 differ by {gap[n]:.2e} in {n}")


OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def check(outdir):
    """Another release must give the same outputs; 0.16 has other names for attention."""
    print("diffusers", diffusers.__version__)
    for name, config in CONFIGS.items():
        with safe_open(f"{outdir}/{name}.safetensors", "np") as f:
            model = build(config)
            unknown, left = 0, {n for n in f.keys() if n.startswith("p.")}
            with torch.no_grad():
                for n, p in model.named_parameters():
                    for old, new in OLD_NAMES.items():
                        n = n.replace(old, new)
                    if f"p.{n}" in left:
                        left.remove(f"p.{n}")
                        p.copy_(torch.from_numpy(f.get_tensor(f"p.{n}")).double())
                    else:
                        unknown += 1
            if unknown or left:
                print(f"{name:16s} another network in this release: {unknown} parameters more, {len(left)} fewer")
                continue
            gap = np.abs(f32(run(model, f.get_tensor("x"), f.get_tensor("t"))) - f.get_tensor("eps")).max()
            print(f"{name:16s} largest difference {gap:.2e}")
            assert gap < 1e-6, name


def main(argv):
    torch.set_num_threads(1)
    if argv[1:] == ["--names"]:
        for n, p in build(CONFIGS["attn12"]).named_parameters():
            print(f"{n:48s} {list(p.shape)}")
    elif len(argv) == 3 and argv[1] == "--check":
        check(argv[2])
    elif len(argv) == 2 and not argv[1].startswith("-"):
        for name in CONFIGS:
            write_unet(argv[1], name)
        write_adamw(argv[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv)

"""The network: random UNet2DModels, their output and every gradient, ours against diffusers'.

diffusers runs in float64 and in float32.  Each tensor's error is relative to its norm; ours may be
128 epsilon (2^-23), or four times torch's own float32 error where that is more: a network whose gradients
float32 cannot give well.
"""
import subprocess

import numpy as np
import torch
import safetensors.torch  # noqa: F401  save_pretrained takes it as imported
from safetensors.numpy import load_file, save_file

import make_vectors as reference
from interop import Mismatch

EPSILON = 2.0 ** -23
LOSSES = ("simple", "square", "l2")
MAX_PARAMETERS = 250_000


def pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def draw_config(rng):
    """Any network diffusers builds and runs, small enough to wait for."""
    levels = int(rng.integers(1, 5))
    groups = int(pick(rng, 1, 2, 3, 4, 8))
    widths = [int(groups * rng.integers(2, max(3, 48 // groups))) for _ in range(levels)]
    if rng.random() < 0.3:
        widths = [widths[0]] * levels
    unit = 2 ** (levels - 1)
    sides = [int(unit * rng.integers(1, max(2, 20 // unit) + 1)) for _ in range(2)]
    divisors = [d for d in range(1, widths[-1] // 2 + 1) if widths[-1] % d == 0]
    config = dict(
        sample_size=sides if rng.random() < 0.4 else sides[0],
        in_channels=int(rng.integers(1, 6)), out_channels=int(rng.integers(1, 6)),
        block_out_channels=widths, layers_per_block=int(pick(rng, 1, 1, 2, 3)), norm_num_groups=groups,
        norm_eps=float(pick(rng, 1e-5, 1e-6, 1e-3)),
        attention_head_dim=pick(rng, None, *(int(d) for d in range(1, min(widths) + 1))),
        add_attention=bool(rng.random() < 0.8), downsample_padding=int(rng.integers(2)),
        flip_sin_to_cos=bool(rng.integers(2)), freq_shift=int(rng.integers(2)) if widths[0] > 3 else 0,
        center_input_sample=bool(rng.random() < 0.3), mid_block_scale_factor=float(pick(rng, 1, 1, 1.4142135, 0.5, -2)),
        resnet_time_scale_shift=pick(rng, "default", "scale_shift"),
        attn_norm_num_groups=pick(rng, None, None, int(pick(rng, *divisors))),
        downsample_type=pick(rng, "conv", "conv", "resnet"), upsample_type=pick(rng, "conv", "conv", "resnet"),
        down_block_types=[pick(rng, "DownBlock2D", "AttnDownBlock2D") for _ in widths],
        up_block_types=[pick(rng, "UpBlock2D", "AttnUpBlock2D") for _ in widths])
    if config["in_channels"] != config["out_channels"] and rng.random() < 0.6:
        config["out_channels"] = config["in_channels"]
    return config


def describe(config):
    c = config
    sides = c["sample_size"] if isinstance(c["sample_size"], list) else [c["sample_size"]] * 2
    letters = "".join("A" if t.startswith("Attn") else "-" for t in c["down_block_types"])
    letters += "m" if c["add_attention"] else "."
    letters += "".join("A" if t.startswith("Attn") else "-" for t in c["up_block_types"])
    words = [f"{c['in_channels']}>{c['out_channels']} {sides[0]}x{sides[1]}",
             "/".join(map(str, c["block_out_channels"])), f"x{c['layers_per_block']}", letters,
             f"g{c['norm_num_groups']}", f"h{c['attention_head_dim'] or '-'}", f"p{c['downsample_padding']}"]
    words += ["ss"] if c["resnet_time_scale_shift"] != "default" else []
    words += [f"mg{c['attn_norm_num_groups']}"] if c["attn_norm_num_groups"] else []
    words += [f"ms{c['mid_block_scale_factor']:g}"] if c["mid_block_scale_factor"] != 1 else []
    words += ["centred"] if c["center_input_sample"] else []
    words += ["down-res"] if c["downsample_type"] == "resnet" else []
    words += ["up-res"] if c["upsample_type"] == "resnet" else []
    return " ".join(words)


def relative(got, want, against=None):
    size = np.linalg.norm(np.asarray(want if against is None else against, np.float64))
    return float(np.linalg.norm(np.asarray(got, np.float64) - np.asarray(want, np.float64)) / size)


def values_and_gradients(model, x, t, noise, wanted=LOSSES):
    """Every tensor that the engine is asked for, under the same names."""
    dtype = next(model.parameters()).dtype
    eps = model(torch.from_numpy(x).to(dtype), torch.from_numpy(t.astype(np.int64))).sample
    values = reference.losses(eps.double(), noise, t)
    out = {"eps": eps.detach().numpy()}
    for k, of_loss in reference.gradients(model, values, wanted).items():
        out[f"loss.{k}"] = values[k].detach().numpy()
        out.update({f"g.{k}.{n}": g.numpy() for n, g in of_loss.items()})
    return out


def worst(got, want):
    """The largest relative error and whose it is.  The gradient of a to_k.bias is 0 in exact
    arithmetic: it is held against that of the weight before it.  So is that of a bias or a time
    projection that a norm with one channel per group takes out again."""
    found, whose, before = 0.0, "", None
    for name, exact in want.items():
        if name not in got or got[name].shape != exact.shape:
            raise Mismatch(f"{name}: {got[name].shape if name in got else 'missing'}, diffusers has {exact.shape}")
        against = before if name.endswith("to_k.bias") else exact
        if np.linalg.norm(exact) > 0 or name.endswith("to_k.bias"):
            error = relative(got[name], exact, against)
            if not error <= found:
                found, whose = error, name
        before = exact
    return found, whose


def compare(got, exact, single):
    limit = max(128 * EPSILON, 4 * worst(single, exact)[0])
    output = relative(got["eps"], exact["eps"])
    gradient, whose = worst(got, exact)
    said = f"output {output:.1e} worst gradient {gradient:.1e} (torch {worst(single, exact)[0]:.1e})"
    if not output <= limit or not gradient <= limit:
        raise Mismatch(f"{said} {whose}, allowed {limit:.1e}")
    return said


def engine(case, folder, x, t, noise, wanted=LOSSES):
    """The test program on a model folder: tensors, and (parameters, forward s, backward s, MiB)."""
    save_file({"x": x, "t": t, "noise": noise}, folder / "input.safetensors")
    done = subprocess.run([case.out / "cli" / "network", folder, folder / "input.safetensors",
                           folder / "output.safetensors", *wanted], capture_output=True, text=True)
    if done.returncode:
        raise Mismatch(done.stderr.strip() or f"exit status {done.returncode}")
    return load_file(folder / "output.safetensors"), [float(w) for w in done.stdout.split()]


def draw_model(rng):
    while True:
        config = draw_config(rng)
        try:
            model = reference.build(config)
        except ValueError:  # a head wider than its level
            continue
        if min(config["block_out_channels"]) >= (config["attention_head_dim"] or 1) and \
                sum(p.numel() for p in model.parameters()) <= MAX_PARAMETERS:
            return config, model


def random_network(case, index):
    rng = np.random.Generator(np.random.PCG64([case.seed, index]))
    config, model = draw_model(rng)

    def check():
        reference.fill(model, rng)
        timesteps = [int(v) for v in rng.integers(0, 1000, size=int(rng.integers(1, 3)))]
        x, t, noise = reference.inputs(config, timesteps, rng)
        exact = values_and_gradients(model, x, t, noise)
        model.float()
        single = values_and_gradients(model, x, t, noise)
        folder = case.work / f"model{index}"
        model.save_pretrained(folder)
        got, (parameters, *_) = engine(case, folder, x, t, noise)
        if parameters != model.num_parameters():
            raise Mismatch(f"{parameters:.0f} parameters, diffusers has {model.num_parameters()}")
        return f"{compare(got, exact, single)} | {parameters / 1e3:.0f}k B{len(timesteps)} {describe(config)}"

    return check


def checks(case):
    torch.set_num_threads(1)  # a second one gains little, and loses much on a busy machine
    for i in range(case.count):
        yield f"unet random {i}", random_network(case, i)

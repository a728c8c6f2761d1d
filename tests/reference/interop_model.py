"""Model folders through the program itself: new, import-model, gradient, export-model.

diffusers writes a folder (float32, float16, bfloat16, the older .bin, or the older names of the attention
weights) with a scheduler beside it; dtrak reads it and writes one image's noised input, output and every
gradient; then diffusers reads what dtrak exports.
"""
import json
import struct
import subprocess

import numpy as np
import safetensors.torch
import torch
from diffusers import DDPMScheduler, UNet2DModel
from PIL import Image
from safetensors.numpy import load_file

import interop_unet as unet
import make_vectors as reference
from interop import Mismatch

LOSSES = unet.LOSSES
KINDS = ("float32", "float16", "bin", "bfloat16", "older names")
SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")


def dtrak(case, *args):
    done = subprocess.run([case.dtrak, *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        raise Mismatch(f"dtrak {args[0]}: {done.stderr.strip()}")
    return done.stdout


def new_database(case, work, rng, side, channels, patch):
    """Of two random pictures; the second one as the program must see it, in -1 to 1, [C][H][W]."""
    (work / "images").mkdir(parents=True)
    pictures = rng.integers(0, 256, size=(2, side, side, channels), dtype=np.uint8)
    if channels == 1:  # IDX, whose pictures are grey
        images, labels = work / "images" / "idx", work / "images" / "labels"
        images.write_bytes(struct.pack(">4i", 2051, 2, side, side) + pictures.tobytes())
        labels.write_bytes(struct.pack(">2i", 2049, 2) + bytes(2))
        dtrak(case, "new", work / "a.db", "--idx", images, labels, "--patch", patch)
    else:
        for i in range(2):
            Image.fromarray(pictures[i]).save(work / "images" / f"{i}.png")
        dtrak(case, "new", work / "a.db", "--images", work / "images", "--patch", patch)
    return pictures[1].transpose(2, 0, 1) / 127.5 - 1


def write_model(folder, model, kind, scheduler):
    """Rounds the model's weights to what the file holds."""
    if kind in ("float16", "bfloat16"):
        model.to(getattr(torch, kind))
    else:
        model.float()
    model.save_pretrained(folder, safe_serialization=kind != "bin")
    if kind == "older names":
        path, renamed = folder / "diffusion_pytorch_model.safetensors", {}
        for name, value in safetensors.torch.load_file(path).items():
            for old, new in reference.OLD_NAMES.items():
                name = name.replace(new, old)
            renamed[name] = value
        safetensors.torch.save_file(renamed, path, metadata={"format": "pt"})
        # 0.16 knew no such field: its middle attention had a norm under scale_shift without it.
        fields = json.loads((folder / "config.json").read_text())
        del fields["attn_norm_num_groups"]
        (folder / "config.json").write_text(json.dumps(fields))
    scheduler.save_pretrained(folder)


def folded(pixels, patch):
    """Space to depth, as the network sees the picture: channel (c, dy, dx)."""
    c, h, w = pixels.shape
    return pixels.reshape(c, h // patch, patch, w // patch, patch).transpose(0, 2, 4, 1, 3).reshape(
        c * patch * patch, h // patch, w // patch)


def close(what, got, want, limit=4 * unet.EPSILON):
    error = unet.relative(got, want)
    if not error <= limit:
        raise Mismatch(f"{what} is off by {error:.1e} of its norm")


def compare_export(case, db, folder, config, model, x, t):
    """The exported folder has the same weights and the same output, in diffusers."""
    dtrak(case, "export-model", db, folder)
    back = UNet2DModel.from_pretrained(folder, low_cpu_mem_usage=False).double().eval()
    for module in back.modules():
        if hasattr(module, "upcast_softmax"):
            module.upcast_softmax = False
    want = dict(model.named_parameters())
    got = dict(back.named_parameters())
    if list(want) != list(got):
        raise Mismatch(f"export: other parameters: {sorted(set(want) ^ set(got))[:4]}")
    for name in want:
        if not torch.equal(want[name], got[name]):
            raise Mismatch(f"export: {name} has changed")
    with torch.no_grad():
        close("the export's output", reference.run(back, x, t).numpy(), reference.run(model, x, t).numpy(), 1e-12)
    for key in config:
        if key not in ("sample_size", "attn_norm_num_groups") and list_of(back.config[key]) != list_of(config[key]):
            raise Mismatch(f"export: {key} is {back.config[key]}, was {config[key]}")


def list_of(value):
    return list(value) if isinstance(value, (list, tuple)) else value


def round_trip(case, index):
    rng = np.random.Generator(np.random.PCG64([case.seed, index, 1]))
    patch = 2 if index % 4 == 3 else 1
    kind, schedule = KINDS[index % len(KINDS)], SCHEDULES[index % len(SCHEDULES)]
    while True:
        config, model = unet.draw_model(rng)
        channels = int(unet.pick(rng, 1, 3))
        config["in_channels"] = config["out_channels"] = channels * patch * patch
        if kind == "older names":
            config.update(resnet_time_scale_shift="scale_shift", add_attention=True,
                          attn_norm_num_groups=config["norm_num_groups"])
        side = config["sample_size"] = np.max(config["sample_size"]).item()  # pictures are square here
        if side * patch != 28:  # which the program would pad, as MNIST's
            model = reference.build(config)
            break

    def check():
        reference.fill(model, rng)
        work = case.work / str(index)
        image = folded(new_database(case, work, rng, side * patch, channels, patch), patch)
        scheduler = DDPMScheduler(beta_schedule=schedule)
        write_model(work / "model", model, kind, scheduler)
        model.double()
        db = work / "a.db"
        dtrak(case, "import-model", db, work / "model", "--step", 7)
        timesteps = sorted({int(v) for v in rng.integers(0, 1000, size=2)})
        t = np.array(timesteps, np.float32)
        noise = rng.standard_normal((len(t), *image.shape)).astype(np.float32)
        np.save(work / "noise.npy", noise)
        dtrak(case, "gradient", db, "--item", "train:1", "--loss", ",".join(LOSSES), "--timesteps",
              ",".join(map(str, timesteps)), "--noise", work / "noise.npy", "--out", work / "g.safetensors")
        file = load_file(work / "g.safetensors")
        got = {"eps": file["output"]}
        got.update({f"g.{n.replace('/', '.', 1)}": v for n, v in file.items() if "/" in n})
        close("the image", file["image"], image)
        many = torch.from_numpy(np.stack([image] * len(t)))
        want = scheduler.add_noise(many, torch.from_numpy(noise).double(), torch.from_numpy(t.astype(np.int64)))
        close("the noised input", file["input"], want.numpy(), 16 * unet.EPSILON)
        x = file["input"]
        exact = unet.values_and_gradients(model, x, t, noise)
        model.float()
        single = unet.values_and_gradients(model, x, t, noise)
        model.double()
        for values in exact, single:
            for k in LOSSES:
                del values[f"loss.{k}"]
        said = unet.compare(got, exact, single)
        compare_export(case, db, work / "export", config, model, x, t)
        return f"{said} | {kind} {schedule} patch {patch} | {unet.describe(config)}"

    return check


def checks(case):
    torch.set_num_threads(1)
    for i in range((case.count + 1) // 2):
        yield f"model folder {i}", round_trip(case, i)

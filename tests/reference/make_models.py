#!/usr/bin/env python3
"""Writes tests/models: tiny diffusers models as diffusers and torch write them, in every form that
import-model reads, and the output of each network, to compare with.

  make_models.py OUTDIR     needs torch, diffusers and safetensors (written with 1.12.1, 0.27.2, 0.4)

All are one network of 1 x 8 x 8 images with random weights, except where the name says otherwise.
"""
import json
import os
import shutil
import sys

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors.torch import save_file

CONFIG = dict(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(4, 8), layers_per_block=1,
              norm_num_groups=2, attention_head_dim=4, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
              up_block_types=("AttnUpBlock2D", "UpBlock2D"))
OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def build(**changes):
    torch.manual_seed(5)
    model = UNet2DModel(**{**CONFIG, **changes}).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return model


def folder(out, name, model, state, kind="safetensors", config=None):
    """A folder by hand: config.json and the state dict in one of torch's formats."""
    path = f"{out}/{name}"
    os.makedirs(path)
    model.save_config(path)
    if config:
        with open(f"{path}/config.json") as f:
            fields = json.load(f)
        with open(f"{path}/config.json", "w") as f:
            json.dump({**fields, **config}, f, indent=2)
    file = f"{path}/diffusion_pytorch_model"
    state = {k: v.contiguous() if kind == "safetensors" else v for k, v in state.items()}
    if kind == "safetensors":
        save_file(state, file + ".safetensors", {"format": "pt"})
    else:
        torch.save(state, file + ".bin", _use_new_zipfile_serialization=kind == "zip")


def old_names(state, conv):
    """The names before diffusers 0.17; before 0.4 or so some were 1x1 convolutions."""
    out = {}
    for k, v in state.items():
        if ".attentions." in k:
            for new, old in OLD.items():
                if f".{new}." in k:
                    k = k.replace(f".{new}.", f".{old}.")
                    if conv and k.endswith("weight"):
                        v = v[:, :, None, None]
                    break
        out[k] = v
    return out


def main(out):
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    model = build()
    state = model.state_dict()
    x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    with torch.no_grad():
        eps = model(torch.from_numpy(x), torch.tensor([250])).sample.numpy()
    with open(f"{out}/output.json", "w") as f:
        json.dump({"timestep": 250, "eps": [float(v) for v in eps.ravel()]}, f)

    model.save_pretrained(f"{out}/plain")                                    # diffusers' own
    folder(out, "zip", model, dict(state), "zip")
    channels_last = {k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in state.items()}
    folder(out, "zip-old-names", model, old_names(channels_last, True), "zip")
    folder(out, "legacy", model, old_names(state, False), "legacy")
    folder(out, "f16", model, {k: v.half() for k, v in state.items()})
    folder(out, "bf16", model, {k: v.bfloat16() for k, v in state.items()})
    folder(out, "mixed", model, {k: v.half() if v.dim() > 1 else v for k, v in state.items()}, "zip")
    model.save_pretrained(f"{out}/sharded", max_shard_size="8KB")
    if not os.path.exists(f"{out}/sharded/diffusion_pytorch_model.safetensors.index.json"):
        shard(f"{out}/sharded", state)
    scheduler = DDPMScheduler(num_train_timesteps=500, beta_schedule="scaled_linear", beta_end=0.04, clip_sample=False)
    DDPMPipeline(model, scheduler).save_pretrained(f"{out}/pipeline")
    shifted = build(resnet_time_scale_shift="scale_shift", attn_norm_num_groups=2)
    folder(out, "scaleshift-old", shifted, old_names(shifted.state_dict(), False),
           config={"attn_norm_num_groups": None, "_diffusers_version": "0.16.1"})
    ddim = f"{out}/ddim"
    model.save_pretrained(ddim)
    DDIMScheduler(set_alpha_to_one=False, trained_betas=[float(b) for b in np.linspace(0.01, 0.2, 20)],
                  num_train_timesteps=20).save_pretrained(ddim)
    for root, _, files in os.walk(out):
        for f in files:
            if f == ".gitattributes":
                os.remove(f"{root}/{f}")


def shard(path, state):
    """This diffusers writes no shards: two files and the index, as later ones do."""
    os.remove(f"{path}/diffusion_pytorch_model.safetensors")
    names = sorted(state)
    files = ["diffusion_pytorch_model-0000%d-of-00002.safetensors" % i for i in (1, 2)]
    parts = [names[: len(names) // 2], names[len(names) // 2:]]
    for file, part in zip(files, parts):
        save_file({k: state[k] for k in part}, f"{path}/{file}", {"format": "pt"})
    index = {"metadata": {"total_size": sum(v.numel() * 4 for v in state.values())},
             "weight_map": {k: file for file, part in zip(files, parts) for k in part}}
    with open(f"{path}/diffusion_pytorch_model.safetensors.index.json", "w") as f:
        json.dump(index, f, indent=2)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1])

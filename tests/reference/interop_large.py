"""The networks of the paper: the same comparison at full size, one image, one timestep, one loss.

diffusers' side takes minutes and about 5 GiB; ours prints its own seconds and memory.
"""
import numpy as np
import torch
import safetensors.torch  # noqa: F401  save_pretrained takes it as imported

import interop_unet as unet
import make_vectors as reference
from interop import Mismatch

# The two networks of D-TRAK (arXiv 2311.00500, released code) as diffusers 0.16.1 built them, with
# a norm before the middle attention: 38.3 and 118.8 million parameters.
LARGE = {
    "D-TRAK CIFAR": dict(
        sample_size=32, in_channels=3, out_channels=3, block_out_channels=[128, 256, 256, 256], layers_per_block=2,
        norm_num_groups=32, norm_eps=1e-6, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1,
        attention_head_dim=None, resnet_time_scale_shift="scale_shift", attn_norm_num_groups=32, **reference.blocks("-", "A", "-", "-")),
    "D-TRAK CelebA": dict(
        sample_size=64, in_channels=3, out_channels=3, block_out_channels=[128, 128, 256, 256, 512, 512],
        layers_per_block=2, norm_num_groups=32, norm_eps=1e-5, downsample_padding=1, flip_sin_to_cos=True, freq_shift=0,
        attention_head_dim=8, resnet_time_scale_shift="scale_shift", attn_norm_num_groups=32,
        **reference.blocks("-", "-", "-", "-", "A", "-")),
}


def large_network(case, name):
    config = LARGE[name]

    def check():
        rng = np.random.Generator(np.random.PCG64(case.seed))
        model = reference.build(config)
        reference.fill(model, rng)
        x, t, noise = reference.inputs(config, [500], rng)
        exact = unet.values_and_gradients(model, x, t, noise, ("square",))
        model.zero_grad(set_to_none=True)
        model.float()
        single = unet.values_and_gradients(model, x, t, noise, ("square",))
        folder, parameters = case.work / name.replace(" ", "-"), model.num_parameters()
        model.save_pretrained(folder)
        del model
        got, (count, forward, backward, mib) = unet.engine(case, folder, x, t, noise, ("square",))
        said = f"{unet.compare(got, exact, single)} | {count:.0f} parameters forward {forward:.2f} s backward {backward:.2f} s {mib:.0f} MiB"
        if count != parameters:
            raise Mismatch(f"{said}, diffusers has {parameters}")
        return said

    return check


def checks(case):
    torch.set_num_threads(1)
    for name in LARGE:
        yield name, large_network(case, name)

#!/usr/bin/env python3
"""Writes tests/fuzz/corpus-pickle and corpus-model: small files as Python, NumPy, torch and diffusers
write them, which the unit tests also read as reference.  Run from the root of the repository; needs
numpy, torch and diffusers."""
import collections
import io
import json
import os
import pickle
import struct
import tempfile

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel
from safetensors.torch import save

ROOT = "tests/fuzz/corpus-"


def put(kind, name, data):
    os.makedirs(ROOT + kind, exist_ok=True)
    assert len(data) < 20000, (kind, name, len(data))
    with open(f"{ROOT}{kind}/{name}", "wb") as f:
        f.write(data)


shared = [1, 2]
VALUES = [1, -5, 2**40, -2**63, 1.5, None, True, "é\\\n", b"\x00\xff", (1,), {"a": [2], 3: ()},
          np.arange(6, dtype=">i4").reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
          np.array([[0.5, -2, 65504]], np.float16), np.array([0, 255], np.uint8), np.array([True, False]),
          np.float32(2.5), np.int64(-3), collections.OrderedDict(x=1), np.zeros((2, 0), np.float16), shared, shared]
for protocol in range(6):
    put("pickle", f"values{protocol}", pickle.dumps(VALUES, protocol))
put("pickle", "indices", pickle.dumps([int(i) for i in np.random.RandomState(0).permutation(300)], 4))
put("pickle", "losses", pickle.dumps([[np.arange(4, dtype=np.float32) + t for t in range(3)] for _ in range(2)], 4))


def torch_bytes(value, **how):
    with tempfile.TemporaryDirectory() as d:   # the archive's name is part of the file
        torch.save(value, d + "/seed.bin", **how)
        with open(d + "/seed.bin", "rb") as f:
            return f.read()


base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
state = collections.OrderedDict(whole=base, turned=base.t(), part=base[1:, 2], half=base.half(), brain=base.bfloat16(),
                                steps=torch.tensor(7), empty=torch.zeros(0, 3), parameter=torch.nn.Parameter(base[:1].clone()))
put("pickle", "torch-zip", torch_bytes(state))
put("pickle", "torch-legacy", torch_bytes(state, _use_new_zipfile_serialization=False))
put("pickle", "torch-scripts", torch_bytes({"a": torch.nn.Linear(1, 1)}))


def model(config, scheduler, weights):
    """The length of the config, the config with a scheduler inside, the weights."""
    torch.manual_seed(1)
    net = UNet2DModel(**config)
    fields = dict(json.loads(net.to_json_string()))
    fields["_dtrak"] = {"scheduler": json.loads(scheduler.to_json_string())}
    text = json.dumps(fields).encode()
    return struct.pack("<I", len(text)) + text + weights(net.state_dict())


TINY = dict(sample_size=4, in_channels=1, out_channels=1, block_out_channels=(2,), layers_per_block=1, norm_num_groups=1,
            add_attention=False, down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",))
put("model", "safetensors", model(TINY, DDPMScheduler(), save))
put("model", "bf16", model(TINY, DDPMScheduler(num_train_timesteps=9, beta_schedule="squaredcos_cap_v2"),
                           lambda s: save({k: v.bfloat16() for k, v in s.items()})))
put("model", "torch", model(TINY, DDPMScheduler(trained_betas=[0.1, 0.2], num_train_timesteps=2),
                            lambda s: torch_bytes(s, _use_new_zipfile_serialization=False)))

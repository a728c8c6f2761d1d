#!/usr/bin/env python3
"""Writes the seeds of tests/fuzz/corpus-*: small files from the formats' own
libraries (NumPy, safetensors, Pillow), which the unit tests also read as
reference.  Run from the root of the repository; needs numpy, safetensors and
pillow."""
import io, json, os, struct, zlib
import numpy as np
from PIL import Image
from safetensors.numpy import save

ROOT = "tests/fuzz/corpus-"


def put(kind, name, data):
    os.makedirs(ROOT + kind, exist_ok=True)
    assert len(data) < 2048, (kind, name, len(data))
    with open(f"{ROOT}{kind}/{name}", "wb") as f:
        f.write(data)


def encoded(image, **how):
    b = io.BytesIO()
    image.save(b, **how)
    return b.getvalue()


def npy(a, version=(1, 0)):
    b = io.BytesIO()
    np.lib.format.write_array(b, a, version=version)
    return b.getvalue()


# The picture: 10 x 6, red grows along x, green along y, blue is 40.
y, x = np.mgrid[0:6, 0:10]
rgb = np.stack([x * 25, y * 50, 0 * x + 40], -1).astype(np.uint8)
im = Image.fromarray(rgb)
alpha = Image.fromarray(np.dstack([rgb, (x * 28).astype(np.uint8)]))
put("image", "rgb.png", encoded(im, format="PNG"))
put("image", "rgba.png", encoded(alpha, format="PNG"))
put("image", "grey.png", encoded(Image.fromarray(rgb[:, :, 0]), format="PNG"))
put("image", "greyalpha.png", encoded(alpha.convert("LA"), format="PNG"))
put("image", "palette.png", encoded(im.quantize(8), format="PNG"))
put("image", "onebit.png", encoded(Image.fromarray(rgb[:, :, 0]).convert("1"), format="PNG"))
put("image", "deep.png", encoded(Image.fromarray((x * 6000).astype(np.uint16)), format="PNG"))
for name, how in {"baseline": {"subsampling": 0},
                  "progressive": {"progressive": True, "subsampling": 0},
                  "subsampled": {"subsampling": 2, "restart_marker_blocks": 1}}.items():
    put("image", name + ".jpg", encoded(im, format="JPEG", quality=95, **how))
put("image", "grey.jpg", encoded(Image.fromarray(rgb[:, :, 0]), format="JPEG", quality=95))
put("image", "cmyk.jpg", encoded(im.convert("CMYK"), format="JPEG", quality=80))

# An interlaced picture, which Pillow cannot write: 3 x 3 grey, Adam7 by hand.
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2)]
raw = b""
for px, py, dx, dy in passes:
    for yy in range(py, 3, dy):
        row = bytes(10 * yy + 80 * xx for xx in range(px, 3, dx))
        raw += b"\0" + row if row else b""
put("image", "interlaced.png", b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 3, 8, 0, 0, 0, 1))
    + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))

values = np.array([[0.5, -1.25, 3e-5], [65504, -0.0, 7]], np.float32)
put("safetensors", "reference", save({"b.weight": values, "a.half": values.astype(np.float16),
                                      "empty": np.zeros((0, 3), np.float32),
                                      "scalar": np.array(2.5, np.float32),
                                      "steps": np.array([7], np.int64)}, {"format": "pt"}))
for t in ("<f2", "<f4", "<f8", "|u1", "<i4", "<i8"):
    put("npy", t[1:] + ".npy", npy(np.arange(6).reshape(2, 3).astype(t)))
put("npy", "version2.npy", npy(np.arange(3).astype("<f4"), (2, 0)))
put("npy", "scalar.npy", npy(np.array(4.0, "<f8")))
put("npy", "fortran.npy", npy(np.asfortranarray(np.arange(6.0).reshape(2, 3))))

put("json", "mixed", json.dumps({"a": [1, -2.5, 1e300, True, False, None, "é\u2028😀\"\\\n"],
                                 "nested": {"x": {"y": [[], {}]}}, "big": 2**63 - 1}).encode())
put("json", "labels", json.dumps([i % 10 for i in range(40)]).encode())
put("json", "config", json.dumps({"_class_name": "UNet2DModel", "sample_size": 32,
                                  "block_out_channels": [32, 64, 64], "dropout": 0.0}).encode())

images = struct.pack(">IIII", 0x803, 3, 2, 4) + bytes(range(24))
labels = struct.pack(">II", 0x801, 3) + bytes([0, 9, 5])
put("idx", "three", struct.pack("<I", len(images)) + images + labels)
def gz(data):
    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    return c.compress(data) + c.flush()
put("gzip", "images", gz(images))
put("gzip", "two_members", gz(images) + gz(labels))

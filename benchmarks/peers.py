"""Other decoders that make more of a JPEG file than libjpeg does, as far as they can be had here: for restore.py.

jpeg-quantsmooth and jpeg2png are programs, built from github.com/ilyakurdyukov/jpeg-quantsmooth and
github.com/victorvde/jpeg2png with libjpeg's and libpng's headers, on the PATH. jpegli's decoder is djpegli on the PATH,
or Python's package pyjpegli (`pip install 'lowq[benchmarks]'`). DnCNN-3 (Zhang et al., "Beyond a Gaussian denoiser",
IEEE Transactions on Image Processing 26, 2017) needs its weights as the authors' state dict, made an .npz file by
`numpy.savez(FILE, **{name: value.numpy() for name, value in torch.load("dncnn3.pth").items()})`.
"""

import importlib.util
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.colour import YCBCR_TO_RGB

Pixels = NDArray[np.uint8]  # [H, W, 3]
Show = Callable[[bytes], Pixels]

PROGRAMS = {  # name -> the command, with IN and OUT, and what OUT is
    "jpeg-quantsmooth": (("jpegqs", "--info", "0", "IN", "OUT"), ".jpg"),
    "jpeg2png": (("jpeg2png", "IN", "-o", "OUT"), ".png"),
    "jpegli": (("djpegli", "IN", "OUT"), ".png"),
}
N_CONVOLUTIONS = 20


def find_peers(dncnn3: Path | None = None) -> tuple[dict[str, Show], dict[str, str]]:
    """Return the decoders that there are, file -> uint8 [H, W, 3], and of each other one why it is left out."""
    found: dict[str, Show] = {}
    skipped: dict[str, str] = {}
    for name, (command, suffix) in PROGRAMS.items():
        if shutil.which(command[0]):
            found[name] = lambda data, command=command, suffix=suffix: by_program(data, command, suffix)  # type: ignore[misc]
        else:
            skipped[name] = f"no {command[0]} on this machine's PATH"
    if "jpegli" in skipped and importlib.util.find_spec("pyjpegli"):
        found["jpegli"] = by_pyjpegli
        del skipped["jpegli"]
    if dncnn3:
        with np.load(dncnn3) as file:
            found["dncnn-3"] = by_dncnn3({name: file[name] for name in file.files})
    else:
        skipped["dncnn-3"] = "no weights given: --dncnn3 FILE.npz"
    return found, skipped


def by_program(data: bytes, command: tuple[str, ...], suffix: str) -> Pixels:
    """Decode a file by a program."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.jpg", Path(folder) / f"out{suffix}"
        source.write_bytes(data)
        places = {"IN": str(source), "OUT": str(out)}
        subprocess.run([places.get(word, word) for word in command], check=True, capture_output=True)
        with Image.open(out) as image:
            return np.asarray(image.convert("RGB"))


def by_pyjpegli(data: bytes) -> Pixels:
    """Decode a file by jpegli's decoder, to 8 bits."""
    import pyjpegli

    pixels, width, height = pyjpegli.decode(data)
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def by_dncnn3(state: dict[str, NDArray[Any]]) -> Show:
    """Return DnCNN-3 of its weights: 20 convolutions that predict the error of luma; chroma stays as it is.

    state: the kernels [out, in, 3, 3] and biases of the convolutions, in their order.
    """
    from keras import ops

    names = sorted((name for name in state if name.endswith("weight")), key=lambda name: int(name.split(".")[-2]))
    if len(names) != N_CONVOLUTIONS:
        raise ValueError(f"DnCNN-3 has {N_CONVOLUTIONS} convolutions, the file has {len(names)}")
    layers = [(state[name].transpose(2, 3, 1, 0), state[name.replace("weight", "bias")]) for name in names]

    def show(data: bytes) -> Pixels:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("YCbCr", image.size)
            planes = np.asarray(image.convert("YCbCr"), np.float32) / 255
        features = ops.convert_to_tensor(planes[None, ..., :1])
        for place, (kernel, bias) in enumerate(layers, 1):
            features = ops.conv(features, kernel, padding="same") + bias
            features = ops.relu(features) if place < N_CONVOLUTIONS else features
        planes[..., :1] -= np.asarray(features)[0]
        rgb = (planes - np.array([0, 128 / 255, 128 / 255], np.float32)) @ YCBCR_TO_RGB.T
        return np.rint(255 * np.clip(rgb, 0, 1)).astype(np.uint8)

    return show

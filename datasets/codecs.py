"""Other ways to keep an image than JPEG as it is: codecs as Pillow saves them, each with a ladder of settings."""

import importlib.util
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, ImageFile, features

from datasets.encoders import mozjpeg
from datasets.encoders.step_tables import standard_steps
from datasets.errors import InputError
from datasets.jpeg import SUBSAMPLING, codec_versions

JPEG_XL, MOZJPEG, JPEGLI = "JXL", "MOZJPEG", "JPEGLI"
PLUGIN = "pillow_jxl"
PACKAGES: Mapping[str, tuple[str, str]] = MappingProxyType(  # beyond Pillow's: what is imported, its package
    {
        JPEG_XL: (PLUGIN, "pillow-jxl-plugin"),
        MOZJPEG: (mozjpeg.PACKAGE, mozjpeg.PACKAGE),
        JPEGLI: ("pyjpegli", "pyjpegli"),
    }
)


@dataclass(frozen=True)
class Codec:
    """A way to save an image.

    format: Pillow's name of it, or MOZJPEG or JPEGLI, which write JPEG; settings: the qualities to try, ascending, each
    on the codec's own scale of 0..100; options: what else the encoder is told. What is not said is as Pillow has it.
    """

    format: str
    settings: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


# Each ladder is dense where PSNR was near JPEG-75's on photographs and on synthetic smears, sparse elsewhere.
# Those of JPEG have a pack's usual qualities among them: its files can be written so.
SAME_PIXELS = (10, 25, 40, 50, 60, 70, 75, 80, 85, 90)
CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        "jpeg-optimised": Codec("JPEG", SAME_PIXELS, {"optimize": True}),
        "jpeg-progressive": Codec("JPEG", SAME_PIXELS, {"progressive": True}),
        "jpeg-444": Codec("JPEG", (30, 40, 48, 54, 57, 60, 63, 66, 69, 72, 75, 82, 90), {"subsampling": "4:4:4"}),
        "mozjpeg": Codec(MOZJPEG, SAME_PIXELS),
        "jpegli": Codec(JPEGLI, SAME_PIXELS),
        "webp": Codec("WEBP", (50, 60, 70, 75, 78, 80, 82, 84, 86, 88, 90, 93, 96)),
        "avif": Codec("AVIF", (20, 30, 36, 40, 44, 48, 52, 56, 60, 65, 70, 80, 90)),
        "jpeg-xl": Codec(JPEG_XL, (30, 40, 50, 56, 60, 64, 68, 72, 76, 80, 85, 90, 95), {"num_threads": 0}),
    }
)


def why_missing(codec: Codec) -> str:
    """Say why this installation cannot use a codec: "pyjpegli is not installed"; empty where it can."""
    if codec.format in PACKAGES:
        module, package = PACKAGES[codec.format]
        return "" if importlib.util.find_spec(module) else f"{package} is not installed"
    has = codec.format == "JPEG" or features.check(codec.format.lower())
    return "" if has else f"this Pillow has no {codec.format}"


def library(codec: Codec) -> str:
    """Name what a usable codec is computed by, with its version: "AVIF 1.4.2"."""
    if codec.format == "JPEG":
        return f"libjpeg {codec_versions()['libjpeg']}"
    if codec.format in PACKAGES:
        _, package = PACKAGES[codec.format]
        return f"{package} {version(package)}"
    return f"{codec.format} {features.version(codec.format.lower())}"


def encode(codec: Codec, image: NDArray[np.uint8], setting: int | None) -> bytes:
    """Compress uint8 [H, W, 3] at a setting, or as the options alone say. Raises InputError where the codec is lacking.

    Pillow scales quantisation tables by a quality, so there is none beside them.
    """
    _require(codec)
    if codec.format == MOZJPEG:
        steps = standard_steps(setting).reshape(2, -1) if setting is not None else np.array(codec.options["qtables"])
        return mozjpeg.encode_by_trellis(image, steps, codec.options.get("subsampling", SUBSAMPLING))
    if codec.format == JPEGLI:
        import pyjpegli

        height, width, _ = image.shape
        return bytes(pyjpegli.encode(np.ascontiguousarray(image).data, width, height, setting))
    buffer = io.BytesIO()
    quality = {} if setting is None else {"quality": setting}
    # Pillow's buffer is for photographs: optimised files of much detail do not fit, and libjpeg cannot empty it.
    ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, 2 * image.size + 65536)
    Image.fromarray(image).save(buffer, codec.format, **quality, **codec.options)
    return buffer.getvalue()


def decode(codec: Codec, data: bytes | memoryview) -> NDArray[np.uint8]:
    """Return the image of a file of a codec as uint8 [H, W, 3]. Raises InputError where the codec is lacking."""
    _require(codec)
    written = "JPEG" if codec.format in (MOZJPEG, JPEGLI) else codec.format
    with Image.open(io.BytesIO(data), formats=(written,)) as image:
        return np.asarray(image)


def transcode(data: bytes | memoryview) -> bytes:
    """Return the JPEG XL file that gives a JPEG file back to the byte, and the same pixels with it.

    Raises InputError where the plugin is lacking.
    """
    _require(CODECS["jpeg-xl"])
    from pillow_jxl import Encoder

    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    return bytes(Encoder(mode="RGB", lossless=True, num_threads=0)(bytes(data), width, height, jpeg_encode=True))


def use_one_thread() -> None:
    """Have this process encode and decode with one thread, whichever codec: Pillow and the plugin keep it globally."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    if importlib.util.find_spec(PLUGIN):
        from pillow_jxl import JpegXLImagePlugin

        JpegXLImagePlugin.DECODE_THREADS = 0


def _require(codec: Codec) -> None:
    lack = why_missing(codec)
    if lack:
        raise InputError(f"{codec.format} cannot be used here: {lack}")
    if codec.format == JPEG_XL:
        importlib.import_module(PLUGIN)  # which makes it known to Pillow

"""PNG written in bands: Pillow reads back the same pixels and profile, whatever the sides."""

import io

import numpy as np
import pytest
from PIL import Image

from datasets.png_output import BAND_PX, write_png


@pytest.mark.parametrize("shape", [(1, 1, 3), (BAND_PX, 5, 3), (BAND_PX + 1, 7, 3), (3 * BAND_PX - 1, 33, 3), (70, 9)])
@pytest.mark.parametrize("kind", ["noise", "ramp"])
def test_pillow_reads_the_same_pixels(shape: tuple[int, ...], kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pixels = (
        noise
        if kind == "noise"
        else np.broadcast_to(np.arange(shape[1])[None].reshape(1, -1, *[1] * (noise.ndim - 2)), shape).astype(np.uint8)
    )
    buffer = io.BytesIO()
    write_png(buffer, np.ascontiguousarray(pixels), b"a profile")
    with Image.open(buffer) as image:
        image.load()
        assert image.mode == ("RGB" if len(shape) == 3 else "L")
        assert image.info["icc_profile"] == b"a profile"
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_smooth_pixels_become_a_small_file() -> None:
    rows, columns = np.mgrid[:200, :300]
    smooth = np.stack([rows + columns, rows, 255 - columns // 2], axis=-1).astype(np.uint8)
    own, pillows = io.BytesIO(), io.BytesIO()
    write_png(own, smooth)
    Image.fromarray(smooth).save(pillows, "PNG")
    assert len(own.getvalue()) < 1.1 * len(pillows.getvalue()) < smooth.size / 50

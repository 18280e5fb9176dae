"""Files that a trellis quantised: any decoder's JPEG, fewer bytes, coefficients nearer to zero."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from datasets.encoders.compress import compress
from datasets.encoders.encoder import Encoder
from datasets.encoders.mozjpeg import encode_by_trellis, is_installed
from datasets.encoders.step_tables import ScaledTables, standard_steps
from datasets.jpeg_file import read_jpeg
from datasets.smear import synthesize

pytestmark = pytest.mark.skipif(not is_installed(), reason="jpeglib has no wheel for this machine")
IMAGE = next(iter(synthesize(1, seed=0))).read()[:120, :133]
TABLES = ScaledTables(40, 0.6)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
def test_a_file_is_baseline_jpeg_with_the_tables_and_components_as_jfif_numbers_them(subsampling: str) -> None:
    data = encode_by_trellis(IMAGE, TABLES.steps(), subsampling)
    with Image.open(io.BytesIO(data)) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        assert image.size == (133, 120)
        assert "jfif" in image.info
        assert data.count(b"JFIF") == 1
        assert "progressive" not in image.info
        assert [list(image.quantization[channel]) for channel in (0, 1)] == TABLES.steps().tolist()
        assert [component for component, *_ in image.layer] == [1, 2, 3]
        down = {"4:2:0": (2, 2), "4:2:2": (2, 1), "4:4:4": (1, 1)}[subsampling]
        assert image.layer[0][1:3] == down


def test_what_is_written_in_sequence_shows_the_same_pixels() -> None:
    shown = [
        np.asarray(Image.open(io.BytesIO(encode_by_trellis(IMAGE, TABLES.steps(), "4:2:0", in_sequence))))
        for in_sequence in (True, False)
    ]
    np.testing.assert_array_equal(*shown)


def test_coefficients_are_left_out_that_cost_more_than_they_show() -> None:
    usual, trellis = (compress(IMAGE, Encoder(quality=50, trellis=trellis)) for trellis in (False, True))
    assert len(trellis) < 0.97 * len(usual)
    blocks = [_luma_coefficients(data) for data in (usual, trellis)]
    n_zeros = [int(np.sum(found == 0)) for found in blocks]
    assert n_zeros[1] > n_zeros[0]
    assert np.abs(blocks[1]).sum() < np.abs(blocks[0]).sum()


def test_threads_write_what_one_alone_does() -> None:
    images = [np.roll(IMAGE, 8 * place, axis=0) for place in range(8)]
    alone = [encode_by_trellis(image, TABLES.steps(), "4:2:0") for image in images]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda image: encode_by_trellis(image, TABLES.steps(), "4:2:0"), images))
    assert together == alone
    assert len(set(alone)) == len(images)


def _luma_coefficients(data: bytes) -> NDArray[np.int64]:
    """Return luma's coefficients in units of their steps."""
    from models.restoring.consistency import CENTRE, transform

    plane = read_jpeg(data).planes[0]
    height, width = (side // 8 * 8 for side in plane.shape)
    coefficients = transform(plane[:height, :width].astype(np.float32) - CENTRE)
    return np.rint(coefficients / standard_steps(50)[0][:, None, :]).astype(np.int64)

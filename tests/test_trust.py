"""Whether a file bears a restorer out: by hand for shifts, on originals, and what becomes of a wrong one."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.jpeg_file import JpegFile, read_jpeg
from datasets.smear import synthesize
from models.restore import Examined, Restorer, doubts, examine, restore_pixels
from models.restoring.consistency import Stored
from models.restoring.model_file import ModelFile
from models.restoring.reach import Reach
from models.restoring.tiles import CORE_PX, SAMPLE_PX, samples_of
from models.restoring.trust import UNLIKE, Trust, find_trust
from tests.model_fixture import drawn_model_file

IMAGE = synthesize(1, seed=21)[0].read()[:160, :176]
DATA = encode_jpeg(IMAGE, 50)
JPEG = read_jpeg(DATA)
FILE = drawn_model_file()


def stored(jpeg: JpegFile = JPEG) -> Stored:
    return Stored(jpeg.planes, jpeg.steps, jpeg.frame.factors)


def units(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.divide(pixels, 255, dtype=np.float32)


class Changed:
    """A network that does something to the pixels."""

    def __init__(self, levels: float) -> None:
        self.levels = levels

    def __call__(self, degraded: NDArray[np.uint8], tables: NDArray[np.float32]) -> NDArray[np.float32]:
        return (degraded + self.levels).astype(np.float32) / 255


def restorer(levels: float, model_file: ModelFile = FILE) -> Restorer:
    return Restorer(model_file, Changed(levels), Reach(2, 2, 2))  # type: ignore[arg-type]


def test_what_the_file_shows_moves_nothing() -> None:
    trust = find_trust([(units(JPEG.pixels), stored())])
    assert trust.colour_excess < 0.1  # rounding, and what is lost where chroma is enlarged and averaged again
    for share in trust.shares:
        np.testing.assert_array_equal(share, 1)
    assert trust.share_of_all == 1


@pytest.mark.parametrize("quality", [25, 50, 75])
def test_the_original_is_borne_out(quality: int) -> None:
    trust = find_trust([(units(IMAGE), stored(read_jpeg(encode_jpeg(IMAGE, quality))))])
    assert 0.05 < trust.colour_excess < 1.5
    assert trust.share_of_all == 1
    assert all(excess.mean() < 1 for excess in trust.excess)


def test_a_shift_of_brightness_is_found_by_its_size() -> None:
    shifted = units(JPEG.pixels) + np.float32(6 / 255)
    excess = find_trust([(shifted, stored())]).excess
    # 6 levels are 48 in the first coefficient; the step is 16, and rounding all 64 pixels alike adds 64 / 12
    assert excess[0][0, 0] == pytest.approx(48**2 / (16**2 / 12 + 64 / 12), rel=0.03)
    assert excess[1][0, 0] < 0.1
    assert excess[0][3:, 3:].max() < 0.1


def test_parts_add_up_to_the_whole() -> None:
    shifted = units(JPEG.pixels) + np.linspace(0, 0.1, 176, dtype=np.float32)[None, :, None]
    rows = [(slice(0, 64), slice(0, 176)), (slice(64, 160), slice(0, 176))]
    whole = find_trust([(shifted, stored())])
    parts = find_trust([(shifted[part], stored().part(*part)) for part in rows])
    for one, other in zip(whole.excess, parts.excess, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_moves_are_brought_back_to_the_size_that_there_can_be() -> None:
    excess = np.ones((8, 8))
    excess[0, 0], excess[1, 2] = 8.0, 4.0
    trust = Trust((excess, np.full((8, 8), 0.5)))
    assert trust.colour_excess == 8
    assert trust.share_of_all == pytest.approx((UNLIKE / 8) ** 0.5)
    assert trust.shares[0][0, 0] == pytest.approx(1 / 8)
    assert trust.shares[0][1, 2] == pytest.approx(1 / 4)
    assert (trust.shares[1] == 1).all()
    assert Trust(()).share_of_all == 1


@pytest.mark.parametrize("data", [DATA, encode_jpeg(np.tile(IMAGE, (4, 4, 1)), 50)], ids=["one tile", "samples"])
def test_a_network_that_is_wrong_about_colours_is_said_to_be_and_does_little_harm(data: bytes) -> None:
    original, shown = np.tile(IMAGE, (4, 4, 1)) if data != DATA else IMAGE, decode_jpeg(data)

    def error(pixels: NDArray[np.uint8]) -> float:
        return float(np.square(pixels.astype(float) - original).mean())

    wrong, right = restorer(levels=12), restorer(levels=0.2)
    jpeg = read_jpeg(data)
    examined = examine(wrong, jpeg)
    assert (examined.whole is not None) == (data == DATA)
    assert any(
        "do not bear out what the model makes of its colours" in doubt for doubt in doubts(wrong, jpeg, examined)
    )
    assert doubts(right, jpeg, examine(right, jpeg)) == []
    for cells in ("wide", "narrow"):
        assert error(restore_pixels(wrong, jpeg, cells)) < 1.02 * error(shown)
    assert error(restore_pixels(wrong, jpeg, "off")) > 3 * error(shown)  # as the network gives it
    tiled = restore_pixels(wrong, jpeg, core_px=64)
    np.testing.assert_array_equal(tiled, restore_pixels(wrong, jpeg))


def test_what_was_examined_is_not_computed_again() -> None:
    marked = units(np.full_like(JPEG.pixels, 7))
    examined = Examined(Trust(()), marked)
    np.testing.assert_array_equal(restore_pixels(restorer(0), JPEG, "off", examined=examined), 7)


def test_a_file_of_rgb_has_nothing_that_bears_out() -> None:
    rgb = replace(JPEG, planes=())
    assert examine(restorer(50), rgb).trust.share_of_all == 1


@pytest.mark.parametrize(("height", "width"), [(600, 900), (10_000, 40), (513, 512)])
def test_samples_of_a_large_image_are_squares_inside_it_on_the_grid(height: int, width: int) -> None:
    reach = Reach(35, 37, 12)
    tiles = samples_of(height, width, reach)
    if height * width <= CORE_PX**2:
        assert [tile.core for tile in tiles] == [(slice(0, height), slice(0, width))]
        return
    assert len({(tile.core[0].start, tile.core[1].start) for tile in tiles}) == len(tiles) > 1
    for tile in tiles:
        for core, window, side in zip(tile.core, tile.window, (height, width), strict=True):
            assert core.start % 16 == core.start % 12 == 0
            assert 0 < core.stop - core.start <= SAMPLE_PX
            assert 0 <= window.start <= core.start < core.stop <= window.stop <= side
            assert window.start in (0, core.start - reach.margin_px)
            assert window.stop in (side, core.stop + reach.margin_px)

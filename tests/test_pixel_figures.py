"""Figures of pixels: what they compute of a few pictures, by hand, and what they draw of it."""

import numpy as np
import pytest

from analysis.figures.canvas import to_png
from analysis.figures.panel import ROW_TITLES, comparison_panel, draw_comparison_panel
from analysis.figures.tile import ZOOM_PX, centre, error_limit, psnr_db, psnr_text
from analysis.samples import Samples

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def flat_samples(size_px: int = 128, restored_by: int = 10) -> Samples:
    """A picture of grey 100 that JPEG makes brighter by 10 at 50 and by 20 at 25, and a trial darker again."""
    original = np.full((1, size_px, size_px, 3), 100, np.uint8)
    degraded = np.stack([original + 10, original + 20], axis=1)
    return Samples(original, degraded, degraded - restored_by, ("cell 0",), (50, 25), ("fixed",))


def test_centre_is_cut_from_the_middle_and_a_small_picture_is_left_whole() -> None:
    picture = np.arange(128 * 128).reshape(128, 128)
    assert centre(picture)[0, 0] == picture[16, 16]
    assert centre(picture).shape == (ZOOM_PX, ZOOM_PX)
    assert centre(picture[:40, :128]).shape == (40, ZOOM_PX)


def test_psnr_of_a_picture_is_that_of_the_definition() -> None:
    original = np.full((4, 4, 3), 100, np.uint8)
    assert psnr_db(original, original - 10) == pytest.approx(20 * np.log10(255 / 10))
    assert psnr_text(psnr_db(original, original)) == "identical to the original"


def test_error_scale_holds_all_but_the_largest_errors() -> None:
    error = np.zeros((100, 100))
    error[0, :60] = -7.2  # more than one in two hundred
    error[1, :10] = 90
    assert error_limit([error]) == 8
    assert error_limit([np.zeros((3, 3))]) == 1


def test_panel_shows_the_centre_its_error_and_the_psnr_of_the_whole_image() -> None:
    samples = flat_samples()
    samples.original[0, 16, 16] = 7  # the top left corner of the centre
    original, degraded, restored = comparison_panel({"jjnet": samples}, "cell 0", 25)
    assert [column.title for column in (original, degraded, restored)] == ["original", "JPEG-25", "jjnet"]
    assert original.colour[0, 0].tolist() == [7, 7, 7]
    assert not original.error.any()
    np.testing.assert_allclose(degraded.error[0, :2], [7 - 120, -20])
    np.testing.assert_allclose(restored.error[0, :2], [7 - 110, -10])
    assert degraded.psnr_db == psnr_db(samples.original[0], samples.degraded[0, 1]) < restored.psnr_db


def test_panel_equalises_every_version_by_the_curve_of_the_original() -> None:
    samples = flat_samples()
    samples.original[0, :64] = 200
    original, degraded, restored = comparison_panel({"jjnet": samples}, "cell 0", 50)
    assert set(np.unique(original.equalised)) == {0, 255}
    assert set(np.unique(degraded.equalised)) == {0}  # the original has no level between 100 and 110
    assert set(np.unique(restored.equalised)) == {0}


@pytest.mark.parametrize("size_px", [40, 128])
def test_panel_draws_a_column_per_version_and_a_row_per_view(size_px: int) -> None:
    samples = {"jjnet": flat_samples(size_px), "unet": flat_samples(size_px, restored_by=0)}
    figure = draw_comparison_panel(comparison_panel(samples, "cell 0", 50), "cell 0")
    *tiles, scale = figure.axes
    assert [axes.get_title() for axes in tiles[:4]] == ["original", "JPEG-50", "jjnet", "unet"]
    assert [axes.get_ylabel() for axes in tiles[::4]] == list(ROW_TITLES)
    assert tiles[2].get_xlabel() == "identical to the original"
    assert tiles[-1].images[0].get_clim() == (-10, 10)
    assert "steps of 8 bits" in scale.get_ylabel()
    assert to_png(figure).startswith(PNG_MAGIC)


def test_panel_of_identical_pictures_has_a_scale_too() -> None:
    samples = flat_samples(restored_by=10)
    same = Samples(samples.original, samples.restored, samples.restored, ("a",), (50, 25), ("fixed",))
    figure = draw_comparison_panel(comparison_panel({"jjnet": same}, "a", 50), "a")
    assert figure.axes[-2].images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(("wanted", "shown"), [(75, 50), (50, 50), (40, 25), (10, 25)])
def test_nearest_sampled_quality_is_the_largest_up_to_the_wanted_one(wanted: int, shown: int) -> None:
    assert flat_samples().nearest_quality(wanted) == shown

"""Figures of pixels: what they compute of a few pictures, by hand, and what they draw of it."""

import numpy as np
import pytest

from analysis.figures.picture import save
from analysis.figures.pixels import ZOOM_PX, centre, psnr_text
from analysis.figures.samples import (
    CHANNELS,
    PANEL_ROWS,
    PANEL_SCALE,
    comparison_panel,
    equalised_greys,
    predicted_noise,
    split_channels,
)
from analysis.figures.spectra import draw_lines, mean_spectra, radial_spectrum, value_histograms, windowed
from analysis.figures.subplots import draw_subplots, error_limit
from analysis.pictures import Samples

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def flat_samples(size_px: int = 128, restored_by: int = 10) -> Samples:
    """A picture of grey 100 that JPEG makes brighter by 10 at 50 and by 20 at 25, and a trial darker again."""
    original = np.full((1, size_px, size_px, 3), 100, np.uint8)
    degraded = np.stack([original + 10, original + 20], axis=1)
    return Samples(original, degraded, degraded - restored_by, ("cell 0",), (50, 25), ("fixed",))


def test_centre_is_cut_from_the_middle_and_a_small_picture_is_left_whole() -> None:
    picture = np.arange(128 * 128).reshape(128, 128)
    assert centre(picture)[0, 0] == picture[32, 32]
    assert centre(picture).shape == (ZOOM_PX, ZOOM_PX)
    assert centre(picture[:40, :128]).shape == (40, ZOOM_PX)


def test_psnr_of_a_picture_is_that_of_the_definition() -> None:
    original = np.full((4, 4, 3), 100, np.uint8)
    assert psnr_text(original, original - 10) == f"{20 * np.log10(255 / 10):.2f} dB (whole image)"
    assert psnr_text(original, original) == "identical to the original"


def test_error_scale_holds_all_but_the_largest_errors() -> None:
    error = np.zeros((100, 100))
    error[0, :60] = -7.2  # more than one in two hundred
    error[1, :10] = 90
    assert error_limit([error]) == 8
    assert error_limit([np.zeros((3, 3))]) == 1


def test_panel_shows_where_jpeg_errs_most_and_the_psnr_of_the_whole_image() -> None:
    samples = flat_samples()
    samples.original[0, 100, 90] = 7  # outside the centre
    colours, _, errors = comparison_panel({"jjnet": samples}, "cell 0", 25)
    assert [tile.title for tile in colours] == ["original", "JPEG-25", "jjnet"]
    ((row, column),) = np.argwhere((colours[0].picture == 7).all(axis=-1))
    original, degraded, restored = (tile.picture for tile in errors)
    assert not original.any()
    assert degraded[row, column] == pytest.approx(7 - 120)
    assert restored[row, column] == pytest.approx(7 - 110)
    assert np.median(degraded) == pytest.approx(-20)
    assert colours[1].below == psnr_text(samples.original[0], samples.degraded[0, 1])


def test_panel_equalises_every_version_by_the_curve_of_the_originals_part() -> None:
    samples = flat_samples()
    samples.original[0, :32] = 200
    _, greys, _ = comparison_panel({"jjnet": samples}, "cell 0", 50)
    # The original has no level between 100 and 110.
    assert [set(np.unique(tile.picture)) for tile in greys] == [{0, 255}, {0}, {0}]


@pytest.mark.parametrize("size_px", [40, 128])
def test_panel_draws_a_column_per_version_and_a_row_per_view(size_px: int) -> None:
    samples = {"jjnet": flat_samples(size_px), "unet": flat_samples(size_px, restored_by=0)}
    figure = draw_subplots(comparison_panel(samples, "cell 0", 50), "cell 0", PANEL_ROWS, scale=PANEL_SCALE)
    *tiles, scale = figure.axes
    assert [axes.get_title() for axes in tiles[:4]] == ["original", "JPEG-50", "jjnet", "unet"]
    assert [axes.get_ylabel() for axes in tiles[::4]] == list(PANEL_ROWS)
    assert tiles[2].get_xlabel() == "identical to the original"
    assert tiles[-1].images[0].get_clim() == (-10, 10)
    assert "steps of 8 bits" in scale.get_ylabel()
    assert save(figure)[0].startswith(PNG_MAGIC)


def test_panel_of_identical_pictures_has_a_scale_too() -> None:
    samples = flat_samples(restored_by=10)
    same = Samples(samples.original, samples.restored, samples.restored, ("a",), (50, 25), ("fixed",))
    figure = draw_subplots(comparison_panel({"jjnet": same}, "a", 50), "a")
    assert figure.axes[-2].images[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(("wanted", "shown"), [(75, 50), (50, 50), (40, 25), (10, 25)])
def test_nearest_sampled_quality_is_the_largest_up_to_the_wanted_one(wanted: int, shown: int) -> None:
    assert flat_samples().nearest_quality(wanted) == shown


def test_noise_is_what_jpeg_took_what_the_network_adds_and_what_is_left() -> None:
    samples = flat_samples(restored_by=4)
    at_25, at_50 = predicted_noise(samples, "cell 0", [25, 50])
    assert [tile.below for tile in at_25 if tile.is_error] == ["RMS 20.00", "RMS 4.00", "RMS 16.00"]  # no correlation
    degraded, lost, added, restored, left = at_50
    assert (degraded.title, restored.title) == ("JPEG-50", "restored")
    for tile, error in ((lost, -10), (added, -4), (left, -6)):
        np.testing.assert_allclose(tile.picture, error)
    assert restored.below == f"{20 * np.log10(255 / 6):.2f} dB (whole image)"


def test_noise_that_is_predicted_to_a_factor_correlates_fully() -> None:
    samples = flat_samples(restored_by=0)
    samples.degraded[0, 0, ::2] -= 6
    samples.restored[0, 0] = 105
    samples.restored[0, 0, ::2] = 102
    (row,) = predicted_noise(samples, "cell 0", [50])  # lost is -10 and -4, added is -5 and -2
    assert row[2].below.endswith(", correlation 1.00")


@pytest.mark.parametrize("size_px", [40, 128])
def test_noise_is_drawn_on_one_scale_with_a_row_per_quality(size_px: int) -> None:
    figure = draw_subplots(predicted_noise(flat_samples(size_px), "cell 0", [50, 25]), "cell 0")
    *tiles, _ = figure.axes
    assert [axes.get_title() for axes in tiles[::5]] == ["JPEG-50", "JPEG-25"]
    assert [axes.images[0].get_clim() for axes in tiles[1:5] if axes.get_title() != "restored"] == [(-20, 20)] * 3
    assert tiles[2].get_xlabel() == "RMS 10.00"
    assert save(figure)[0].startswith(PNG_MAGIC)


def test_channels_are_luma_and_chroma_and_their_errors_over_the_whole_image() -> None:
    samples = flat_samples()
    samples.degraded[0, 0, ..., 2] += 100  # blue alone
    luma, blueness, redness = split_channels(samples, "cell 0", 50)
    np.testing.assert_allclose(luma[1].picture, 110 + 11.4)
    np.testing.assert_allclose(blueness[1].picture, 128 + 50)
    np.testing.assert_allclose(redness[1].picture, 128 - 8.1312411)
    assert [tile.below for tile in blueness[3:]] == ["RMS 50.00", "RMS 0.00"]
    assert [tile.below for tile in luma[3:]] == ["RMS 21.40", "RMS 0.00"]


@pytest.mark.parametrize("size_px", [40, 128])
def test_channels_are_drawn_a_row_each_with_their_errors(size_px: int) -> None:
    figure = draw_subplots(split_channels(flat_samples(size_px), "cell 0", 50), "cell 0", CHANNELS)
    *tiles, _ = figure.axes
    assert len(tiles) == 15
    assert [axes.get_ylabel() for axes in tiles[::5]] == list(CHANNELS)
    assert tiles[3].get_xlabel() == "RMS 10.00"
    assert save(figure)[0].startswith(PNG_MAGIC)


def test_sine_has_its_power_in_the_ring_of_its_frequency() -> None:
    columns = np.arange(64)
    plane = np.tile(3 * np.sin(2 * np.pi * 8 * columns / 64), (64, 1))
    table = radial_spectrum(plane)
    power = table["power"] * table["n"]
    assert power[1 / 8] == pytest.approx(9 / 2)  # the mean square of 3 sin
    assert power.drop(1 / 8).abs().max() < 1e-20


def test_power_of_all_rings_is_the_mean_square_of_the_picture() -> None:
    plane = np.random.default_rng(0).normal(5, 2, (24, 36))
    table = radial_spectrum(plane)
    assert (table["power"] * table["n"]).sum() == pytest.approx(np.mean(plane**2))
    assert table["n"].sum() == plane.size
    assert table.loc[0, "power"] == pytest.approx(plane.mean() ** 2)


def test_window_keeps_the_power_of_noise_and_fades_to_the_borders() -> None:
    noise = np.random.default_rng(0).normal(100, 2, (200, 200))
    faded = windowed(noise)
    assert np.mean(faded**2) == pytest.approx(4, rel=0.05)
    assert np.abs(faded[0]).max() < 0.1
    assert not windowed(np.full((8, 8), 9.0)).any()


def test_mean_spectra_are_those_of_pictures_and_of_their_errors() -> None:
    samples = flat_samples(size_px=32)
    samples.degraded[0, 0, :, ::2] += 8
    pictures, errors = mean_spectra(samples, ["cell 0"], 50).values()
    assert pictures.index.to_series().between(0, 0.5, inclusive="right").all()
    assert not pictures["original"].any()  # a flat picture holds no detail
    assert errors["JPEG"].idxmax() == 0.5  # every second column
    np.testing.assert_allclose(errors["JPEG"], pictures["JPEG"])
    assert not errors["restored"].any()


@pytest.mark.parametrize("size_px", [16, 48])
def test_spectra_are_drawn_of_pictures_and_of_errors_flat_ones_too(size_px: int) -> None:
    figure = draw_lines(mean_spectra(flat_samples(size_px), ["cell 0"], 50), "cell 0", "frequency", "power")
    assert [len(axes.get_lines()) for axes in figure.axes] == [3, 2]
    assert save(figure)[0].startswith(PNG_MAGIC)


def test_histograms_share_out_the_pixels_of_every_channel() -> None:
    samples = flat_samples()
    samples.degraded[0, 0, :64] = 30
    tables = value_histograms(samples, ["cell 0"], 50)
    assert tables["red"]["original"][100] == 1
    assert tables["blue"]["JPEG"][30] == tables["Y"]["JPEG"][110] == 0.5
    assert tables["Cr"]["restored"][128] == 1
    assert all(table.sum().tolist() == pytest.approx([1, 1, 1]) for table in tables.values())


def test_histograms_are_drawn_a_panel_per_channel() -> None:
    figure = draw_lines(value_histograms(flat_samples(48), ["cell 0"], 25), "cell 0", "value", "share")
    assert [axes.get_title() for axes in figure.axes] == ["red", "green", "blue", "Y", "Cb", "Cr"]
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    assert save(figure)[0].startswith(PNG_MAGIC)


@pytest.mark.parametrize("size_px", [40, 128])
def test_equalised_greys_stand_in_a_row_with_the_original_last(size_px: int) -> None:
    samples = flat_samples(size_px)
    samples.original[0, : size_px // 2] = 200
    (greys,) = equalised_greys(samples, "cell 0", [25, 50])
    assert set(np.unique(greys[-1].picture)) == {0, 255}
    figure = draw_subplots([greys], "cell 0")
    assert [axes.get_title() for axes in figure.axes] == ["JPEG-25", "JPEG-50", "original"]
    assert save(figure)[0].startswith(PNG_MAGIC)

"""The filter in closed form: the least squares of numpy on a small case, exact errors, and harm to no group."""

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.jpeg import decode_jpeg, encode_jpeg
from models.architectures.planes import PlaneFilter, ToPixels, ToPlanes
from models.ridge import N_CONTRASTS, REGULARISATIONS, NormalEquations, fit_filter

Pixels = NDArray[np.uint8]
JPEG_COLOURS = np.array([[0.299, 0.587, 0.114], [-0.1687359, -0.3312641, 0.5], [0.5, -0.4186876, -0.0813124]])


def _pair(seed: int, side: int = 40, noise: float = 12, quality: int = 20) -> tuple[Pixels, Pixels]:
    """Return an image of soft blots under noise, compressed and as it was."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    waves = [np.sin(rows * rng.uniform(0.1, 0.7) + columns * rng.uniform(0.1, 0.7) + rng.uniform(0, 6)) for _ in "rgb"]
    image = 128 + 50 * np.stack(waves, axis=-1) + rng.normal(0, noise, (side, side, 3))
    original = np.rint(image).clip(0, 255).astype(np.uint8)
    return decode_jpeg(encode_jpeg(original, quality)), original


def _planes(image: Pixels) -> NDArray[np.float64]:
    """Return Y, Cb and Cr of the four pixels at each place of half resolution: [H / 2, W / 2, 12]."""
    colours = image / 255 @ JPEG_COLOURS.T
    return np.concatenate([colours[row::2, column::2] for row in (0, 1) for column in (0, 1)], axis=-1)


def _problem(pairs: list[tuple[Pixels, Pixels]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the filter sees at each place, [N, 24 * 12], and what it should add, [N, 12], pixel by pixel."""
    seen, wanted = [], []
    for degraded, original in pairs:
        shown, target = _planes(degraded), _planes(original)
        for row in range(2, shown.shape[0] - 2):
            for column in range(2, shown.shape[1] - 2):
                window = shown[row - 2 : row + 3, column - 2 : column + 3].reshape(25, 12)
                seen.append(np.delete(window - window[12], 12, axis=0).ravel())
                wanted.append(target[row, column] - shown[row, column])
    return np.array(seen), np.array(wanted)


def _sums(pairs: list[tuple[Pixels, Pixels]]) -> NormalEquations:
    sums = NormalEquations()
    for pair in pairs:
        sums.add(*pair)
    return sums


def _taps(kernel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a filter without its tap in the middle, as [24 * 12, 12]."""
    return np.delete(kernel.reshape(25, 12, 12), 12, axis=0).reshape(N_CONTRASTS, 12).astype(float)


PAIRS = [_pair(seed) for seed in range(3)]


def test_the_filter_is_the_least_squares_of_numpy_with_a_ridge() -> None:
    sums = _sums(PAIRS)
    kernel = fit_filter([sums], [sums])
    seen, wanted = _problem(PAIRS)
    solutions = []
    for ridge in REGULARISATIONS:
        weight = np.sqrt(ridge * np.square(seen).sum() / N_CONTRASTS)
        rows = np.concatenate([seen, weight * np.eye(N_CONTRASTS)])
        solutions.append(np.linalg.lstsq(rows, np.concatenate([wanted, np.zeros((N_CONTRASTS, 12))]), rcond=None)[0])
    distances = [np.abs(_taps(kernel) - solution).max() for solution in solutions]
    assert min(distances) < 5e-3 * np.abs(_taps(kernel)).max()


def test_the_filter_has_no_mean_over_space() -> None:
    sums = _sums(PAIRS)
    kernel = fit_filter([sums], [sums])
    assert kernel.shape == (5, 5, 12, 12)
    assert kernel.dtype == np.float32
    np.testing.assert_allclose(kernel.sum(axis=(0, 1)), 0, atol=1e-5)


def test_the_error_of_sums_is_that_of_the_images_inside_the_border() -> None:
    sums = _sums(PAIRS)
    errors = [(original / 255 - degraded / 255)[4:-4, 4:-4] for degraded, original in PAIRS]
    assert sums.error() == pytest.approx(np.square(errors).mean(), rel=1e-3)


def test_the_error_of_a_filter_is_that_of_what_the_layers_restore() -> None:
    sums = _sums(PAIRS)
    kernel = fit_filter([sums], [sums])
    layer, squares = PlaneFilter(), []
    for degraded, original in PAIRS:
        images = np.divide(degraded, 255, dtype=np.float32)[None]
        planes = ToPlanes()(images)
        layer(planes)
        layer.set_filter(kernel)
        restored = images + np.asarray(ToPixels()(layer(planes)))
        squares.append(np.square(restored[0] - original / 255)[4:-4, 4:-4])
    assert sums.error(_taps(kernel)) == pytest.approx(np.mean(squares), rel=1e-3)
    assert np.mean(squares) < 0.97 * sums.error()


def test_sums_of_several_images_are_those_of_each_added_up() -> None:
    together, apart = _sums(PAIRS), [_sums([pair]) for pair in PAIRS]
    for name in ("gram", "moment", "power", "n_places"):
        np.testing.assert_allclose(getattr(together, name), sum(getattr(sums, name) for sums in apart))
    assert together.n_places == 3 * 16 * 16


def test_an_odd_last_row_and_column_are_left_out() -> None:
    degraded, original = PAIRS[0]
    odd, even = _sums([(degraded[:39, :37], original[:39, :37])]), _sums([(degraded[:38, :36], original[:38, :36])])
    np.testing.assert_array_equal(odd.gram, even.gram)
    assert odd.n_places == even.n_places


# A camera of much noise at a low quality outweighs by far one without noise at a high one, which a naive fit harms.
NOISY = {"noise": 40.0, "quality": 10}
CLEAN = {"noise": 0.0, "quality": 92}


def _group(first_seed: int, noise: float, quality: int) -> NormalEquations:
    return _sums([_pair(seed, side=64, noise=noise, quality=quality) for seed in range(first_seed, first_seed + 4)])


def test_no_camera_and_quality_is_harmed_by_a_fit_for_all_of_them() -> None:
    settings = [NOISY, {**NOISY, "quality": 50}, CLEAN]
    training, validation = ([_group(seed, **setting) for setting in settings] for seed in (0, 50))  # type: ignore[arg-type]
    naive = np.linalg.solve(
        sum(group.gram for group in training) + 1e-3 * np.eye(N_CONTRASTS), sum(group.moment for group in training)
    )
    assert max(group.error(naive) / group.error() for group in validation) > 1.02  # the groups do pull apart
    taps = _taps(fit_filter(training, validation))
    left = [group.error(taps) / group.error() for group in validation]
    assert max(left) <= 1 + 1e-6
    assert min(left) < 0.97


def test_where_nothing_can_be_learnt_the_filter_does_no_harm_or_nothing() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (24, 24, 3), np.uint8) for _ in range(8)]
    training = _sums([(images[0], images[1]), (images[2], images[3])])  # no image has to do with another
    validation = _sums([(images[4], images[5]), (images[6], images[7])])
    taps = _taps(fit_filter([training], [validation]))
    assert validation.error(taps) <= validation.error() * (1 + 1e-6)


def test_without_an_error_there_is_nothing_to_add() -> None:
    sums = _sums([(original, original) for _, original in PAIRS])
    np.testing.assert_array_equal(fit_filter([sums], [sums]), np.zeros((5, 5, 12, 12)))


def test_flat_images_alone_make_a_filter_of_finite_numbers() -> None:
    flat = np.full((24, 24, 3), 100, np.uint8)
    sums = _sums([(flat, flat + np.uint8(1))])
    assert np.isfinite(fit_filter([sums], [sums])).all()


def test_a_filter_needs_groups_to_be_fitted_to() -> None:
    with pytest.raises(ValueError, match="a filter is fitted to groups of pairs, got none"):
        fit_filter([], [])

"""The built-in smear: same seed same bytes, plausible cells, JPEG behaviour close to the images it stands in for."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

from datasets.smear import SIZE_PX, SYSTEMS, draw_smear, synthesize

Images = dict[str, list[NDArray[np.uint8]]]

N_IMAGES = 120
BT601 = np.array([0.299, 0.587, 0.114])
# Means over the blood-smear images of the thesis: kilobytes, PSNR in dB with its tolerance, range of SSIM.
JPEG_KB = {75: 10.42, 60: 8.04, 50: 7.19, 40: 6.43, 25: 5.28}
PSNR_DB = {75: 40.4, 50: 38.4, 25: 35.7}
SSIM_RANGE = {75: (0.975, 0.990), 50: (0.968, 0.982), 25: (0.950, 0.970)}


@pytest.fixture(scope="session")
def images() -> Images:
    by_system: Images = {system: [] for system in SYSTEMS}
    for source in synthesize(N_IMAGES, seed=0):
        by_system[source.system].append(source.read())
    return by_system


def _all(images: Images) -> list[NDArray[np.uint8]]:
    return [image for of_system in images.values() for image in of_system]


def _jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _background(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean RGB of the brightest tenth of the pixels: glass between the cells."""
    brightness = image.sum(axis=2)
    tint: NDArray[np.float64] = image[brightness >= np.quantile(brightness, 0.9)].mean(axis=0)
    return tint


def _ssim(original: NDArray[np.uint8], degraded: NDArray[np.uint8]) -> float:
    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        original @ BT601 / 255,
        degraded @ BT601 / 255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    return float(similarity[5:-5, 5:-5].mean())


def _psnr_db(original: NDArray[np.uint8], degraded: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / np.mean((original.astype(np.float64) - degraded) ** 2)))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_smear_is_a_uint8_rgb_image_of_the_stated_size(system: str) -> None:
    image = draw_smear(system, np.random.default_rng(3))
    assert image.shape == (SIZE_PX, SIZE_PX, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_generator_state_draws_the_same_smear_and_another_draws_another(system: str) -> None:
    first, again, other = (draw_smear(system, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_names_and_systems_take_turns() -> None:
    named = [(source.name, source.system) for source in synthesize(4, seed=0)]
    assert named == [
        ("white/smear-00000.png", "white"),
        ("yellow/smear-00001.png", "yellow"),
        ("green/smear-00002.png", "green"),
        ("white/smear-00003.png", "white"),
    ]


def test_a_smaller_set_is_the_beginning_of_a_larger_one() -> None:
    smaller, larger = synthesize(3, seed=5), synthesize(6, seed=5)
    for image, in_larger in zip(smaller, larger[:3], strict=True):
        assert image.name == in_larger.name
        np.testing.assert_array_equal(image.read(), in_larger.read())


def test_another_seed_gives_other_images() -> None:
    first, other = synthesize(1, seed=0)[0], synthesize(1, seed=1)[0]
    assert np.any(first.read() != other.read())


def test_a_fresh_process_draws_the_same_bytes() -> None:
    script = (
        "import hashlib; from datasets.smear import synthesize;"
        "print(hashlib.sha256(b''.join(i.read().tobytes() for i in synthesize(3, seed=7))).hexdigest())"
    )
    root = Path(__file__).resolve().parent.parent
    fresh = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    here = hashlib.sha256(b"".join(image.read().tobytes() for image in synthesize(3, seed=7))).hexdigest()
    assert fresh.stdout.strip() == here


def test_no_image_comes_twice(images: Images) -> None:
    assert len({image.tobytes() for image in _all(images)}) == N_IMAGES


def test_the_background_has_the_tint_of_its_system(images: Images) -> None:
    for white, yellow, green in zip(*(images[system] for system in ("white", "yellow", "green")), strict=True):
        assert np.ptp(_background(white)) < 15
        red, middle, blue = _background(yellow)
        assert red > middle > blue + 15
        red, middle, blue = _background(green)
        assert middle > red + 5
        assert middle > blue + 5


def test_a_nucleus_darker_than_its_surroundings_lies_at_the_centre(images: Images) -> None:
    row, column = np.ogrid[:SIZE_PX, :SIZE_PX]
    distance_px = np.hypot(row - SIZE_PX / 2, column - SIZE_PX / 2)
    for image in _all(images):
        green = image[..., 1]
        nucleus = np.quantile(green[distance_px < 60], 0.1)
        assert nucleus < np.median(green[distance_px > 120]) - 40
        assert nucleus < np.quantile(green[distance_px > 120], 0.02)


def test_an_unknown_system_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"system must be one of white, yellow, green, got system='blue'"):
        draw_smear("blue", np.random.default_rng(0))


@pytest.mark.parametrize("n_images", [0, -2])
def test_a_set_of_no_images_is_refused_before_anything_is_drawn(n_images: int) -> None:
    with pytest.raises(ValueError, match=rf"n_images must be 1 or more, got n_images={n_images}: ask for"):
        synthesize(n_images, seed=0)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match=r"seed must be 0 or more, got seed=-1: choose"):
        synthesize(1, seed=-1)


@pytest.mark.parametrize("quality", JPEG_KB)
def test_jpeg_files_are_as_large_as_those_of_real_smears(images: Images, quality: int) -> None:
    kilobytes = np.mean([len(_jpeg(image, quality)) for image in _all(images)]) / 1000
    assert kilobytes == pytest.approx(JPEG_KB[quality], rel=0.15)


@pytest.mark.parametrize("quality", PSNR_DB)
def test_jpeg_costs_as_much_quality_as_on_real_smears(images: Images, quality: int) -> None:
    pairs = [(image, np.asarray(Image.open(io.BytesIO(_jpeg(image, quality))))) for image in _all(images)]
    assert np.mean([_psnr_db(*pair) for pair in pairs]) == pytest.approx(PSNR_DB[quality], abs=1)
    low, high = SSIM_RANGE[quality]
    assert low < np.mean([_ssim(*pair) for pair in pairs]) < high

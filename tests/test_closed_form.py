"""The filter of a pack: fitted once for a split and a quality, to every camera system at every quality of a range."""

from dataclasses import fields

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.encoders.encoder import Encoder
from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.packed import PackedDataset
from models.architectures.planes import PlaneFilter
from models.build import build_model
from models.ridge import NormalEquations
from search.trial import closed_form
from search.trial.closed_form import fitted_filter


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    closed_form._equations.cache_clear()


def _errors(pack: PackedDataset, kernel: NDArray[np.float32], quality: int) -> tuple[float, float]:
    """Return the mean squared error of validation images as JPEG, and restored."""
    model = build_model("linear")
    (layer,) = [layer for layer in model.layers if isinstance(layer, PlaneFilter)]
    layer.set_filter(kernel)
    before, after = [], []
    for image in pack.images_of("tiny", "validation"):
        original = np.asarray(pack.originals[image])
        degraded = np.divide(decode_jpeg(encode_jpeg(original, quality)), 255, dtype=np.float32)
        restored = keras.ops.convert_to_numpy(model(degraded[None]))[0]
        before.append(np.square(degraded - original / 255).mean())
        after.append(np.square(restored - original / 255).mean())
    return float(np.mean(before)), float(np.mean(after))


@pytest.mark.parametrize("quality", [25, "20-80"])
def test_the_filter_of_a_pack_takes_off_some_of_the_error_of_unseen_images(
    small_pack: PackedDataset, quality: int | str
) -> None:
    kernel = fitted_filter(small_pack, "tiny", quality)
    assert (kernel.shape, kernel.dtype) == ((5, 5, 12, 12), np.float32)
    before, after = _errors(small_pack, kernel, 25)
    assert after < 0.95 * before


def test_a_range_is_fitted_at_four_qualities_with_its_ends_for_each_camera_system(
    small_pack: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[list[NormalEquations]] = []
    monkeypatch.setattr(
        "search.trial.closed_form.fit_filter", lambda training, validation: groups.extend([training, validation])
    )
    asked: list[int] = []
    compress = closed_form.degrade_to_train

    def compressed(image: NDArray[np.uint8], encoder: Encoder, window: tuple[slice, slice]) -> NDArray[np.uint8]:
        asked.append(encoder.quality or 0)
        return compress(image, encoder, window)

    monkeypatch.setattr("search.trial.closed_form.degrade_to_train", compressed)
    fitted_filter(small_pack, "tiny", "20-80")
    assert set(asked) == {20, 40, 60, 80}
    trained, validated = (
        {small_pack.systems[image] for image in small_pack.images_of("tiny", subset)}
        for subset in ("train", "validation")
    )
    assert len(groups[0]) == len(groups[1]) == 4 * len(trained & validated)


def test_a_filter_is_fitted_to_training_images_and_judged_on_validation_images_alone(
    small_pack: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[NDArray[np.int64]] = []
    deal = closed_form.deal_images
    monkeypatch.setattr("search.trial.closed_form.deal_images", lambda *asked: seen.append(deal(*asked)) or seen[-1])
    fitted_filter(small_pack, "tiny", 50)
    for images, subset in zip(seen, ("train", "validation"), strict=True):
        assert set(images) <= set(small_pack.images_of("tiny", subset))


def test_images_are_compressed_once_for_all_trials_of_a_process(
    small_pack: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fitted_filter(small_pack, "tiny", 50)
    monkeypatch.setattr("search.trial.closed_form.degrade_to_train", lambda *asked: pytest.fail("compressed again"))
    same = PackedDataset(**{field.name: getattr(small_pack, field.name) for field in fields(small_pack)})
    np.testing.assert_array_equal(fitted_filter(same, "tiny", 50), first)
    with pytest.raises(pytest.fail.Exception, match="compressed again"):
        fitted_filter(small_pack, "tiny", 51)


def test_another_quality_has_another_filter(small_pack: PackedDataset) -> None:
    assert np.any(fitted_filter(small_pack, "tiny", 25) != fitted_filter(small_pack, "tiny", 75))

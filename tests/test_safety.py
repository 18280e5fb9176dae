"""The safety card: each measure on chains whose answer is known, and the command that writes it into a model file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.packed import PackedDataset
from datasets.smear import synthesize
from models.cli import main
from models.commands.safety import _luma, deciding_split, describe
from models.restoring.model_file import read_model_file, write_model_file
from models.restoring.observer import (
    PATCH_PX,
    Spot,
    detectability,
    laguerre_gauss,
    look_for,
    places,
    with_spots,
)
from models.restoring.safety import (
    PROPOSED,
    Chain,
    count_spots,
    false_spots,
    invention,
    make_card,
    projection,
    reproduced,
    spots,
    worst_amplification,
    worst_windows,
)
from tests.model_fixture import drawn_model_file

IMAGES = [image.read()[:128, :128] for image in synthesize(3, seed=21)]
AS_IT_IS = Chain(
    encode_jpeg, lambda image: encode_jpeg(image, 75), decode_jpeg, decode_jpeg, decode_jpeg, decode_jpeg, _luma
)
TABLES = np.zeros(8, np.float32)
Image = NDArray[np.uint8]


def remembering(change: Any) -> Chain:
    """Return a chain whose restorer knows the original of a file, and makes change(original, shown) of it."""
    originals: dict[bytes, Image] = {}

    def encode(image: Image, quality: int) -> bytes:
        data = encode_jpeg(image, quality)
        originals[data] = image
        return data

    def restore(data: bytes) -> Image:
        made = change(originals[data].astype(float), decode_jpeg(data).astype(float))
        return np.rint(np.clip(made, 0, 255)).astype(np.uint8)

    return replace(AS_IT_IS, encode=encode, restore=restore, reproduce=restore, free=restore)


def perfect(original: Any, shown: Any) -> Any:
    return original


def wrong(original: Any, shown: Any) -> Any:
    return 2 * shown - original


def test_a_network_that_doubles_doubles_a_change() -> None:
    image = keras.Input((None, None, 3))
    doubling = keras.Model(image, keras.layers.Rescaling(2.0)(image))
    assert worst_amplification(doubling, TABLES, IMAGES[0]) == pytest.approx(2, abs=1e-3)


def test_ascent_finds_more_than_noise() -> None:
    image = keras.Input((None, None, 3))
    summing = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, depthwise_initializer="ones")
    network = keras.Model(image, summing(image))
    # of 9 equal changes the sum is 9 times one; noise gives 3. Ascent ends with fields of either sign.
    assert 6 < worst_amplification(network, TABLES, IMAGES[0]) <= 9.01


def test_a_spot_has_its_height_and_width() -> None:
    spot = Spot(4, 10)
    profile = spot.profile()
    middle = PATCH_PX // 2
    assert profile[middle, middle] == 1
    assert profile[middle, middle + 2] == pytest.approx(0.5, abs=1e-3)  # half of its height at half of its width
    assert np.square(spot.direction()).mean() == pytest.approx(1)
    grey = np.full((100, 100, 3), 200, np.uint8)
    changed = with_spots(grey, spot)
    assert {tuple(changed[place]) for place in places(100, 100)} == {(190, 190, 190)}
    assert len(places(100, 100)) == 4


def test_an_image_that_is_shown_as_it_is_keeps_all_contrast() -> None:
    for colour in ("luma", "stain"):
        seen = look_for(Spot(4, 10, colour), IMAGES, lambda image: image)
        assert seen.contrast == pytest.approx(1, abs=0.05)
        assert seen.detectability > 1
    gone = look_for(Spot(4, 10), IMAGES, np.zeros_like)
    assert gone.contrast == gone.detectability == 0


def test_detectability_is_the_distance_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    absent = rng.normal(0, 2, (4000, 2))
    present = rng.normal(0, 2, (4000, 2)) + np.array([3.0, 4.0])
    assert detectability(absent, present) == pytest.approx(2.5, abs=0.1)


def test_channels_are_orthogonal_where_the_patch_holds_them() -> None:
    channels = laguerre_gauss(2).reshape(5, -1)
    np.testing.assert_allclose(channels[:3] @ channels[:3].T, np.eye(3), atol=0.05)


def test_invention_is_true_of_a_perfect_restorer_and_false_of_its_mirror_image() -> None:
    good = invention(remembering(perfect), IMAGES, 30)
    bad = invention(remembering(wrong), IMAGES, 30)
    assert good["least_right_sign"] == 1
    assert good["least_slope"] == pytest.approx(1, abs=1e-6)
    assert bad["least_right_sign"] is not None
    assert bad["least_right_sign"] < 0.05
    assert bad["least_slope"] == pytest.approx(-1, abs=0.1)
    assert 0 < (good["invented_share"] or 0) < 0.5


def test_jpeg_as_it_is_invents_nothing() -> None:
    assert invention(AS_IT_IS, IMAGES, 30) == {"invented_share": 0.0, "least_right_sign": None, "least_slope": None}


def test_the_card_tells_the_compressions_part_of_a_loss_from_the_networks() -> None:
    rows = spots(remembering(lambda original, shown: 100 + (shown - 100) / 2), IMAGES, 50)
    as_it_is = spots(AS_IT_IS, IMAGES, 50)
    for row, other in zip(rows, as_it_is, strict=True):
        assert other["contrast"] == other["contrast_jpeg"] == row["contrast_jpeg"]
        assert row["contrast"] == pytest.approx(row["contrast_jpeg"] / 2, abs=0.05)
        assert row["contrast_jpeg75"] == other["contrast_jpeg75"]
    faint = next(row for row in as_it_is if (row["width_px"], row["levels"], row["colour"]) == (2, 5, "luma"))
    assert 0.2 < faint["contrast_jpeg"] < faint["contrast_jpeg75"] < 0.95


def test_projection_is_told_at_each_quality() -> None:
    found = projection(replace(AS_IT_IS, free=lambda data: np.zeros((128, 128, 3), np.uint8)), IMAGES)
    assert list(found) == ["25", "50", "75"]
    for row in found.values():
        assert row["psnr_db_jpeg"] == row["psnr_db_wide"] > 25 > row["psnr_db_off"]
    assert found["25"]["psnr_db_jpeg"] < found["75"]["psnr_db_jpeg"]


def test_windows_of_a_lower_quality_are_worse_and_perfect_ones_are_not() -> None:
    assert worst_windows(remembering(perfect), IMAGES, 20) == {"worse_windows": 0, "worst_window": 0}
    low = worst_windows(AS_IT_IS, IMAGES, 10)
    assert low["worse_windows"] > 0.5
    assert low["worst_window"] > 1


def test_spots_on_flat_background_are_counted() -> None:
    flat = np.full((64, 64, 3), 200, np.uint8)
    assert count_spots(flat) == 0
    flat[20:25, 20:25] = 190
    flat[40:45, 50:55] = 210
    assert count_spots(flat) == 2

    def spotted(original: Any, shown: Any) -> Any:
        made = original.copy()
        made[100:104, 100:104] -= 30
        return made

    found = false_spots(remembering(spotted), 50)
    assert found["false_spots"] >= 4 / (4 * 256**2 / 1e6) * 0.99  # one an image
    assert false_spots(remembering(perfect), 50)["false_spots"] == 0


def test_a_file_is_reproduced_by_its_original() -> None:
    assert reproduced(remembering(perfect), IMAGES, 40) == 1
    assert reproduced(remembering(lambda original, shown: shown + 30), IMAGES, 40) < 0.99


def test_a_card_says_what_is_beyond_the_proposed(small_pack: PackedDataset) -> None:
    image = keras.Input((None, None, 3))
    tenfold = keras.Model(image, keras.layers.Rescaling(10.0)(image))
    card = make_card(remembering(wrong), tenfold, TABLES, IMAGES[:2], 50)
    assert set(PROPOSED) <= set(card)
    assert {"amplification", "least_right_sign", "least_slope"} <= set(card["beyond_proposed"])
    assert "amplification: 10  (at most 3)  BEYOND" in describe(card)
    assert len(card["spots"]) == 2 * 3 * 3


def test_the_command_writes_the_card_into_the_model_file(
    tmp_path: Path, small_pack: PackedDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = drawn_model_file(split="tiny")
    write_model_file(tmp_path / "a.lowq", drawn)
    command = ["safety", str(tmp_path / "a.lowq"), str(small_pack.folder)]
    assert main([*command, "-o", str(tmp_path / "b.lowq"), "--images", "2"]) == 0
    card = read_model_file(tmp_path / "b.lowq").facts["safety"]
    assert card["pack"]["fingerprint"] == small_pack.fingerprint
    assert card["n_images"] == 2
    assert card["pack"]["split"] == "data101"  # the model was trained on tiny
    said = capsys.readouterr().out
    assert said.splitlines()[0].startswith("JPEG-50 restored, beside JPEG-75, on 2 test images")
    for weight, before in zip(read_model_file(tmp_path / "b.lowq").weights, drawn.weights, strict=True):
        np.testing.assert_array_equal(weight, before)


def test_tiny_is_examined_on_images_that_it_never_draws_from(small_pack: PackedDataset) -> None:
    assert [deciding_split(small_pack, split) for split in ("data100", "data101", "tiny")] == [
        "data100",
        "data101",
        "data101",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "{tmp}/a.lowq"], "exists: name another file, or replace it with --force"),
        (["-o", "{tmp}/a.txt"], "a model file ends in .lowq"),
        (["--quality", "0"], "--quality is 1..100"),
        (["--images", "0"], "--images at least 1"),
        (["-o", "{tmp}/c.lowq", "--split", "none"], "the pack has no split 'none'; known: "),
        (["--split", "tiny"], "tiny has no test images"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, small_pack: PackedDataset, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model_file(tmp_path / "a.lowq", drawn_model_file())
    given = [word.format(tmp=tmp_path) for word in arguments]
    assert main(["safety", str(tmp_path / "a.lowq"), str(small_pack.folder), *given]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line

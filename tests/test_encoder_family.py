"""Families of encoders: their names, what a quality means for each, and packs and windows that they write."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.batches import BatchSettings, training_batches, validation_batches
from datasets.encoders.compress import compress, described_tables, show
from datasets.encoders.encoder import Encoder
from datasets.encoders.family import EncoderFamily, find_family
from datasets.encoders.step_tables import ExplicitTables, RadialTables
from datasets.encoders.windows import decode_encoded, degrade_to_train, degrade_window, encode_window
from datasets.errors import InputError
from datasets.packed import PackedDataset
from datasets.smear import draw_smear

FAMILIES = (
    "jpeg",
    "jpeg-plain",
    "jpeg-c0.6",
    "jpeg-flat-c2",
    "jpeg-radial-a0.4-p1.3-c2-ca0.1-dc0.7",
    "jpeg-444",
    "jpeg-c1.8-trellis",
    "webp",
)
WINDOW = (slice(18, 50), slice(34, 66))


@pytest.mark.parametrize("name", [*FAMILIES, "jpeg-c0.6-progressive", "jpeg-422-smooth20", "avif", "jxl"])
def test_a_family_is_found_by_its_name(name: str) -> None:
    assert find_family(name).name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gif", "'gif' is no family of encoders: a family"),
        ("jpeg-q50", "'jpeg-q50' is no family"),
        ("jpeg-c0.60", "this one is written jpeg-q50-c0.6"),
        ("jpeg-radial", "this one is written jpeg-flat16"),
        ("avif-c2", "is no family of encoders"),
        ("", "is no family of encoders"),
    ],
)
def test_what_is_no_family_is_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_family(name)


def test_tables_given_step_by_step_have_no_family() -> None:
    with pytest.raises(InputError, match="is one encoder and no family"):
        EncoderFamily(Encoder(tables=ExplicitTables((9,) * 64, (9,) * 64)))


def test_a_quality_is_libjpegs_for_the_standards_tables() -> None:
    assert find_family("jpeg").at(30) == Encoder(quality=30)
    assert find_family("jpeg-c0.6").at(75).name == "jpeg-q75-c0.6"


def test_radial_tables_have_the_standards_step_where_the_frequency_is_3() -> None:
    # at quality 75 half of 16; its scale times 1 + 0.5 x 3
    assert find_family("jpeg-radial-a0.5").at(75).tables == RadialTables(8 / 2.5, slope=0.5)
    assert find_family("jpeg-flat").at(75).name == "jpeg-flat8"
    assert find_family("jpeg-flat").at(25).name == "jpeg-flat32"
    assert find_family("jpeg-flat").at(1).name == "jpeg-flat99"  # the coarsest


@given(st.sampled_from(FAMILIES), st.integers(20, 90))
def test_lower_qualities_have_coarser_tables(name: str, quality: int) -> None:
    family = find_family(name)
    if family.middle.codec == "jpeg":
        assert (family.at(quality).steps() >= family.at(quality + 5).steps()).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_window_is_that_of_the_whole_images_file(name: str) -> None:
    image = draw_smear("white", np.random.default_rng(0))[100:196, 120:216]
    encoder = find_family(name).at(40)
    shown = show(compress(image, encoder), encoder)
    np.testing.assert_array_equal(degrade_window(image, encoder), shown)
    np.testing.assert_array_equal(degrade_window(image, encoder, WINDOW), shown[WINDOW])
    data = encode_window(image, encoder, WINDOW)
    np.testing.assert_array_equal(decode_encoded(data, encoder, image.shape[:2], WINDOW), shown[WINDOW])


@pytest.mark.parametrize("window", [WINDOW, (slice(0, 32), slice(64, 96)), (slice(0, 96), slice(0, 96))])
def test_a_window_to_train_on_is_that_of_the_file_but_for_a_trellis_nearly(window: tuple[slice, slice]) -> None:
    image = draw_smear("white", np.random.default_rng(0))[100:196, 120:216]
    for name in ("jpeg-c0.6", "jpeg-444"):
        encoder = find_family(name).at(40)
        np.testing.assert_array_equal(degrade_to_train(image, encoder, window), degrade_window(image, encoder, window))
    encoder = find_family("jpeg-trellis").at(40)
    near, exact, original = (
        part.astype(float)
        for part in (degrade_to_train(image, encoder, window), degrade_window(image, encoder, window), image[window])
    )
    assert near.shape == exact.shape
    errors = [np.mean((part - original) ** 2) for part in (near, exact)]
    assert np.mean(near == exact) > 0.5
    assert errors[0] == pytest.approx(errors[1], rel=0.2)


@pytest.mark.parametrize("name", ["jpeg-c0.6", "webp"])
def test_a_pack_written_by_a_family_has_its_files_and_pixels(small_pack: PackedDataset, name: str) -> None:
    family = find_family(name)
    pack = small_pack.written_by(family)
    encoder = family.at(50)
    expected = compress(np.asarray(small_pack.originals[3]), encoder)
    assert bytes(pack.file_bytes(3, 50)) == expected
    np.testing.assert_array_equal(pack.degraded(3, 50), show(expected, encoder))
    np.testing.assert_array_equal(pack.degraded(3, 50, WINDOW), show(expected, encoder)[WINDOW])
    np.testing.assert_array_equal(pack.told_tables(50), described_tables(encoder))
    assert bytes(pack.written_by(None).file_bytes(3, 50)) == bytes(small_pack.file_bytes(3, 50))


def test_batches_of_a_family_show_its_files_and_tell_its_tables(small_pack: PackedDataset) -> None:
    pack = small_pack.written_by(find_family("jpeg-c0.6"))
    images = pack.images_of("tiny", "train")[:2]
    settings = BatchSettings(quality=40, batch_size=2, crop_px=32, tables=True)
    files: dict[int, bytes] = {}
    for kept in (None, files, files):
        (((degraded, tables), original),) = validation_batches(pack, images, settings, files=kept)
        centre = (slice(32, 64), slice(32, 64))
        expected = np.stack([pack.degraded(image, 40)[centre] for image in images])
        np.testing.assert_array_equal(np.rint(255 * degraded), expected)
        np.testing.assert_array_equal(tables, np.tile(pack.told_tables(40), (2, 1)))
        assert original.shape == degraded.shape
    turned = BatchSettings(quality=40, batch_size=2, crop_px=32, augmentation="symmetries")
    ((own, _),), ((other, _),) = (training_batches(p, images, turned, 1) for p in (pack, small_pack))
    assert not np.array_equal(own, other)

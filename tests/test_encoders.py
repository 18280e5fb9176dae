"""Encoders: names that parse back, tables as they are in the files, the same pixels where that is promised."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from datasets.codecs import CODECS, why_missing
from datasets.encoders.compress import as_codec, compress, degrade, described_tables
from datasets.encoders.encoder import SUBSAMPLINGS, Encoder, encoder_from_facts
from datasets.encoders.family import find_family
from datasets.encoders.names import find_encoder, read_encoders
from datasets.encoders.step_tables import BOUNDS, ExplicitTables, RadialTables, ScaledTables, standard_steps
from datasets.errors import InputError
from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.tables import tables_of_quality
from tests.pack_fixture import tiny_image

IMAGE = tiny_image(5, 90, 75)
NAMES = (
    "jpeg-q50",
    "jpeg-q45-c0.6",
    "jpeg-flat12",
    "jpeg-flat12-c0.6",
    "jpeg-radial8.5-a0.2-p1.25-c1.5-ca0.1-dc0.8",
    "jpeg-q75-plain",
    "jpeg-q75-422-plain",
    "jpeg-q75-444-progressive-smooth20",
    "jpeg-q50-trellis",
    "jpeg-q45-c0.6-422-trellis",
    "webp-q80",
    "avif-q60",
    "avif-q60-444",
    "jxl-q70",
)


def _tables_in(data: bytes) -> list[list[int]]:
    with Image.open(io.BytesIO(data)) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        return [list(image.quantization[channel]) for channel in (0, 1)]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_says_all_of_an_encoder(name: str) -> None:
    encoder = find_encoder(name)
    assert encoder.name == name
    assert encoder_from_facts(json.loads(json.dumps(encoder.as_facts()))) == encoder


def _bounded(name: str) -> st.SearchStrategy[float]:
    return st.floats(*BOUNDS[name])


TABLES = st.one_of(
    st.builds(RadialTables, **{name: _bounded(name) for name in BOUNDS}),
    st.builds(ScaledTables, st.integers(1, 100), _bounded("chroma_scale"), _bounded("dc")),
)

WAYS: tuple[dict[str, bool], ...] = ({}, {"progressive": True}, {"trellis": True})


@settings(deadline=None)
@given(tables=TABLES, subsampling=st.sampled_from(SUBSAMPLINGS["jpeg"]), way=st.sampled_from(WAYS))
def test_every_encoder_that_a_search_may_try_is_found_by_its_name(
    tables: Any, subsampling: str, way: dict[str, bool]
) -> None:
    encoder = Encoder(tables=tables, subsampling=subsampling, **way)  # type: ignore[arg-type]
    assert find_encoder(encoder.name) == encoder
    assert encoder.steps().shape == (2, 64)
    assert encoder.steps().min() >= 1
    assert encoder.steps().max() <= 255


def test_radial_tables_are_the_formula() -> None:
    luma, chroma = RadialTables(10, slope=0.5, exponent=1.5, chroma_scale=2, chroma_slope=1, dc=0.5).steps()
    assert luma[0] == 5  # 10 / 2
    assert luma[4 * 8 + 3] == 66  # r = 5: 10 (1 + 0.5 * 11.18) = 65.9
    assert chroma[0] == 10
    assert chroma[3 * 8 + 4] == 244  # 20 (1 + 11.18) = 243.6
    assert chroma[63] == 255  # 20 (1 + 31.15) = 643


def test_flat_tables_are_flat() -> None:
    luma, chroma = find_encoder("jpeg-flat12-c0.6").steps()
    assert set(luma.tolist()) == {12}
    assert set(chroma.tolist()) == {7}


@pytest.mark.parametrize("quality", [1, 25, 49, 50, 75, 90, 100])
def test_the_standard_s_tables_are_those_that_the_library_writes(quality: int) -> None:
    assert standard_steps(quality).reshape(2, 64).tolist() == _tables_in(encode_jpeg(IMAGE, quality))
    np.testing.assert_array_equal(described_tables(Encoder(quality=quality)), tables_of_quality(quality))


def test_scaled_tables_leave_luma_and_scale_chroma() -> None:
    luma, chroma = ScaledTables(50, 0.6).steps()
    standard = standard_steps(50).reshape(2, 64)
    assert luma.tolist() == standard[0].tolist()
    assert chroma[:4].tolist() == [10, 11, 14, 28]  # of 17, 18, 24, 47


def test_dc_of_scaled_tables_is_the_first_step_of_both() -> None:
    tables, standard = find_encoder("jpeg-q50-c1-dc0.7").steps(), standard_steps(50).reshape(2, 64)
    assert tables[:, 0].tolist() == [11, 12]  # 16 and 17 times 0.7
    assert tables[:, 1:].tolist() == standard[:, 1:].tolist()


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("jpeg")])
def test_the_tables_of_an_encoder_are_in_its_files(name: str) -> None:
    encoder = find_encoder(name)
    assert _tables_in(compress(IMAGE, encoder)) == encoder.steps().tolist()


@pytest.mark.parametrize("quality", [10, 75, 95])
def test_optimised_and_progressive_files_show_the_same_pixels(quality: int) -> None:
    plain = encode_jpeg(IMAGE, quality)
    assert compress(IMAGE, Encoder(quality=quality).plain()) == plain
    for encoder in (Encoder(quality=quality), Encoder(quality=quality, progressive=True)):
        data, shown = degrade(IMAGE, encoder)
        np.testing.assert_array_equal(shown, decode_jpeg(plain))
        assert len(data) < len(plain) or encoder.progressive


@pytest.mark.parametrize("name", NAMES)
def test_an_image_keeps_its_size_in_every_codec(name: str) -> None:
    encoder = find_encoder(name)
    if why_missing(as_codec(encoder)):
        with pytest.raises(InputError, match="cannot be used here"):
            degrade(IMAGE, encoder)
        return
    data, shown = degrade(IMAGE, encoder)
    assert data
    assert (shown.shape, shown.dtype) == (IMAGE.shape, np.uint8)


def test_subsampling_and_smoothing_reach_the_file() -> None:
    for subsampling, code in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
        with Image.open(io.BytesIO(compress(IMAGE, Encoder(quality=75, subsampling=subsampling)))) as image:
            assert JpegImagePlugin.get_sampling(image) == code
    smoothed = compress(IMAGE, Encoder(quality=75, smoothing=80))
    assert len(smoothed) < len(compress(IMAGE, Encoder(quality=75)))


def test_explicit_tables_are_told_by_facts() -> None:
    encoder = Encoder(tables=ExplicitTables((1, *range(2, 65)), (99,) * 64))
    assert _tables_in(compress(IMAGE, encoder)) == [list(range(1, 65)), [99] * 64]
    assert encoder_from_facts(json.loads(json.dumps(encoder.as_facts()))) == encoder
    with pytest.raises(InputError, match="is no encoder"):
        find_encoder(encoder.name)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((0, *[9] * 63), "whole numbers of 1..255, got 0 for luma"),
        ((256, *[9] * 63), "whole numbers of 1..255, got 256 for luma"),
        ((9.5, *[9] * 63), "whole numbers of 1..255, got 9.5 for luma"),
        ((True, *[9] * 63), "whole numbers of 1..255, got True for luma"),
        ((9,) * 63, "has 64 steps, got 63 for luma"),
        (7, "has 64 steps, got int for luma"),
    ],
)
def test_tables_that_cannot_be_are_refused(steps: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ExplicitTables(steps, (9,) * 64)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "'' is no encoder"),
        ("jpeg", "'jpeg' is no encoder"),
        ("gif-q50", "codecs: jpeg, webp, avif, jxl"),
        ("jpeg-q0", "a quality must be a whole number of 1..100, got 0"),
        ("jpeg-q101", "a quality must be a whole number of 1..100, got 101"),
        ("jpeg-q50.5", "a quality is a whole number"),
        ("jpeg-q050", "this one is written jpeg-q50"),
        ("jpeg-q50-420", "this one is written jpeg-q50"),
        ("jpeg-q50-c0.60", "this one is written jpeg-q50-c0.6"),
        ("jpeg-q50-progressive-444", "this one is written jpeg-q50-444-progressive"),
        ("jpeg-q50-a0.5", "of the standard's tables chroma and DC are scaled"),
        ("jpeg-q50-dc0.7", "this one is written jpeg-q50-c1-dc0.7"),
        ("jpeg-q50-fast", "'fast' means nothing"),
        ("jpeg-flat0.5", "scale of quantisation tables must be 1..99, got 0.5"),
        ("jpeg-flat12-c5", "chroma_scale of quantisation tables must be 0.3..4, got 5"),
        ("jpeg-radial12-a1.5", "slope of quantisation tables must be 0..1, got 1.5"),
        ("jpeg-q50-smooth101", "smoothing must be a whole number of 0..100, got 101"),
        ("webp-q80-444", "webp has no subsampling 4:4:4; it has 4:2:0"),
        ("jxl-q80-420", "jxl has no subsampling 4:2:0; it has 4:4:4"),
        ("avif-q80-plain", "are JPEG's: avif has a quality alone"),
        ("webp-flat12", "are JPEG's: webp has a quality alone"),
    ],
)
def test_a_name_that_is_none_is_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        find_encoder(name)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ([], "described by a JSON object"),
        ({"codec": "jpeg"}, "has a quality or quantisation tables, got None and None"),
        ({"quality": 50, "tables": {"kind": "scaled", "quality": 50, "chroma_scale": 1}}, "has a quality or"),
        ({"quality": 50, "size": 3}, "describes no encoder"),
        ({"tables": {"kind": "round"}}, "describes no encoder"),
        ({"tables": {"kind": "radial", "scale": "9"}}, "scale of quantisation tables must be a number, got '9'"),
        ({"quality": 50, "optimised": "no"}, "optimised must be true or false, got 'no'"),
        ({"quality": 50, "subsampling": 420}, "jpeg has no subsampling 420"),
        ({"codec": ["jpeg"], "quality": 50}, "describes no encoder"),
        ({"quality": "50"}, "a quality must be a whole number of 1..100, got '50'"),
        ({"quality": 50, "name": "jpeg-q60"}, "named 'jpeg-q60' is described as jpeg-q50"),
    ],
)
def test_facts_that_describe_none_are_refused(facts: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encoder_from_facts(facts)


def test_a_file_lists_encoders_with_comments(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# ours\njpeg-q50  # today's tables\n\n  jpeg-flat12-c0.6\n")
    assert [encoder.name for encoder in read_encoders(tmp_path / "list.txt")] == ["jpeg-q50", "jpeg-flat12-c0.6"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"# nothing\n", "lists no encoder"),
        (b"jpeg-q50\njpeg-q500\n", "list.txt, line 2: a quality must be"),
        (b"\xff\xfe", "is no text in UTF-8"),
        (None, "list.txt cannot be read: No such file"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_encoders(tmp_path / "list.txt")


def test_the_rivals_and_the_encoders_write_the_same_files() -> None:
    for name, encoder in (("jpeg-optimised", "jpeg-q60"), ("webp", "webp-q60"), ("avif", "avif-q60")):
        rival = CODECS[name]
        if not why_missing(rival):
            buffer = io.BytesIO()
            Image.fromarray(IMAGE).save(buffer, rival.format, quality=60, **rival.options)
            assert compress(IMAGE, find_encoder(encoder)) == buffer.getvalue()


def test_a_list_may_begin_with_a_byte_order_mark_and_give_tables_step_by_step(tmp_path: Path) -> None:
    explicit = Encoder(tables=ExplicitTables(tuple(range(1, 65)), tuple(range(255, 191, -1))))
    lines = f"\ufeffjpeg-q50  # as ever\n{json.dumps(explicit.as_facts())}\n"
    (tmp_path / "list.txt").write_text(lines, encoding="utf-8")
    assert read_encoders(tmp_path / "list.txt") == (find_encoder("jpeg-q50"), explicit)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"luma": [0, *range(2, 65)]}, "1..255"),
        ({"chroma": [256] * 64}, "1..255"),
        ({"luma": [16] * 63}, "64"),
        ({"luma": [16.5] * 64}, "1..255"),
        ({"kind": "round"}, "describes no encoder"),
    ],
)
def test_tables_that_cannot_be_are_one_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    tables = {"kind": "explicit", "luma": [16] * 64, "chroma": [17] * 64} | change
    (tmp_path / "list.txt").write_text("jpeg-q50\n" + json.dumps({"tables": tables}))
    with pytest.raises(InputError, match=r"list\.txt, line 2: ") as error:
        read_encoders(tmp_path / "list.txt")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("facts", [{"tables": [[16] * 64] * 2}, {"tables": "x"}, {"codec": ["jpeg"], "quality": 50}])
def test_facts_of_another_shape_describe_no_encoder(facts: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        encoder_from_facts(facts)


@pytest.mark.parametrize("name", [50, None, ["jpeg"], "jpeg-q" + 5000 * "5", "jpeg-q50-smooth" + 5000 * "1"])
def test_what_is_no_name_is_no_encoder(name: Any) -> None:
    with pytest.raises(InputError, match="is no encoder"):
        find_encoder(name)
    with pytest.raises(InputError, match="is no family of encoders"):
        find_family(name)

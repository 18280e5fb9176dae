"""Rivals: every codec and setting is scored as JPEG as it is was, a lacking codec says why, restoring is timed."""

from dataclasses import replace

import numpy as np
import pytest

from datasets.codecs import CODECS, why_missing
from datasets.encoders.family import find_family
from datasets.packed import PackedDataset
from models.build import build_model
from models.evaluation import score_regions
from models.names import REGIONS, REPORTED_METRICS
from search.scoring import codecs as rivals
from search.scoring.codecs import TRANSCODED, score_codecs
from search.scoring.score_files import Row, scores_from_bytes, scores_to_bytes
from search.scoring.scores import time_files, time_restoring
from search.space.scale import Protocol

CROP_PX = 48
IMAGE = 3
PROTOCOL = Protocol(n_monitored=2, monitor_px=32, n_scored=None)


@pytest.fixture(scope="module")
def rows(small_pack: PackedDataset) -> list[Row]:
    return score_codecs(small_pack, [IMAGE], CROP_PX)


def test_every_usable_codec_has_a_row_for_each_setting_and_region(rows: list[Row], small_pack: PackedDataset) -> None:
    expected = {("jpeg", quality, region) for quality in small_pack.qualities for region in REGIONS}
    for name, codec in CODECS.items():
        if not why_missing(codec):
            tried = {*codec.settings, *(small_pack.qualities if name == "jpeg-optimised" else ())}
            expected |= {(name, setting, region) for setting in tried for region in REGIONS}
    if not why_missing(CODECS["jpeg-xl"]):
        expected |= {(TRANSCODED, quality, region) for quality in small_pack.qualities for region in REGIONS}
    measured = [row for row in rows if row["not_run"] is None]
    assert {(row["codec"], row["setting"], row["region"]) for row in measured} == expected
    assert len(measured) == len(expected)
    assert all(row["encode_ms"] > 0 and row["decode_ms"] > 0 and row["library"] for row in measured)
    assert {row["name"] for row in measured} == {small_pack.names[IMAGE]}


def test_jpeg_as_it_is_is_scored_as_a_restored_image_is(rows: list[Row], small_pack: PackedDataset) -> None:
    shown = np.divide(small_pack.degraded(IMAGE, 75), 255, dtype=np.float32)
    expected = score_regions(small_pack.originals[[IMAGE]], shown[None], CROP_PX)
    for row in (row for row in rows if (row["codec"], row["setting"]) == ("jpeg", 75)):
        assert row["file_bytes"] == len(small_pack.file_bytes(IMAGE, 75))
        for metric in REPORTED_METRICS:
            assert row[metric] == pytest.approx(expected[row["region"]][0][metric], rel=1e-5)


def test_optimised_files_are_tried_at_every_quality_of_the_pack(
    small_pack: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = replace(CODECS["jpeg-optimised"], settings=(50,))
    monkeypatch.setattr(rivals, "CODECS", {"jpeg-optimised": tried, "jpeg-xl": CODECS["jpeg-xl"]})
    monkeypatch.setattr(rivals, "why_missing", lambda codec: "" if codec is tried else "not installed")
    found = {row["setting"] for row in score_codecs(small_pack, [IMAGE], CROP_PX) if row["codec"] == "jpeg-optimised"}
    assert found == set(small_pack.qualities)


def test_a_codec_that_is_lacking_has_one_row_that_says_why(
    small_pack: PackedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = {"jpeg-xl": "pillow-jxl-plugin is not installed", "avif": "this Pillow has no AVIF"}
    tried = {name: replace(CODECS[name], settings=(50,)) for name in ("webp", *lacking)}
    reasons = {CODECS[name].format: why for name, why in lacking.items()}
    monkeypatch.setattr(rivals, "CODECS", tried)
    monkeypatch.setattr(rivals, "why_missing", lambda codec: reasons.get(codec.format, ""))
    found = score_codecs(small_pack, [IMAGE], CROP_PX)
    lacking[TRANSCODED] = lacking["jpeg-xl"]
    missing = [row for row in found if row["not_run"]]
    assert {row["codec"]: row["not_run"] for row in missing} == lacking
    assert all(row.keys() == found[0].keys() and row["psnr_db"] is None for row in missing)
    assert {row["codec"] for row in found} == {"jpeg", "webp", *lacking}
    assert scores_from_bytes(scores_to_bytes(found)) == found


def test_restoring_is_timed_on_a_few_images_one_at_a_time(small_pack: PackedDataset) -> None:
    model = build_model("resnet")
    times = time_restoring(model, small_pack, range(3))
    assert [image for image, _ in times] == [0, 1, 2]
    assert all(milliseconds > 0 for _, milliseconds in times)


def test_files_of_an_encoder_are_timed_one_at_a_time(small_pack: PackedDataset) -> None:
    times = time_files(small_pack.written_by(find_family("jpeg-c0.6")), range(3))
    assert len(times) == 3
    assert min(min(pair) for pair in times) > 0


def test_codecs_are_tried_on_all_test_images_or_on_a_seeded_sample(small_pack: PackedDataset) -> None:
    images = small_pack.images_of("data101", "test")
    np.testing.assert_array_equal(PROTOCOL.images_to_compare(small_pack, "tiny", seed=0), images)
    one = replace(PROTOCOL, n_compared=1)
    drawn = [int(one.images_to_compare(small_pack, "tiny", seed)[0]) for seed in range(8)]
    assert set(drawn) == set(images.tolist())
    assert drawn == [int(one.images_to_compare(small_pack, "tiny", seed)[0]) for seed in range(8)]

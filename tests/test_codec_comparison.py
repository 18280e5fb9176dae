"""Other codecs beside restoring: bytes at parity by hand, the verdict in each case, and runs that hold none."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.codecs import N_RESTORERS, compare_codecs
from analysis.findings import Findings, find
from analysis.measured import read_restoring
from analysis.run import open_run
from analysis.tables.catalogue import tables_of
from models.names import METRICS
from search.space.spec import BASELINE
from tests.run_fixture import CODECS, plan, trial_scores, write_codecs, write_images, write_run, write_scores
from tests.table_reader import shown

TRIAL = plan(0)
ID = TRIAL.spec.trial_id
Points = Mapping[tuple[str, int], tuple[int, Mapping[str, float]]]
GOOD = dict.fromkeys(METRICS, 0.1)
BAD = dict.fromkeys(METRICS, -1.0)


def _findings(path: Path, codecs: Points = CODECS, n_images: int = 4) -> Findings:
    run = write_run(path / "run", [TRIAL], n_images=n_images)
    write_codecs(run, codecs, n_images)
    return find(open_run(run))


def test_bytes_at_parity_are_interpolated_between_settings_by_all_four_means_and_by_psnr(tmp_path: Path) -> None:
    ways = _findings(tmp_path).codecs.ways.set_index("name")
    # AVIF: the smallest margin is -0.2 at 400 bytes and 0.2 at 800: the middle of the logarithms, of 1000 bytes. By
    # PSNR alone it has 0.2 at both: it reaches at whatever few bytes, by the bound half of the fewest measured.
    assert ways.loc["avif", "share_all"] == pytest.approx(math.sqrt(0.4 * 0.8))
    assert ways.loc["avif", "share_psnr"] == pytest.approx(0.2)
    assert ways.loc["jpeg", ["share_all", "share_psnr"]].tolist() == pytest.approx([1, 1])
    # Restored: -0.5 at 600 bytes, 0.1 at 700.
    assert ways.loc[ID, "share_all"] == pytest.approx(0.6 * (700 / 600) ** (0.5 / 0.6))
    assert (ways.loc["avif", "setting"], ways.loc[ID, "setting"]) == (70, 50)
    times = ["encode_ms", "decode_ms", "restore_ms", "restored_on"]
    assert ways.loc[ID, times].tolist() == [3, 2, 40, "CPU, 2 threads"]
    assert list(ways.index)[:2] == ["avif", ID]


def test_files_that_nobody_restores_are_no_restorers_and_a_family_has_times_of_its_own_files(
    tmp_path: Path,
) -> None:
    own = plan(0, encoder="jpeg-c0.6", margins={50: 0.2, 60: 0.4, 75: 0.6})
    shown = plan(0, architecture="identity", encoder="jpeg-c0.6", epochs=0, epochs_run=0, margin=None)
    found = find(open_run(write_run(tmp_path / "run", [own, shown])))
    ways = found.codecs.ways.set_index("name")
    assert shown.spec.trial_id not in ways.index
    assert [record.trial_id for record in found.run.finalists] == [own.spec.trial_id]
    assert ways.loc[own.spec.trial_id, ["encode_ms", "decode_ms"]].tolist() == [6, 4]


def test_a_finalist_that_was_tested_on_other_images_is_not_compared_and_named(tmp_path: Path) -> None:
    other = plan(1, margins={50: 0.2, 60: 0.5, 75: 0.7})
    run = write_run(tmp_path / "run", [TRIAL, other])
    scores = trial_scores(other, 4)
    write_scores(run, other.spec.trial_id, scores[scores["image"] != 5])
    found = find(open_run(run)).codecs
    assert other.spec.trial_id not in set(found.ways["name"])
    assert any("tested on other images than these: " + other.spec.trial_id in note for note in found.notes)


def test_an_image_that_is_restored_without_an_error_leaves_the_reference_too(tmp_path: Path) -> None:
    # However well JPEG keeps the image: it has no part in the mean PSNR of this restorer, nor in what that must reach.
    bounds = []
    for more_db in (0, 20):
        run, first = write_run(tmp_path / str(more_db), [TRIAL], n_images=40), 40
        write_codecs(run, CODECS, 40)
        for file in (run / "codecs.parquet", run / "scores" / f"{BASELINE.trial_id}.parquet"):
            table = pd.read_parquet(file)
            table.loc[table["image"] == first, "psnr_db"] += more_db
            table.to_parquet(file)
        scores = trial_scores(TRIAL, 40)
        scores.loc[scores["image"] == first, "psnr_db"] = np.inf
        write_scores(run, ID, scores)
        way = find(open_run(run)).codecs.ways.set_index("name").loc[ID]
        bounds.append([way["psnr_low"], way["share_psnr"], way["psnr_high"]])
    assert bounds[0] == pytest.approx(bounds[1])


def test_the_verdict_never_quotes_one_bar_without_the_other_and_has_the_times(tmp_path: Path) -> None:
    assert _findings(tmp_path).codecs.verdict == (
        "On equal terms, all four means of whole images over 4 test images, AVIF needs 57% of JPEG-75's bytes, 20% for "
        f"mean PSNR alone, encoded in 3.0 ms, decoded in 2.0 ms; JPEG restored by {ID} needs 68% of JPEG-75's bytes, "
        "68% for mean PSNR alone, encoded in 3.0 ms, decoded in 2.0 ms, restored in 40 ms on CPU, 2 threads: too few "
        "fields to tell which needs fewer."
    )


def test_with_enough_fields_the_verdict_comes_from_a_paired_interval(tmp_path: Path) -> None:
    codecs = {("avif", 40): (300, dict.fromkeys(METRICS, -0.5)), ("avif", 60): (400, GOOD)}
    assert ": AVIF needs fewer, by" in _findings(tmp_path / "clear", codecs, n_images=40).codecs.verdict
    worse = {("avif", 40): (900, BAD), ("avif", 60): (1100, GOOD)}
    assert (
        f": JPEG restored by {ID} needs fewer, by" in _findings(tmp_path / "worse", worse, n_images=40).codecs.verdict
    )


def test_a_point_estimate_alone_beats_nothing(tmp_path: Path) -> None:
    # AVIF takes a little less in the mean, but its margin differs from image to image by far more.
    codecs = {("avif", 40): (500, dict.fromkeys(METRICS, -0.5)), ("avif", 60): (670, dict.fromkeys(METRICS, 0.02))}
    run = write_run(tmp_path / "run", [TRIAL], n_images=40)
    write_codecs(run, codecs, 40)
    table = pd.read_parquet(run / "codecs.parquet")
    noise = np.random.default_rng(1).normal(size=80)[table["image"].fillna(0).astype(int)]
    noise = noise - noise[(table["codec"] == "avif").to_numpy()].mean()
    table["psnr_db"] += np.where(table["codec"] == "avif", 2.0 * noise, 0)
    table.to_parquet(run / "codecs.parquet")
    found = find(open_run(run)).codecs
    assert found.ways["name"].iloc[0] in ("avif", ID)
    assert found.verdict.endswith(": which needs fewer cannot be told.")


def test_intervals_of_codecs_are_over_fields(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [TRIAL], n_images=96)
    table = pd.read_parquet(run / "codecs.parquet")
    field = (table["image"].fillna(0) // 4).astype(int)
    factor = np.random.default_rng(0).uniform(0.5, 1.5, 60)[field]  # alike within a field of four
    table["file_bytes"] *= np.where(table["codec"] == "avif", factor, 1)
    table.to_parquet(run / "codecs.parquet")
    loose = find(open_run(run)).codecs.ways.set_index("name").loc["avif"]
    write_images(run, 96, {image: image - image % 4 for image in range(192)})
    grouped = find(open_run(run)).codecs.ways.set_index("name").loc["avif"]
    assert grouped["share_all"] == pytest.approx(loose["share_all"])
    assert grouped["all_high"] - grouped["all_low"] > 1.4 * (loose["all_high"] - loose["all_low"]) > 0


def test_of_few_fields_no_interval_is_given(tmp_path: Path) -> None:
    findings = _findings(tmp_path)
    assert findings.codecs.ways["all_low"].isna().all()
    told = shown(tables_of(findings)["codecs"]).set_index("kept as")
    assert told.loc["AVIF", "all four means"] == "57% (too few)"
    assert told.loc[f"JPEG restored by {ID} (the pick)", "restoring, ms"] == "40.0 on CPU, 2 threads"


def test_restorers_without_an_interval_do_not_seem_to_have_too_few_fields(tmp_path: Path) -> None:
    plans = [plan(seed, margin=-seed / 10) for seed in range(N_RESTORERS + 1)]
    findings = find(open_run(write_run(tmp_path / "run", plans, n_images=24)))
    told = shown(tables_of(findings)["codecs"]).set_index("kept as")["all four means"]
    restorers = told[told.index.str.startswith("JPEG restored")]
    assert restorers.str.contains("to").tolist() == [True] * N_RESTORERS + [False]
    assert not told.str.contains("too few").any()


def test_a_finalist_that_is_suspect_has_no_part_in_the_verdict(tmp_path: Path) -> None:
    odd, honest = plan(1, loss="mae", margins={quality: 2.0 for quality in TRIAL.margins}), TRIAL
    run = write_run(tmp_path / "run", [odd, honest])
    scores = trial_scores(odd, 4)
    scores["mse"] = 1.0  # of images in [0, 1] with a PSNR over 40 dB, which cannot be
    write_scores(run, odd.spec.trial_id, scores)
    findings = find(open_run(run))
    assert odd.spec.trial_id in findings.suspects
    assert odd.spec.trial_id not in set(findings.codecs.ways["name"])
    assert f"JPEG restored by {ID} needs" in findings.codecs.verdict


def test_where_nothing_reaches_parity_lies_beyond_what_was_measured_and_says_so(tmp_path: Path) -> None:
    findings = _findings(tmp_path, {("webp", 50): (300, BAD), ("webp", 60): (310, BAD)})
    row = findings.codecs.ways.set_index("name").loc["webp"]
    assert (row["share_all"], row["is_measured"]) == (pytest.approx(0.62), False)
    assert "62% of JPEG-75's bytes (beyond what was measured)" in findings.codecs.verdict
    told = shown(tables_of(findings)["codecs"]).set_index("kept as")
    assert told.loc["WebP", ["all four means", "lowest setting with all four"]].tolist() == [
        "≈ 62% (too few)",
        "unknown",
    ]


def test_a_codec_that_was_not_run_says_why(tmp_path: Path) -> None:
    told = shown(tables_of(_findings(tmp_path))["codecs"]).set_index("kept as")
    assert told.loc["JPEG XL", "all four means"] == "not run, no JPEG XL plugin"


def test_every_setting_stands_in_a_table_of_its_own(tmp_path: Path) -> None:
    points = _findings(tmp_path).codecs.points.set_index(["kind", "setting"])
    assert points.loc["jpeg", "mean_bytes"].to_dict() == {
        **{10: 300, 25: 500, 40: 600, 50: 700, 60: 800, 75: 1000, 80: 1200, 90: 2000}
    }
    assert points.loc[("jpeg", 50), "psnr_db"] == pytest.approx(38)
    assert points.loc[("restored", 50), "mean_bytes"] == 700
    assert points.loc[("restored", 50), "psnr_db"] == pytest.approx(40.2)  # a tenth of 2 dB above JPEG-75's 40
    assert points.loc[("codec", 50), ["psnr_db", "n_reached"]].tolist() == pytest.approx([40.4, 4])


def test_a_run_without_other_codecs_has_a_note_and_no_table(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [TRIAL])
    (run / "codecs.parquet").unlink()
    findings = find(open_run(run))
    assert "codecs" not in tables_of(findings)
    (note,) = (note for note in findings.notes if "codecs" in note)
    assert note.startswith("Other codecs are not compared: the run has no codecs.parquet, which the search writes")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no parquet", "codecs.parquet cannot be read"),
        (pd.DataFrame({"codec": ["jpeg"]}).to_parquet(), "codecs.parquet has no column setting"),
    ],
)
def test_a_damaged_file_is_left_out_with_the_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [TRIAL])
    (run / "codecs.parquet").write_bytes(content)
    assert any(reason in note for note in compare_codecs(open_run(run), ()).notes)


def test_codecs_without_the_reference_are_not_compared(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [TRIAL])
    table = pd.read_parquet(run / "codecs.parquet")
    table[table["codec"] != "jpeg"].to_parquet(run / "codecs.parquet")
    (note,) = compare_codecs(open_run(run), ()).notes
    assert note.endswith("codecs.parquet holds no JPEG of quality 75 to compare them with.")


def test_of_a_run_that_timed_no_encoding_it_is_unknown(tmp_path: Path) -> None:
    own = plan(0, encoder="jpeg-c0.6", margins={50: 0.2, 60: 0.4, 75: 0.6})
    run = write_run(tmp_path / "run", [own])
    for file in ("codecs.parquet", "restoring.parquet"):
        table = pd.read_parquet(run / file).drop(columns="encode_ms")
        table.drop(columns=["decode_ms"] if file == "restoring.parquet" else []).to_parquet(run / file, index=False)
    findings = find(open_run(run))
    told = shown(tables_of(findings)["codecs"]).set_index("kept as")
    assert told.loc["AVIF", ["encoding, ms", "decoding, ms"]].tolist() == ["unknown", "2.0"]
    restored = told.loc[f"JPEG restored by {own.spec.trial_id} (the pick)"]
    assert restored[["encoding, ms", "decoding, ms"]].tolist() == ["unknown", "unknown"]
    assert ", restored in 40 ms" in findings.codecs.verdict


def test_without_restoring_times_the_table_says_unknown(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [TRIAL])
    (run / "restoring.parquet").unlink()
    findings = find(open_run(run))
    told = shown(tables_of(findings)["codecs"])
    assert set(told.loc[told["kept as"].str.startswith("JPEG restored"), "restoring, ms"]) == {"unknown"}
    assert any("How long restoring takes is unknown" in note for note in findings.notes)


@pytest.mark.usefixtures("few_pictures")
def test_the_command_and_the_page_say_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", [TRIAL])
    assert main([str(run)]) == 0
    sentence = "On equal terms, all four means of whole images over 4 test images, AVIF needs 57% of"
    assert f"other codecs: {sentence}" in capsys.readouterr().out
    page = (run / "report" / "index.html").read_text()
    assert page.index(sentence) < page.index('id="decision"')


def test_a_restored_file_is_counted_with_optimised_huffman_tables_where_these_were_tried(tmp_path: Path) -> None:
    plain = _findings(tmp_path / "plain")
    sizes = plain.codecs.points.set_index(["name", "setting"])["mean_bytes"]
    better = {
        ("jpeg-optimised", quality): (round(0.9 * sizes[(ID, quality)]), dict.fromkeys(METRICS, -1.0))
        for name, quality in sizes.index
        if name == ID
    }
    found = _findings(tmp_path / "optimised", CODECS | better)
    ways, before = (findings.codecs.ways.set_index("name") for findings in (found, plain))
    assert ways.loc[ID, "share_all"] == pytest.approx(0.9 * before.loc[ID, "share_all"])
    assert found.pick.mean_bytes
    assert found.pick.reference_bytes
    saved = 100 * (1 - 0.9 * found.pick.mean_bytes / found.pick.reference_bytes)
    assert f"the same pixels take {saved:.1f} % fewer bytes than JPEG-75" in found.optimised_sentence()
    assert plain.optimised_sentence() == ""
    del better[("jpeg-optimised", 25)]  # far from parity: it is found between the others, by files of one kind
    part = _findings(tmp_path / "part", CODECS | better).codecs
    assert part.ways.set_index("name").loc[ID, "share_all"] == pytest.approx(0.9 * before.loc[ID, "share_all"])
    assert 25 not in part.points.loc[part.points["name"] == ID, "setting"].to_list()
    del better[("jpeg-optimised", 75)]  # bytes of two kinds of files make no line
    few = _findings(tmp_path / "few", CODECS | better).codecs
    assert few.ways.set_index("name").loc[ID, "share_all"] == pytest.approx(before.loc[ID, "share_all"])


def test_times_are_medians_over_images_and_the_trials_of_a_network(tmp_path: Path) -> None:
    plans = [plan(0), plan(1), plan(2, architecture="unet")]
    run = write_run(tmp_path / "run", plans)
    ids = [item.spec.trial_id for item in plans]
    spent = {ids[0]: (10.0, 900.0, 12.0), ids[1]: (11.0, 14.0, 13.0), ids[2]: (50.0, 70.0, 60.0)}
    rows = [
        {"trial_id": trial_id, "image": image, "restore_ms": ms, "device": "CPU", "n_threads": 1, "encode_ms": ms}
        for trial_id, times in spent.items()
        for image, ms in enumerate(times)
    ]
    pd.DataFrame(rows).assign(decode_ms=1.0).to_parquet(run / "restoring.parquet", index=False)
    found, _ = read_restoring(open_run(run))
    assert found["restore_ms"].to_dict() == {ids[0]: 12.5, ids[1]: 12.5, ids[2]: 60.0}
    assert found["own_encode_ms"].to_dict() == {ids[0]: 12.0, ids[1]: 13.0, ids[2]: 60.0}

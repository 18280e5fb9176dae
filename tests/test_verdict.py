"""Rivals: the table against numbers by hand, the verdict in each case, and runs that hold none or damaged ones."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.findings import Findings, find
from analysis.rivals import read_rivals, rival_points
from analysis.run import open_run
from models.names import METRICS
from tests.run_fixture import CODECS, plan, write_codecs, write_run

WORSE = {quality: -1.0 for quality in (10, 25, 40, 50, 60, 75, 80, 90)}
Points = Mapping[tuple[str, int], tuple[int, Mapping[str, float]]]


def _findings(path: Path, codecs: Points = CODECS, margins: Mapping[int, float] | None = None) -> Findings:
    run = write_run(path / "run", [plan(0, margins=margins)])
    write_codecs(run, codecs, 4)
    return find(open_run(run))


def _sentences(findings: Findings) -> tuple[str, ...]:
    return findings.tables["rivals"].below[:2]


def test_each_codec_is_taken_at_its_smallest_files_that_are_as_good_and_compared_with_the_pick(tmp_path: Path) -> None:
    table = _findings(tmp_path).tables["rivals"].numbers.set_index(["name", "bar"])
    assert table.loc["jpeg", "setting"].tolist() == [75]
    for name, bar, setting, saved in (
        ("avif", "mean PSNR", 50, 60.0),  # 400 bytes where JPEG-75 has 1000
        ("avif", "all 8 means", 70, 20.0),
        ("webp", "mean PSNR", 90, -10.0),
        ("webp", "all 8 means", 90, -10.0),
    ):
        row = table.loc[name, bar]
        assert (row["setting"], row["n_images"]) == (setting, 4)
        assert row["saved_percent"] == pytest.approx(saved)
        # every file is as large as the next, so chance has nothing to vary
        assert row[["saved_low", "saved_high"]].tolist() == pytest.approx([saved, saved])
    restored = table.xs("all 8 means", level="bar").loc[plan(0).spec.trial_id]
    assert (restored["setting"], restored["role"]) == (50, "the pick")
    assert restored["saved_percent"] == pytest.approx(30)
    assert (restored["decode_ms"], restored["restore_ms"], restored["restored_on"]) == (2, 40, "CPU, 2 threads")


def test_the_interval_of_saved_bytes_is_about_the_same_images(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)], n_images=40)
    table = pd.read_parquet(run / "codecs.parquet")
    growth = table["image"].mod(10).fillna(0) + 1  # images differ tenfold, the share that AVIF saves not at all
    table["file_bytes"] = table["file_bytes"] * growth
    table.to_parquet(run / "codecs.parquet")
    row = find(open_run(run)).tables["rivals"].numbers.query("name == 'avif' and bar == 'mean PSNR'").iloc[0]
    assert row[["saved_percent", "saved_low", "saved_high"]].tolist() == pytest.approx([60, 60, 60])


def test_another_codec_that_needs_fewer_bytes_is_said_to_be_better(tmp_path: Path) -> None:
    by_psnr, by_all = _sentences(_findings(tmp_path))
    assert by_psnr == (
        "AVIF at quality 50 needs 60.0 % fewer bytes than JPEG-75 at equal or better mean PSNR: better than "
        "restoring from quality 50 (30.0 %, 40 ms an image on CPU, 2 threads)."
    )
    assert by_all == (
        "No other codec beats restoring from quality 50 (30.0 %, 40 ms an image on CPU, 2 threads) with all 8 means "
        "at least as good; the best of them: AVIF at quality 70 needs 20.0 % fewer bytes than JPEG-75 with all 8 means "
        "at least as good."
    )


def test_every_codec_that_beats_restoring_is_named(tmp_path: Path) -> None:
    good = dict.fromkeys(METRICS, 0.1)
    _, by_all = _sentences(_findings(tmp_path, {("avif", 50): (400, good), ("webp", 70): (600, good)}))
    assert by_all.startswith("AVIF at quality 50 needs 60.0 % fewer bytes than JPEG-75 with all 8 means at least as")
    assert by_all.endswith("2 threads); so is WebP at 70 (40.0 %).")


def test_where_no_restorer_is_as_good_the_best_codec_stands_alone(tmp_path: Path) -> None:
    findings = _findings(tmp_path, margins=WORSE)
    assert _sentences(findings)[1] == (
        "AVIF at quality 70 needs 20.0 % fewer bytes than JPEG-75 with all 8 means at least as good; no finalist "
        "restores a smaller JPEG to that."
    )
    table = findings.tables["rivals"].numbers
    assert table.loc[table["kind"] == "restored", "holds"].tolist() == ["not reached", "not reached", "mean"]
    assert table["role"].iloc[-1] == "closest to a pick"


def test_where_nothing_saves_bytes_the_verdict_says_so(tmp_path: Path) -> None:
    findings = _findings(tmp_path, {("webp", 50): (300, dict.fromkeys(METRICS, -1.0))}, WORSE)
    assert _sentences(findings)[0] == "No way to save bytes at equal or better mean PSNR was found."
    shown = findings.tables["rivals"].shown
    assert shown.loc[shown["kept as"] == "WebP", "setting"].tolist() == ["not reached", "not reached"]


def test_a_codec_that_was_not_run_says_why_in_table_and_notes(tmp_path: Path) -> None:
    table = _findings(tmp_path).tables["rivals"]
    assert table.shown.loc[table.shown["kept as"] == "JPEG XL", "setting"].tolist() == ["not run, no JPEG XL plugin"]
    assert "JPEG XL: not run, no JPEG XL plugin" in table.below


def test_the_points_of_a_picture_hold_every_way_at_every_setting(tmp_path: Path) -> None:
    points = rival_points(open_run(write_run(tmp_path / "run", [plan(0)]))).set_index(["kind", "setting"])
    assert points.loc["jpeg", "mean_bytes"].to_dict() == {
        **{10: 300, 25: 500, 40: 600, 50: 700, 60: 800, 75: 1000, 80: 1200, 90: 2000}
    }
    assert points.loc[("jpeg", 50), "psnr_db"] == pytest.approx(38)
    assert points.loc[("restored", 50), "mean_bytes"] == 700
    assert points.loc[("restored", 50), "psnr_db"] == pytest.approx(40.2)  # a tenth of 2 dB above JPEG-75's 40
    assert points.loc[("codec", 50), ["psnr_db", "n_reached"]].tolist() == pytest.approx([40.4, 4])


def test_a_run_without_rivals_has_a_note_and_no_table(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    (run / "codecs.parquet").unlink()
    findings = find(open_run(run))
    assert "rivals" not in findings.tables
    (note,) = (note for note in findings.notes if "codecs" in note)
    assert note.startswith("Other codecs are not compared: the run has no codecs.parquet, which the search writes")


@pytest.mark.usefixtures("few_pictures")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no parquet", "codecs.parquet cannot be read"),
        (pd.DataFrame({"codec": ["jpeg"]}).to_parquet(), "codecs.parquet has no column setting"),
    ],
)
def test_damaged_rivals_are_left_out_with_the_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    (run / "codecs.parquet").write_bytes(content)
    assert any(reason in note for note in read_rivals(open_run(run)).notes)
    assert main([str(run)]) == 0


def test_rivals_without_the_reference_are_not_compared(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    table = pd.read_parquet(run / "codecs.parquet")
    table[table["codec"] != "jpeg"].to_parquet(run / "codecs.parquet")
    (note,) = read_rivals(open_run(run)).notes
    assert note.endswith("codecs.parquet holds no JPEG of quality 75 to compare them with.")


def test_a_score_that_is_no_number_is_not_as_good(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    table = pd.read_parquet(run / "codecs.parquet")
    table.loc[(table["codec"] == "avif") & (table["setting"] == 50), "psnr_db"] = np.nan
    table.to_parquet(run / "codecs.parquet")
    numbers = find(open_run(run)).tables["rivals"].numbers
    assert numbers.query("name == 'avif' and bar == 'mean PSNR'")["setting"].tolist() == [70]


def test_without_restoring_times_the_table_says_unknown(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    (run / "restoring.parquet").unlink()
    findings = find(open_run(run))
    shown = findings.tables["rivals"].shown
    assert set(shown.loc[shown["kept as"].str.startswith("JPEG restored"), "restoring, ms"]) == {"unknown"}
    assert any("How long restoring takes is unknown" in note for note in findings.notes)
    assert "restoring from quality 50 (30.0 %)." in _sentences(findings)[0]


@pytest.mark.usefixtures("few_pictures")
def test_the_command_and_the_page_say_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    assert main([str(run)]) == 0
    sentence = "AVIF at quality 50 needs 60.0 % fewer bytes than JPEG-75 at equal or better mean PSNR: better than"
    assert f"other codecs: {sentence}" in capsys.readouterr().out
    page = (run / "report" / "index.html").read_text()
    assert page.index(sentence) < page.index("id='evidence'")
    assert {path.name for path in (run / "report" / "tables").glob("rivals.*")} == {
        *("rivals.csv", "rivals.md", "rivals.tex")
    }

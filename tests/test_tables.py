"""Tables of a run, checked against means and sizes that the fixture makes easy to work out by hand."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import display
from analysis.cell import REACHES
from analysis.comparison import compare, comparison_notes
from analysis.findings import find
from analysis.labels import fidelity, fidelity_sentence, heading, label
from analysis.markup import bold, to_html, to_latex, to_markdown, to_text
from analysis.report import write_report
from analysis.run import Run, open_run
from analysis.tables.quality import columns_of, quality_table, show_quality
from analysis.tables.requirements import requirements_table
from analysis.tables.sizes import size_table, system_size_table
from analysis.tables.trials import trials_table
from models.names import METRICS
from search.records import TrialRecord, append_record
from search.spec import BASELINE, TrialStatus
from tests.run_fixture import JPEG_MEANS, Plan, baseline_scores, plan, trial_scores, write_run, write_scores


def _compare(run: Run) -> pd.DataFrame:
    return compare(run.scores, [record.trial_id for record in run.baselines], run.reference_quality)


def _row(comparison: pd.DataFrame, trial: Plan, metric: str, quality: int = 50) -> "pd.Series[float]":
    rows = comparison[
        (comparison["trial_id"] == trial.spec.trial_id)
        & (comparison["split"] == "test")
        & (comparison["region"] == "full")
        & (comparison["input_quality"] == quality)
        & (comparison["metric"] == metric)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.parametrize(("metric", "mean"), [("mae", 0.0068), ("mse", 0.00024), ("psnr_db", 40.2), ("ssim", 0.986)])
def test_means_margins_and_reference_are_those_worked_out_by_hand(tmp_path: Path, metric: str, mean: float) -> None:
    trial = plan(margins={50: 0.1})
    comparison = _compare(open_run(write_run(tmp_path / "run", [trial])))
    row = _row(comparison, trial, metric)
    assert row["mean"] == pytest.approx(mean)
    assert row["reference_mean"] == pytest.approx(JPEG_MEANS[75][metric])
    assert row["margin"] == pytest.approx(0.1)
    assert row["reaches"]
    assert row["n_images"] == 4


def test_jpeg_50_is_one_step_below_its_reference_and_jpeg_75_level_with_itself(tmp_path: Path) -> None:
    comparison = _compare(open_run(write_run(tmp_path / "run")))
    for quality, margin in ((50, -1.0), (75, 0.0)):
        rows = comparison[comparison["input_quality"] == quality]
        np.testing.assert_allclose(rows["margin"], margin, atol=1e-9)
        assert (rows["reaches"] == (margin >= 0)).all()


def test_reference_is_averaged_over_the_images_of_the_trial(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    best_image = scores["image"].max()  # 0.2 of a PSNR step of 2 dB above the mean
    write_scores(run, trial.spec.trial_id, scores[scores["image"] == best_image])
    row = _row(_compare(open_run(run)), trial, "psnr_db")
    assert row["reference_mean"] == pytest.approx(40.4)
    assert row["n_images"] == 1


def test_trials_of_two_splits_are_each_compared_with_jpeg_on_their_own_images(tmp_path: Path) -> None:
    one, other = plan(0, margins={50: 0.25}, split="data100"), plan(0, margins={50: 0.5}, split="data101")
    run = write_run(tmp_path / "run", [one, other])
    second = replace(BASELINE, split="data101")
    append_record(run, TrialRecord(second, TrialStatus.COMPLETED, 0, -3.0, 0.0, -3.0, 1.0))
    for trial_id, scores in ((second.trial_id, baseline_scores(4)), (other.spec.trial_id, trial_scores(other, 4))):
        write_scores(run, trial_id, scores.assign(image=scores["image"] + 100))
    opened = open_run(run)
    comparison = _compare(opened)
    for trial, margin in ((one, 0.25), (other, 0.5)):
        row = _row(comparison, trial, "psnr_db")
        assert (row["n_images"], row["margin"]) == (4, pytest.approx(margin))
    assert {fidelity(record) for record in opened.trials} == {"3/3 epochs of data100", "3/3 epochs of data101"}


def test_infinite_psnr_is_left_out_on_both_sides_and_counted(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores.loc[(scores["image"] == 7) & (scores["region"] == "full"), "psnr_db"] = np.inf
    write_scores(run, trial.spec.trial_id, scores)
    comparison = _compare(open_run(run))
    row = _row(comparison, trial, "psnr_db")
    # Images lie at -0.4, -0.133, 0.133 and 0.4 dB around 40; without the last their mean is 0.133 lower.
    assert row["mean"] == pytest.approx(40 - 0.4 / 3)
    assert row["reference_mean"] == pytest.approx(40 - 0.4 / 3)
    assert (row["n_images"], row["n_left_out"]) == (3, 1)
    assert _row(comparison, trial, "ssim")["n_images"] == 4
    assert any("infinite: 1." in note for note in comparison_notes(comparison))


def test_cell_of_identical_images_says_so(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    run = write_run(tmp_path / "run", [trial])
    write_scores(run, trial.spec.trial_id, trial_scores(trial, 4).assign(psnr_db=np.inf))
    opened = open_run(run)
    table = quality_table(_compare(opened), opened.trials, "test", "full")
    at_50 = table[(table["input_quality"] == 50) & (table["metric"] == "psnr_db")]
    assert list(at_50["holds"]) == ["all identical"]
    assert not at_50["reaches"].any()


def test_score_that_is_not_a_number_never_reaches_and_is_told(tmp_path: Path) -> None:
    trial = plan(margins={50: 1.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores.loc[scores["image"] == 5, "ssim"] = np.nan
    write_scores(run, trial.spec.trial_id, scores)
    comparison = _compare(open_run(run))
    assert not _row(comparison, trial, "ssim")["reaches"]
    assert any(trial.spec.trial_id in note and "not finite" in note for note in comparison_notes(comparison))


def test_infinite_error_is_not_taken_for_a_perfect_image(tmp_path: Path) -> None:
    trial = plan(margins={50: 1.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores.loc[scores["image"] == 5, "mse"] = np.inf
    write_scores(run, trial.spec.trial_id, scores)
    row = _row(_compare(open_run(run)), trial, "mse")
    assert not row["reaches"]
    assert row["n_left_out"] == 0


def test_every_cell_of_the_quality_table_holds_a_mean_or_a_reason(tmp_path: Path) -> None:
    plans = [
        plan(0),
        plan(1, finalist=False),
        plan(2, scored=False, status=TrialStatus.DIVERGED, margin=None),
        plan(3, scored=False, status=TrialStatus.FAILED, margin=None),
        plan(4, scored=False),
    ]
    opened = open_run(write_run(tmp_path / "run", plans))
    records = columns_of(opened, "validation")
    table = quality_table(_compare(opened), records, "validation", "crop")
    assert len(table) == 8 * len(METRICS) * len(records)
    held = table[table["input_quality"] == 50].groupby("trial_id")["holds"].unique().map(list).to_dict()
    by_seed = {record.spec.seed: held[record.trial_id] for record in opened.trials}
    assert by_seed == {0: ["mean"], 1: ["mean"], 2: ["diverged"], 3: ["failed"], 4: ["not scored"]}
    assert set(table.loc[table["input_quality"] == 40, "holds"]) == {"mean", "not scored", "diverged", "failed"}
    shown = show_quality(table, records)
    assert list(shown["quality"].unique()) == ["75", "50", "25"]
    assert not (shown == "").any(axis=None)


def test_quality_table_puts_jpeg_first_and_then_the_best_trial(tmp_path: Path) -> None:
    opened = open_run(write_run(tmp_path / "run", [plan(0, margin=-2.0), plan(1, margin=-1.0)]))
    assert [record.spec.seed for record in columns_of(opened, "test")[1:]] == [1, 0]
    assert columns_of(opened, "test")[0].spec == BASELINE


def test_shown_cell_marks_what_reaches_and_counts_what_is_left_out(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.1, 25: -1.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    at_25 = (scores["image"] == 7) & (scores["input_quality"] == 25)
    scores.loc[at_25, "psnr_db"] = np.inf
    write_scores(run, trial.spec.trial_id, scores)
    opened = open_run(run)
    records = columns_of(opened, "test")
    shown = show_quality(quality_table(_compare(opened), records, "test", "full"), records)
    cells = shown.set_index(["quality", "metric"])[heading(records[1])]
    assert cells["50", "PSNR, dB"] == f"40.20 ±0.55 (0.34) {REACHES}"
    assert cells["25", "PSNR, dB"] == "37.87 ±0.66 (0.27) (-1)"
    assert any(line.startswith("(-1): ") for line in find(opened).tables["quality_test_full"].below)
    assert cells["25", "SSIM"] == "0.9750 ±0.0027 (0.0017)"


def test_file_sizes_are_those_of_the_jpeg_files(tmp_path: Path) -> None:
    table = size_table(open_run(write_run(tmp_path / "run"))).set_index("input_quality")
    assert list(table.index) == [90, 80, 75, 60, 50, 40, 25, 10]
    assert table.loc[50, "mean_kb"] == pytest.approx(0.7)
    assert table.loc[50, "saved_percent"] == pytest.approx(30.0)
    assert table.loc[75, "saved_raw_percent"] == pytest.approx(100 * (1 - 1000 / (3 * 64 * 64)))
    assert (table["n_images"] == 16).all()


def test_file_sizes_by_system_are_those_of_the_scored_images(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    scores = baseline_scores(4)
    whites = scores.loc[scores["system"] == "white", "image"].unique()
    scores.loc[(scores["image"] == whites[0]) & (scores["input_quality"] == 50), "jpeg_bytes"] = 900
    write_scores(run, BASELINE.trial_id, scores)
    table = system_size_table(open_run(run)).set_index(["system", "input_quality"])
    assert list(table.index[:8]) == [("green", quality) for quality in (90, 80, 75, 60, 50, 40, 25, 10)]
    white = table.loc[("white", 50)]  # one file of 900 bytes and three of 700
    assert (white["n_images"], white["mean_kb"], white["sd_kb"]) == (4, pytest.approx(0.75), pytest.approx(0.1))
    assert white["high_kb"] - white["mean_kb"] == pytest.approx(3.182446 * 0.1 / 2)  # Student's t of 3 degrees
    assert white["saved_percent"] == pytest.approx(25.0)
    assert table.loc[("green", 50), "saved_percent"] == pytest.approx(30.0)


def test_requirements_are_the_means_of_the_reference(tmp_path: Path) -> None:
    opened = open_run(write_run(tmp_path / "run", [plan()]))
    table = requirements_table(opened, _compare(opened), "test").set_index(["region", "metric"])
    for region in ("crop", "full"):
        for metric in METRICS:
            assert table.loc[(region, metric), "mean"] == pytest.approx(JPEG_MEANS[75][metric])


def test_trials_table_has_a_row_per_record_best_first(tmp_path: Path) -> None:
    plans = [plan(0, margin=-2.0), plan(1, margin=None, status=TrialStatus.DIVERGED), plan(2, margin=-1.0)]
    table = trials_table(open_run(write_run(tmp_path / "run", plans)))
    assert list(table["seed"]) == [2, 0, 0, 1]  # the second 0 is JPEG as it is, at -3
    assert list(table["status"]) == ["completed", "completed", "completed", "diverged"]
    assert {"learning_rate", "crop_px", "epochs_allowed", "psnr_gain_db"} <= set(table.columns)


def test_label_of_a_stopped_trial_tells_its_epochs(tmp_path: Path) -> None:
    stopped = plan(0, status=TrialStatus.STOPPED, epochs_run=2, epochs=9, epoch_images=64)
    record = open_run(write_run(tmp_path / "run", [stopped])).trials[0]
    assert label(record) == f"{record.trial_id} (2/9 epochs of 64 images, stopped)"
    assert heading(record).endswith("2/9 epochs\nof 64 images\nstopped")


def test_ranking_of_unequal_training_warns(tmp_path: Path) -> None:
    same = open_run(write_run(tmp_path / "same", [plan(0), plan(1)]))
    mixed = open_run(write_run(tmp_path / "mixed", [plan(0), plan(1, epochs_run=1, status=TrialStatus.STOPPED)]))
    assert fidelity_sentence(same.trials) == ""
    assert "not trained equally long (from 1/3 epochs to 3/3 epochs)" in fidelity_sentence(mixed.trials)


def test_table_without_a_baseline_shows_means_that_reach_nothing(tmp_path: Path) -> None:
    opened = open_run(write_run(tmp_path / "run", [plan()], baseline=False, left_out=[]))
    findings = find(opened)
    numbers = findings.tables["quality_test_full"].numbers
    assert not numbers["reaches"].any()
    assert (numbers["holds"] == "mean").all()


def test_same_run_gives_the_same_tables(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0), plan(1)])
    first, second = (find(open_run(run)) for _ in range(2))
    assert list(first.tables) == list(second.tables)
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table.numbers, second.tables[name].numbers)
        pd.testing.assert_frame_equal(table.shown, second.tables[name].shown)


def test_numbers_survive_csv(tmp_path: Path) -> None:
    table = find(open_run(write_run(tmp_path / "run", [plan()], left_out=[]))).tables["quality_test_full"].numbers
    table.to_csv(tmp_path / "table.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table.csv"), table, check_dtype=False)


def test_summary_counts_the_means_of_both_regions(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.1, 25: -1.0}, crop_margins={(50, "ssim"): -0.1})
    opened = open_run(write_run(tmp_path / "run", [trial, plan(1, scored=False)]))
    records = [*columns_of(opened, "test"), opened.trials[1]]
    shown = display.show_summary(_compare(opened), records, "test").set_index("quality")
    assert shown.loc["50", heading(records[1])] == "40.20 0.9860 7/8"
    assert shown.loc["50", heading(records[2])] == "not scored"


def test_markup_escapes_and_aligns() -> None:
    table = pd.DataFrame({"two\nlines": ["<i>|", f"1 {REACHES}"], "n": ["10", "2"]})
    assert to_html(table).count("&lt;i&gt;|") == 1
    assert "<th scope='col'>two<br>lines</th>" in to_html(table)
    assert f"<td class='reaches'>1 {REACHES}</td>" in to_html(table)
    assert to_markdown(table).splitlines()[2] == "| <i>\\| | 10 |"
    assert to_text(pd.DataFrame({"n": [bold("1")]})).splitlines() == ["n", "-", "1"]
    assert "<td><strong>1</strong> a</td>" in to_html(pd.DataFrame({"n": [bold("1") + " a"]}))
    assert to_text(table).splitlines() == ["two", "lines  n", "-----  --", "<i>|   10", f"1 {REACHES}    2"]


def test_split_that_was_never_scored_gives_no_table(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0, finalist=False)])
    baseline = baseline_scores(4)
    write_scores(run, BASELINE.trial_id, baseline[baseline["split"] == "validation"])
    tables = find(open_run(run)).tables
    assert "quality_validation_full" in tables
    assert "quality_test_full" not in tables


def test_latex_is_escaped_and_ruled() -> None:
    table = pd.DataFrame({"two\nlines": ["near_identity & 5 %", f"-1.5 {REACHES}"], "n": [bold("1 ±2"), "a-1 [2]"]})
    assert to_latex(table, ["100 % of x_y"]).splitlines()[1:] == [
        r"\noindent\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        r"\begin{tabular}{ll}",
        r"\toprule",
        r"\shortstack[l]{two \\ lines} & n \\",
        r"\midrule",
        r"near\_identity \& 5 \% & \textbf{1 $\pm$2} \\",
        r"$-$1.5 $\checkmark$ & a-1 {[}2{]} \\",
        r"\bottomrule",
        r"\end{tabular}}",
        "",
        r"\par\smallskip{\footnotesize 100 \% of x\_y\par}",
    ]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.usefixtures("few_pictures")
def test_every_latex_table_of_a_run_compiles(tmp_path: Path) -> None:
    system = "a_b & 5 % {#} ^~ <x>"
    run = write_run(tmp_path / "run", [plan(0), plan(1, status=TrialStatus.STOPPED, epochs_run=1)])
    write_scores(run, BASELINE.trial_id, baseline_scores(4).replace({"system": {"white": system}}))
    tables = write_report(find(open_run(run)), tmp_path / "out").parent / "tables"
    names = sorted(path.name for path in tables.glob("*.tex"))
    inputs = "".join(f"\\input{{{name}}}\n\\clearpage\n" for name in names)
    preamble = "\\documentclass{article}\n\\usepackage{booktabs,amssymb,graphicx}\n\\begin{document}\n"
    (tables / "all.tex").write_text(f"{preamble}{inputs}\\end{{document}}\n")
    call = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    result = subprocess.run(call, cwd=tables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:]
    assert len(names) == len(list(tables.glob("*.csv")))

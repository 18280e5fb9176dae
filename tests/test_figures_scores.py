"""Figures of scores: the quality curve, quality against bytes and outliers, by hand and as they are drawn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import BarContainer, ErrorbarContainer

from analysis.codecs import points_of_cells
from analysis.decide import Pick
from analysis.figures.compared import Compared, compared
from analysis.figures.picture import Picture, save
from analysis.figures.scores import (
    SSIM_TICKS,
    curve,
    draw_quality_and_bytes,
    draw_quality_curve,
    draw_ssim_outliers,
    far_outliers,
    quality_curve,
    sizes,
    ssim_outliers,
)
from analysis.figures.style import COLOURS, DASHES, MARKERS, look
from analysis.findings import Findings, find
from analysis.run import open_run
from analysis.statistics import on_pareto_front
from analysis.strict import StrictPick
from search.space.spec import BASELINE
from tests.run_fixture import JPEG_BYTES, QUALITIES, Plan, baseline_scores, plan, trial_scores, write_run, write_scores

STRICT = StrictPick(75, "jjnet", reason="none")
NO_PICK = Pick(75, None, None, None, 0, None, "none")


def _findings(path: Path, plans: list[Plan], n_images: int = 4) -> Findings:
    return find(open_run(write_run(path / "run", plans, n_images=n_images)))


def _shown_by(findings: Findings) -> Compared:
    shown = compared(findings)
    assert isinstance(shown, Compared)
    return shown


def _picture(drawn: list[Picture] | str) -> Picture:
    assert not isinstance(drawn, str)
    return drawn[0]


def _curve(findings: Findings) -> pd.DataFrame:
    return quality_curve(findings.run.scores, _shown_by(findings), 75)


def _points(findings: Findings) -> pd.DataFrame:
    return points_of_cells(
        findings.cells, [record.trial_id for record in findings.run.trials], BASELINE.trial_id, "test"
    )


def _rescored(path: Path, trial: Plan, scores: pd.DataFrame, n_images: int = 4) -> Findings:
    run = write_run(path / "run", [trial], n_images=n_images)
    write_scores(run, trial.spec.trial_id, scores)
    return find(open_run(run))


def test_curve_holds_means_and_their_intervals(tmp_path: Path) -> None:
    findings = _findings(tmp_path, [plan(margins={50: 0.1, 25: -1.0})], n_images=40)
    table = _curve(findings)
    rows = table.set_index(["place", "input_quality", "metric"])
    assert rows.loc[(0, 90, "psnr_db"), "mean"] == pytest.approx(43.0)
    assert rows.loc[(1, 25, "ssim"), "mean"] == pytest.approx(0.975)
    restored = rows.loc[(1, 50, "psnr_db")]
    assert restored["mean"] == pytest.approx(40.2)
    assert restored["low"] < 40.2 < restored["high"]
    assert (table["n_images"] == 40).all()
    assert list(table["trial_id"].unique()) == [BASELINE.trial_id, findings.run.trials[0].trial_id]


def test_curve_widens_the_interval_of_images_that_belong_together(tmp_path: Path) -> None:
    findings = _findings(tmp_path, [plan(margins={50: 0.1})], n_images=80)
    groups = {image: image // 2 for image in range(160)}
    grouped = quality_curve(findings.run.scores, _shown_by(findings), 75, groups=groups)
    width = (grouped["high"] - grouped["low"]) / (_curve(findings)["high"] - _curve(findings)["low"])
    assert (width > 1).all()


def test_curve_averages_over_the_images_that_all_share(tmp_path: Path) -> None:
    trial = plan(margins={75: 0.0})
    scores = trial_scores(trial, 4)
    table = _curve(_rescored(tmp_path, trial, scores[scores["image"] == 7]))
    reference = table[(table["place"] == 0) & (table["input_quality"] == 75) & (table["metric"] == "psnr_db")]
    assert reference["mean"].item() == pytest.approx(40.4)
    assert reference["n_images"].item() == 1


@pytest.mark.usefixtures("unsaved_pictures")
def test_curve_leaves_infinite_psnr_out_and_counts_it(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    scores = trial_scores(trial, 4)
    scores.loc[scores["image"] == 7, "psnr_db"] = np.inf
    findings = _rescored(tmp_path, trial, scores)
    table = _curve(findings)
    assert np.isfinite(table["mean"]).all()
    assert table["n_left_out"].sum() == 1
    assert "Infinite values of PSNR, in no mean: 1." in _picture(curve(findings)).caption


@pytest.mark.usefixtures("unsaved_pictures")
def test_mean_that_is_no_number_is_told(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0, 25: 0.0})
    scores = trial_scores(trial, 4)
    scores.loc[(scores["image"] == 7) & (scores["input_quality"] == 50), "ssim"] = np.nan
    assert "Means that are no numbers, not drawn: 1." in _picture(curve(_rescored(tmp_path, trial, scores))).caption


@pytest.mark.usefixtures("unsaved_pictures")
def test_curve_of_one_image_has_no_interval_and_says_so(tmp_path: Path) -> None:
    findings = _findings(tmp_path, [plan()], n_images=1)
    assert _curve(findings)["low"].isna().all()
    assert _picture(curve(findings)).caption.endswith("Too few fields for intervals.")


def test_curve_draws_a_line_with_intervals_per_model_and_rings_the_pick(tmp_path: Path) -> None:
    findings = _findings(tmp_path, [plan(0), plan(1)])
    figure = draw_quality_curve(_curve(findings), findings.pick, STRICT, "test")
    assert [panel.get_ylabel() for panel in figure.axes] == ["mean PSNR, dB", "mean SSIM"]
    for panel in figure.axes:
        bars = [bundle for bundle in panel.containers if isinstance(bundle, ErrorbarContainer)]
        assert len(bars) == 3  # JPEG and two trials
        assert np.asarray(bars[0].lines[0].get_xdata()) == pytest.approx(np.array(QUALITIES) - 0.5)  # aside
        lines = {str(line.get_label()): line for line in panel.get_lines()}
        assert float(np.asarray(lines["the pick: quality 50"].get_xdata())[0]) == pytest.approx(50, abs=0.5)
        assert "level of JPEG-75" in lines
        looks = {(line.lines[0].get_color(), line.lines[0].get_marker()) for line in bars}
        assert len(looks) == 3


def test_what_the_strict_rule_shows_is_a_square(tmp_path: Path) -> None:
    findings = _findings(tmp_path, [plan()])
    strict = replace(STRICT, trial_ids=(findings.run.trials[0].trial_id,), quality=60)
    panel = draw_quality_curve(_curve(findings), findings.pick, strict, "test").axes[0]
    square = next(line for line in panel.get_lines() if line.get_label() == "the strict rule's: quality 60")
    assert square.get_marker() == "s"
    assert np.asarray(square.get_xdata()).tolist() == pytest.approx([60.25])
    assert np.asarray(square.get_ydata()).tolist() == pytest.approx([40.8])  # 0.4 steps of 2 dB above 40


@pytest.mark.usefixtures("unsaved_pictures")
def test_more_trials_than_colours_are_counted_in_the_caption(tmp_path: Path) -> None:
    findings = _findings(tmp_path, [plan(seed) for seed in range(len(COLOURS) + 2)])
    assert "Further trials, in the tables: 2" in _picture(curve(findings)).caption
    assert len(MARKERS) == len(COLOURS) == len(DASHES)
    assert len({(style["color"], style["marker"]) for style in map(look, range(37))}) == 37


def test_front_holds_what_none_beats_in_both() -> None:
    costs = [1, 1, 2, 3, 3, np.nan, 0.5]
    qualities = [5, 4, 5, 6, 6, 9, np.inf]
    assert on_pareto_front(costs, qualities).tolist() == [True, False, False, True, True, False, False]


def test_bytes_and_psnr_of_the_files_of_scores(tmp_path: Path) -> None:
    findings = _findings(tmp_path, [plan(margins={50: 0.1})])
    table = _points(findings).set_index(["kind", "setting"])
    assert table.loc[("jpeg", 90), ["mean_bytes", "psnr_db"]].tolist() == pytest.approx([JPEG_BYTES[90], 43.0])
    assert table.loc[("restored", 50), ["mean_bytes", "psnr_db"]].tolist() == pytest.approx([JPEG_BYTES[50], 40.2])
    assert (table["n_images"] == 4).all()


def test_every_way_to_keep_an_image_is_drawn_with_the_reference_and_the_pick(tmp_path: Path) -> None:
    findings = _findings(tmp_path, [plan()])
    trial = findings.run.trials[0].trial_id
    points = findings.codecs.points
    order = points["name"].map({"jpeg": 0, trial: 1}).fillna(2)
    figure = draw_quality_and_bytes(points.iloc[order.argsort(kind="stable")], findings.pick, "test")
    panel, beside = figure.axes
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:4] == ["JPEG as it is", f"JPEG restored by {trial}", "AVIF", "WebP"]
    assert labels[4].startswith("JPEG-75")
    assert labels[5] == "the pick: quality 50"
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("mean bytes of a file", "mean PSNR, dB")
    lines = {str(line.get_label()): line for line in panel.get_lines()}
    assert np.asarray(lines["AVIF"].get_xdata()).tolist() == [400, 800]
    assert beside.get_ylabel() == "mean SSIM"
    of_avif = next(line for line in beside.get_lines() if line.get_label() == "AVIF")
    assert np.asarray(of_avif.get_ydata()).tolist() == points.loc[points["name"] == "avif", "ssim"].tolist()
    assert {float(tick) for tick in beside.get_yticks()} <= set(SSIM_TICKS)
    assert [text.get_text() for text in panel.texts] == 2 * [str(quality) for quality in QUALITIES]
    looks = {(lines[name].get_color(), lines[name].get_linestyle()) for name in labels[:4]}
    assert len(looks) == 4


@pytest.mark.usefixtures("unsaved_pictures")
def test_bytes_say_whether_other_codecs_were_tried(tmp_path: Path) -> None:
    findings = _findings(tmp_path, [plan(seed) for seed in range(5)])
    caption = _picture(sizes(findings)).caption
    assert "and other codecs on the same images." in caption
    assert caption.endswith("Further trials, in the tables: 2.")
    (findings.run.path / "codecs.parquet").unlink()
    assert "as no other codec was tried." in _picture(sizes(find(findings.run))).caption


def _changes(ssim: list[float], systems: list[str]) -> pd.DataFrame:
    n = len(ssim)
    names = [f"cell {number}" for number in range(n)]
    return pd.DataFrame({"input_quality": 50, "system": systems, "image": range(n), "name": names, "ssim": ssim})


def test_outliers_lie_three_quartile_distances_below_the_lower_quartile() -> None:
    # quartiles 0.2 and 0.3 of the five: the fence is at 0.2 - 3 * 0.1
    changes = [0.2, 0.25, 0.3, 0.3]
    assert not ssim_outliers(_changes([*changes, -0.09], ["a"] * 5))["is_outlier"].any()
    assert ssim_outliers(_changes([*changes, -0.11], ["a"] * 5))["is_outlier"].tolist() == [False] * 4 + [True]


def test_outliers_are_shared_out_by_camera_system() -> None:
    changes = _changes([0.1] * 6 + [0.2] * 6 + [-5.0, -9.0], ["white"] * 11 + ["yellow"] * 3)
    found = ssim_outliers(changes)
    assert found.loc[found["is_outlier"], "name"].tolist() == ["cell 12", "cell 13"]
    assert found.groupby("system")["is_outlier"].sum().to_dict() == {"white": 0, "yellow": 2}


def test_changes_that_are_not_finite_are_counted_and_in_nothing() -> None:
    found = ssim_outliers(_changes([0.1, np.nan, -np.inf], ["a"] * 3))
    assert found["change"].tolist() == [0.1]


def test_outliers_are_drawn_as_points_and_as_shares() -> None:
    found = ssim_outliers(_changes([0.1] * 6 + [0.2] * 6 + [-5.0, -9.0], ["white"] * 11 + ["yellow"] * 3))
    figure = draw_ssim_outliers(found, "title")
    left, right = figure.axes
    points = [line for line in left.get_lines() if line.get_marker() == "o" and len(line.get_xdata())]
    assert sorted(float(value) for line in points for value in np.asarray(line.get_ydata())) == [-9.0, -5.0]
    assert any(line.get_linestyle() == ":" for line in left.get_lines())  # of no change
    bars = [bundle for bundle in right.containers if isinstance(bundle, BarContainer)]
    assert [round(bundle.patches[0].get_height(), 1) for bundle in bars] == [0, 66.7]
    legend = right.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["white", "yellow"]
    assert "%" in right.get_ylabel()


@pytest.mark.usefixtures("unsaved_pictures")
def test_outliers_are_named_with_their_share(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.1})
    scores = trial_scores(trial, 40)
    scores.loc[(scores["image"] == 43) & (scores["region"] == "full"), "ssim"] = 0.5
    picture = _picture(far_outliers(_rescored(tmp_path, trial, scores, 40)))
    assert "1 of 40 changes are outliers (2.50 %): 1 of white. The worst: cell 43 at 50." in picture.caption


@pytest.mark.usefixtures("unsaved_pictures")
def test_run_without_outliers_says_so(tmp_path: Path) -> None:
    picture = _picture(far_outliers(_findings(tmp_path, [plan(margins={50: 0.1})])))
    assert "There are none among 4 changes." in picture.caption


def test_figures_without_a_shared_image_say_so(tmp_path: Path) -> None:
    trial = plan(finalist=False)
    scores = trial_scores(trial, 4)
    findings = _rescored(tmp_path, trial, scores.assign(image=scores["image"] + 100))
    assert curve(findings) == "JPEG as it is and the trials share no scored image"
    assert "no restored image has a finite SSIM" in far_outliers(findings)


def test_identical_image_has_a_place_in_every_drawing(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(margins={50: 0.1})])
    for trial_id, scores in (
        (BASELINE.trial_id, baseline_scores(4)),
        (plan().spec.trial_id, trial_scores(plan(margins={50: 0.1}), 4)),
    ):
        perfect = scores["image"] == 5
        scores.loc[perfect, ["mae", "mse", "psnr_db", "ssim"]] = [0, 0, np.inf, 1.0]
        write_scores(run, trial_id, scores)
    findings = find(open_run(run))
    figure = draw_quality_curve(_curve(findings), NO_PICK, STRICT, "test")
    assert save(figure)[0].startswith(b"\x89PNG")
    assert (_points(findings)["n_images"] == 3).all()

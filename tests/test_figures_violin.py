"""Violins: distributions by hand, what is left out of them is counted, and drawings show what the tables hold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from analysis.figures.compared import Compared, compared, shared_rows
from analysis.figures.picture import Picture, save
from analysis.figures.style import COLOURS
from analysis.figures.violins import (
    Sheet,
    change_violins,
    distribution_of,
    draw_violins,
    input_violins,
    model_violins,
    relative_rows,
    system_violins,
)
from analysis.findings import Findings, find
from analysis.records import BASELINE_LABEL
from analysis.run import open_run
from models.names import METRICS
from search.records import append_record
from search.space.spec import BASELINE, TrialStatus
from tests.run_fixture import baseline_scores, plan, record_of, trial_scores, write_run, write_scores


def _findings(path: Path, n_images: int = 4) -> Findings:
    return find(open_run(write_run(path / "run", [plan(0), plan(1)], n_images=n_images)))


def _shown_by(findings: Findings) -> Compared:
    shown = compared(findings)
    assert isinstance(shown, Compared)
    return shown


def _pictures(drawn: list[Picture] | str) -> list[Picture]:
    assert not isinstance(drawn, str)
    return drawn


def _rows(psnr_db: list[float], series: list[str]) -> pd.DataFrame:
    n = len(psnr_db)
    scores = {"mae": [0.01] * n, "mse": [0.001] * n, "psnr_db": psnr_db, "ssim": [0.9] * n}
    return pd.DataFrame({"image": range(n), "input_quality": 50, "series": series, **scores})


def _bodies(figure: Figure) -> list[PolyCollection]:
    return [body for body in figure.axes[2].collections if isinstance(body, PolyCollection)]


def _sheet(**given: object) -> Sheet:
    return Sheet("heading", "input_quality", "series", **given)  # type: ignore[arg-type]


def _drawn(rows: pd.DataFrame, sheet: Sheet | None = None) -> Figure:
    sheet = sheet or _sheet()
    return draw_violins(distribution_of(rows, sheet)[0], sheet)


def test_distribution_holds_every_value_by_place_series_and_metric() -> None:
    table, note = distribution_of(_rows([40.0, 41.0], ["a", "b"]), _sheet())
    assert len(table) == 2 * len(METRICS)
    psnr = table[table["metric"] == "psnr_db"]
    assert psnr[["x", "series", "value"]].to_numpy().tolist() == [[50, "a", 40.0], [50, "b", 41.0]]
    assert note == ""


def test_values_that_no_axis_can_show_are_left_out_and_counted() -> None:
    rows = _rows([np.inf, np.nan, 40.0], ["a", "a", "a"])
    rows.loc[0, ["mae", "mse"]] = 0.0
    assert "1 of MAE, 1 of MSE, 2 of PSNR, dB" in distribution_of(rows, _sheet())[1]
    assert "MAE" not in distribution_of(rows, _sheet(is_change=True))[1]


def test_change_is_restored_minus_the_input_of_the_same_image(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", [plan(margins={50: 0.5})]))
    rows, n_alone = relative_rows(run, run.baselines[0], run.scores)
    assert n_alone == 0
    assert set(rows["trial_id"]) == {run.trials[0].trial_id}
    # 0.5 of a step above JPEG-75's 40 dB, of an input of 38 dB; MAE 0.007 - 0.5 * 0.002, of 0.009
    assert rows["psnr_db"].mean() == pytest.approx(3.0)
    assert rows["mae"].mean() == pytest.approx(-0.003)


def test_change_is_from_the_files_of_a_trials_own_encoder(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.5}, encoder="jpeg-c0.6")
    as_written = plan(1, margins={50: 0.25}, architecture="identity", encoder="jpeg-c0.6", epochs=0)
    run = open_run(write_run(tmp_path / "run", [trial, as_written]))
    rows, _ = relative_rows(run, run.baselines[0], run.scores[run.scores["trial_id"] == trial.spec.trial_id])
    assert rows["psnr_db"].mean() == pytest.approx(0.5)  # a quarter of a step of 2 dB


def test_change_of_an_input_without_scores_is_counted_and_left_out(tmp_path: Path) -> None:
    run_path = write_run(tmp_path / "run", [plan(margins={50: 0.5}, finalist=False)])
    scores = baseline_scores(4)
    write_scores(run_path, BASELINE.trial_id, scores[scores["image"] != 2])
    run = open_run(run_path)
    rows, n_alone = relative_rows(run, run.baselines[0], run.scores)
    assert n_alone == 2  # whole image and centre crop
    assert 2 not in set(rows["image"])


@pytest.mark.usefixtures("unsaved_pictures")
def test_images_that_a_trial_lacks_are_left_out_for_all_and_counted(tmp_path: Path) -> None:
    first, second = plan(0, margins={50: 0.1}), plan(1, margins={50: 0.2})
    path = write_run(tmp_path / "run", [first, second])
    scores = trial_scores(second, 4)
    write_scores(path, second.spec.trial_id, scores[(scores["image"] != 5) | (scores["region"] == "crop")])
    findings = find(open_run(path))
    rows, n_unshared = shared_rows(findings.run.scores, _shown_by(findings))
    at_50 = rows[rows["input_quality"] == 50]
    assert n_unshared == 1
    assert at_50.groupby("region", observed=True)["image"].nunique().to_dict() == {"crop": 4, "full": 3}
    assert (at_50.groupby(["region", "image"], observed=True).size() == 3).all()  # JPEG and both trials
    assert "left out: 1" in _pictures(model_violins(findings))[0].caption


def test_violins_have_a_panel_for_each_metric_with_its_unit_and_direction() -> None:
    rows = pd.concat([_rows([40.0, 41.0, 42.0] * 8, ["a"] * 24), _rows([43.0, 44.0, 45.0] * 8, ["b"] * 24)])
    figure = _drawn(rows)
    labels = [panel.get_ylabel().split("\n") for panel in figure.axes]
    assert [name for name, _ in labels] == ["MAE", "MSE", "PSNR, dB", "SSIM"]
    assert [direction.split()[0] for _, direction in labels] == ["lower", "lower", "higher", "higher"]
    assert [panel.get_yscale() for panel in figure.axes] == ["log", "log", "linear", "linear"]
    assert figure.axes[-1].get_xlabel() == "JPEG quality of the input"
    assert [text.get_text() for text in figure.axes[-1].get_xticklabels()] == ["50"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert len(_bodies(figure)) == 2
    assert figure.axes[2].get_ylim()[1] >= 45


def test_series_differ_in_colour() -> None:
    names = [BASELINE_LABEL, *(f"trial {number}" for number in range(len(COLOURS)))]
    rows = pd.concat([_rows([40.0 + i, 41.0 + i] * 12, [name] * 24) for i, name in enumerate(names)])
    rows["series"] = pd.Categorical(rows["series"], names)
    bodies = _bodies(_drawn(rows))
    assert len({tuple(body.get_facecolor()[0]) for body in bodies}) == len(names)


def test_changes_are_drawn_on_linear_axes_with_the_zero_line(tmp_path: Path) -> None:
    zero = _sheet(levels=dict.fromkeys(METRICS, 0.0), level="as its input", is_change=True)
    rows = _rows([-1.0, 0.5, 1.0], ["a"] * 3).assign(mae=[-0.1, 0.1, 0.0], mse=0.0)
    figure = _drawn(rows, zero)
    for panel in figure.axes:
        assert panel.get_yscale() == "linear"
        assert any(np.allclose(np.asarray(line.get_ydata(), float), 0) for line in panel.get_lines()[-4:])
        assert panel.get_ylabel().startswith("change of ")
    assert "above 0: better" in figure.axes[2].get_ylabel()
    assert "below 0: better" in figure.axes[0].get_ylabel()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "as its input"]


@pytest.mark.usefixtures("unsaved_pictures")
@pytest.mark.parametrize("n_images", [1, 30])
def test_every_violin_is_drawn_of_any_number_of_images(tmp_path: Path, n_images: int) -> None:
    findings = _findings(tmp_path, n_images)
    for make in (input_violins, model_violins, change_violins):
        assert all(picture.png == b"picture" for picture in _pictures(make(findings)))


def test_images_are_points_where_they_are_few() -> None:
    rows = [_rows(list(np.linspace(40, 42, n)), ["a"] * n) for n in (5, 30)]
    few, many = map(_drawn, rows)
    assert "points: images" in few.get_suptitle()
    assert "points" not in many.get_suptitle()
    assert not _bodies(few)  # points instead of a violin, whose shape would be its smoothing
    assert len(_bodies(many)) == 1


def test_metric_without_a_finite_value_has_no_panel() -> None:
    table, note = distribution_of(_rows([np.inf, np.inf], ["a", "a"]), _sheet())
    figure = draw_violins(table, _sheet())
    assert "2 of PSNR, dB" in note
    assert [panel.get_ylabel().split("\n")[0] for panel in figure.axes] == ["MAE", "MSE", "SSIM"]
    assert save(figure)[0].startswith(b"\x89PNG")


@pytest.mark.usefixtures("unsaved_pictures")
def test_inputs_are_shown_whole_and_cropped_and_by_camera_system(tmp_path: Path) -> None:
    pictures = _pictures(input_violins(_findings(tmp_path)))
    assert [picture.name for picture in pictures] == ["input_violins", "input_violins_by_system"]


@pytest.mark.usefixtures("unsaved_pictures")
def test_inputs_of_one_camera_system_are_not_shown_by_system(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", [plan()])
    write_scores(path, BASELINE.trial_id, baseline_scores(4).assign(system="white"))
    write_scores(path, plan().spec.trial_id, trial_scores(plan(), 4).assign(system="white"))
    findings = find(open_run(path))
    assert [picture.name for picture in _pictures(input_violins(findings))] == ["input_violins"]
    assert str(system_violins(findings)).startswith("the images that were scored are of a single camera system")


@pytest.mark.usefixtures("unsaved_pictures")
def test_camera_systems_beyond_the_colours_are_named(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    scores = baseline_scores(16)
    write_scores(path, BASELINE.trial_id, scores.assign(system=[f"system {n % 8}" for n in scores["image"]]))
    by_system = _pictures(input_violins(find(open_run(path))))[1]
    assert "Further camera systems, in the tables: system 6, system 7" in by_system.caption


@pytest.mark.usefixtures("unsaved_pictures")
def test_models_are_drawn_for_both_regions_and_name_the_qualities_left_to_the_tables(tmp_path: Path) -> None:
    findings = _findings(tmp_path)
    for make, name in ((model_violins, "model_violins"), (change_violins, "change_violins")):
        pictures = _pictures(make(findings))
        assert [picture.name for picture in pictures] == [f"{name}_full", f"{name}_crop"]
        assert "Further qualities, in the tables: 10, 60, 80, 90" in pictures[0].caption


@pytest.mark.usefixtures("unsaved_pictures")
def test_single_finalist_is_compared_with_the_others_on_validation_images(tmp_path: Path) -> None:
    plans = [plan(0), plan(1, finalist=False, margin=-1.6)]
    pictures = _pictures(model_violins(find(open_run(write_run(tmp_path / "run", plans)))))
    assert [picture.name for picture in pictures] == [
        *("model_violins_full", "model_violins_crop", "model_violins_validation")
    ]


def test_suspect_finalists_are_counted_and_not_shown(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run", [plan(0), plan(1)])))
    assert len(_shown_by(findings).trials) == 2
    odd = findings.run.trials[1].trial_id
    shown = _shown_by(replace(findings, suspects={odd: "dead"}))
    assert shown.trials == (findings.run.trials[0],)
    assert shown.further() == f" Not shown, being suspect: {odd} (dead)."


def test_best_trial_without_test_scores_is_shown_on_validation_images(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run", [plan(0), plan(1, finalist=False, margin=-1.6)])))
    finalist, _ = findings.run.trials
    assert _shown_by(replace(findings, suspects={finalist.trial_id: "dead"})).split == "validation"


def test_figures_show_the_pick_where_a_time_budget_paused_it(tmp_path: Path) -> None:
    paused = plan(1, margins={25: 0.1, 50: 0.5, 75: 0.6}, status=TrialStatus.PAUSED)
    findings = find(open_run(write_run(tmp_path / "run", [plan(0), paused])))
    assert findings.pick.trial_id == paused.spec.trial_id
    assert findings.best is not None
    assert findings.best.trial_id == paused.spec.trial_id
    assert _shown_by(findings).trials[0] is findings.best


def test_the_linear_filter_is_always_among_what_is_compared(tmp_path: Path) -> None:
    plans = [plan(seed, margin=-seed / 10) for seed in range(len(COLOURS) + 2)]
    linear = plan(0, architecture="linear", epochs=0, epochs_run=0, margin=-2.0)
    shown = _shown_by(find(open_run(write_run(tmp_path / "run", [*plans, linear]))))
    assert [record.spec.architecture for record in shown.trials] == [*["jjnet"] * (len(COLOURS) - 1), "linear"]


@pytest.mark.usefixtures("unsaved_pictures")
def test_systems_are_compared_at_the_quality_of_the_pick(tmp_path: Path) -> None:
    (picture,) = _pictures(system_violins(_findings(tmp_path)))
    assert "JPEG-50" in picture.caption


def test_violins_without_jpeg_as_it_is_say_so(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run", [plan()], baseline=False)))
    assert str(input_violins(findings)).startswith("JPEG as it is has no scores on test images")
    assert str(model_violins(findings)).startswith("it takes JPEG as it is and a trial")


def test_trial_of_other_images_than_jpeg_has_no_violins(tmp_path: Path) -> None:
    trial = plan(finalist=False)
    path = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    write_scores(path, trial.spec.trial_id, scores.assign(image=scores["image"] + 100))
    assert str(model_violins(find(open_run(path)))).endswith("share no scored image")
    assert str(change_violins(find(open_run(path)))).startswith("no restored image has scores of its JPEG file")


def test_restored_images_without_scores_of_their_input_have_no_violins_of_change(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", [plan(margins={50: 0.1})])
    scores = baseline_scores(4)
    write_scores(path, BASELINE.trial_id, scores[scores["input_quality"] != 50])
    assert str(change_violins(find(open_run(path)))).startswith("no restored image has scores of its")


def test_trials_of_one_split_are_compared_and_counts_those_it_leaves_out(tmp_path: Path) -> None:
    plans = [plan(seed, margin=-seed / 10) for seed in range(len(COLOURS) + 2)]
    path = write_run(tmp_path / "run", plans)
    other = plan(99, split="data100", margin=1.0, finalist=False, scored=False)
    append_record(path, record_of(other))
    shown = _shown_by(find(open_run(path)))
    assert [record.spec.seed for record in shown.trials] == list(range(len(COLOURS)))
    assert shown.further() == " Further trials, in the tables: 2."
    assert shown.records[0].spec == BASELINE


def test_distribution_without_rows_is_empty() -> None:
    table, note = distribution_of(_rows([], []), _sheet())
    assert table.empty
    assert note == ""

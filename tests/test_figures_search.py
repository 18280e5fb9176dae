"""Figures of a search: curves, history, coordinates and costs by hand, and drawings that show each trial once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from analysis.figures.picture import Picture
from analysis.figures.search import (
    STATUS_MARKERS,
    MarginAxis,
    cost,
    draw_learning_curves,
    draw_quality_and_cost,
    draw_search_history,
    history,
    learning,
    learning_curves,
    margin_axis,
    quality_and_cost,
    rungs,
    search_history,
)
from analysis.figures.style import COLOURS
from analysis.findings import Findings, find
from analysis.run import open_run
from search.records import RECORDS, TrialRecord, append_record
from search.space.spec import TrialSpec, TrialStatus
from tests.run_fixture import plan, write_run

AXIS = MarginAxis(-1.5, -3.0)


def _row(epoch: int, **measured: float | None) -> dict[str, Any]:
    return {"epoch": epoch, "loss": 0.5 / epoch, "margin": -1.0 + epoch / 10, "psnr_gain_db": 0.1} | measured


def _record(
    seed: int = 0, margin: float | None = -1.0, status: TrialStatus = TrialStatus.COMPLETED, **given: Any
) -> Any:
    own = {name: given.pop(name) for name in ("parameters", "macs_per_pixel", "curve", "epochs_run") if name in given}
    spec = TrialSpec(**{"architecture": "jjnet", "seed": seed, "epochs": 3, **given})
    record = TrialRecord(spec, status, 3, margin, None if margin is None else 0.5, -1.5, 9.0, parameters=10)
    return replace(record, **own)


def _findings(path: Path, *records: TrialRecord) -> Findings:
    run = write_run(path / "run", [plan()])
    first, *_ = (run / RECORDS).read_text().splitlines(keepends=True)
    (run / RECORDS).write_text(first)  # JPEG as it is
    for record in records:
        append_record(run, record)
    return find(open_run(run))


def _picture(drawn: list[Picture] | str) -> Picture:
    assert not isinstance(drawn, str)
    return drawn[0]


def _ends(figure: Figure, panel: int) -> list[str]:
    return [
        str(line.get_marker()) for line in figure.axes[panel].get_lines() if line.get_marker() not in ("None", None)
    ]


def test_learning_curves_hold_a_row_for_each_epoch_and_nan_for_what_an_epoch_lacks() -> None:
    curve = (_row(1, validation_loss=0.7), _row(2, loss=None, margin=None))
    table = learning_curves([_record(curve=curve, loss="hf"), _record(1)])
    assert table["epoch"].tolist() == [1, 2]
    assert table[["loss", "validation_loss", "margin"]].iloc[0].tolist() == [0.5, 0.7, -0.9]
    assert table[["loss", "validation_loss", "margin"]].iloc[1].isna().all()
    assert set(table["trained_on"]) == {"hf"}


def test_learning_curves_have_a_column_of_panels_for_each_loss_and_end_in_the_status() -> None:
    records = [
        _record(0, curve=(_row(1), _row(2))),
        _record(1, curve=(_row(1),), loss="mae", status=TrialStatus.STOPPED),
        _record(2, curve=(_row(1), _row(2, loss=None, margin=None)), loss="mae", status=TrialStatus.DIVERGED),
        _record(3, curve=(_row(1),), loss="mae", status=TrialStatus.DEAD),
    ]
    figure = draw_learning_curves(learning_curves(records), {records[0].trial_id: "first"}, AXIS)
    assert [panel.get_title() for panel in figure.axes] == ["trained on mae", "trained on mse", "", ""]
    assert (figure.axes[0].get_ylabel(), figure.axes[2].get_ylabel()) == ("loss", "monitored margin")
    assert [panel.get_yscale() for panel in figure.axes] == ["log", "log", "linear", "linear"]
    assert _ends(figure, 0) == _ends(figure, 2) == [STATUS_MARKERS[record.status] for record in records[1:]]
    assert _ends(figure, 1) == ["o"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "0: as good as the reference" or labels[0] == "first"
    assert {"completed", "stopped", "diverged", "dead"} <= set(labels)
    assert "validation loss" not in labels


def test_validation_loss_of_a_named_trial_is_dashed() -> None:
    record = _record(curve=(_row(1, validation_loss=0.6), _row(2, validation_loss=0.4)))
    figure = draw_learning_curves(learning_curves([record]), {record.trial_id: "first"}, AXIS)
    (dashed,) = (line for line in figure.axes[0].get_lines() if line.get_linestyle() == "--")
    assert np.asarray(dashed.get_ydata()).tolist() == [0.6, 0.4]
    assert "validation loss" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_curves_without_a_name_are_drawn_as_points_of_the_picture() -> None:
    records = [_record(seed, curve=(_row(1), _row(2))) for seed in range(3)]
    lines = draw_learning_curves(learning_curves(records), {}, AXIS).axes[0].get_lines()
    assert all(line.get_rasterized() for line in lines if len(line.get_xdata()) > 1)


def test_history_keeps_the_order_of_ending_and_the_best_so_far() -> None:
    records = [
        _record(0, -2.0, TrialStatus.STOPPED, epochs_run=1),
        _record(1, None, TrialStatus.FAILED, epochs_run=0),
        _record(2, 0.5, TrialStatus.DIVERGED, epochs_run=2),
        _record(3, -1.0),
        _record(4, -1.5, TrialStatus.STOPPED, epochs_run=2),
    ]
    table = search_history(records)
    assert table["place"].tolist() == [1, 2, 3, 4, 5]
    assert table["best"].tolist() == [-2.0, -2.0, -2.0, -1.0, -1.0]  # the diverged one is never the best
    assert rungs(table) == [1, 2]


def test_history_marks_every_trial_once_and_its_epochs() -> None:
    records = [
        _record(0, -1.0),
        _record(1, -9.0, TrialStatus.STOPPED, epochs_run=1),
        _record(2, None, TrialStatus.FAILED, epochs_run=0),
    ]
    figure = draw_search_history(search_history(records), AXIS)
    above, below = figure.axes
    points = {str(line.get_label()): line for line in above.get_lines() if line.get_linestyle() == "None"}
    assert list(points) == ["completed: 1", "stopped: 1", "failed: 1 (1 without a margin)"]
    assert np.asarray(points["stopped: 1"].get_ydata()).tolist() == [-3.0]  # on the floor
    assert float(np.asarray(points[list(points)[2]].get_ydata())[0]) < -3.0
    bars = [
        path for bundle in below.collections if isinstance(bundle, LineCollection) for path in bundle.get_segments()
    ]
    assert sorted(float(bar[1, 1]) for bar in bars) == [0, 1, 3]
    assert figure.get_suptitle() == "3 trials, 4 epochs of the 9 that all would take to the end"
    assert below.get_xlabel() == "trial, in order of ending"
    assert "best so far" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_floor_is_as_far_below_jpeg_as_the_best_is_above_it() -> None:
    assert margin_axis([_record(0, 0.5), _record(1, -200.0)]) == MarginAxis(-1.5, -3.5)
    assert margin_axis([_record(0, -1.4)]).floor == -2.5  # at least 1
    assert margin_axis([replace(_record(0, 0.5), input_margin=None)]) == MarginAxis()
    axis = MarginAxis(-1.5, -3.0)
    assert axis.clip(np.array([-200.0, 0.5])).tolist() == [-3.0, 0.5]
    assert axis.below(np.array([-200.0, 0.5, np.nan])) == " Margins under -3.00 are drawn at that level: 1."
    assert axis.below(np.array([0.5])) == ""


def test_a_trial_that_a_time_budget_paused_counts_as_any_other() -> None:
    paused = _record(0, -0.5, TrialStatus.PAUSED, macs_per_pixel=9, parameters=9)
    table = quality_and_cost([paused, _record(1, -1.0, macs_per_pixel=10, parameters=10)])
    assert table["trial_id"].to_list() == [paused.trial_id, _record(1).trial_id]
    assert table["front_macs_per_pixel"].to_list() == [True, False]
    assert search_history([_record(1, -1.0), paused])["best"].to_list() == [-1.0, -0.5]


def test_front_holds_the_trials_that_none_beats_in_both() -> None:
    records = [
        _record(0, -1.0, macs_per_pixel=100),
        _record(1, -1.2, macs_per_pixel=100),  # as cheap, worse
        _record(2, -1.0, macs_per_pixel=200),  # as good, dearer
        _record(3, 0.0, macs_per_pixel=300),
        _record(4, -2.0, macs_per_pixel=50),
        _record(5, 9.0, TrialStatus.DIVERGED, macs_per_pixel=1),
        _record(6, 9.0, macs_per_pixel=0),  # unknown
    ]
    table = quality_and_cost(records)
    assert table["front_macs_per_pixel"].tolist() == [True, False, False, True, True, False]
    assert np.isnan(table["macs_per_pixel"].iloc[-1])


def test_cost_is_drawn_for_each_network_hollow_where_it_was_stopped() -> None:
    records = [
        _record(0, -1.0, macs_per_pixel=100),
        _record(1, -1.2, TrialStatus.STOPPED, macs_per_pixel=1000, architecture="unet"),
    ]
    figure = draw_quality_and_cost(quality_and_cost(records), AXIS)
    assert [panel.get_xlabel() for panel in figure.axes] == ["multiply-accumulates a pixel", "parameters"]
    assert [panel.get_xscale() for panel in figure.axes] == ["log", "log"]
    points = [line for line in figure.axes[0].get_lines() if line.get_label() == "_points" and len(line.get_xdata())]
    assert [np.asarray(line.get_xdata()).tolist() for line in points] == [[100], [1000]]
    assert [line.get_markerfacecolor() == "none" for line in points] == [False, True]
    assert {"jjnet", "unet", "best at its cost", "hollow: stopped"} <= {
        t.get_text() for t in figure.legends[0].get_texts()
    }
    assert len({(line.get_marker(), line.get_color()) for line in points}) == 2


def test_search_figures_without_their_numbers_say_so(tmp_path: Path) -> None:
    failed = _findings(tmp_path, _record(0, None, TrialStatus.FAILED))
    assert learning(failed) == "no trial has one"
    assert cost(failed) == "no trial with a margin tells what its network costs"


def test_history_without_a_trial_says_so(tmp_path: Path) -> None:
    assert history(_findings(tmp_path)) == "no trial has ended"


@pytest.mark.usefixtures("unsaved_pictures")
def test_captions_count_what_is_not_drawn(tmp_path: Path) -> None:
    curve = (_row(1, loss=None, margin=None),)
    findings = _findings(
        tmp_path,
        _record(0, -1.0, macs_per_pixel=5, curve=(_row(1),)),
        _record(1, -1.2, TrialStatus.STOPPED, macs_per_pixel=9, epochs_run=1),
        _record(2, None, TrialStatus.DIVERGED, curve=curve),
    )
    captions = {make.__name__: _picture(make(findings)).caption for make in (learning, history, cost)}
    assert "Epochs whose loss is no finite number, not drawn: 1." in captions["learning"]
    assert "Trials without a curve, not drawn: 1." in captions["learning"]
    assert "No trial was asked for a validation loss." in captions["learning"]
    assert "stopped at epoch 1," in captions["history"]
    assert "Trials without a margin, marked on the lower edge: 1." in captions["history"]
    assert "not drawn: 1." in captions["cost"]


@pytest.mark.usefixtures("unsaved_pictures")
def test_one_trial_has_its_history_and_curve(tmp_path: Path) -> None:
    findings = _findings(tmp_path, _record(0, -1.0, macs_per_pixel=5, curve=(_row(1),)))
    assert [_picture(make(findings)).name for make in (learning, history, cost)] == [
        *("learning_curves", "search_history", "quality_and_cost")
    ]


def test_search_of_many_trials_names_the_best(tmp_path: Path) -> None:
    records = [_record(seed, -seed / 10, curve=(_row(1),)) for seed in range(len(COLOURS) + 3)]
    table = learning_curves(records)
    named = {record.trial_id: f"trial {record.spec.seed}" for record in records[: len(COLOURS)]}
    labels = [text.get_text() for text in draw_learning_curves(table, named, AXIS).legends[0].get_texts()]
    assert labels[: len(COLOURS)] == [f"trial {place}" for place in range(len(COLOURS))]
    assert labels[len(COLOURS)] == "other trials, training loss alone"

"""Figures: their tables by hand, and drawings that become files of the right kind, the same each time."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from analysis.comparison import compare
from analysis.figures import album
from analysis.figures.album import draw_pictures
from analysis.figures.canvas import COLOURS, MARKERS, new_figure, to_svg
from analysis.figures.curve import draw_quality_curve, quality_curve
from analysis.figures.scores_album import curve
from analysis.findings import find
from analysis.pick import choose
from analysis.run import Run, RunError, open_run
from analysis.samples import Samples, read_samples
from search.records import TrialRecord
from search.spec import BASELINE, TrialStatus
from tests.run_fixture import QUALITIES, Plan, plan, trial_scores, write_run, write_scores

PANELS = ["panel_fixed_q75", "panel_fixed_q50", "panel_worst_q50"]
OF_PIXELS = ["predicted_noise", "channels", "spectra", "histograms", "equalised"]
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def _baseline(run: Run) -> TrialRecord:
    assert run.baseline is not None
    return run.baseline


def _samples(size_px: int = 128) -> Samples:
    original = np.full((1, size_px, size_px, 3), 100, np.uint8)
    degraded = np.stack([original + 10, original + 20], axis=1)
    restored = np.stack([original, original + 10], axis=1)
    return Samples(original, degraded, restored, ("cell 0",), (50, 25), ("fixed",))


def test_curve_holds_the_means_of_jpeg_and_of_the_trial(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", [plan(margins={50: 0.1, 25: -1.0})]))
    table = quality_curve(run.scores, [_baseline(run), *run.finalists], "test")
    rows = table.set_index(["trial_id", "input_quality"])
    assert rows.loc[(BASELINE.trial_id, 90), "psnr_db"] == pytest.approx(43.0)
    assert rows.loc[(run.trials[0].trial_id, 50), "psnr_db"] == pytest.approx(40.2)
    assert rows.loc[(run.trials[0].trial_id, 25), "ssim"] == pytest.approx(0.975)
    assert (table["n_images"] == 4).all()
    assert list(table["trial_id"].unique()) == [BASELINE.trial_id, run.trials[0].trial_id]


def test_curve_averages_over_the_images_that_all_share(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    write_scores(run, trial.spec.trial_id, scores[scores["image"] == 7])
    opened = open_run(run)
    table = quality_curve(opened.scores, [_baseline(opened), *opened.trials], "test")
    reference = table[(table["trial_id"] == BASELINE.trial_id) & (table["input_quality"] == 75)]
    assert reference["psnr_db"].item() == pytest.approx(40.4)
    assert (table["n_images"] == 1).all()


def test_curve_leaves_infinite_psnr_out_of_its_means(tmp_path: Path) -> None:
    trial = plan(margins={50: 0.0})
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    scores.loc[scores["image"] == 7, "psnr_db"] = np.inf
    write_scores(run, trial.spec.trial_id, scores)
    opened = open_run(run)
    table = quality_curve(opened.scores, [_baseline(opened), *opened.trials], "test")
    assert np.isfinite(table["psnr_db"]).all()


def test_curve_draws_a_line_per_model_and_rings_the_pick(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", [plan(0), plan(1)]))
    pick = choose(run, compare(run.scores, [BASELINE.trial_id], 75))
    figure = draw_quality_curve(quality_curve(run.scores, [_baseline(run), *run.finalists], "test"), pick, "test")
    for panel in figure.axes:
        lines = {str(line.get_label()): line for line in panel.get_lines()}
        assert len(lines) == 5  # JPEG, two trials, the reference's level, the ring
        np.testing.assert_array_equal(np.asarray(lines["the pick: quality 50"].get_xdata()), [50])
    np.testing.assert_array_equal(np.asarray(figure.axes[0].get_lines()[0].get_xdata()), QUALITIES)


def test_figures_are_the_same_files_each_time(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run", [plan(0), plan(1)])))
    (first, first_notes), (second, second_notes) = draw_pictures(findings), draw_pictures(findings)
    assert first == second
    assert first_notes == second_notes == []
    names = [picture.name for picture in first]
    assert {"quality_curve", "model_violins_full", *PANELS, *OF_PIXELS} <= set(names)
    assert len(names) == len(set(names))
    for picture in first:
        assert picture.png.startswith(PNG_MAGIC)
        assert b"<svg" in picture.svg


def test_more_trials_than_colours_are_counted_in_the_caption(tmp_path: Path) -> None:
    plans = [plan(seed) for seed in range(len(COLOURS) + 2)]
    run = write_run(tmp_path / "run", plans)
    shutil.rmtree(run / "samples")
    (picture,) = curve(find(open_run(run)))
    assert "Further trials, in the tables: 2" in picture.caption
    assert len(MARKERS) == len(COLOURS)


@pytest.mark.usefixtures("unsaved_pictures")
def test_missing_samples_are_told(tmp_path: Path) -> None:
    trial = plan()
    run = write_run(tmp_path / "run", [trial])
    (run / "samples" / f"{trial.spec.trial_id}.npz").unlink()
    pictures, notes = draw_pictures(find(open_run(run)))
    assert not [picture.name for picture in pictures if picture.name.startswith("panel_")]
    assert f"{trial.spec.trial_id} has no sample pictures: there is no comparison of pixels." in notes


@pytest.mark.parametrize("n_bytes", [0, 10, 3000])
def test_torn_samples_are_told(tmp_path: Path, n_bytes: int) -> None:
    trial = plan()
    run = write_run(tmp_path / "run", [trial])
    file = run / "samples" / f"{trial.spec.trial_id}.npz"
    file.write_bytes(file.read_bytes()[:n_bytes])
    with pytest.raises(RunError, match="cannot be read"):
        read_samples(run, trial.spec.trial_id)


def test_samples_of_another_shape_are_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    samples = _samples()
    (run / "samples").mkdir()
    np.savez(
        run / "samples" / "trial.npz",
        original=samples.original,
        degraded=samples.degraded[:, :1],
        restored=samples.restored,
        names=np.array(samples.names),
        qualities=np.array(samples.qualities),
        kinds=np.array(samples.kinds),
    )
    with pytest.raises(RunError, match="must be of shape"):
        read_samples(run, "trial")


def test_samples_are_read_as_written(tmp_path: Path) -> None:
    trial = plan()
    samples = read_samples(write_run(tmp_path / "run", [trial]), trial.spec.trial_id)
    assert samples.original.dtype == np.uint8
    assert (samples.qualities, samples.kinds, samples.names) == ((25, 50, 75), ("fixed", "worst"), ("cell 4", "cell 5"))


@pytest.mark.usefixtures("unsaved_pictures")
def test_run_without_trials_draws_jpeg_alone_and_says_why(tmp_path: Path) -> None:
    pictures, notes = draw_pictures(find(open_run(write_run(tmp_path / "run"))))
    assert all(picture.name.startswith("input_violins") for picture in pictures)
    assert {"No quality curve", "No violins of models", "No comparison of pixels"} <= {n.split(":")[0] for n in notes}


@pytest.mark.usefixtures("unsaved_pictures")
def test_trial_that_shares_no_image_with_jpeg_is_not_drawn(tmp_path: Path) -> None:
    trial = plan(finalist=False)
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    write_scores(run, trial.spec.trial_id, scores.assign(image=scores["image"] + 100))
    _, notes = draw_pictures(find(open_run(run)))
    assert any("share no scored image" in note for note in notes)
    assert any(note.startswith("No violins of models") for note in notes)


def test_dead_trial_is_never_the_best(tmp_path: Path) -> None:
    dead = plan(0, status=TrialStatus.DEAD, margin=-1.0, finalist=False)
    stopped = plan(1, status=TrialStatus.STOPPED, margin=-2.0, finalist=False)
    best = find(open_run(write_run(tmp_path / "run", [dead, stopped]))).best
    assert best is not None
    assert best.spec.seed == 1


ODD_PLANS: dict[str, list[Plan]] = {
    "one failed": [plan(0, status=TrialStatus.FAILED, scored=False, margin=None)],
    "one not scored": [plan(0, scored=False)],
    "one quality": [plan(0, margins={75: 0.1})],
    "no finalist": [plan(0, finalist=False), plan(1, finalist=False, margin=None, status=TrialStatus.DIVERGED)],
}


@pytest.mark.usefixtures("unsaved_pictures")
@pytest.mark.parametrize("plans", ODD_PLANS.values(), ids=ODD_PLANS.keys())
@pytest.mark.parametrize("baseline", [True, False], ids=["JPEG as it is", "no JPEG as it is"])
def test_every_figure_of_an_odd_run_of_one_image_is_drawn_or_says_why(
    tmp_path: Path, plans: list[Plan], baseline: bool
) -> None:
    findings = find(open_run(write_run(tmp_path / "run", plans, n_images=1, baseline=baseline)))
    for make in album.ALBUM:
        try:
            texts = [picture.caption for picture in make(findings)]
        except RunError as error:
            texts = [str(error)]
        assert texts
        assert all(text.endswith(".") and "nan" not in text.lower() for text in texts)


def test_canvas_leaves_no_figure_behind() -> None:
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    assert b"<svg" in to_svg(new_figure(2, 1))
    assert pyplot.get_fignums() == before


@pytest.mark.usefixtures("unsaved_pictures")
def test_trial_whose_samples_are_missing_is_named_in_the_caption(tmp_path: Path) -> None:
    plans = [plan(0), plan(1, margin=-1.6)]
    run = write_run(tmp_path / "run", plans)
    (run / "samples" / f"{plans[1].spec.trial_id}.npz").unlink()
    pictures, notes = draw_pictures(find(open_run(run)))
    assert notes == []
    assert f"not shown: {plans[1].spec.trial_id}." in next(p.caption for p in pictures if p.name == PANELS[0])

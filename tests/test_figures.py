"""Figures: their tables by hand, and drawings that become files of the right kind, the same each time."""

import multiprocessing
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.figures import samples as of_samples
from analysis.figures.catalogue import CATALOGUE, draw_figures, figures_of
from analysis.figures.picture import Picture, save
from analysis.figures.samples import before_after, noise, panels
from analysis.figures.scores import curve
from analysis.figures.style import new_figure
from analysis.figures.subplots import draw_subplots
from analysis.findings import Findings, find
from analysis.pictures import Samples, read_samples
from analysis.run import open_run
from datasets.cores import n_cores
from search.space.spec import TrialStatus
from tests.run_fixture import Plan, plan, trial_scores, write_run, write_scores

PANELS = ["panel_fixed_q75", "panel_fixed_q50", "panel_worst_q50"]
OF_PIXELS = ["predicted_noise", "channels", "spectra", "histograms", "equalised"]
OF_GALLERY = ["sample_sheet", "sample_crops", "worst_inputs", "feature_maps"]
OF_JPEG_ALONE = ["input_violins", "input_violins_by_system"]
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def _drawn(findings: Findings) -> tuple[list[Picture], list[str]]:
    pictures, notes = draw_figures(findings)
    return [picture for own in pictures.values() for picture in own], notes


def _samples(size_px: int = 128) -> Samples:
    original = np.full((1, size_px, size_px, 3), 100, np.uint8)
    degraded = np.stack([original + 10, original + 20], axis=1)
    restored = np.stack([original, original + 10], axis=1)
    return Samples(original, degraded, restored, ("cell 0",), (50, 25), ("fixed",))


def test_every_figure_of_a_run_becomes_a_png_and_an_svg_of_its_own_name(tmp_path: Path) -> None:
    pictures, notes = _drawn(find(open_run(write_run(tmp_path / "run", [plan(0), plan(1)]))))
    assert notes == []
    names = [picture.name for picture in pictures]
    assert {"quality_curve", "model_violins_full", *PANELS, *OF_PIXELS, *OF_GALLERY} <= set(names)
    assert len(names) == len(set(names))
    for picture in pictures:
        assert picture.png.startswith(PNG_MAGIC)
        assert b"<svg" in picture.svg
        assert picture.webp[8:12] == b"WEBP"


def test_nothing_is_drawn_any_more_once_its_tables_have_failed(tmp_path: Path) -> None:
    def fail() -> None:
        assert multiprocessing.active_children() or n_cores() == 1
        raise ZeroDivisionError

    findings = find(open_run(write_run(tmp_path / "run", [plan(0)])))
    with pytest.raises(ZeroDivisionError), figures_of(findings):
        fail()
    assert not multiprocessing.active_children()


def test_figures_are_the_same_files_each_time(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run", [plan(0), plan(1)])))
    for make in (curve, noise):
        assert make(findings) == make(findings)


@pytest.mark.usefixtures("unsaved_pictures")
def test_missing_samples_are_told(tmp_path: Path) -> None:
    trial = plan()
    run = write_run(tmp_path / "run", [trial])
    (run / "samples" / f"{trial.spec.trial_id}.npz").unlink()
    pictures, notes = _drawn(find(open_run(run)))
    assert not [picture.name for picture in pictures if picture.name.startswith("panel_")]
    assert any(f"{trial.spec.trial_id} has no sample pictures" in note for note in notes)


@pytest.mark.parametrize("n_bytes", [0, 10, 3000])
def test_torn_samples_are_told(tmp_path: Path, n_bytes: int) -> None:
    trial = plan()
    run = write_run(tmp_path / "run", [trial])
    file = run / "samples" / f"{trial.spec.trial_id}.npz"
    file.write_bytes(file.read_bytes()[:n_bytes])
    assert "cannot be read" in str(read_samples(run, trial.spec.trial_id))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"degraded": np.zeros((1, 1, 128, 128, 3), np.uint8)},
            r"must be uint8 of shape .*, found .*\(1, 1, 128, 128, 3\)",
        ),
        ({"original": np.zeros((1, 128, 128, 3))}, "must be uint8 of shape .*, found float64"),
        ({"kinds": np.array(["fixed", "worst"])}, "must say of each of 1 images why it is there, found 2 reasons"),
        ({"names": np.array([], np.str_)}, "must be of an image and a quality at least, found 0 and 2"),
        ({"qualities": np.array([], int)}, "must be of an image and a quality at least, found 1 and 0"),
    ],
)
def test_samples_that_do_not_fit_together_are_told(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    (tmp_path / "samples").mkdir()
    np.savez(tmp_path / "samples" / "trial.npz", **{**vars(_samples()), **changed})
    assert re.match(f"The sample pictures of trial {message}", str(read_samples(tmp_path, "trial")))


def test_samples_are_read_as_written(tmp_path: Path) -> None:
    trial = plan()
    samples = read_samples(write_run(tmp_path / "run", [trial]), trial.spec.trial_id)
    assert isinstance(samples, Samples)
    assert samples.original.dtype == np.uint8
    assert (samples.qualities, samples.kinds, samples.names) == ((25, 50, 75), ("fixed", "worst"), ("cell 4", "cell 5"))


@pytest.mark.usefixtures("unsaved_pictures")
def test_run_without_trials_draws_jpeg_alone_and_says_why(tmp_path: Path) -> None:
    pictures, notes = _drawn(find(open_run(write_run(tmp_path / "run"))))
    assert {picture.name for picture in pictures} <= {*OF_JPEG_ALONE, *OF_GALLERY}
    missing = ("quality curve", "models image by image", "comparison panels")
    assert {f"No figure {name!r}" for name in missing} <= {note.split(":")[0] for note in notes}


@pytest.mark.usefixtures("unsaved_pictures")
def test_trial_that_shares_no_image_with_jpeg_is_not_drawn(tmp_path: Path) -> None:
    trial = plan(finalist=False)
    run = write_run(tmp_path / "run", [trial])
    scores = trial_scores(trial, 4)
    write_scores(run, trial.spec.trial_id, scores.assign(image=scores["image"] + 100))
    _, notes = _drawn(find(open_run(run)))
    assert any("share no scored image" in note for note in notes)
    assert any(note.startswith("No figure 'models image by image'") for note in notes)


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
    for spec in CATALOGUE:
        drawn = spec.draw(findings)
        texts = [f"{drawn}."] if isinstance(drawn, str) else [picture.caption for picture in drawn]
        assert texts
        assert all(text.endswith(".") and "nan" not in text.lower() for text in texts)


def test_canvas_leaves_no_figure_behind() -> None:
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    assert b"<svg" in save(new_figure(2, 1))[2]
    assert pyplot.get_fignums() == before


@pytest.mark.usefixtures("unsaved_pictures")
def test_trial_whose_samples_are_missing_is_named_in_the_caption(tmp_path: Path) -> None:
    plans = [plan(0), plan(1, margin=-1.6)]
    run = write_run(tmp_path / "run", plans)
    (run / "samples" / f"{plans[1].spec.trial_id}.npz").unlink()
    pictures, notes = _drawn(find(open_run(run)))
    assert notes == []
    assert f"not shown: {plans[1].spec.trial_id}." in next(p.caption for p in pictures if p.name == PANELS[0])


@pytest.mark.usefixtures("unsaved_pictures")
def test_panel_shows_no_trial_of_another_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [plan(0, split="data100"), plan(1, split="data101", margin=-1.6)]
    drawn: list[int] = []

    def draw(rows: list[Any], *given: Any, **more: Any) -> Figure:
        drawn.append(len(rows[0]))
        return draw_subplots(rows, *given, **more)

    monkeypatch.setattr(of_samples, "draw_subplots", draw)
    panels(find(open_run(write_run(tmp_path / "run", plans))))
    assert set(drawn) == {3}  # original, JPEG and the best trial


def test_what_the_slider_shows_is_where_jpeg_errs_most(tmp_path: Path) -> None:
    found = before_after(find(open_run(write_run(tmp_path / "run", [plan(0)]))))
    assert found is not None
    assert found["title"] == "JPEG-50"
    assert all(part.startswith(PNG_MAGIC) for part in map(found.get, ("original", "degraded", "restored")))
    assert "cell 5, where JPEG-50 errs most" in found["caption"]
    assert before_after(find(open_run(write_run(tmp_path / "none")))) is None


@pytest.mark.usefixtures("unsaved_pictures")
def test_suspects_are_named_where_figures_miss_them(tmp_path: Path) -> None:
    odd = plan(1, loss="mae", margin=-0.1)
    run = write_run(tmp_path / "run", [plan(0), odd])
    write_scores(run, odd.spec.trial_id, trial_scores(odd, 4).assign(mse=1.0))
    drawn = curve(find(open_run(run)))
    assert not isinstance(drawn, str)
    assert f"Not shown, being suspect: {odd.spec.trial_id} (" in drawn[0].caption

"""What is suspect: in the thesis' printed tables, by the list of their errata, in means made to be odd, in a run."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import suspects
from analysis.cli import main
from analysis.findings import Findings, find
from analysis.images import IMAGES_FILE, read_images
from analysis.run import open_run
from analysis.run_suspects import split_leaks
from analysis.suspects import WORSE, Oddity, examine, reasons
from analysis.tables.catalogue import tables_of
from search.records import RECORDS
from search.space.spec import BASELINE, TrialStatus
from tests.run_fixture import STEPS, baseline_scores, plan, trial_scores, write_images, write_run, write_scores

THESIS = Path(suspects.__file__).parent / "thesis" / "thesis_tables.csv"
# Table 3: JPEG-75 of the large splits, whole images.
LARGE_INPUT = {"mae": 0.00689, "mse": 0.000094, "psnr_db": 40.37, "ssim": 0.9833}


def _thesis() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return Tables 8 to 19 as means and trials, and what Table 3 tells of inputs.

    A trial is named by its table, its loss and its training quality.
    """
    rows = pd.read_csv(THESIS)
    rows["trial"] = rows["table"].astype(str) + " " + rows["loss"] + " " + rows["training_quality"].astype(str)
    rows = rows.rename(columns={"dataset": "split", "value": "mean"}).replace({"metric": {"psnr": "psnr_db"}})
    rows["region"] = "full"
    trials = rows[["trial", "network"]].drop_duplicates()
    inputs = [
        {"split": split, "region": "full", "input_quality": 75, "metric": metric, "mean": mean}
        for split in ("data100", "data101")
        for metric, mean in LARGE_INPUT.items()
    ]
    means = rows[["trial", "split", "region", "input_quality", "metric", "mean"]]
    return means, trials.assign(origin=trials["trial"]), pd.DataFrame(inputs)


def _found(oddities: Iterable[Oddity]) -> dict[str, set[tuple[str, ...]]]:
    found: dict[str, set[tuple[str, ...]]] = {}
    for oddity in oddities:
        found.setdefault(oddity.kind, set()).add(oddity.trials)
    return found


def _each(*trials: str) -> set[tuple[str, ...]]:
    return {(trial,) for trial in trials}


def test_the_thesis_tables_give_their_errata_away() -> None:
    means, trials, inputs = _thesis()
    found = _found(examine(means, trials, inputs, {}))
    dead = ("13 mae 25", "15 mae 75", "17 mae 75")
    assert found.pop("dead") == _each(*dead)
    assert found.pop("duplicated") == {dead}
    assert found.pop("near-dead") == _each("11 mae 75")
    finite = ("10 perceptual 75", "17 hf 75")
    under_by_ten = ("11 hf 75", "13 hf 25", "14 hf 75", "11 perceptual 75", "14 perceptual 75")
    assert found.pop("diverged") == _each(*finite, *under_by_ten)
    heavy = ("8 hf 75", "8 perceptual 75", "11 hf 75", "11 perceptual 75", "18 mse 25")
    assert found.pop("heavy tails") == _each(*heavy)
    assert found.pop("impossible") == _each("19 mse 25")
    assert found.pop("labels swapped") == _each("15 mae 75", "15 mse 75", "15 hf 75", "15 perceptual 75")
    assert found.pop("unclipped") == _each("17 hf 75", "11 hf 75")
    worse = found.pop("worse than its input")
    assert len(worse - _each("18 mse 25")) == 18  # of 40 on the small split; of the large ones, at 75, JJNet-25
    assert worse > _each(*finite, *under_by_ten, "11 mae 75", "14 mse 75", "17 perceptual 75", "18 mse 25")
    assert not found


def test_without_any_input_the_small_tables_still_tell_theirs() -> None:
    means, trials, inputs = _thesis()
    with_inputs = _found(examine(means, trials, inputs, {}))
    without = _found(examine(means, trials, inputs.iloc[:0], {}))
    assert with_inputs.pop("worse than its input") - without.pop("worse than its input") == _each("18 mse 25")
    assert with_inputs == without


def test_findings_in_the_thesis_say_what_was_found_and_where() -> None:
    means, trials, inputs = _thesis()
    sentences = [finding.sentence for finding in examine(means, trials, inputs, {})]
    for start, words in (
        ("8 hf 75", "its mean MSE is 6.86 times what its mean PSNR implies: a few images have very large errors (tiny"),
        ("19 mse 25", "its mean MSE is 0.95 times what its mean PSNR implies, and under 1 cannot be (data101 full at"),
        ("17 hf 75", "its mean MSE is above its MAE: errors exceed 1 (tinydata full at 25)"),
        ("10 perceptual 75", "its mean PSNR is more than 10 dB under its input's (tinydata full at 75)"),
    ):
        assert any(sentence.startswith(f"{start}: {words}") for sentence in sentences), (start, sentences)


INPUT = {
    50: {"mae": 0.009, "mse": 0.0002, "psnr_db": 38.0, "ssim": 0.975},
    75: {"mae": 0.007, "mse": 0.0001, "psnr_db": 40.2, "ssim": 0.985},
}
GOOD = {
    50: {"mae": 0.007, "mse": 0.00011, "psnr_db": 40.0, "ssim": 0.983},
    75: {"mae": 0.005, "mse": 0.00006, "psnr_db": 42.5, "ssim": 0.988},
}


def _rows(trial: str, means: Mapping[int, Mapping[str, float]], region: str = "full") -> pd.DataFrame:
    rows = [
        {"trial": trial, "split": "test", "region": region, "input_quality": quality, "metric": metric, "mean": mean}
        for quality, row in means.items()
        for metric, mean in row.items()
    ]
    return pd.DataFrame(rows)


def _examine(*trials: pd.DataFrame, origin: Mapping[str, str] | None = None, **statuses: str) -> list[Oddity]:
    means = pd.concat(trials, ignore_index=True)
    names = means["trial"].unique()
    listed = pd.DataFrame(
        {"trial": names, "network": names, "origin": [(origin or {}).get(name, name) for name in names]}
    )
    inputs = pd.concat([_rows("input", INPUT), _rows("input", INPUT, "crop")]).drop(columns="trial")
    return list(examine(means, listed, inputs, statuses))


def _shifted(means: Mapping[int, Mapping[str, float]], **factors: float) -> dict[int, dict[str, float]]:
    return {
        quality: {metric: mean * factors.get(metric, 1) for metric, mean in row.items()}
        for quality, row in means.items()
    }


def test_a_good_trial_is_not_suspected() -> None:
    assert _examine(_rows("good", GOOD)) == []


def test_no_means_leave_what_was_recorded() -> None:
    findings = examine(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), {"a": "dead", "b": "completed", "c": "diverged"})
    assert [(finding.kind, finding.trials) for finding in findings] == [("dead", ("a",)), ("diverged", ("c",))]
    assert set(reasons(findings)) == {"a", "c"}


def test_a_trial_that_returns_its_input_is_dead() -> None:
    findings = _examine(_rows("still", INPUT))
    assert [finding.kind for finding in findings] == ["dead"]
    assert set(reasons(findings)) == {"still"}


def test_what_the_record_says_is_not_said_again() -> None:
    (finding,) = _examine(_rows("still", INPUT), still="dead")
    assert finding.sentence == "still: dead, says its record"


def test_a_trial_that_differs_from_its_input_in_one_quality_is_not_dead() -> None:
    assert _examine(_rows("half", {50: GOOD[50], 75: INPUT[75]})) == []


@pytest.mark.parametrize(("factor", "kind"), [(1.4, None), (2.0, "heavy tails"), (0.5, "impossible")])
def test_mse_is_judged_by_what_psnr_implies(factor: float, kind: str | None) -> None:
    findings = _examine(_rows("tailed", _shifted(GOOD, mse=factor)))
    assert [finding.kind for finding in findings] == ([kind] if kind else [])
    assert set(reasons(findings)) == ({"tailed"} if kind == "impossible" else set())


def test_different_trials_with_equal_means_are_kept_out_and_their_kind_is_not() -> None:
    columns = _rows("one", GOOD), _rows("two", _shifted(GOOD, mae=1.0005))
    (finding,) = _examine(*columns)
    assert (finding.kind, finding.trials) == ("duplicated", ("one", "two"))
    assert set(reasons([finding])) == {"one", "two"}
    assert _examine(*columns, origin={"two": "one"}) == []


def test_trials_that_differ_in_the_third_digit_are_not_duplicates() -> None:
    assert _examine(_rows("one", GOOD), _rows("two", _shifted(GOOD, mae=1.005))) == []


def test_worse_than_the_input_needs_every_quality_and_is_no_reason_to_be_kept_out() -> None:
    everywhere = _shifted(INPUT, psnr_db=0.95, mse=1.7, mae=1.1)
    (finding,) = _examine(_rows("weak", everywhere))
    assert (finding.kind, set(reasons([finding]))) == ("worse than its input", set())
    assert _examine(_rows("uneven", {50: everywhere[50], 75: GOOD[75]})) == []


def test_places_of_one_oddity_make_one_finding() -> None:
    (finding,) = _examine(_rows("still", INPUT), _rows("still", INPUT, "crop"))
    assert finding.where == "test crop at 50, 75; test full at 50, 75"


def test_unknown_means_accuse_nobody() -> None:
    assert _examine(_rows("unknown", _shifted(GOOD, mae=float("nan"), psnr_db=float("nan")))) == []


def test_near_duplicates_on_both_sides_of_a_split_are_counted() -> None:
    images = pd.DataFrame(
        {
            "image": range(6),
            "group": [0, 0, 1, 1, 2, 3],
            "data100": ["train", "test", "train", "train", "test", "validation"],
            "tiny": ["train", "", "", "train", "", "validation"],
            "data101": ["test", "validation", "train", "train", "test", "test"],
        }
    )
    data100, data101 = split_leaks(images)
    assert data100.where == "data100"
    assert "1 groups of near-duplicate images stand on more than one side" in data100.sentence
    assert "1 images to validate or test on resemble one that was trained on" in data100.sentence
    assert "0 images to validate" in data101.sentence
    assert set(reasons([data100, data101])) == set()


def _find(run: Path) -> Findings:
    return find(open_run(run))


def _kinds(findings: Findings) -> dict[str, str]:
    numbers = tables_of(findings)["suspects"].frame
    return dict(zip(numbers["kind"], numbers["trials"], strict=True))


def test_an_honest_run_has_no_table_of_what_is_odd(tmp_path: Path) -> None:
    findings = _find(write_run(tmp_path / "run", [plan(0), plan(1)]))
    assert "suspects" not in tables_of(findings)
    assert not findings.suspects


def test_a_trial_that_returns_its_input_is_not_picked_though_its_record_says_completed(tmp_path: Path) -> None:
    copy, honest = plan(loss="mae", margin=-0.1), plan(margin=-1.0)
    run = write_run(tmp_path / "run", [copy, honest])
    write_scores(run, copy.spec.trial_id, baseline_scores(4))
    findings = _find(run)
    assert _kinds(findings) == {"dead": copy.spec.trial_id}
    assert findings.pick.trial_id == findings.strict.model == honest.spec.trial_id
    assert findings.best is not None
    assert findings.best.trial_id == honest.spec.trial_id


def test_when_every_finalist_is_suspect_the_pick_says_so(tmp_path: Path) -> None:
    trial = plan()
    run = write_run(tmp_path / "run", [trial])
    write_scores(run, trial.spec.trial_id, baseline_scores(4))
    pick = _find(run).pick
    assert pick.quality is None
    assert f"every finalist is suspect: {trial.spec.trial_id} (dead)" in pick.reason


def test_trials_with_the_same_scores_are_both_kept_out(tmp_path: Path) -> None:
    one, other, third = plan(0), plan(1, loss="mae"), plan(2, margins={50: 0.3, 75: 0.5})
    run = write_run(tmp_path / "run", [third, one, other])
    for item in (one, other):
        write_scores(run, item.spec.trial_id, trial_scores(one, 4))
    findings = _find(run)
    assert set(findings.suspects) == {one.spec.trial_id, other.spec.trial_id}
    assert findings.pick.trial_id == third.spec.trial_id


def test_a_trial_and_the_one_that_went_on_from_it_may_have_the_same_scores(tmp_path: Path) -> None:
    parent = plan(0)
    child = plan(0, epochs=6, parent=parent.spec.trial_id)
    run = write_run(tmp_path / "run", [parent, child])
    for item in (parent, child):
        write_scores(run, item.spec.trial_id, trial_scores(parent, 4))
    assert not _find(run).suspects


def test_trials_of_two_splits_are_judged_beside_the_input_of_their_own(tmp_path: Path) -> None:
    one, other = plan(split="data100"), plan(split="data101", loss="mae")
    assert not _find(write_run(tmp_path / "run", [one, other])).suspects


def test_a_trial_is_judged_beside_what_its_own_encoder_writes(tmp_path: Path) -> None:
    trial = plan(0, encoder="jpeg-c0.6")
    shown = plan(0, architecture="identity", encoder="jpeg-c0.6", epochs=0, epochs_run=0)
    run = write_run(tmp_path / "run", [plan(1), trial, shown])
    write_scores(run, trial.spec.trial_id, baseline_scores(4))  # by chance as JPEG of these qualities is
    assert not _find(run).suspects
    write_scores(run, shown.spec.trial_id, baseline_scores(4))
    assert _find(run).suspects == {trial.spec.trial_id: "dead"}


@pytest.mark.usefixtures("few_pictures", "unsaved_pictures")
def test_an_mse_below_what_the_psnr_implies_is_impossible_and_told_in_the_report(tmp_path: Path) -> None:
    trial = plan()
    run = write_run(tmp_path / "run", [trial, plan(1)])
    scores = trial_scores(trial, 4)
    scores["mse"] -= 1.5 * STEPS["mse"]
    write_scores(run, trial.spec.trial_id, scores)
    assert main([str(run)]) == 0
    page = (run / "report" / "index.html").read_text()
    assert "Suspects: what the means give away" in page
    assert "under 1 cannot be" in page
    assert trial.spec.trial_id in _find(run).suspects


def test_what_a_record_says_of_its_end_is_listed(tmp_path: Path) -> None:
    dead = plan(1, status=TrialStatus.DEAD, finalist=False)
    findings = _find(write_run(tmp_path / "run", [plan(0), dead]))
    assert _kinds(findings) == {"dead": dead.spec.trial_id}


def test_one_field_on_both_sides_of_a_split_is_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    write_images(run, 4, {8: 4})  # an image to train on shows what a test image shows
    numbers = tables_of(_find(run))["suspects"].frame
    assert list(numbers["where"]) == ["data101"]
    assert "1 groups of near-duplicate images stand on more than one side of data101" in numbers["sentence"][0]


def test_an_older_run_without_images_is_noted(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    (run / IMAGES_FILE).unlink()
    assert any(f"The run has no {IMAGES_FILE}" in note for note in _find(run).notes)


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", None])
def test_images_that_cannot_be_read_are_noted(tmp_path: Path, content: bytes | None) -> None:
    run = write_run(tmp_path / "run", [plan()])
    file = run / IMAGES_FILE
    file.write_bytes(file.read_bytes()[:-20] if content is None else content)
    images = read_images(run)
    assert images.table.empty
    assert "images.parquet cannot be read" in images.notes[0]
    assert any("images.parquet cannot be read" in note for note in _find(run).notes)


def test_images_without_groups_are_noted(tmp_path: Path) -> None:
    baseline_scores(1).to_parquet(tmp_path / IMAGES_FILE)
    assert "it lacks group" in read_images(tmp_path).notes[0]


def test_an_image_of_which_nothing_is_known_is_a_field_of_its_own(tmp_path: Path) -> None:
    write_images(tmp_path, 2, {1: 0})
    images = read_images(tmp_path)
    numbers = images.table["image"]
    assert list(images.fields_of(numbers)) == [0, 0, 2, 3, 4, 5]
    assert list(images.fields_of(numbers + 5)) == [5, 6, 7, 8, 9, 10]


def test_a_trial_that_was_stopped_early_is_neither_dead_nor_duplicated(tmp_path: Path) -> None:
    # Three epochs of 16 steps: the search itself calls no trial dead before 3 epochs and 200 steps.
    early = [plan(0, loss=loss, status=TrialStatus.STOPPED, finalist=False, margin=-3.0) for loss in ("mae", "hf")]
    run = write_run(tmp_path / "run", [plan(0), *early])
    records = (run / "records.jsonl").read_text().splitlines()
    hurried = [line.replace('"steps": 100', '"steps": 16') for line in records[2:]]
    (run / "records.jsonl").write_text("\n".join([*records[:2], *hurried, ""]))
    for item in early:
        write_scores(run, item.spec.trial_id, baseline_scores(4).query("split == 'validation'"))
    findings = _find(run)
    assert not findings.suspects
    kinds = [oddity.kind for oddity in findings.oddities]
    assert kinds == ["hardly trained", "hardly trained"]


def test_a_trial_that_was_stopped_far_under_its_input_had_not_diverged_yet(tmp_path: Path) -> None:
    early = plan(0, status=TrialStatus.STOPPED, finalist=False, margin=-3.0)
    run = write_run(tmp_path / "run", [plan(1), early])
    *lines, last = (run / RECORDS).read_text().splitlines()
    scores = trial_scores(early, 4)
    write_scores(
        run,
        early.spec.trial_id,
        scores.assign(psnr_db=scores["psnr_db"] - 15, mse=scores["mse"] * 10**1.5, mae=scores["mae"] * 10),
    )
    assert _find(run).suspects == {early.spec.trial_id: "diverged"}
    hurried = last.replace('"steps": 100', '"steps": 16')
    (run / RECORDS).write_text("\n".join([*lines, hurried, ""]))
    assert not _find(run).suspects


@pytest.mark.parametrize("images", [range(4), range(4, 8)])
def test_a_stopped_trial_is_judged_beside_its_input_on_the_images_it_was_scored_on(
    tmp_path: Path, images: range
) -> None:
    # One half of the images is harder than the other, by more than this trial gains on each of them.
    stopped = plan(0, loss="mae", status=TrialStatus.STOPPED, finalist=False, margin=-2.0)
    run = write_run(tmp_path / "run", [plan(0), stopped], n_images=8)
    scores = baseline_scores(8).query("split == 'validation'")
    scores = scores[scores["image"].isin(images)].assign(psnr_db=lambda rows: rows["psnr_db"] + 0.1)
    write_scores(run, stopped.spec.trial_id, scores.assign(mae=scores["mae"] * 0.98, mse=scores["mse"] * 0.97))
    assert WORSE not in {oddity.kind for oddity in _find(run).oddities}


def test_trials_that_had_their_chance_and_return_their_input_are_dead(tmp_path: Path) -> None:
    late = [plan(0, loss=loss, finalist=False, margin=-3.0) for loss in ("mae", "hf")]
    run = write_run(tmp_path / "run", [plan(0), *late])
    for item in late:
        write_scores(run, item.spec.trial_id, baseline_scores(4).query("split == 'validation'"))
    assert set(_find(run).suspects.values()) == {"dead, duplicated"}


def test_perfect_images_make_no_trial_impossible(tmp_path: Path) -> None:
    # A tenth of the images restored without an error are in the mean MSE and not in the mean PSNR.
    trial, other = plan(0, margins={50: 0.4, 60: 0.4, 75: 0.6}, margin=-0.1), plan(1)
    run = write_run(tmp_path / "run", [trial, other], n_images=20)
    scores = trial_scores(trial, 20)
    perfect = scores["image"] % 10 == 3
    for metric, value in {"mae": 0.0, "mse": 0.0, "psnr_db": np.inf, "ssim": 1.0}.items():
        scores.loc[perfect, metric] = value
    write_scores(run, trial.spec.trial_id, scores)
    findings = _find(run)
    assert not findings.suspects
    assert findings.pick.trial_id == trial.spec.trial_id
    cells = findings.cells.query("metric == 'mse' and system == ''")
    cells = cells[cells["trial_id"] == trial.spec.trial_id]
    assert (cells["mean_beside_psnr"] > cells["mean"]).all()


def test_a_dead_trial_is_dead_however_many_images_are_perfect(tmp_path: Path) -> None:
    dead = plan(0)
    run = write_run(tmp_path / "run", [dead, plan(1)], n_images=20)
    scores = baseline_scores(20)  # which a dead trial's are too
    perfect = scores["image"] % 10 == 3
    for metric, value in {"mae": 0.0, "mse": 0.0, "psnr_db": np.inf, "ssim": 1.0}.items():
        scores.loc[perfect, metric] = value
    for trial_id in (BASELINE.trial_id, dead.spec.trial_id):
        write_scores(run, trial_id, scores)
    assert "dead" in _find(run).suspects[dead.spec.trial_id]


def test_a_network_that_does_not_beat_the_linear_filter_is_told_so(tmp_path: Path) -> None:
    linear = [
        plan(0, architecture="linear", epochs=0, epochs_run=0, margin=margin, training_quality=quality)
        for quality, margin in ((75, -1.0), (50, -0.2))
    ]
    under, above, elsewhere = plan(1, margin=-1.0), plan(2, margin=-0.9), plan(3, training_quality=25, margin=-0.3)
    findings = _find(write_run(tmp_path / "run", [*linear, under, above, elsewhere]))
    assert findings.under_linear == {under.spec.trial_id, elsewhere.spec.trial_id}  # of its own quality, else the best
    of_other_images = plan(0, architecture="linear", epochs=0, epochs_run=0, margin=0.5, split="data101")
    apart = _find(write_run(tmp_path / "apart", [linear[0], of_other_images, above]))
    assert not apart.under_linear
    assert not findings.suspects
    assert findings.pick.trial_id is not None
    tables = tables_of(findings)
    rows = tables["trials"].frame.set_index("trial_id")["under_linear"]
    assert rows[[under.spec.trial_id, above.spec.trial_id]].tolist() == [True, False]
    assert "linear filter" in {line[0].text for line in tables["networks_validation"].parts[0].lines}


def test_where_trials_are_ranked_by_bytes_the_filter_is_too(tmp_path: Path) -> None:
    filters = plan(0, architecture="linear", epochs=0, epochs_run=0, margin=-0.9)
    more, fewer = plan(1, margin=-0.1), plan(2, margin=-1.0)  # by margin it would be the other that is under the filter
    run = write_run(tmp_path / "run", [filters, more, fewer])
    lines = [json.loads(line) for line in (run / RECORDS).read_text().splitlines()]
    shares = iter((0.8, 0.85, 0.7))
    for line in lines[1:]:
        line["bytes_at_parity"] = next(shares)
    (run / RECORDS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    findings = _find(run)
    assert findings.under_linear == {more.spec.trial_id}
    assert any("bytes at parity, 85.0%, is not better than" in oddity.sentence for oddity in findings.oddities)

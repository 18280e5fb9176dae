"""What forensics finds: in the thesis' printed tables, by the list of their errata, and in means made to be odd."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pytest

from analysis import forensics
from analysis.forensics import Finding, examine, split_leaks, suspects

THESIS = Path(forensics.__file__).parent / "thesis" / "thesis_tables.csv"
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
    return means, trials.assign(kin=trials["trial"]), pd.DataFrame(inputs)


def _found(findings: Iterable[Finding]) -> dict[str, set[tuple[str, ...]]]:
    found: dict[str, set[tuple[str, ...]]] = {}
    for finding in findings:
        found.setdefault(finding.kind, set()).add(finding.trials)
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


def _examine(*trials: pd.DataFrame, kin: Mapping[str, str] | None = None, **statuses: str) -> list[Finding]:
    means = pd.concat(trials, ignore_index=True)
    names = means["trial"].unique()
    listed = pd.DataFrame({"trial": names, "network": names, "kin": [(kin or {}).get(name, name) for name in names]})
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
    assert suspects(findings) == {"a", "c"}


def test_a_trial_that_returns_its_input_is_dead() -> None:
    findings = _examine(_rows("still", INPUT))
    assert [finding.kind for finding in findings] == ["dead"]
    assert suspects(findings) == {"still"}


def test_what_the_record_says_is_not_said_again() -> None:
    (finding,) = _examine(_rows("still", INPUT), still="dead")
    assert finding.sentence == "still: dead, says its record"


def test_a_trial_that_differs_from_its_input_in_one_quality_is_not_dead() -> None:
    assert _examine(_rows("half", {50: GOOD[50], 75: INPUT[75]})) == []


@pytest.mark.parametrize(("factor", "kind"), [(1.4, None), (2.0, "heavy tails"), (0.5, "impossible")])
def test_mse_is_judged_by_what_psnr_implies(factor: float, kind: str | None) -> None:
    findings = _examine(_rows("tailed", _shifted(GOOD, mse=factor)))
    assert [finding.kind for finding in findings] == ([kind] if kind else [])
    assert suspects(findings) == ({"tailed"} if kind == "impossible" else set())


def test_different_trials_with_equal_means_are_kept_out_and_kin_is_not() -> None:
    columns = _rows("one", GOOD), _rows("two", _shifted(GOOD, mae=1.0005))
    (finding,) = _examine(*columns)
    assert (finding.kind, finding.trials) == ("duplicated", ("one", "two"))
    assert suspects([finding]) == {"one", "two"}
    assert _examine(*columns, kin={"two": "one"}) == []


def test_trials_that_differ_in_the_third_digit_are_not_duplicates() -> None:
    assert _examine(_rows("one", GOOD), _rows("two", _shifted(GOOD, mae=1.005))) == []


def test_worse_than_the_input_needs_every_quality_and_is_no_reason_to_be_kept_out() -> None:
    everywhere = _shifted(INPUT, psnr_db=0.95, mse=1.7, mae=1.1)
    (finding,) = _examine(_rows("weak", everywhere))
    assert (finding.kind, suspects([finding])) == ("worse than its input", set())
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
    assert suspects([data100, data101]) == set()

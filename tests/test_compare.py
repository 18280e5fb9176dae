"""Two runs side by side: the same images, honest differences, and a refusal where there is nothing to compare."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.compare import RunPair, difference, open_pair
from analysis.report.two_runs import pair_tables, summarise_pair, write_pair
from analysis.run import RunError
from analysis.tables.spec import Table
from search.records import RECORDS, append_line
from search.space.spec import BASELINE
from tests.run_fixture import (
    Plan,
    baseline_scores,
    plan,
    record_of,
    run_facts,
    trial_scores,
    write_images,
    write_run,
    write_scores,
)
from tests.table_reader import shown

N_IMAGES = 24  # of either subset: enough for intervals
BETTER = {25: -1.5, 50: 0.5, 75: 1.0}  # by 0.4 steps at 50 and 75: 0.8 dB, SSIM 0.004


def _pair(
    tmp_path: Path, a: Sequence[Plan], b: Sequence[Plan], n_images: int = N_IMAGES, **facts: Any
) -> tuple[Path, Path]:
    return write_run(tmp_path / "a", a, n_images), write_run(tmp_path / "b", b, n_images, **facts)


def _other_pack(n_images: int = N_IMAGES) -> dict[str, Any]:
    return run_facts(n_images, 1)["dataset"] | {"fingerprint": "ffff"}


def _shift_scores(run: Path, item: Plan, shift_db: Sequence[float], n_images: int = N_IMAGES) -> None:
    """Change a trial's PSNR, image by image, in whole images and crops alike."""
    rows = trial_scores(item, n_images)
    rows["psnr_db"] += np.array(shift_db)[rows["image"] % len(shift_db)]
    write_scores(run, item.spec.trial_id, rows)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> RunPair:
    """A has two trials; B took the second over, trained the first anew and better, and has two more."""
    again, others = plan(0, margin=-1.0, margins=BETTER), [plan(2, margin=-0.5), plan(3)]
    folder = tmp_path_factory.mktemp("pair")
    facts = {"options": {"seed": 7, "trials": None}, "versions": {"keras": "4.0"}, "seed": 7}
    a = write_run(folder / "a", [plan(0), plan(1)], N_IMAGES, options={"seed": 0, "trials": None})
    return open_pair(a, write_run(folder / "b", [again, plan(1), *others], N_IMAGES, **facts))


@pytest.fixture(scope="module")
def tables(pair: RunPair) -> Mapping[str, Table]:
    return pair_tables(pair)


def test_trial_with_the_same_record_in_both_is_taken_over_and_not_compared(tables: Mapping[str, Table]) -> None:
    shared = tables["trials_in_both"]
    taken = shared.frame[shared.frame["same_record"]]
    assert taken["trial_id"].unique().tolist() == [plan(1).spec.trial_id]
    assert taken["difference"].isna().all()
    assert shown(shared).set_index("trial").loc[plan(1).spec.trial_id, "B"] == "the same record: taken over"


def test_trial_trained_in_both_differs_by_what_was_put_in(tables: Mapping[str, Table]) -> None:
    numbers = tables["trials_in_both"].frame
    rows = numbers[numbers["trial_id"] == plan(0).spec.trial_id].set_index("metric")
    # over qualities 25, 50 and 75: (0 + 0.8 + 0.8) / 3 dB on each of the images
    assert rows.loc["psnr_db", "difference"] == pytest.approx(1.6 / 3)
    assert rows.loc["psnr_db", "low"] == pytest.approx(1.6 / 3)
    assert rows["n_images"].tolist() == [N_IMAGES] * 4
    assert rows["better"].tolist() == ["B"] * 4  # less error is better, and so is more PSNR
    assert set(rows["images"]) == {f"{N_IMAGES} test"}


def test_best_of_each_is_compared_at_every_quality_and_region_of_the_test_images(tables: Mapping[str, Table]) -> None:
    best = tables["best_of_each"]
    psnr = best.frame[(best.frame["metric"] == "psnr_db") & (best.frame["region"] == "full")]
    assert psnr["input_quality"].tolist() == [75, 50, 25]
    assert psnr["difference"].tolist() == pytest.approx([0.8, 0.8, 0.0])
    assert psnr["better"].tolist()[:2] == ["B", "B"]
    assert shown(best)["PSNR, dB"][0] == "+0.80 (+0.80 to +0.80) B"
    assert set(best.frame["region"]) == {"full", "crop"}
    assert "on test images" in best.title


def test_settings_that_differ_are_listed_once_and_those_that_agree_are_not(tables: Mapping[str, Table]) -> None:
    rows = tables["settings"].frame.set_index("setting")
    assert rows.index.tolist() == ["seed", "n_trials", "versions.keras"]
    assert rows.loc["seed"].tolist() == ["0", "7"]
    assert rows.loc["versions.keras"].tolist() == ["3.15.0", "4.0"]


def test_difference_that_goes_either_way_names_no_better_run(tmp_path: Path) -> None:
    again = plan(0, margin=-1.0)
    a, b = _pair(tmp_path, [plan(0)], [again])
    _shift_scores(b, again, (0.3, -0.3, 0.2, -0.1))
    rows = pair_tables(open_pair(a, b))["trials_in_both"].frame.set_index("metric")
    assert rows.loc["psnr_db", "difference"] == pytest.approx(0.025)
    assert rows.loc["psnr_db", "low"] < 0 < rows.loc["psnr_db", "high"]
    assert rows.loc["psnr_db", "better"] == ""
    assert rows.loc["ssim", "better"] == "same"


def test_without_finalists_validation_images_compare_and_the_table_warns(tmp_path: Path) -> None:
    pair = open_pair(*_pair(tmp_path, [plan(0, finalist=False)], [plan(1, margins=BETTER)]))
    best = pair_tables(pair)["best_of_each"]
    assert set(best.frame["split"]) == {"validation"}
    assert "may be so by chance" in best.below[-1]


def test_one_image_tells_a_difference_and_no_interval(tmp_path: Path) -> None:
    pair = open_pair(*_pair(tmp_path, [plan(0)], [plan(1, margins=BETTER)], n_images=1))
    best = pair_tables(pair)["best_of_each"]
    assert shown(best)["PSNR, dB"][0] == "+0.80 (one image)"
    assert set(best.frame["better"]) == {"", "same"}


def test_images_without_a_finite_difference_are_left_out_and_counted(tmp_path: Path) -> None:
    again = plan(0, margin=-1.0)
    a, b = _pair(tmp_path, [plan(0)], [again])
    for run in (a, b):
        _shift_scores(run, again, (np.inf, 0.0, 0.0, np.nan if run == b else 0.0))
    pair = open_pair(a, b)
    rows = pair.paired(again.spec.trial_id, again.spec.trial_id)
    found = difference(rows[(rows["split"] == "test") & (rows["region"] == "full")], "psnr_db")
    assert (found["n_images"], found["n_left_out"], found["difference"]) == (12, 12, 0.0)


def test_two_packs_without_a_common_image_are_refused(tmp_path: Path) -> None:
    a, b = _pair(tmp_path, [plan(0)], [plan(0)], dataset=_other_pack())
    write_scores(b, BASELINE.trial_id, baseline_scores(N_IMAGES).assign(name="another"))
    with pytest.raises(RunError, match=r"found packs 0123abcd and ffff, and no image that both scored"):
        open_pair(a, b)


def test_two_packs_are_compared_on_images_of_the_same_name_bytes_and_scores(tmp_path: Path) -> None:
    again = plan(0, margin=-1.0)
    a, b = _pair(tmp_path, [plan(0)], [again], dataset=_other_pack())
    moved = baseline_scores(N_IMAGES)
    moved.loc[moved["image"] == N_IMAGES, "jpeg_bytes"] += 1  # another file of the same name
    moved.loc[moved["image"] == N_IMAGES + 1, "psnr_db"] += 0.1
    for trial_id, rows in ((BASELINE.trial_id, moved), (again.spec.trial_id, trial_scores(again, N_IMAGES))):
        write_scores(b, trial_id, rows.assign(image=rows["image"] + 100))  # numbered otherwise
    pair = open_pair(a, b)
    tested = pair.images[pair.images["split"] == "test"]
    expected = [(image, image + 100) for image in range(N_IMAGES + 2, 2 * N_IMAGES)]
    assert list(zip(tested["image"], tested["image_b"], strict=True)) == expected
    assert any("two packs (0123abcd, ffff). Compared are the 46 images" in note for note in pair.notes)
    assert any("left out, because JPEG as it is has other bytes or scores in the other run: 2" in n for n in pair.notes)
    assert pair_tables(pair)["trials_in_both"].frame["n_images"].tolist() == [N_IMAGES - 2] * 4


def test_images_that_the_code_scores_otherwise_by_now_are_left_out_and_told(tmp_path: Path) -> None:
    a, b = _pair(tmp_path, [plan(0)], [plan(1)])
    moved = baseline_scores(N_IMAGES)
    moved.loc[moved["image"] == N_IMAGES, "ssim"] += 0.001
    write_scores(b, BASELINE.trial_id, moved)
    pair = open_pair(a, b)
    assert sorted(pair.images["image"]) == [image for image in range(2 * N_IMAGES) if image != N_IMAGES]
    assert any("The code that scores, or its libraries, changed" in note for note in pair.notes)


def test_runs_of_one_pack_that_scored_no_common_image_are_compared_without_images(tmp_path: Path) -> None:
    a, b = _pair(tmp_path, [plan(0)], [plan(1)])
    for trial_id, rows in (
        (BASELINE.trial_id, baseline_scores(N_IMAGES)),
        (plan(1).spec.trial_id, trial_scores(plan(1), N_IMAGES)),
    ):
        write_scores(b, trial_id, rows.assign(image=rows["image"] + 100))
    pair = open_pair(a, b)
    tables = pair_tables(pair)
    assert any("No image was scored in both" in note for note in pair.notes)
    assert "best_of_each" not in tables
    assert "cannot be compared: there is no image with scores of both" in summarise_pair(pair, tables)


def test_runs_in_folders_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    a = write_run(tmp_path / "x" / "run", [plan(0)])
    b = write_run(tmp_path / "y" / "run", [plan(0)])
    assert open_pair(a, b).names == (str(a), str(b))


def test_command_prints_and_writes_nothing_unless_asked(
    pair: RunPair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = (findings.run.path for findings in (pair.a, pair.b))
    assert main(["compare", str(a), str(b)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("A is a; B is b. Images in both: 48. A difference is B minus A.")
    assert "\nA: Quality 50 restored by" in said
    assert said.count("By the strict rule") == 2
    assert "Trials in both: 2, of them taken over: 1. By PSNR of whole images: 0 better in A, 1 better in B" in said
    assert "Trials in A alone: 0.\nTrials in B alone: 2, the best of them by margin" in said
    assert "seed            0       7" in said
    assert max(len(line) for line in said.splitlines() if line.startswith(("quality", "75", "in run.json"))) <= 120
    assert sorted(path.name for path in a.parent.iterdir()) == ["a", "b"]
    assert not (a / "report").exists()


def test_page_has_every_table_and_the_folder_its_files(
    pair: RunPair, tables: Mapping[str, Table], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert write_pair(pair, tables, out) == out / "index.html"
    names = {"settings", "picks", "best_of_each", "trials_in_both"}
    for ending in ("csv", "md", "tex"):
        assert {path.stem for path in (out / "tables").glob(f"*.{ending}")} == names
    page = (out / "index.html").read_text()
    assert all(title in page for title in ("Settings that differ", "Trials in both"))
    assert ">nan" not in page.lower()
    picks = pd.read_csv(out / "tables" / "picks.csv").set_index(["run", "rule"])["quality"]
    assert picks.to_dict() == {
        ("A", "means"): "50",
        ("A", "strict"): "none",
        ("B", "means"): "50",
        ("B", "strict"): "none",
    }
    assert [json.loads((out / "pick.json").read_text())[side]["quality"] for side in "AB"] == [50, 50]


def test_a_run_compared_with_itself_is_taken_over_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = str(write_run(tmp_path / "a", [plan(0)])), tmp_path / "out"
    assert main(["compare", run, run, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"report: {out / 'index.html'}\n")
    assert "The facts of both runs are the same." in said
    assert "Trials in both: 1, of them taken over: 1." in said


def test_run_in_progress_is_compared_by_what_has_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write_run(tmp_path / "a", [plan(0)])
    b = write_run(tmp_path / "b", [])
    append_line(b / RECORDS, replace(record_of(plan(0)), seconds=1.0).to_json())
    assert main(["compare", str(a), str(b)]) == 0
    said = capsys.readouterr().out
    assert "B: Nothing smaller than JPEG-75 can be picked" in said
    assert "1 not told apart" in said


@pytest.mark.parametrize("arguments", [[], ["one"], ["one", "two", "three"], ["one", "two", "--colour"]])
def test_command_asked_wrongly_says_how_it_is_used(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert "`python -m analysis compare --help` says more" in error
    assert error.count("\n") == 1


def test_command_refuses_what_is_no_run_and_a_place_that_is_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "a", [plan(0)])
    for arguments, what in (
        ([str(run), str(tmp_path)], "is no run directory"),
        ([str(run), str(run), "--out", str(run)], "replaces only an earlier report"),
    ):
        assert main(["compare", *arguments]) == 2
        error = capsys.readouterr().err
        assert what in error
        assert error.count("\n") == 1


def test_pair_of_runs_without_any_best_trial_has_no_table_of_them(tmp_path: Path) -> None:
    pair: RunPair = open_pair(*_pair(tmp_path, [], [plan(0)]))
    tables = pair_tables(pair)
    assert "best_of_each" not in tables
    assert "trials_in_both" not in tables
    assert "compared: no trial of A has scores and is free of suspicion." in summarise_pair(pair, tables)


def test_the_best_of_two_encoders_are_not_set_side_by_side_and_the_reason_is_told(tmp_path: Path) -> None:
    found = open_pair(*_pair(tmp_path, [plan(0)], [plan(1, encoder="jpeg-c0.6", margins={25: 0.2, 50: 0.5})]))
    assert "best_of_each" not in pair_tables(found)
    assert any("A's best restores files of the pack, B's files of jpeg-c0.6" in note for note in found.notes)


def test_images_of_one_field_are_resampled_together(tmp_path: Path) -> None:
    n_images = 96
    shift_db = np.random.default_rng(0).normal(0.5, 0.4, n_images // 2)[np.arange(2 * n_images) // 2 % (n_images // 2)]
    widths = []
    fields = {image + 1: image for image in range(n_images, 2 * n_images, 2)}
    for name, groups in (("alone", {}), ("pairs", fields)):
        a, b = _pair(tmp_path / name, [plan(0)], [plan(0, margin=-1.0)], n_images=n_images)
        _shift_scores(b, plan(0, margin=-1.0), shift_db.tolist(), n_images)
        write_images(a, n_images, groups)
        opened = open_pair(a, b)
        rows = opened.paired(plan(0).spec.trial_id, plan(0).spec.trial_id)
        found = difference(rows[(rows["split"] == "test") & (rows["region"] == "full")], "psnr_db")
        widths.append(found["high"] - found["low"])
    assert widths[1] == pytest.approx(2**0.5 * widths[0], rel=0.1)


def test_of_few_fields_no_better_run_is_named(tmp_path: Path) -> None:
    pair = open_pair(*_pair(tmp_path, [plan(0)], [plan(1, margins=BETTER)], n_images=4))
    best = pair_tables(pair)["best_of_each"]
    assert shown(best)["PSNR, dB"][0] == "+0.80 (too few)"
    assert set(best.frame["better"]) == {"", "same"}

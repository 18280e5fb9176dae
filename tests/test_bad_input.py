"""A run damaged in every way: a note that names what is wrong, or one line and exit code 2; never a traceback."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.cells import average, cell_notes
from analysis.cli import main, summarise
from analysis.codecs import compare_codecs
from analysis.findings import find
from analysis.pictures import read_samples
from analysis.run import SCORE_COLUMNS, RunError, open_run
from analysis.tables.catalogue import tables_of
from search.records import RECORDS, RUN_FACTS
from search.space.spec import BASELINE, TrialStatus
from tests.run_fixture import plan, record_of, run_facts, trial_scores, write_run, write_scores

Damage = Callable[[Path], None]
TRIAL, OTHER = plan(0), plan(1, margin=-0.5, finalist=False)
ID = TRIAL.spec.trial_id
SCORES, BASELINE_SCORES = f"scores/{ID}.parquet", f"scores/{BASELINE.trial_id}.parquet"
SAMPLES, CODECS, RESTORING = f"samples/{ID}.npz", "codecs.parquet", "restoring.parquet"
GARBAGE = bytes(range(256)) * 20
# Of every kind that JSON has, so that each fact meets some of another kind than its own.
VALUES: tuple[Any, ...] = (None, 3, 2.5, "x", [], {}, True, float("nan"), [1, "a"], {"a": "b"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run of two trials without a fault."""
    return write_run(tmp_path_factory.mktemp("whole") / "run", [TRIAL, OTHER], n_images=3)


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


def _told(run: Path, codecs: bool = True) -> str:
    """Return everything that is told of a run while it is read, or the one line that refuses it.

    codecs: with what the comparison of other codecs tells, which takes a third of a second and asks no more of facts
    and records than the reference quality and who the finalists are.
    """
    try:
        opened = open_run(run)
        told = [*opened.notes, *(compare_codecs(opened, ()).notes if codecs else ())]
        for record in opened.trials:
            samples = read_samples(run, record.trial_id)
            told += [samples] if isinstance(samples, str) else []
    except (RunError, OSError) as error:  # what the command turns into exit code 2
        told = [str(error)]
    assert all("\n" not in line for line in told)
    return "\n".join(told)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _be_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


WAYS: Mapping[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda file: file.write_bytes(b""),
    "cut": _cut,
    "garbage": lambda file: file.write_bytes(GARBAGE),
    "a folder": _be_folder,
    "of other content": lambda file: pd.DataFrame({"a": [1]}).to_parquet(file),
}
# What the sentence names, where it is not the file itself.
NAMES = {SCORES: ID, SAMPLES: ID, BASELINE_SCORES: "JPEG as it is", RECORDS: str(RECORDS)}


def test_whole_run_has_nothing_to_tell(whole: Path) -> None:
    assert _told(whole) == ""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [RUN_FACTS, RECORDS, SCORES, BASELINE_SCORES, SAMPLES, CODECS, RESTORING])
def test_a_damaged_file_is_named(run: Path, name: str, way: str) -> None:
    WAYS[way](run / name)
    told = _told(run)
    assert NAMES.get(name, name) in told or (name == RECORDS and "a report needs an ended trial" in told)


@pytest.mark.parametrize("name", ["scores", "samples"])
@pytest.mark.parametrize("is_file", [False, True])
def test_a_folder_that_is_missing_or_a_file_is_told(run: Path, name: str, is_file: bool) -> None:
    shutil.rmtree(run / name)
    if is_file:
        (run / name).write_text("x")
    assert ID in _told(run)


FACTS = run_facts(3, 2)
# Whatever stands in these is told as it is; without them the report says "unknown", or nothing was left out.
FREE = {"command", "space", "scale", "seed", "created", "git_commit", "versions", "left_out", "n_trials"}
FREE |= {"path", "fingerprint", "split", "description", "systems", "qualities", "scored_qualities"}
FREE |= {"size_px", "n_images", "subsets", "reference_quality"}


def _with_fact(run: Path, name: str, value: Any) -> None:
    facts = json.loads((run / RUN_FACTS).read_text())
    place = facts["dataset"] if name in facts["dataset"] else facts
    place[name] = value
    if value is Ellipsis:
        del place[name]
    (run / RUN_FACTS).write_text(json.dumps(facts))


@pytest.mark.parametrize("name", [*FACTS, *FACTS["dataset"], "space_definition"])
def test_a_fact_of_another_kind_is_named_in_one_line(run: Path, name: str) -> None:
    original = (run / RUN_FACTS).read_text()
    for value in VALUES:
        _with_fact(run, name, value)
        told = _told(run, codecs=name == "reference_quality")
        assert name in told or name in FREE or name in ("space_definition", "dataset"), value
        (run / RUN_FACTS).write_text(original)


@pytest.mark.parametrize("name", [*FACTS, *FACTS["dataset"]])
def test_a_fact_that_is_missing_is_named_or_can_be_done_without(run: Path, name: str) -> None:
    _with_fact(run, name, ...)
    optional = {"versions", "git_commit", "left_out", "created", "description"}
    assert (f"must name {name}" in _told(run, codecs=False)) == (name not in optional)


@pytest.mark.parametrize("axes", [3, {"loss": 3}, {"loss": [["mse"]]}, {"loss": {"a": 1}}])
def test_axes_of_another_shape_are_refused(run: Path, axes: object) -> None:
    _with_fact(run, "space_definition", {"axes": axes})
    assert "must give the axes of its space as lists of values" in _told(run)


@pytest.mark.parametrize("quality", [0, 101, -1, 10**30])
def test_reference_quality_that_jpeg_does_not_have_is_refused(run: Path, quality: int) -> None:
    _with_fact(run, "reference_quality", quality)
    assert "must give a reference_quality of 1 to 100" in _told(run)


def test_facts_without_any_file_size_are_refused(run: Path) -> None:
    _with_fact(run, "mean_jpeg_bytes", {})
    assert "must give mean_jpeg_bytes by quality" in _told(run)


ROW: dict[str, Any] = json.loads(record_of(TRIAL).to_json())
VITAL = {"trial_id", "spec", "status", "epochs_run", "margin", "psnr_gain_db", "input_margin", "seconds"}


def _with_records(run: Path, rows: list[dict[str, Any]]) -> None:
    kept = (run / RECORDS).read_text().splitlines()[:1]  # JPEG as it is
    (run / RECORDS).write_text("\n".join([*kept, *map(json.dumps, rows), ""]))


@pytest.mark.parametrize("name", ROW)
def test_a_record_without_a_field_is_told_or_can_be_read_without(run: Path, name: str) -> None:
    _with_records(run, [{key: value for key, value in ROW.items() if key != name}])
    assert (name in _told(run, codecs=False).replace("no trial record", "")) == (name in VITAL)


@pytest.mark.parametrize("name", [*ROW, *(f"spec.{name}" for name in ROW["spec"])])
def test_a_record_with_a_field_of_another_kind_is_read_or_told(run: Path, name: str) -> None:
    rows = []
    for value in VALUES:
        row = json.loads(json.dumps(ROW))
        place, key = (row["spec"], name.removeprefix("spec.")) if name.startswith("spec.") else (row, name)
        place[key] = value
        rows.append(row)
    _with_records(run, rows)
    told = _told(run, codecs=False)
    assert "is no trial record" in told


def test_a_spec_that_lacks_what_its_name_tells_is_told(run: Path) -> None:
    spec = {name: value for name, value in ROW["spec"].items() if name not in ("loss", "seed")}
    _with_records(run, [{**ROW, "spec": {**spec, "learning_rate": 0.5}}])
    assert "the name of a trial does not follow from its spec" in _told(run)


def test_a_loss_of_a_newer_version_keeps_its_place_in_the_tables(run: Path) -> None:
    _with_records(run, [{**ROW, "spec": {**ROW["spec"], "loss": "charbonnier"}}])
    findings = find(open_run(run))
    assert any("would refuse was kept (unknown loss 'charbonnier'" in note for note in findings.notes)
    tables = [table for name, table in tables_of(findings).items() if name.startswith("appendix_")]
    assert tables
    heads = [[head[0] for head in part.heads] for table in tables for part in table.parts]
    assert all(any(head.startswith("charbonnier") for head in own) for own in heads)


@given(st.binary(max_size=400), st.integers(0, 2000))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_overwritten_anywhere_are_read_or_told(whole: Path, data: bytes, place: int) -> None:
    file = whole / RECORDS
    original = file.read_bytes()
    try:
        file.write_bytes(original[:place] + data + original[place + len(data) :])
        changed = file.read_bytes() != original
        assert not changed or _told(whole, codecs=False) or len(open_run(whole).records) == 3
    finally:
        file.write_bytes(original)


def _with_scores(run: Path, trial_id: str, **columns: Any) -> None:
    file = run / "scores" / f"{trial_id}.parquet"
    pd.read_parquet(file).assign(**columns).to_parquet(file, index=False)


def _told_of_means(run: Path) -> str:
    opened = open_run(run)
    comparison = average(opened.scores, [record.trial_id for record in opened.baselines], 75)
    return "\n".join([*opened.notes, *cell_notes(comparison)])


@pytest.mark.parametrize("trial_id", [ID, BASELINE.trial_id])
@pytest.mark.parametrize("metric", ["mae", "mse", "psnr_db", "ssim"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_told_with_their_trial(
    run: Path, trial_id: str, metric: str, value: float
) -> None:
    _with_scores(run, trial_id, **{metric: value})
    told = _told_of_means(run)
    perfect = metric == "psnr_db" and value == np.inf
    assert ("identical to their original" if perfect else "are not finite numbers") in told
    assert trial_id in told


@pytest.mark.parametrize("name", [name for name in trial_scores(TRIAL, 1).columns if name in SCORE_COLUMNS])
def test_a_score_file_whose_column_is_missing_or_no_number_is_told(run: Path, name: str) -> None:
    rows = trial_scores(TRIAL, 3)
    write_scores(run, ID, rows.drop(columns=name))
    assert name in _told(run)
    write_scores(run, ID, rows.assign(**{name: [[1]] * len(rows)}))
    assert ID in _told(run)


@pytest.mark.parametrize("name", ["name", "system"])
def test_scores_without_words_say_unknown_and_tell_it(run: Path, name: str) -> None:
    _with_scores(run, ID, **{name: None})
    assert f"'unknown' stands for it: {name} (in 1 files)" in _told(run)


@pytest.mark.parametrize("trial_id", [ID, BASELINE.trial_id])
def test_a_score_file_without_a_row_is_told(run: Path, trial_id: str) -> None:
    write_scores(run, trial_id, trial_scores(TRIAL, 3).iloc[:0])
    assert f"The scores of {trial_id} hold no row that can be used" in _told(run)


PICTURES: Mapping[str, Callable[[Any], Any]] = {
    "missing": lambda array: None,
    "empty": lambda array: array[:0],
    "a number": lambda array: np.array(3),
    "text": lambda array: np.array(["x"]),
    "objects": lambda array: np.array([None, {}], dtype=object),
    "longer": lambda array: np.concatenate([array, array]),
}


@pytest.mark.parametrize("way", PICTURES)
@pytest.mark.parametrize("name", ["original", "degraded", "restored", "names", "qualities", "kinds"])
def test_sample_pictures_of_another_shape_are_told(run: Path, name: str, way: str) -> None:
    with np.load(run / SAMPLES) as file:
        arrays = {key: file[key] for key in file.files}
    arrays[name] = PICTURES[way](arrays[name])
    np.savez(run / SAMPLES, **{key: array for key, array in arrays.items() if array is not None})
    assert f"The sample pictures of {ID}" in _told(run, codecs=False)


def test_sample_pictures_of_floats_are_told(run: Path) -> None:
    with np.load(run / SAMPLES) as file:
        arrays = {key: file[key] for key in file.files}
    np.savez(run / SAMPLES, **{**arrays, "restored": arrays["restored"].astype(np.float32)})
    assert "must be uint8" in _told(run)


MEASURED = {CODECS: ["codec", "setting", "image", "region", "file_bytes", "decode_ms", "mae", "psnr_db", "ssim"]}
MEASURED |= {RESTORING: ["trial_id", "image", "restore_ms", "device", "n_threads"]}


@pytest.mark.parametrize(("file", "column"), [(file, name) for file, names in MEASURED.items() for name in names])
@pytest.mark.parametrize("value", [None, np.nan, "zzz", ...], ids=["null", "nan", "text", "missing"])
def test_measured_files_with_a_damaged_column_are_told(run: Path, file: str, column: str, value: Any) -> None:
    table = pd.read_parquet(run / file)
    words = {"codec", "trial_id", "device"}
    damaged = table.drop(columns=column) if value is ... else table.assign(**{column: value})
    damaged.to_parquet(run / file, index=False)
    assert file in _told(run) or (column in words and value == "zzz")


def test_one_null_in_a_measured_file_costs_its_row_alone(run: Path) -> None:
    table = pd.read_parquet(run / CODECS)
    table["file_bytes"] = table["file_bytes"].where(table.index != 0)
    table.to_parquet(run / CODECS, index=False)
    assert "lack a value or hold one that cannot be are not used: 1." in _told(run)
    assert not compare_codecs(open_run(run), ()).points.empty


def _shift(run: Path, file: str, **columns: Any) -> None:
    pd.read_parquet(run / file).assign(**columns).to_parquet(run / file, index=False)


def _everything(run: Path) -> None:
    """Damage a run of many trials in as many ways."""
    rows = trial_scores(TRIAL, 3)
    ids = [item.spec.trial_id for item in MANY]
    (run / "scores" / f"{ids[1]}.parquet").unlink()
    _cut(run / "scores" / f"{ids[2]}.parquet")
    write_scores(run, ids[3], rows.assign(psnr_db=np.nan, ssim=np.inf))
    write_scores(run, ids[4], rows.assign(mse=-np.inf, lpips=1.0).drop(columns="system"))
    write_scores(run, ids[5], rows.iloc[:0])
    _cut(run / "samples" / f"{ids[0]}.npz")
    with (run / RECORDS).open("a") as file:
        file.write('{"trial_id": "odd"}\n' + record_of(TRIAL).to_json()[:100])


MANY = [plan(seed) for seed in range(7)]
ENDS = {
    "in progress, no finalist": ([plan(0, finalist=False)], {"n_trials": 5}),
    "failed and diverged alone": (
        [
            plan(0, status=TrialStatus.FAILED, scored=False, margin=None),
            plan(1, status=TrialStatus.DIVERGED, margin=None, margins={50: -9.0}, finalist=False),
        ],
        {},
    ),
}


def _is_whole(run: Path) -> str:
    """Assert that a report is whole and says no number that is none; returns its page."""
    page = (run / "report" / "index.html").read_text()
    assert page.endswith("</html>\n")
    for word in (">nan<", ">inf<", ">None<", "<NA>", "±nan", "(nan)", "nan %"):
        assert word not in page
    json.loads((run / "report" / "pick.json").read_text(), parse_constant=pytest.fail)
    return page


@pytest.mark.usefixtures("unsaved_pictures")
def test_a_run_damaged_in_many_ways_at_once_is_reported_with_every_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", MANY, n_images=3)
    _everything(run)
    assert main([str(run)]) == 0
    said, ids, page = capsys.readouterr().out, [item.spec.trial_id for item in MANY], _is_whole(run)
    for note in (
        f"{ids[1]} has a record but no score file",
        f"The scores of {ids[2]} cannot be read",
        f"Some scores of {ids[3]} are not finite numbers",
        f"Some scores of {ids[4]} are not finite numbers",
        "does not know are not used: lpips",
        f"The scores of {ids[5]} hold no row that can be used",
        "Line 9 of records.jsonl is no trial record",
        "The last line of records.jsonl is torn",
    ):
        assert note in said
        assert note.replace("'", "&#39;") in page
    assert ids[0] in page


@pytest.mark.usefixtures("unsaved_pictures")
@pytest.mark.parametrize("end", ENDS)
def test_a_run_in_progress_is_reported(tmp_path: Path, end: str) -> None:
    plans, facts = ENDS[end]
    run = write_run(tmp_path / "run", plans, n_images=2, **facts)
    assert main([str(run)]) == 0
    assert "Nothing smaller than JPEG-75 can be picked" in _is_whole(run)


@pytest.mark.usefixtures("unsaved_pictures")
def test_one_image_of_one_camera_is_reported(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0), plan(1)], n_images=1)
    for file in (run / "scores").iterdir():
        _shift(run, f"scores/{file.name}", system="green")
    assert main([str(run)]) == 0
    assert "one image" in _is_whole(run)


@pytest.mark.usefixtures("unsaved_pictures")
def test_scores_of_jpeg_that_are_no_numbers_leave_a_report_without_a_pick(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)], n_images=2)
    _shift(run, BASELINE_SCORES, psnr_db=np.nan, mae=-np.inf)
    assert main([str(run)]) == 0
    assert f"Some scores of {BASELINE.trial_id} are not finite numbers" in _is_whole(run)


def test_reference_quality_that_the_pack_lacks_leaves_a_report_without_a_pick(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run", [plan(0)], n_images=2, reference_quality=77)))
    said = summarise(findings)
    assert "JPEG as it is was not scored at quality 77" in said
    assert "1.00 at 75 (unknown)" in said

"""From a run to a model file: the pick, a trial by its name, what is missing; and what the command says."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from datasets.packed import PackedDataset
from models.build import ARCHITECTURES, Network
from models.cli import main
from models.commands.export import describe_training_images, export_run
from models.plugins import Plugin, use_plugin
from models.restore import load, open_model, restore
from models.restoring.model_file import FINALISTS_IN_RUN, IN_RUN, ModelFileError, read_model_file
from models.restoring.network import build_network
from models.training import TrainingState, get_weights
from search.records import RECORDS, RUN_FACTS, TrialRecord
from search.space.spec import BASELINE, TrialSpec, TrialStatus
from search.trial.store import STATE, LocalStore
from tests.test_restore import jpeg_bytes

SPEC = TrialSpec(architecture="native1k", training_quality="20-80", split="data100")
OTHER = replace(SPEC, seed=1, restore_best=False)
OWN = replace(SPEC, architecture="my_nets.narrow")
PLUGIN = """
from keras import layers

def narrow(degraded, last_convolution):
    return last_convolution(3)(layers.Conv2D(4, 3, padding="same", activation="relu")(degraded))

NETWORKS = {"narrow": narrow}
"""


def record(spec: TrialSpec) -> TrialRecord:
    return TrialRecord(spec, TrialStatus.COMPLETED, 3, 0.25, 1.5, -1.5, 9.0, versions={"pillow": "13.0.0"})


def weights_of(spec: TrialSpec, shift: float) -> tuple[np.ndarray, ...]:
    return tuple(np.full_like(weight, shift) for weight in get_weights(build_network(asdict(spec))))


@pytest.fixture
def run(tmp_path: Path, small_pack: PackedDataset) -> Path:
    """A run of two trials and JPEG as it is, with a pick; the best weights are 0.01, the last 0.02."""
    folder = tmp_path / "run"
    folder.mkdir()
    dataset = {**small_pack.manifest, "path": str(small_pack.folder), "split": "data100"}
    (folder / RUN_FACTS).write_text(json.dumps({"dataset": dataset}))
    store = LocalStore(folder)
    for spec in (SPEC, OTHER):
        best, last = weights_of(spec, 0.01), weights_of(spec, 0.02)
        store.save(spec.trial_id, 3, {STATE: TrainingState(3, last, (), best).to_bytes()})
    lines = [record(spec).to_json() for spec in (BASELINE, SPEC, OTHER)]
    (folder / RECORDS).write_text("\n".join([*lines, '{"torn": ']))
    pick(folder, SPEC.trial_id)
    return folder


def pick(run: Path, trial_id: str | None) -> None:
    (run / "report").mkdir(exist_ok=True)
    facts = {"trial_id": trial_id, "quality": 50, "closest": ["came-closest", 60], "in_words": "Quality 50 ..."}
    (run / "report" / "pick.json").write_text(json.dumps(facts))


def test_the_pick_is_exported_with_the_weights_that_it_was_scored_by(run: Path, small_pack: PackedDataset) -> None:
    export_run(run, run / IN_RUN)
    file = read_model_file(run / IN_RUN)
    assert all((weight == np.float32(0.01)).all() for weight in file.weights)
    facts = file.facts
    assert facts["name"] == SPEC.trial_id
    assert TrialSpec(**facts["spec"]) == SPEC
    assert facts["encoder"] == {
        "codec": "JPEG",
        "subsampling": "4:2:0",
        "tables": "libjpeg",
        "quality": "20-80",
        "family": None,
        "library": "Pillow 13.0.0",
    }
    assert facts["training_data"]["fingerprint"] == small_pack.fingerprint
    assert facts["training_data"]["statistics"] == describe_training_images(small_pack, "data100")
    assert facts["scores"]["margin"] == 0.25
    assert facts["scores"]["pick"]["quality"] == 50
    assert facts["licence"].startswith("not stated")
    assert load(run).model_file.facts == facts


def test_systems_are_described_apart(small_pack: PackedDataset) -> None:
    means = [tuple(row["mean"]) for row in describe_training_images(small_pack, "data100").values()]
    assert len(set(means)) == len(means) > 1


def test_a_trial_is_exported_by_its_name_with_its_last_weights_if_its_spec_says_so(run: Path) -> None:
    file = export_run(run, run / "other.lowq", OTHER.trial_id, licence="CC-BY-4.0")
    assert all((weight == np.float32(0.02)).all() for weight in file.weights)
    assert file.facts["scores"]["pick"] is None
    assert file.facts["licence"] == "CC-BY-4.0"


def test_a_run_without_an_exported_restorer_is_opened_by_its_pick(run: Path) -> None:
    assert open_model(run).name == SPEC.trial_id


def test_a_pack_that_has_gone_leaves_the_statistics_out(run: Path) -> None:
    facts = json.loads((run / RUN_FACTS).read_text())
    facts["dataset"]["path"] = str(run / "gone")
    (run / RUN_FACTS).write_text(json.dumps(facts))
    file = export_run(run, run / IN_RUN)
    assert file.facts["training_data"]["statistics"] is None
    assert restore(load(run), jpeg_bytes()).dtype == np.uint8


def test_a_finalist_has_a_model_file_with_its_card_which_the_picks_takes_over(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from search.scoring.score_files import scores_to_bytes
    from search.trial.store import SCORES

    scores = {"region": "full", "input_quality": 50, "mae": 0.5, "mse": 0.25, "psnr_db": 30.0, "ssim": 0.75}
    for spec, split in ((SPEC, "test"), (OTHER, "validation")):
        LocalStore(run).save(spec.trial_id, 3, {SCORES: scores_to_bytes([{"split": split, **scores}])})
    assert main(["safety", str(run), "--finalists"]) == 0
    assert capsys.readouterr().out.startswith(f"{SPEC.trial_id}: JPEG-50 restored, beside JPEG-75, on ")
    (file,) = (run / FINALISTS_IN_RUN).iterdir()
    card = read_model_file(file).facts["safety"]
    assert card["pack"]["split"] == "data100"
    assert set(card["projection"]) == {"25", "50", "75"}
    assert export_run(run, run / IN_RUN).facts["safety"] == card
    assert "safety" not in export_run(run, run / "other.lowq", OTHER.trial_id).facts
    facts = json.loads((run / RUN_FACTS).read_text())
    facts["dataset"]["fingerprint"] = "another"
    (run / RUN_FACTS).write_text(json.dumps(facts))
    assert main(["safety", str(run), "--finalists"]) == 2
    assert "is another pack than the run's" in capsys.readouterr().err


def test_means_of_test_images_are_those_of_the_score_files(run: Path) -> None:
    from search.scoring.score_files import scores_to_bytes
    from search.trial.store import SCORES

    def row(split: str, region: str, quality: int, psnr_db: float) -> dict[str, object]:
        scores = {"mae": 0.5, "mse": 0.25, "psnr_db": psnr_db, "ssim": 0.75}
        return {"split": split, "region": region, "input_quality": quality, **scores}

    rows = [row("test", "full", 50, 30.0), row("test", "full", 50, 34.0), row("test", "full", 75, 40.0)]
    rows += [row("test", "crop", 50, 99.0), row("validation", "full", 50, 99.0), row("test", "full", 75, float("inf"))]
    LocalStore(run).save(SPEC.trial_id, 3, {SCORES: scores_to_bytes(rows)})
    found = export_run(run, run / IN_RUN).facts["scores"]["test"]
    assert found["50"] == {"n_images": 2, "mae": 0.5, "mse": 0.25, "psnr_db": 32.0, "ssim": 0.75}
    assert found["75"]["psnr_db"] == 40.0
    assert found["75"]["n_images"] == 2


@pytest.fixture
def networks() -> Iterator[dict[str, Network]]:
    """The table of networks, which is as it was afterwards."""
    before = dict(ARCHITECTURES)
    yield ARCHITECTURES
    ARCHITECTURES.clear()
    ARCHITECTURES.update(before)


def test_a_network_of_ones_own_needs_its_file(run: Path, networks: dict[str, Network], tmp_path: Path) -> None:
    use_plugin(Plugin("my_nets", PLUGIN))
    state = TrainingState(1, weights_of(OWN, 0.01), (), weights_of(OWN, 0.01))
    LocalStore(run).save(OWN.trial_id, 1, {STATE: state.to_bytes()})
    networks.pop("my_nets.narrow")
    (run / RECORDS).write_text(record(OWN).to_json() + "\n")
    with pytest.raises(ModelFileError, match=r"my_nets\.narrow is not built in: name its file with --plugin FILE"):
        export_run(run, run / "own.lowq", OWN.trial_id)
    (run / "plugin.py").write_text(PLUGIN)
    export_run(run, run / "own.lowq", OWN.trial_id)
    networks.pop("my_nets.narrow")
    with pytest.raises(ModelFileError, match="--plugin FILE"):
        load(run / "own.lowq")
    (tmp_path / "my_nets.py").write_text(PLUGIN)
    restorer = load(run / "own.lowq", plugin=tmp_path / "my_nets.py")
    assert restorer.reach is not None
    assert restorer.reach.margin_px == 2


def _no_pick(run: Path) -> None:
    pick(run, None)


def _no_report(run: Path) -> None:
    (run / "report" / "pick.json").unlink()


def _unknown(run: Path) -> None:
    pick(run, "unknown-trial")


def _baseline(run: Path) -> None:
    pick(run, BASELINE.trial_id)


def _no_state(run: Path) -> None:
    LocalStore(run).path(SPEC.trial_id, STATE).unlink()


def _damaged_state(run: Path) -> None:
    path = LocalStore(run).path(SPEC.trial_id, STATE)
    path.write_bytes(path.read_bytes()[:-9])


def _damaged_records(run: Path) -> None:
    (run / RECORDS).write_text("[1, 2]\n")


def _damaged_pick(run: Path) -> None:
    (run / "report" / "pick.json").write_text("[")


def _no_name_in_pick(run: Path) -> None:
    (run / "report" / "pick.json").write_text('{"trial_id": ["x"]}')


def _no_closest_in_pick(run: Path) -> None:
    (run / "report" / "pick.json").write_text('{"trial_id": null, "closest": 5}')


def _records_of(spec: object) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / RECORDS).write_text(json.dumps({"trial_id": SPEC.trial_id, "spec": spec}) + "\n")

    return change


def _damaged_facts(run: Path) -> None:
    (run / RUN_FACTS).write_text("{}")


def _no_facts(run: Path) -> None:
    (run / RUN_FACTS).unlink()


def _damaged_scores(run: Path) -> None:
    (run / "scores").mkdir()
    (run / "scores" / f"{SPEC.trial_id}.parquet").write_bytes(b"PAR1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_no_pick, "--trial ID -o FILE` makes a model file of a trial; closest came came-closest"),
        (_no_report, "has no pick: `python -m models export "),
        (_unknown, "has no ended trial unknown-trial; it has identity-"),
        (_baseline, "is JPEG as it is, which restores nothing"),
        (_no_state, "has no weights of native1k"),
        (_damaged_state, "the training state is damaged"),
        (_damaged_records, "is damaged"),
        (_damaged_pick, "is damaged"),
        (_no_name_in_pick, "pick.json is damaged (it names no trial)"),
        (_no_closest_in_pick, "pick.json is damaged (it names no trial)"),
        (_records_of({}), "records.jsonl is damaged (it does not say what native1k"),
        (_records_of(3), "records.jsonl is damaged"),
        (_damaged_facts, "it says nothing of its images"),
        (_no_facts, "is no run directory (it has no run.json)"),
        (_damaged_scores, "cannot be used"),
    ],
)
def test_what_a_run_lacks_is_one_line(
    run: Path, change: object, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run)  # type: ignore[operator]
    assert main(["export", str(run), "-o", str(run / "a.lowq")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lowq: ")
    assert words in line
    assert not (run / "a.lowq").exists()


def test_the_command_says_what_it_wrote_and_overwrites_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run / "a.lowq"
    assert main(["export", str(run), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{SPEC.trial_id}: {out.stat().st_size:,} bytes in {out}\n"
    assert main(["export", str(run), "-o", str(out)]) == 2
    assert "exists: name another file, or replace it with --force" in capsys.readouterr().err
    assert main(["export", str(run), "-o", str(out), "--force"]) == 0
    assert main(["export", str(run), "-o", str(run / "a.onnx9")]) == 2
    assert "a model file ends in .lowq, an ONNX file in .onnx, a TFLite file in .tflite" in capsys.readouterr().err


def test_a_run_and_a_model_file_are_exported_to_onnx(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install 'lowq[export]'")
    export_run(run, run / "a.lowq", OTHER.trial_id)
    for out, arguments in (("of_run", [run, "--trial", OTHER.trial_id]), ("of_file", [run / "a.lowq"])):
        assert main(["export", *map(str, arguments), "-o", str(run / f"{out}.onnx")]) == 0
        assert capsys.readouterr().out.startswith(f"{OTHER.trial_id}: ")
    assert (run / "of_run.onnx").read_bytes() == (run / "of_file.onnx").read_bytes()
    session = onnxruntime.InferenceSession(run / "of_run.onnx")
    assert [put.name for put in session.get_inputs()] == ["degraded"]
    assert main(["export", str(run / "a.lowq"), "-o", str(run / "b.lowq")]) == 2
    assert "a.lowq is a file: .lowq is made of a run; name one, or an output" in capsys.readouterr().err
    assert main(["export", str(run / "a.lowq"), "--trial", OTHER.trial_id, "-o", str(run / "b.onnx")]) == 2
    assert "a.lowq is no run directory" in capsys.readouterr().err


def test_a_run_is_exported_to_tensorflows_formats(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorflow", reason="no TensorFlow here")
    for name in ("a.tflite", "b.tflite", "c.savedmodel"):
        options = ["--int8"] if name == "b.tflite" else []
        assert main(["export", str(run), "-o", str(run / name), *options]) == 0
        files = [file for file in [run / name, *(run / name).rglob("*")] if file.is_file()]
        assert f"{sum(file.stat().st_size for file in files):,} bytes in" in capsys.readouterr().out
    assert (run / "b.tflite").stat().st_size < (run / "a.tflite").stat().st_size
    (run / "c.savedmodel" / "earlier").touch()
    assert main(["export", str(run), "-o", str(run / "c.savedmodel")]) == 2
    assert main(["export", str(run), "-o", str(run / "c.savedmodel"), "--force"]) == 0
    assert not (run / "c.savedmodel" / "earlier").exists()
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]


def test_nothing_else_is_replaced_by_a_saved_model(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "d.savedmodel").mkdir()
    (run / "d.savedmodel" / "thesis.tex").write_text("mine")
    (run / "e.savedmodel").write_text("mine")
    (run / "f.onnx").mkdir()
    for name, words in (
        ("d.savedmodel", "is no SavedModel, and is not replaced"),
        ("e.savedmodel", "is a file, which is not replaced"),
        ("f.onnx", "is a folder, which is not replaced"),
    ):
        assert main(["export", str(run), "-o", str(run / name), "--force"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line
    assert (run / "d.savedmodel" / "thesis.tex").read_text() == (run / "e.savedmodel").read_text() == "mine"
    assert main(["export", str(run), "-o", str(run / "g.onnx"), "--int8"]) == 2
    assert "--int8 is for a file that ends in .tflite" in capsys.readouterr().err

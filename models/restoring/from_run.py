"""From a run to a model file: the weights that the pick was scored by, and what the run knows of it.

A run directory is read as the files that it is made of (docs/design.md lists them): this room knows no search.
"""

import json
import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.names import METRICS, UNTRAINED, is_of_plugin
from models.plugins import read_plugin, use_plugin
from models.restoring.model_file import ModelFile, ModelFileError
from models.restoring.network import load_network
from models.training import TrainingState

SCORES = ("status", "margin", "input_margin", "psnr_gain_db", "epochs_run")


def model_of_run(
    run: Path,
    trial_id: str | None = None,
    licence: str = "",
    statistics: Mapping[str, Any] | None = None,
) -> ModelFile:
    """Return a run's restorer, the pick's unless a trial is named.

    statistics: of the images that it was trained on, as `models.restoring.likeness` has them. Raises ModelFileError
    with one line where the run has no pick, no such trial or no weights of it.
    """
    dataset = dataset_of_run(run)
    pick = _read_json(run / "report" / "pick.json", "") if (run / "report" / "pick.json").is_file() else {}
    if not isinstance(pick.get("trial_id", ""), str | None) or not isinstance(pick.get("closest"), list | None):
        raise ModelFileError(f"{run / 'report' / 'pick.json'} is damaged (it names no trial): put back a copy")
    chosen = trial_id or pick.get("trial_id")
    records = _read_records(run)
    if chosen is None:
        near = f"; closest came {pick['closest'][0]}" if pick.get("closest") else ""
        command = f"python -m models export {run} --trial ID -o FILE"
        raise ModelFileError(f"{run} has no pick: `{command}` makes a model file of a trial{near}")
    record = records.get(chosen)
    if record is None:
        raise ModelFileError(f"{run} has no ended trial {chosen}; it has {', '.join(records) or 'none'}")
    spec = record["spec"]
    if spec["architecture"] in UNTRAINED[:1]:
        raise ModelFileError(f"{chosen} is JPEG as it is, which restores nothing: name another trial")
    if is_of_plugin(spec["architecture"]) and (run / "plugin.py").is_file():
        _use_plugin_of(run, spec["architecture"])
    state = _read_state(run, chosen)
    last = state.watched_weights or state.weights
    weights = state.best_weights if spec.get("restore_best", True) else last
    model_file = ModelFile(
        {
            "name": chosen,
            "spec": spec,
            "encoder": _encoder(spec, record),
            "training_data": {**_training_data(dataset, spec), "statistics": statistics},
            "scores": {
                **{name: record.get(name) for name in SCORES},
                "pick": _picked(pick, chosen),
                "test": _tested(run, chosen),
            },
            "licence": licence,
            "versions": {"lowq": version("lowq"), **record.get("versions", {})},
        },
        weights,
    )
    load_network(model_file)  # one that cannot be loaded is worth nothing
    return model_file


def finalists_of_run(run: Path) -> list[str]:
    """List the trained trials of a run that were scored on test images, in the order they ended."""
    trained = [name for name, record in _read_records(run).items() if _is_trained(record)]
    return [name for name in trained if _tested(run, name)]


def _is_trained(record: Mapping[str, Any]) -> bool:
    return record.get("spec", {}).get("architecture") not in UNTRAINED


def dataset_of_run(run: Path) -> dict[str, Any]:
    """Return what run.json says of the images. Raises ModelFileError where it is no run directory."""
    otherwise = f"{run} is no run directory (it has no run.json); name one that a search made"
    dataset = _read_json(run / "run.json", otherwise).get("dataset")
    if not isinstance(dataset, dict):
        raise ModelFileError(f"{run / 'run.json'} is damaged (it says nothing of its images): put back a copy")
    return dataset


def _use_plugin_of(run: Path, architecture: str) -> None:
    """Put a run's plugin into the tables: it is kept there as plugin.py, and was known by the name of its file."""
    plugin = read_plugin(run / "plugin.py")
    use_plugin(type(plugin)(architecture.partition(".")[0], plugin.source))


def _read_json(path: Path, otherwise: str) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelFileError(otherwise) from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged ({error!s:.60}): put back a copy") from error
    if not isinstance(facts, dict):
        raise ModelFileError(f"{path} is damaged (it is no table of facts): put back a copy")
    return facts


def _read_records(run: Path) -> dict[str, dict[str, Any]]:
    """Return the records of a run's ended trials, by name; a torn last line is left out."""
    try:
        text = (run / "records.jsonl").read_text()
        rows = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line]
        if unknown := [row["trial_id"] for row in rows if not {"architecture", "training_quality"} <= set(row["spec"])]:
            raise ValueError(f"it does not say what {unknown[0]} is")
        return {row["trial_id"]: row for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelFileError(f"{run / 'records.jsonl'} is damaged ({error!s:.60}): put back a copy") from error


def _read_state(run: Path, trial_id: str) -> TrainingState:
    path = run / "weights" / trial_id / "state.npz"
    try:
        return TrainingState.from_bytes(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelFileError(f"{run} has no weights of {trial_id}; it may have failed: name another trial") from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be used: {error}") from error


def _encoder(spec: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the training's JPEG files were made by: lowq's packs are Pillow's, 4:2:0.

    family: of encoders, where they had another one than the pack.
    """
    library = record.get("versions", {}).get("pillow")
    return {
        "codec": "JPEG",
        "subsampling": "4:2:0",
        "tables": "libjpeg",
        "quality": spec["training_quality"],
        "family": spec.get("encoder"),
        "library": f"Pillow {library}" if library else "Pillow",
    }


def _training_data(dataset: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    names = ("description", "fingerprint", "n_images", "size_px", "systems")
    return {**{name: dataset.get(name) for name in names}, "split": spec.get("split")}


def _picked(pick: Mapping[str, Any], trial_id: str) -> dict[str, Any] | None:
    """Return what the run's decision says of the trial that it picked."""
    if pick.get("trial_id") != trial_id:
        return None
    return {name: pick.get(name) for name in ("rule", "quality", "saved_percent", "n_images", "in_words")}


def _tested(run: Path, trial_id: str) -> dict[str, dict[str, float]] | None:
    """Return the mean of each metric over whole test images by quality, where the trial was scored on some."""
    path = run / "scores" / f"{trial_id}.parquet"
    if not path.is_file():
        return None
    try:
        rows = pq.read_table(
            path, columns=["split", "region", "input_quality", *METRICS], use_threads=False
        ).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ModelFileError(f"{path} cannot be used: {error!s:.80}") from error
    whole = [row for row in rows if row["split"] == "test" and row["region"] == "full"]
    found = {}
    for quality in sorted({row["input_quality"] for row in whole}):
        own = [row for row in whole if row["input_quality"] == quality]
        finite = [row for row in own if all(math.isfinite(row[name]) for name in METRICS)]
        means = {name: fmean(row[name] for row in finite) for name in METRICS} if finite else {}
        found[str(quality)] = {"n_images": len(own), **means}
    return found or None

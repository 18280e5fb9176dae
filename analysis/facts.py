"""The facts of a run, run.json, checked once: later readers find every fact they need, and of its type."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.checks import RunError, describe, fits
from search.records import RUN_FACTS, read_run_facts

FACTS: Mapping[str, Any] = {
    "command": str,
    "space": str,
    "scale": str,
    "seed": int,
    "reference_quality": int,
    "scored_qualities": list[int],
    "n_trials": int,
    "dataset": dict[str, object],
}
DATASET_FACTS: Mapping[str, Any] = {
    "path": str,
    "fingerprint": str,
    "size_px": int,
    "n_images": int,
    "systems": dict[str, int],
    "qualities": list[int],
    "split": str,
    "subsets": dict[str, int],
    "scored": dict[str, int],
    "mean_jpeg_bytes": dict[str, float],
}
# Read where they are there.
EXTRA_FACTS: Mapping[str, Any] = {
    "versions": dict[str, str],
    "git_commit": str | None,
    "created": str,
    "left_out": list[dict[str, str]],
    "space_definition": dict[str, object],
}
EXTRA_DATASET_FACTS: Mapping[str, Any] = {
    "splits": dict[str, dict[str, dict[str, int]]],
    "description": str,
    "division": str | None,
    "grouping": dict[str, object] | None,
    "today": dict[str, str | int | float | None] | None,
}
AXES = dict[str, list[str | int | float | bool | None]]
SUBSETS = ("validation", "test")


def read_facts(path: Path) -> dict[str, Any]:
    """Read a run's facts. Raises RunError when PATH is no run directory, or the facts are not what they must be."""
    try:
        facts = read_run_facts(path)
    except FileNotFoundError as error:
        raise RunError(str(error)) from error
    except ValueError as error:
        raise RunError(f"{RUN_FACTS} must be JSON, found {error} in {path}; name another run") from error
    facts = facts if isinstance(facts, dict) else {}
    dataset: dict[str, Any] = facts["dataset"] if isinstance(facts.get("dataset"), dict) else {}
    missing = [name for name in FACTS if name not in facts] + [name for name in DATASET_FACTS if name not in dataset]
    if missing:
        raise _refusal(path, f"must name {', '.join(missing)}, and does not")
    extra = {name: kind for name, kind in EXTRA_FACTS.items() if name in facts}
    more = {name: kind for name, kind in EXTRA_DATASET_FACTS.items() if name in dataset}
    for found, kinds in ((facts, {**FACTS, **extra}), (dataset, {**DATASET_FACTS, **more})):
        for name, kind in kinds.items():
            if not fits(found[name], kind):
                raise _refusal(path, f"must give {name} as {describe(kind)}, found {str(found[name])[:60]!r}")
    if not all({"what", "why"} <= set(item) for item in facts.get("left_out", [])):
        raise _refusal(path, "must say what is left out and why, and does not")
    axes = facts.get("space_definition", {}).get("axes", {})
    if not fits(axes, AXES):
        raise _refusal(path, f"must give the axes of its space as lists of values, found {str(axes)[:60]!r}")
    if not 1 <= facts["reference_quality"] <= 100:
        raise _refusal(path, f"must give a reference_quality of 1 to 100, found {facts['reference_quality']}")
    _check_dataset(path, dataset)
    return facts


def _check_dataset(path: Path, dataset: Mapping[str, Any]) -> None:
    lacking = [subset for subset in SUBSETS if subset not in dataset["scored"]]
    if lacking:
        raise _refusal(path, f"must say how many images of {', '.join(lacking)} are scored, and does not")
    if not all({"subsets", "scored"} <= set(split) for split in dataset.get("splits", {}).values()):
        raise _refusal(path, "must say subsets and scored of each of its splits, and does not")
    sizes = dataset["mean_jpeg_bytes"]
    if not sizes or not all(name.isdecimal() and math.isfinite(size) and size > 0 for name, size in sizes.items()):
        raise _refusal(path, f"must give mean_jpeg_bytes by quality, found {str(sizes)[:60]!r}")
    if dataset["size_px"] < 1:
        raise _refusal(path, f"must give a size_px of at least 1, found {dataset['size_px']}")


def _refusal(path: Path, rule: str) -> RunError:
    return RunError(f"{path / RUN_FACTS} {rule}; read it with the lowq version that made it")

"""The facts of a run, run.json, checked once: later readers find every fact they need, and of its type."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.checks import RunError, describe, fits
from search.records import RUN_FACTS, read_run_facts

FACTS: Mapping[str, Any] = {
    **dict.fromkeys(("command", "space", "scale"), str),
    **dict.fromkeys(("seed", "reference_quality", "n_trials"), int),
    **{"scored_qualities": list[int], "dataset": dict[str, object]},
}
DATASET_FACTS: Mapping[str, Any] = {
    **dict.fromkeys(("path", "fingerprint", "split"), str),
    **dict.fromkeys(("size_px", "n_images"), int),
    **dict.fromkeys(("systems", "subsets", "scored"), dict[str, int]),
    **{"qualities": list[int], "mean_jpeg_bytes": dict[str, float]},
}
# Read where they are there.
EXTRA_FACTS: Mapping[str, Any] = {
    **{"versions": dict[str, str], "git_commit": str | None, "created": str, "left_out": list[dict[str, str]]},
    **{"space_definition": dict[str, object], "resumed": list[dict[str, object]]},
}
EXTRA_DATASET_FACTS: Mapping[str, Any] = {
    **{"splits": dict[str, dict[str, dict[str, int]]], "description": str, "division": str | None},
    **{"grouping": dict[str, object] | None, "today": dict[str, str | int | float | None] | None},
}
AXES = dict[str, list[str | int | float | bool | None]]


def read_facts(path: Path) -> dict[str, Any]:
    """Read a run's facts. Raises RunError when PATH is no run directory, or the facts are not what they must be."""
    try:
        facts = read_run_facts(path)
    except (FileNotFoundError, ValueError) as error:
        raise RunError(str(error)) from error
    dataset: dict[str, Any] = facts["dataset"] if isinstance(facts.get("dataset"), dict) else {}
    missing = [name for name in FACTS if name not in facts] + [name for name in DATASET_FACTS if name not in dataset]
    rule = f"must name {', '.join(missing)}, and does not" if missing else _wrong(facts, dataset)
    if rule:
        raise RunError(f"{path / RUN_FACTS} {rule}; read it with the lowq version that made it")
    return facts


def _wrong(facts: Mapping[str, Any], dataset: Mapping[str, Any]) -> str:
    """Say what is wrong with facts that are all there, nothing where all is well."""
    for found, kinds in ((facts, {**FACTS, **EXTRA_FACTS}), (dataset, {**DATASET_FACTS, **EXTRA_DATASET_FACTS})):
        for name, kind in kinds.items():
            if name in found and not fits(found[name], kind):
                return f"must give {name} as {describe(kind)}, found {str(found[name])[:60]!r}"
    axes, sizes = facts.get("space_definition", {}).get("axes", {}), dataset["mean_jpeg_bytes"]
    reference = facts["reference_quality"]
    lacking = [subset for subset in ("validation", "test") if subset not in dataset["scored"]]
    are_told = all({"what", "why"} <= set(item) for item in facts.get("left_out", []))
    are_split = all({"subsets", "scored"} <= set(split) for split in dataset.get("splits", {}).values())
    are_sizes = all(name.isdecimal() and math.isfinite(size) and size > 0 for name, size in sizes.items())
    checks = {
        "must say what is left out and why, and does not": are_told,
        f"must give the axes of its space as lists of values, found {str(axes)[:60]!r}": fits(axes, AXES),
        f"must give a reference_quality of 1 to 100, found {reference}": 1 <= reference <= 100,
        f"must say how many images of {', '.join(lacking)} are scored, and does not": not lacking,
        "must say subsets and scored of each of its splits, and does not": are_split,
        f"must give mean_jpeg_bytes by quality, found {str(sizes)[:60]!r}": bool(sizes) and are_sizes,
        f"must give a size_px of at least 1, found {dataset['size_px']}": dataset["size_px"] >= 1,
    }
    return next((rule for rule, holds in checks.items() if not holds), "")

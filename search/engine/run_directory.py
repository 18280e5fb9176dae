"""The run directory as a search makes it: what run.json says of a run, and of each of its sittings."""

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

from datasets.errors import InputError, explain
from datasets.whole_file import write_whole
from search.records import RUN_FACTS, read_run_facts
from search.space.perceptual import weights_facts
from search.space.plugin import PLUGIN_FILE
from search.space.scale import REFERENCE_QUALITY
from search.task import Task
from search.trial.provenance import git_commit, versions
from search.trial.store import StoreError


def create_run(run: Path, task: Task) -> None:
    """Make the run directory and say in it what the run is. Raises InputError when it exists or cannot be written."""
    if run.exists():
        raise InputError(f"{run} exists: continue it with --resume {quoted(run)}, or name another with --out")
    _require_utf8(run)
    try:
        run.mkdir(parents=True)
        if task.continuation:
            task.continuation.write_into(run)
        task.earlier.write_into(run)
        if task.plugin:
            write_whole(run / PLUGIN_FILE, task.plugin.source.encode())
        _write_facts(run, _facts(task))
    except OSError as error:
        raise InputError(f"cannot write {run}: {error.strerror or error}; name another folder with --out") from error


def note_resumed(run: Path, task: Task) -> list[str]:
    """Say in a run's facts that it is resumed, where its data are and how many trials it is to have now.

    Returns which versions are others than at its last sitting, in words. Raises InputError.
    """
    _require_utf8(run)
    facts = read_run_facts(run)
    today = versions()
    last = [facts, *facts.get("resumed", [])][-1]["versions"]
    packed = {} if facts.get("resumed") else task.pack.manifest["versions"]  # which stand among the run's own
    compared = {name: now for name, now in today.items() if name not in packed}
    changes = [f"{name} {last[name]} -> {now}" for name, now in compared.items() if last.get(name, now) != now]
    made_by = {"command": task.command, "git_commit": git_commit(), "versions": today, "time": _now()}
    sitting = {**made_by, "changes": changes}
    facts["dataset"]["path"] = str(task.pack.folder.resolve())
    facts["n_trials"] = task.n_trials
    facts["options"] |= task.options
    facts["resumed"] = [*facts.get("resumed", []), sitting]
    try:
        _write_facts(run, facts)
    except OSError as error:
        raise cannot_write(run, error.strerror or str(error)) from error
    return changes


def cannot_write(run: Path, reason: str) -> InputError:
    """Return the error of a run that cannot be written any more."""
    return InputError(
        f"cannot write {run}: {reason}; what ended is safe: mend it, then go on with --resume {quoted(run)}"
    )


def lost_worker(run: Path, error: RayError) -> InputError:
    """Return the error of a run whose work was ended from outside: by Ray for want of memory, with a node or a kill."""
    if isinstance(error, OutOfMemoryError):
        reason = (
            "Ray ended a worker, as its node had nearly no memory left: end what else takes memory there, or start Ray "
            "there with RAY_memory_monitor_refresh_ms=0"
        )
    else:
        (reason, *_) = str(error).splitlines() or [type(error).__name__]
    return InputError(f"{reason}; what ended is safe: go on with --resume {quoted(run)}")


@contextmanager
def told_of(run: Path) -> Iterator[None]:
    """Have what befalls a run's work from outside of it be an InputError that says how to go on."""
    try:
        yield
    except RayTaskError as error:
        cause: BaseException = error
        while isinstance(cause, RayTaskError):
            cause = cause.cause
        if isinstance(cause, StoreError):
            raise cannot_write(run, str(cause)) from error
        if isinstance(cause, OSError):
            what = f"{cause.filename or 'a file that a worker needs'}: {explain(cause)}"
            raise InputError(f"{what}; what ended is safe: go on with --resume {quoted(run)}") from error
        raise  # what the work itself raised
    except OSError as error:
        raise cannot_write(run, error.strerror or str(error)) from error
    except RayError as error:
        raise lost_worker(run, error) from error


def quoted(run: Path) -> str:
    """Return a run's path as a shell wants it."""
    return shlex.quote(str(run))


def _require_utf8(run: Path) -> None:
    """Raise InputError for a path that Ray cannot have."""
    try:
        str(run).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{run} is no UTF-8, which Ray needs: put the run where all names are") from error


def _write_facts(run: Path, facts: dict[str, Any]) -> None:
    write_whole(run / RUN_FACTS, json.dumps(facts, indent=1).encode())


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _facts(task: Task) -> dict[str, Any]:
    pack, protocol = task.pack, task.setup.protocol
    subsets = {
        split: {subset: len(pack.images_of(split, subset)) for subset in ("train", "validation", "test")}
        for split in task.splits
    }
    scored = {
        split: {subset: len(task.scored_images(split, subset)) for subset in ("validation", "test")}
        for split in task.splits
    }
    split = task.splits[0]
    return {
        "command": task.command,
        "options": task.options,
        "space": task.space.name,
        "space_definition": task.space.as_facts(),
        "scale": task.scale.name,
        "seed": task.seed,
        "reference_quality": REFERENCE_QUALITY,
        "scored_qualities": list(protocol.scored_qualities),
        "n_trials": task.n_trials,
        "dataset": {
            "path": str(pack.folder.resolve()),
            "description": pack.manifest["description"],
            "fingerprint": pack.fingerprint,
            "size_px": pack.size_px,
            "n_images": len(pack.names),
            "systems": pack.manifest["systems"],
            "division": pack.manifest.get("split"),
            "grouping": pack.manifest.get("grouping"),
            "today": pack.today,
            "qualities": list(pack.qualities),
            "split": split,
            "subsets": subsets[split],
            "scored": scored[split],
            "splits": {name: {"subsets": subsets[name], "scored": scored[name]} for name in task.splits},
            "mean_jpeg_bytes": {str(q): float(pack.offsets[q][-1] / len(pack.names)) for q in pack.qualities},
        },
        "versions": {**versions(), **pack.manifest["versions"]},
        "git_commit": git_commit(),
        "vgg16_weights": weights_facts(task.vgg16_weights),
        "plugin": task.plugin.as_facts() if task.plugin else None,
        "left_out": list(task.left_out),
        "created": _now(),
    }

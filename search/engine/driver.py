"""The driver: runs a planned search from an empty run directory, or from what an earlier one left, to its scores."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets.errors import InputError
from search.cluster.codec_tasks import compare_rivals
from search.cluster.connection import send_logs_to
from search.cluster.delivery import deliver
from search.cluster.gallery_tasks import make_gallery
from search.cluster.node_check import alive_nodes
from search.cluster.placement import N_WAITING
from search.cluster.scoring_tasks import Site, score_finalists, start_baseline
from search.engine.checkpoint_store import collect_record, keeper_name, pause, start_keeper
from search.engine.run_writer import Ledger
from search.engine.searcher import LowqSearch, Mirror
from search.engine.tune import EarlyStopping, Events, Job, make_trainable, run_trials
from search.progress.log import ProgressLog, Watcher
from search.records import (
    EARLIER,
    RUN_FACTS,
    TrialRecord,
    failed_record,
    read_proposed,
    read_records,
    read_run_facts,
)
from search.scoring.finalists import choose_finalists
from search.scoring.images import describe_images
from search.space.perceptual import weights_facts
from search.space.plugin import PLUGIN_FILE
from search.space.scale import REFERENCE_QUALITY
from search.space.spec import TrialSpec
from search.task import Task
from search.trial.provenance import git_commit, versions
from search.trial.store import LocalStore, write_atomically


def create_run(run: Path, task: Task) -> None:
    """Make the run directory and say in it what the run is. Raises InputError when it exists or cannot be written."""
    if run.exists():
        raise InputError(f"{run} exists: continue it with --resume {run}, or name another with --out")
    try:
        run.mkdir(parents=True)
        if task.continuation:
            task.continuation.plant(run)
        task.earlier.plant(run)
        if task.plugin:
            write_atomically(run / PLUGIN_FILE, task.plugin.source.encode())
        _write_facts(run, _facts(task))
    except OSError as error:
        raise InputError(f"cannot write {run}: {error.strerror or error}; name another folder with --out") from error


def note_resumed(run: Path, task: Task) -> None:
    """Say in a run's facts that it is resumed, and how many trials it is to have now. Raises InputError."""
    facts = read_run_facts(run)
    sitting = {"command": task.command, "git_commit": git_commit(), "versions": versions(), "time": _now()}
    facts["n_trials"] = task.n_trials
    facts["options"]["trials"] = task.options["trials"]
    facts["resumed"] = [*facts.get("resumed", []), sitting]
    try:
        _write_facts(run, facts)
    except OSError as error:
        raise _trouble(run, error.strerror or str(error)) from error


def run_search(run: Path, task: Task, watchers: tuple[Watcher, ...] = (), say: Callable[[str], None] = print) -> bool:
    """Run the trials that the run still lacks, then score the finalists; True when the search came to its end.

    watchers hear of every event of a trial; say is for the rest.

    The run directory is readable at every moment. Raises InputError when it cannot be written any more; what ended is
    safe and the rest can be resumed.
    """
    send_logs_to(run / "logs")
    keeper = start_keeper(run)
    pack, *vgg16 = task.parcels
    for parcel in task.parcels:
        for node in deliver(parcel, alive_nodes(task.machine.avoided)):
            say(f"brought {parcel.folder.name} to {node}")
    site = Site(pack, keeper_name(run), task.bench, *vgg16)
    before = read_records(run)
    trained = [record for record in before if record.spec.is_trained]
    plan = task.plan
    log = ProgressLog(task.n_trials, plan.trials_s, plan.finish_s, task.budget_s, watchers, records=list(trained))

    def stop() -> None:
        searcher.close()
        pause(keeper)

    def settle_spec(spec: TrialSpec, crashed: bool) -> TrialRecord | None:
        record, trouble = collect_record(keeper, spec.trial_id)
        if trouble:
            ledger.fail(trouble)
        elif record is None and crashed:
            record = failed_record(spec, task.pack.fingerprint, "its worker died, again and again; see logs/")
        if record is not None:
            ledger.settle(record)
        return record

    ledger = Ledger(run, log, stop)
    mirror = Mirror(run) if task.mirror else None
    searcher = LowqSearch(task.space, task.make_spec, ledger.announce, settle_spec, task.seed, mirror)
    ended = {record.trial_id for record in before}
    unfinished = dict.fromkeys(spec for spec in read_proposed(run) if spec.trial_id not in ended)
    searcher.continue_from(trained, unfinished, read_records(run, EARLIER))
    baselines = [start_baseline(site, spec, task.machine) for spec in task.baselines if spec.trial_id not in ended]
    stopping = EarlyStopping(keeper, task.scale, task.epochs, task.space.stops_early)
    stopping.learn(trained)
    events = Events(log, baselines, ledger, stop)
    n_waiting = N_WAITING if task.machine.gpu_mem_mb else 0
    job = Job(task.n_trials - len(trained), task.machine, run / "logs", n_waiting)
    try:
        if job.n_trials > 0:
            run_trials(make_trainable(site, task.machine), job, searcher, stopping, [events])
    except OSError as error:
        ledger.fail(error.strerror or str(error))
    events.collect_baselines(timeout_s=None)
    if ledger.trouble:
        raise _trouble(run, ledger.trouble)
    if not events.closed and searcher.n_open:
        return False
    try:
        describe_images(run, task.pack, say)
        _score_finalists(run, task, site, say)
        compare_rivals(run, task, site, say)
        make_gallery(run, task, site, say)
    except OSError as error:
        raise _trouble(run, error.strerror or str(error)) from error
    return True


def _trouble(run: Path, reason: str) -> InputError:
    return InputError(f"cannot write {run}: {reason}; what ended is safe: mend it, then go on with --resume {run}")


def _score_finalists(run: Path, task: Task, site: Site, say: Callable[[str], None]) -> None:
    finalists = choose_finalists(read_records(run), task.n_finalists)
    n_images = len(task.scored_images(task.splits[0], "test"))
    if finalists:
        names = ", ".join(record.trial_id for record in finalists)
        say(f"scoring on {n_images} test images at {len(task.pack.qualities)} qualities: {names}")
    for trial_id in score_finalists(site, finalists, task.pack.qualities, task.machine, LocalStore(run)):
        say(f"scored {trial_id}")


def _write_facts(run: Path, facts: dict[str, Any]) -> None:
    write_atomically(run / RUN_FACTS, json.dumps(facts, indent=1).encode())


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _facts(task: Task) -> dict[str, Any]:
    pack, protocol = task.pack, task.bench.protocol
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

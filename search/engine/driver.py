"""The driver: runs a planned search from an empty run directory, or from what an earlier one left, to its scores."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from ray.exceptions import RayError, RayTaskError

from datasets.errors import InputError
from search.cluster.baselines import Baselines
from search.cluster.delivery import deliver
from search.cluster.logs import WORKER_LOG, send_logs_to
from search.cluster.newcomers import Newcomers
from search.cluster.node_check import alive_nodes
from search.cluster.placement import N_WAITING, avoid, avoid_none, describe_unplaceable
from search.cluster.scoring_tasks import WorkerSetup
from search.cluster.watchdog import Watchdog
from search.engine.checkpoint_store import (
    MAX_STARTS,
    checkpoint_store_name,
    how_it_ended,
    pause,
    start_checkpoint_store,
)
from search.engine.early_stopping import EarlyStopping, brackets_of
from search.engine.encoder_stage import EncoderStage
from search.engine.finish import Finish
from search.engine.interrupt import told_to_end
from search.engine.mirror import Mirror
from search.engine.mlflow_log import MlflowLog
from search.engine.run_directory import cannot_write, lost_worker, quoted, told_of
from search.engine.run_writer import RunWriter
from search.engine.searcher import LowqSearch
from search.engine.tune import Events, Job, make_trainable, run_trials
from search.progress.log import ProgressLog, Watcher
from search.records import EARLIER, TrialRecord, best_first, failed_record, read_proposed, read_records
from search.space.spec import TrialSpec, TrialStatus
from search.task import Task
from search.trial.store import LocalStore, curve_of

LOGS = "logs"
N_HELD = 3  # trials in a row, without an epoch of any, that could not start for the same reason
N_ALIKE = 5  # trials in a row that failed with the same words
N_RETRIED = 100  # trials more than are wanted, for those that have to be proposed again
CONFIRMING_SHARE = 0.3  # the most of a time budget, at its end, for training the best again with other seeds
CONFIRMING_MARGIN = 1.3  # over the time that the best took: another node may be slower


def run_search(run: Path, task: Task, watchers: tuple[Watcher, ...] = (), say: Callable[[str], None] = print) -> bool:
    """Run the trials that the run still lacks, then score the finalists; True when the search came to its end.

    watchers hear of every event of a trial; say is for the rest. The run directory is readable at every moment. Raises
    InputError when the search cannot go on; what ended is safe and the rest can be resumed.
    """
    send_logs_to(run / LOGS)
    avoid_none()
    watchdog = Watchdog(run)
    try:
        search = Search(run, task, watchers, say)
        search.bring_files()
        search.screen()
        if not search.train():
            return False
        with told_of(run):
            search.score()
        return True
    except RayTaskError:
        raise  # what the work itself raised
    except RayError as error:
        raise lost_worker(run, error) from error
    finally:
        watchdog.stop()


class Search:
    """A search under way: what is proposed, what has ended, and what follows the trials."""

    def __init__(self, run: Path, task: Task, watchers: tuple[Watcher, ...], say: Callable[[str], None]) -> None:
        self.run, self.task, self.say = run, task, say
        self.checkpoints = start_checkpoint_store(run)
        pack, *vgg16 = task.file_sets
        self.workers = WorkerSetup(pack, checkpoint_store_name(run), task.setup, vgg16[0] if vgg16 else None)
        self.before = [record for record in read_records(run) if record.has_ended]
        trained = [record for record in self.before if record.spec.is_trained]
        self.records = [record for record in trained if record.spec.encoders is None]
        ended = {record.trial_id for record in self.before}
        proposed = dict.fromkeys(read_proposed(run))
        unfinished = [spec for spec in proposed if spec.is_trained and spec.trial_id not in ended]
        self.unfinished = [spec for spec in unfinished if task.fits(spec)]
        for line in describe_unplaceable(unfinished, task.machine):
            say(f"not gone on with: {line}")
        known = [*(record.spec for record in self.records), *self.unfinished]
        self.n_new = max(0, task.n_trials - sum(not task.confirms(spec) for spec in known))
        self.log = ProgressLog(
            task.n_trials + task.n_confirming + task.n_pretrained,
            task.plan.trials_s,
            task.plan.finish_s,
            task.budget_s,
            watchers,
            records=trained,
            began=task.began,
        )
        self.writer = RunWriter(run, self.log, self.stop)
        self.searcher = self._searcher()
        self.is_stopped = False
        self.held: list[str] = []  # reasons, since a trial last had a new epoch
        self.n_held_on = Counter[str]()  # by the id of the node
        self.last_held: str | None = None
        failed = [record for record in read_records(run) if record.status is TrialStatus.FAILED]
        self.failed_before = {record.trial_id for record in failed}  # and are tried again, where that was from outside
        self.failed: list[str] = []  # what the last trials failed with, since another ended otherwise
        self.cause = ""  # why the search ends before its time, and what to do
        self.confirming: tuple[TrialSpec, ...] | None = None

    def bring_files(self) -> None:
        """Bring what every node needs to those that lack it."""
        for file_set in self.task.file_sets:
            for node in deliver(file_set, alive_nodes(self.task.machine.avoided), self.say):
                self.say(f"brought {file_set.folder.name} to {node}")

    def screen(self) -> None:
        """Where the space asks for it, make the best encoders an axis, and train what trials begin with there."""
        if self.task.space.screens is None:
            return
        stage = EncoderStage(self.run, self.task, self.workers, self.log, self.writer, self.stop, self.say)
        self.task = stage.run()
        self.searcher = self._searcher()
        if self.is_stopped:
            self.searcher.close()

    def _searcher(self) -> LowqSearch:
        task = self.task
        mirror = Mirror(self.run) if task.mirror else None
        return LowqSearch(task.space, task.make_spec, self, task.seed, self.n_new, mirror, task.max_macs, task.fits)

    def train(self) -> bool:
        """Run the trials; False when they were interrupted. Raises InputError."""
        task, ended = self.task, {record.trial_id for record in self.before}
        self.searcher.continue_from(self.records, self.unfinished, read_records(self.run, EARLIER))
        specs = [spec for spec in task.baselines if spec.trial_id not in ended]
        baselines = Baselines(self.workers, specs, task.machine, self.writer.write_record)
        events = Events(self, baselines)
        n_to_run = len(self.unfinished) + self.n_new + task.n_confirming
        job = Job(N_RETRIED + n_to_run, task.machine, self.run / LOGS, N_WAITING if task.machine.gpu_mem_mb else 0)
        try:
            if n_to_run:
                mlflow = [MlflowLog(task.mlflow, self.run.name, self.say)] if task.mlflow else []
                callbacks = [events, Newcomers(task, self.log.note), *mlflow]
                run_trials(make_trainable(self.workers, task.machine), job, self.searcher, self._stopping(), callbacks)
            if self.cause:
                baselines.cancel()
                raise InputError(self.cause)
            is_unfinished = self.searcher.n_open and not events.is_closed and not self.writer.trouble
            if is_unfinished or told_to_end.is_set():
                baselines.cancel()
                return False
            baselines.finish(self.say)
        except OSError as error:
            self.writer.fail(error.strerror or str(error))
        if self.writer.trouble:
            baselines.cancel()
            raise cannot_write(self.run, self.writer.trouble)
        return True

    def score(self) -> None:
        """Score what was paused, then the finalists, and for a report what they are compared with."""
        left = (*self.searcher.paused, *self.searcher.unfinished)
        Finish(self.run, self.task, self.workers, self.writer, self.say).score(left)

    def stop(self) -> None:
        """Have nothing new start, and trials pause after their epoch."""
        self.is_stopped = True
        self.searcher.close()
        pause(self.checkpoints)

    # What the searcher asks (`search.engine.searcher.Host`).

    def announce(self, spec: TrialSpec) -> bool:
        return self.writer.write_proposed(spec)

    def settle(self, spec: TrialSpec, crashed: bool) -> TrialRecord | None:
        ending = how_it_ended(self.checkpoints, spec.trial_id)
        record, self.last_held = ending.record, None
        if ending.trouble:
            self.writer.fail(ending.trouble)
        elif ending.held:
            self.hold(ending.held, ending.held_on)
        elif record is None and crashed and not ending.n_starts:
            self.hold("a node where its worker cannot start")
        elif record is None and (crashed or ending.n_starts > MAX_STARTS):
            curve = curve_of(LocalStore(self.run).load(spec.trial_id) or b"")
            error = f"its worker died {MAX_STARTS} times in epoch {len(curve) + 1}; see {LOGS}/{WORKER_LOG}"
            record = failed_record(spec, self.task.pack.fingerprint, error, curve, is_outside=True)
        if record is not None:
            self.held.clear()
            self.writer.write_record(record)
            self._judge_failure(record)
            if record.spec.is_trained:
                self.records.append(record)
        return record

    def hold(self, reason: str, node: str | None = None) -> None:
        """Note that a trial could not start where it was put.

        A node where that was so N_HELD times is avoided; where there is no other the search ends.
        """
        self.last_held = reason
        self.held = [*(other for other in self.held if other == reason), reason]
        self.log.note(f"a trial could not start on {reason}; it is tried again")
        self.n_held_on[node or ""] += 1
        if node and self.n_held_on[node] >= N_HELD and avoid([node], self.task.machine):
            self.held.clear()
            self.log.note("nothing more is tried there")
        elif len(self.held) >= N_HELD:
            self.cause = f"no trial can start: {reason}; mend it, then go on with --resume {quoted(self.run)}"
            self.stop()

    def _judge_failure(self, record: TrialRecord) -> None:
        """End the search where trials in a row fail alike, before those that are left do.

        One that failed in an earlier sitting too does not count, so that each sitting comes past the last one's.
        """
        if record.status is not TrialStatus.FAILED:
            self.failed.clear()
        elif record.trial_id not in self.failed_before:
            reason = re.sub(r"\d+", "N", record.error or "")  # as of the epoch
            self.failed = [*(other for other in self.failed if other == reason), reason]
        if len(self.failed) >= N_ALIKE and self.searcher.n_open + self.searcher.n_left and not self.cause:
            run = quoted(self.run)
            again = f"then go on with --resume {run}"
            anew = f"and give --from {run}, or go on with the others by --resume {run}"
            alike = f"{len(self.failed)} trials in a row failed alike: {record.error}"
            self.cause = f"{alike}; mend it, {again if record.is_outside else anew}"
            self.stop()

    def is_held(self, spec: TrialSpec) -> bool:
        return self.last_held is not None

    def confirmations(self, n_left: int) -> Sequence[TrialSpec] | None:
        if not self.task.n_confirming:
            return None if n_left else ()
        if self.confirming is None:
            able = [record for record in self.records if record.status is TrialStatus.COMPLETED]
            best = best_first(record for record in able if not self.task.confirms(record.spec))
            best = best[: self.task.scale.n_confirmed]
            left_s = self.log.budget_left_s()
            is_late = left_s is not None and left_s <= self._confirming_s(best)
            waits = n_left > 0 or any(spec.seed == self.task.seed for spec, _ in self.searcher.open.values())
            if waits and not is_late:
                return None
            self.confirming = tuple(
                spec
                for record in best
                for spec in self.task.confirming(record.spec)
                if spec.trial_id not in self.searcher.known and (left_s is None or record.seconds <= left_s)
            )
            if is_late and n_left and not self.confirming:
                self.confirming = None
                return None  # nothing has completed yet: better that something does
            if self.confirming:
                self.say(f"training the best again with other seeds: {len(self.confirming)} trials")
        return self.confirming

    def _confirming_s(self, best: Sequence[TrialRecord]) -> float:
        """Return how long before the end of the time budget the best must be trained again, in seconds.

        As long as these took, in rounds of as many as there are slots, and one more round for what is under way.
        """
        most_s = CONFIRMING_SHARE * (self.task.budget_s or 0.0)
        rounds = 1 + -(-self.task.n_confirming // self.task.machine.n_slots)
        longest_s = max((record.seconds for record in best), default=most_s)
        return min(most_s, CONFIRMING_MARGIN * rounds * longest_s)

    def _stopping(self) -> EarlyStopping:
        brackets = None
        if self.task.space.stops_early:
            store = LocalStore(self.run)
            curves = {record.spec: record.curve for record in self.records}
            curves |= {spec: curve_of(store.load(spec.trial_id) or b"") for spec in self.unfinished}
            of_search = [(spec, curve) for spec, curve in curves.items() if not self.task.confirms(spec)]
            brackets = brackets_of(self.task.scale, self.task.epochs, of_search, self.task.space.minimises_macs)
        return EarlyStopping(self.checkpoints, brackets, self.task.seed)

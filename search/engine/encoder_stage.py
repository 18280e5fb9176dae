"""Before the trials of a space of encoders: which are worth a network, and what networks for them begin with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.errors import InputError
from search.cluster.scoring_tasks import WorkerSetup
from search.engine.pretraining import WELL, pretrain, pretraining_specs, with_pretrained
from search.engine.run_directory import quoted
from search.engine.run_writer import RunWriter
from search.engine.screening import MOST_OF_BUDGET, Screening, screened_of, shapes_here, with_encoders
from search.progress.log import ProgressLog
from search.records import TrialRecord, read_records
from search.task import Task


@dataclass(frozen=True)
class EncoderStage:
    """The stage of a search, which stop() ends in order; say: hears what goes on."""

    search: Path
    task: Task
    workers: WorkerSetup
    log: ProgressLog
    writer: RunWriter
    stop: Callable[[], None]
    say: Callable[[str], None]

    def run(self) -> Task:
        """Return the task whose space has the best encoders as an axis. Raises InputError where there are none."""
        encoders = self._screen()
        self.say(f"networks are trained on files of: {', '.join(encoders)}")
        return self._pretrain(replace(self.task, space=with_encoders(self.task.space, encoders)), tuple(encoders))

    def _screen(self) -> Mapping[str, TrialRecord]:
        """Try encoders with the filter and return the best, each with its filter's record."""
        known = screened_of(read_records(self.search), self.task)
        asked = self.task.space.screens
        assert asked is not None
        shapes = shapes_here(asked)
        if shapes != asked:
            self.say("encoders with a trellis are left out: jpeglib is not installed")
        screening = Screening(self.task, self.workers, shapes, known)
        n_left = self.task.space.n_screened - len(known)
        if n_left > 0:
            self.say(f"screening {n_left} encoders with the linear filter")
        screening.run(self.writer.write_record, lambda: self.log.share_of_budget() < MOST_OF_BUDGET, self.say)
        best = screening.best()
        if not screening.known:
            more = f"give --time-budget more, then go on with --resume {quoted(self.search)}"
            raise InputError(f"the time budget ended before an encoder was screened: {more}")
        if not best:
            raise InputError("no encoder that was screened reaches a value: look at what the pack holds")
        return best

    def _pretrain(self, task: Task, encoders: tuple[str, ...]) -> Task:
        """Train each network on files of all encoders; return the task whose trials begin with its weights."""
        if len(encoders) == 1:
            return task
        specs = pretraining_specs(task, encoders)
        status = {record.trial_id: record.status for record in read_records(self.search) if record.has_ended}
        left = [spec for spec in specs.values() if spec.trial_id not in status]
        if left:
            self.say(f"training on files of all of these first, to be fine-tuned on each: {', '.join(specs)}")
        for record in pretrain(self.workers, left, task.machine, self.log, self.stop):
            self.writer.write_record(record)
            status[record.trial_id] = record.status
        done = {name: spec.trial_id for name, spec in specs.items() if status.get(spec.trial_id) in WELL}
        return replace(task, space=with_pretrained(task.space, done, task.epochs))

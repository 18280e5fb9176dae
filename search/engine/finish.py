"""What follows the trials of a run: scores of what was paused and of finalists, and what these are compared with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from search.cluster.baselines import Baselines
from search.cluster.codec_tasks import compare_codecs
from search.cluster.gallery_tasks import make_gallery
from search.cluster.scoring_tasks import WorkerSetup, score_finalists, score_paused_trials
from search.engine.run_writer import RunWriter
from search.records import read_records
from search.scoring.finalists import choose_finalists, choose_tested
from search.scoring.images import describe_images
from search.space.spec import TrialSpec
from search.task import Task
from search.trial.store import SCORES, STATE, LocalStore


@dataclass(frozen=True)
class Finish:
    """The last stage of a run; what one sitting made of it, another does not make again."""

    run: Path
    task: Task
    workers: WorkerSetup
    writer: RunWriter
    say: Callable[[str], None]

    def score(self, left: Iterable[TrialSpec]) -> None:
        """Score what was paused, then finalists on test images, and for a report what they are compared with.

        left: the trials that have not ended.
        """
        self.score_paused(left)
        self._score_encoders()
        self._score_finalists()
        describe_images(self.run, self.task.pack, self.say)
        if self.task.reports:
            compare_codecs(self.run, self.task, self.workers, self.say)
            make_gallery(self.run, self.task, self.workers, self.say)

    def score_paused(self, left: Iterable[TrialSpec]) -> None:
        """Score the trials that were under way when the search ended, and keep their records as paused."""
        states = LocalStore(self.run)
        paused = [spec for spec in left if states.path(spec.trial_id, STATE).exists()]
        if paused:
            self.say(f"scoring {len(paused)} trials that were under way")
        for record in score_paused_trials(self.workers, paused, self.task.machine, self.say):
            self.writer.write_record(record)

    def _score_encoders(self) -> None:
        """Score what finalists with encoders of their own are held against."""
        finalists = choose_finalists(read_records(self.run), self.task.n_finalists)
        wanted = self.task.baselines_of(record.spec for record in finalists)
        wanted = [spec for spec in wanted if not LocalStore(self.run).path(spec.trial_id, SCORES).exists()]
        if wanted:
            self.say(f"scoring what the finalists' encoders write: {', '.join(spec.trial_id for spec in wanted)}")
            Baselines(self.workers, wanted, self.task.machine, self.writer.write_record).finish(self.say)

    def _score_finalists(self) -> None:
        """Score finalists on test images, and the filters beside them."""
        task, store = self.task, LocalStore(self.run)
        scored = choose_tested(self.run, task.n_finalists)
        if scored:
            n_images = len(task.scored_images(task.splits[0], "test"))
            names = ", ".join(record.trial_id for record in scored)
            self.say(f"scoring on {n_images} test images at {len(task.pack.qualities)} qualities: {names}")
        for trial_id in score_finalists(task, self.workers, scored, store, self.say):
            self.say(f"scored {trial_id}")

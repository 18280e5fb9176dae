"""Everything a run says, worked out once: cells, suspects, decisions, codecs. Tables, figures and page show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from analysis.cells import cell_notes, cells_of, parity_of
from analysis.codecs import CodecComparison, compare_codecs
from analysis.decide import Pick, choose
from analysis.run import ALIVE, Run
from analysis.run_suspects import examine_run
from analysis.strict import StrictPick, choose_strictly
from analysis.study import Study, study_of
from analysis.suspects import UNDER_LINEAR, Oddity, reasons
from search.records import TrialRecord, describe_left_out


@dataclass(frozen=True)
class Findings:
    """What a run says.

    study: its trials and cells; oddities: what means give away; suspects: trial_id -> in a word why it cannot be best.
    pick, strict: the decision by means, and by what can be demonstrated. codecs: other ways to save bytes.
    notes: the run's own, then those of its scores.
    """

    run: Run
    study: Study
    oddities: tuple[Oddity, ...]
    suspects: Mapping[str, str]
    pick: Pick
    strict: StrictPick
    codecs: CodecComparison
    notes: tuple[str, ...]

    @property
    def cells(self) -> pd.DataFrame:
        return self.study.cells

    @cached_property
    def parity(self) -> pd.DataFrame:
        """The bytes at parity of each trial, as `analysis.cells.parity_of` returns them."""
        return parity_of(self.cells)

    @property
    def under_linear(self) -> frozenset[str]:
        """The trials that do not beat the linear filter."""
        return frozenset(t for oddity in self.oddities if oddity.kind == UNDER_LINEAR for t in oddity.trials)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What the run was to compare and did not, a line each: "perceptual: not run, no VGG16 weights"."""
        return tuple(describe_left_out(item) for item in self.run.facts.get("left_out", []))

    @property
    def doubt(self) -> str:
        """Why to doubt the strict rule's model, which no look at test images chose; empty where there is no reason."""
        odd = [trial_id for trial_id in self.strict.trial_ids if trial_id in self.suspects]
        named = ", ".join(f"{trial_id} ({self.suspects[trial_id]})" for trial_id in odd)
        return f"The model that the strict rule judges is suspect by its test images: {named}." if odd else ""

    def optimised_sentence(self) -> str:
        """Say what the picked files need with optimised Huffman tables; empty where that was not tried, or is so."""
        pick = self.pick
        if pick.quality is None or pick.encoder is None or not pick.encoder.endswith("-plain"):
            return ""
        share = self.codecs.optimised_share(pick.quality)
        if share is None or not pick.mean_bytes or not pick.reference_bytes:
            return ""
        saved = 100 * (1 - share * pick.mean_bytes / pick.reference_bytes)
        return (
            f"{pick.written} with optimised Huffman tables, as `python -m datasets encode --encoder RUN` writes it: "
            f"the same pixels take {saved:.1f} % fewer bytes than JPEG-{pick.reference_quality} as Pillow writes it."
        )

    def today_sentence(self) -> str:
        """Say what the pick saves of the files stored today; empty where these are the reference's, or unknown."""
        dataset, pick = self.run.facts["dataset"], self.pick
        today, quality = dataset.get("today") or {}, pick.reference_quality
        reference_bytes = (dataset.get("mean_jpeg_bytes") or {}).get(str(quality))
        if not (pick.mean_bytes and pick.reference_bytes and reference_bytes and today.get("mean_bytes")):
            return ""
        if today["encoder"] == f"jpeg-q{quality}-plain":
            return ""
        saved = 100 * (1 - pick.mean_bytes / pick.reference_bytes * reference_bytes / today["mean_bytes"])
        return f"{pick.written} takes {saved:.1f} % fewer bytes than the files stored today ({today['encoder']})."

    def able(self, split: str) -> list[TrialRecord]:
        """Return the restorers with scores of a split that can be shown as the best one, best of the ranking first."""
        fit = [r for r in self.run.trials if r.status in ALIVE and r.trial_id not in self.suspects]
        fit = [record for record in fit if not record.spec.returns_input]
        return [record for record in fit if self.run.has_scores(record, split)]

    @cached_property
    def best(self) -> TrialRecord | None:
        """The trial that figures show: the pick's, else the best finalist, else the best trial that was scored."""
        able = [*self.able("test"), *self.able("validation")]
        picked = [record for record in able if record.trial_id == self.pick.trial_id]
        return next(iter([*picked, *able]), None)


def find(run: Run) -> Findings:
    """Work out what a run says."""
    cells = cells_of(run)
    oddities = examine_run(run, cells)
    suspects = reasons(oddities)
    pick = choose(run, cells, suspects)
    strict = choose_strictly(run, reasons(examine_run(run, cells, ["validation"])))
    codecs = compare_codecs(run, suspects)
    notes = [*run.notes, *cell_notes(cells), *codecs.notes]
    return Findings(run, study_of(run, cells, suspects), oddities, suspects, pick, strict, codecs, tuple(notes))

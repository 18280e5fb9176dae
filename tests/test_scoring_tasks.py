"""At which qualities finalists are scored on test images, and scores that cannot be read."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datasets.errors import InputError
from search.cluster.gallery_tasks import make_gallery
from search.cluster.scoring_tasks import near_parity
from search.records import TrialRecord
from search.space.spec import BASELINE, TrialSpec, TrialStatus
from search.trial.store import SCORES, LocalStore

SPEC = TrialSpec("native1k", encoder="jpeg-c0.6")
RECORD = TrialRecord(SPEC, TrialStatus.COMPLETED, 30, -1.0, 1.0, -3.0, 1.0, quality_at_parity=62.2)


def test_files_of_an_encoder_of_ones_own_are_tested_at_and_above_parity() -> None:
    assert near_parity(RECORD) == (63, 66, 69)
    assert near_parity(replace(RECORD, quality_at_parity=97.0)) == (97, 100)
    assert near_parity(replace(RECORD, quality_at_parity=None)) == ()


def test_damaged_scores_of_jpeg_as_it_is_are_named(tmp_path: Path) -> None:
    baseline = replace(RECORD, spec=BASELINE)
    scores = LocalStore(tmp_path).path(baseline.trial_id, SCORES)
    scores.parent.mkdir()
    scores.write_bytes(b"PAR1 no more")
    task: Any = SimpleNamespace(n_finalists=3, baselines=[baseline.spec])
    with pytest.raises(InputError, match=rf"^{scores} cannot be read: put back a copy, then go on with --resume$"):
        make_gallery(tmp_path, task, None, print)  # type: ignore[arg-type]


def test_the_packs_own_files_are_tested_at_the_packs_qualities_alone() -> None:
    assert near_parity(replace(RECORD, spec=replace(SPEC, encoder=None))) == ()

"""At which qualities finalists are scored on test images."""

from dataclasses import replace

from search.cluster.scoring_tasks import near_parity
from search.records import TrialRecord
from search.space.spec import TrialSpec, TrialStatus

SPEC = TrialSpec("native1k", encoder="jpeg-c0.6")
RECORD = TrialRecord(SPEC, TrialStatus.COMPLETED, 30, -1.0, 1.0, -3.0, 1.0, quality_at_parity=62.2)


def test_files_of_an_encoder_of_ones_own_are_tested_at_and_above_parity() -> None:
    assert near_parity(RECORD) == (63, 66, 69)
    assert near_parity(replace(RECORD, quality_at_parity=97.0)) == (97, 100)
    assert near_parity(replace(RECORD, quality_at_parity=None)) == ()


def test_the_packs_own_files_are_tested_at_the_packs_qualities_alone() -> None:
    assert near_parity(replace(RECORD, spec=replace(SPEC, encoder=None))) == ()

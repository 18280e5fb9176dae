"""A run that an earlier version searched is read whole: its facts, records, scores, codecs, and what they say.

tests/fixtures/earlier_run is a demo of 8 trials on built-in smears, without pictures, weights and unrounded scores.
"""

from pathlib import Path

import pytest

from analysis.findings import Findings, find
from analysis.run import open_run
from analysis.tables.catalogue import tables_of

RUN = Path(__file__).parent / "fixtures" / "earlier_run"


@pytest.fixture(scope="module")
def findings() -> Findings:
    return find(open_run(RUN))


def test_nothing_of_it_is_unknown(findings: Findings) -> None:
    assert findings.notes == ()
    assert findings.left_out == ("perceptual: not run, no VGG16 weights",)
    assert len(findings.run.trials) == 8
    assert findings.run.is_synthetic


def test_trials_that_were_stopped_after_48_steps_are_neither_dead_nor_duplicated(findings: Findings) -> None:
    assert not findings.suspects
    assert [oddity.kind for oddity in findings.oddities] == ["hardly trained"] * 4


def test_its_answers_are_what_its_numbers_say(findings: Findings) -> None:
    assert findings.pick.closest == ("denseunet-mae-none-q25-s0-8cceb8fb", 60)
    assert findings.strict.model == "denseunet-mae-none-q25-s0-8cceb8fb"
    assert [step["n_fields"] for step in findings.strict.steps] == [3, 3, 2]
    ways = findings.codecs.ways.set_index("name")
    assert ways.loc["jpeg", "share_all"] == pytest.approx(1)
    # AVIF reaches mean PSNR at little more than a quarter of the bytes, and all four means at half of them.
    assert ways.loc["avif", ["share_psnr", "share_all"]].tolist() == pytest.approx([0.277, 0.496], abs=1e-3)
    assert "AVIF needs 50% of JPEG-75's bytes, 28% for mean PSNR alone" in findings.codecs.verdict


def test_it_has_every_table(findings: Findings) -> None:
    assert {
        *("strict_steps", "evidence", "codecs", "candidates", "codec_settings", "bytes_at_parity_validation"),
        *("networks_validation", "networks_test", "quality_test_full", "relative_test_full", "conclusions"),
        *("appendix_validation", "epochs", "trials", "networks", "configuration", "suspects", "requirements"),
        *("sizes", "sizes_by_system", "splits"),
    } <= set(tables_of(findings))

"""The table of safety in a report: from the model files of the finalists, every measure beside its proposed limit."""

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.findings import find
from analysis.report.report import write_report
from analysis.run import open_run
from analysis.tables.safety import BEYOND, safety_table
from analysis.tables.spec import read_catalogue
from models.restoring.model_file import FINALISTS_IN_RUN, SUFFIX, write_model_file
from tests.model_fixture import drawn_model_file
from tests.run_fixture import plan, write_run

MEASURES = read_catalogue()["safety"]["measures"]
CARD = {name: 0.5 for name in MEASURES} | {
    "quality": 50,
    "n_images": 4,
    "least_slope": None,
    "least_contrast_of_jpeg75": 0.21,
    "proposed": {"least_contrast_of_jpeg75": 0.8, "amplification": 3.0},
    "beyond_proposed": ["least_contrast_of_jpeg75"],
    "projection": {"25": {"psnr_db_jpeg": 34.0, "psnr_db_off": 36.5, "psnr_db_wide": 36.75}},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(tmp_path, [plan(seed=0), plan(seed=1), plan(seed=2, finalist=False)])
    return tmp_path


def write_card(run: Path, trial_id: str, card: object) -> None:
    file = drawn_model_file()
    write_model_file(
        run / FINALISTS_IN_RUN / f"{trial_id}{SUFFIX}", replace(file, facts={**file.facts, "safety": card})
    )


def test_every_measure_of_a_finalist_stands_beside_its_limit(run: Path) -> None:
    findings = find(open_run(run))
    first, second = findings.run.finalists
    write_card(run, first.trial_id, CARD)
    (run / FINALISTS_IN_RUN / f"{second.trial_id}{SUFFIX}").write_bytes(b"damaged")
    table = safety_table(findings)
    assert table is not None
    (part,) = table.parts
    assert len(part.heads) == 1
    shown = {line[0].text: (line[1].text, line[2].text + line[2].marks) for line in part.lines}
    assert len(shown) == len(MEASURES) + 3
    assert shown["contrast of the worst faint spot, as a share of JPEG-75's"] == ("at least 80%", f"21%{BEYOND}")
    assert shown["largest growth of a change of one level in every pixel"] == ("at most 3.00", "0.50")
    assert shown["slope of the truth on what was invented"] == ("", "none")
    assert shown["PSNR at quality 25, restored and projected, dB"] == ("", "36.750")
    assert table.below[0] == "Of files of JPEG quality 50, on 4 test images."


@pytest.mark.usefixtures("few_pictures", "unsaved_pictures")
def test_the_first_card_says_what_of_the_picked_restorer_is_beyond_its_limit(run: Path) -> None:
    findings = find(open_run(run))
    other = next(record for record in findings.run.finalists if record.trial_id != findings.pick.trial_id)
    write_card(run, str(findings.pick.trial_id), CARD)
    write_card(run, other.trial_id, CARD | {"beyond_proposed": ["amplification"]})
    page = write_report(findings, run / "report").read_text()
    (said,) = re.findall(r"The safety card is beyond its proposed limits: (.*?)\.<", page)
    assert html.unescape(said) == "contrast of the worst faint spot, as a share of JPEG-75's (21%, at least 80%)"


def test_a_run_without_cards_has_no_such_table(run: Path) -> None:
    assert safety_table(find(open_run(run))) is None

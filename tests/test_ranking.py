"""Trials are ranked by their monitored bytes at parity where every one has them, else by their margin."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from analysis.figures.search import (
    MarginAxis,
    cost,
    draw_quality_and_cost,
    draw_search_history,
    history,
    quality_and_cost,
    search_history,
)
from analysis.findings import Findings, find
from analysis.ranking import Ranking, bytes_at_parity, ranking_of
from analysis.run import open_run
from analysis.strict import declared_model
from analysis.tables.catalogue import tables_of
from search.records import TrialRecord
from search.space.spec import BASELINE, TrialStatus
from tests.run_fixture import plan, record_of, write_run
from tests.table_reader import shown

# The better by margin needs more bytes.
SMALL, LARGE, DEAR = (
    plan(0, margin=-1.0),
    plan(1, margin=-0.5, learning_rate=2e-3),
    plan(2, margin=-0.2, architecture="unet"),
)
MEASURED = {
    SMALL.spec.trial_id: {"bytes_at_parity": 0.7, "restore_ms": 30.0, "macs_per_pixel": 100},
    LARGE.spec.trial_id: {"bytes_at_parity": 0.8, "restore_ms": None, "macs_per_pixel": 300},
    DEAR.spec.trial_id: {"bytes_at_parity": 0.9, "restore_ms": 10.0, "macs_per_pixel": 900},
}


def _findings(path: Path, measured: Mapping[str, Mapping[str, float | None]]) -> Findings:
    run = open_run(write_run(path / "run", [SMALL, LARGE, DEAR]))
    fields = [{**vars(record), **measured.get(record.trial_id, {})} for record in run.records]
    return find(replace(run, records=tuple(TrialRecord(**one) for one in fields)))


def _plans(findings: Findings) -> list[int]:
    return [record.spec.seed for record in findings.run.trials]


def test_records_without_bytes_at_parity_are_ranked_by_margin(tmp_path: Path) -> None:
    findings = _findings(tmp_path, {})
    assert _plans(findings) == [2, 1, 0]
    assert findings.run.ranking == Ranking(by_parity=False)
    assert bytes_at_parity(record_of(SMALL)) is None
    assert bytes_at_parity(replace(record_of(SMALL), spec=BASELINE)) == 1.0


def test_one_record_without_bytes_at_parity_has_all_ranked_by_margin(tmp_path: Path) -> None:
    assert _plans(
        _findings(tmp_path, {name: MEASURED[name] for name in (SMALL.spec.trial_id, LARGE.spec.trial_id)})
    ) == [2, 1, 0]


def test_fewest_bytes_at_parity_come_first_where_every_record_has_them(tmp_path: Path) -> None:
    findings = _findings(tmp_path, MEASURED)
    assert _plans(findings) == [0, 1, 2]
    assert findings.best is not None
    assert findings.run.finalists[0].spec == SMALL.spec
    chosen, _ = declared_model(findings.run, {})
    assert [record.spec.seed for record in chosen] == [0]
    assert list(tables_of(findings)["trials"].frame["seed"]) == [0, 1, 2, 0]  # JPEG as it is has 1
    (same,) = findings.study.chosen.query("architecture == 'jjnet'").to_dict("records")
    assert same["trial_id"] == SMALL.spec.trial_id


def test_a_trial_without_a_margin_comes_last_and_asks_for_no_bytes() -> None:
    failed = replace(record_of(DEAR), margin=None, status=TrialStatus.FAILED)
    measured = TrialRecord(**{**vars(record_of(SMALL)), "bytes_at_parity": 0.7})
    ranking = ranking_of([failed, measured])
    assert ranking.by_parity
    assert sorted([failed, measured], key=ranking.key) == [measured, failed]


def test_the_front_holds_what_none_beats_in_bytes_and_cost(tmp_path: Path) -> None:
    told = shown(tables_of(_findings(tmp_path, MEASURED))["trials"]).set_index("trial")["on the Pareto front of"]
    assert told.to_dict() == {
        **{SMALL.spec.trial_id: "MACs, ms", LARGE.spec.trial_id: "", DEAR.spec.trial_id: "ms"},
        BASELINE.trial_id: "",
    }


@pytest.mark.usefixtures("unsaved_pictures")
def test_figures_of_the_search_show_bytes_at_parity(tmp_path: Path) -> None:
    findings = _findings(tmp_path, MEASURED)
    ranking, trials = findings.run.ranking, findings.run.trials
    table = search_history(list(reversed(trials)), ranking)
    assert table["value"].tolist() == [0.9, 0.8, 0.7]
    assert table["best"].tolist() == [0.9, 0.8, 0.7]
    axis = MarginAxis(by_parity=True)
    assert axis.edge(table["value"]) == 1.1  # more bytes than any: the worse side
    assert draw_search_history(table, axis).axes[0].get_ylabel().startswith("monitored bytes at parity")
    costs = quality_and_cost(trials, ranking)
    assert costs["front_macs_per_pixel"].tolist() == [True, False, False]
    assert costs["front_restore_ms"].tolist() == [True, False, True]
    labels = [panel.get_xlabel() for panel in draw_quality_and_cost(costs, axis).axes]
    assert labels == ["multiply-accumulates a pixel", "parameters", "measured ms an image"]
    for drawn in (history(findings), cost(findings)):
        assert not isinstance(drawn, str)
        assert "bytes at parity" in drawn[0].caption


def test_measured_fields_are_no_settings(tmp_path: Path) -> None:
    rows = tables_of(_findings(tmp_path, MEASURED))["configuration"].frame["setting"]
    assert not {"bytes_at_parity", "restore_ms", "merit"} & set(rows)
    assert "bytes_at_parity" not in asdict(SMALL.spec)

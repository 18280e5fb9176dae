"""The table of encoders: the best value of each way, and how well a way ranks as the next does."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.findings import find
from analysis.run import open_run
from analysis.tables.encoders import channels_frame, encoders_frame, encoders_tables
from search.records import TrialRecord, append_record
from search.space.spec import FILTER, TrialSpec, TrialStatus
from tests.run_fixture import plan, write_run

ENCODERS = ("jpeg", "jpeg-c0.6", "jpeg-flat", "avif")


def _record(spec: TrialSpec, alone: float, share: float) -> TrialRecord:
    return TrialRecord(
        spec,
        TrialStatus.COMPLETED,
        spec.epochs,
        *(-1.0, 1.0, -3.0, 1.0),
        bytes_at_parity=share,
        input_bytes_at_parity=alone,
        viewable_ssim=share + 0.1,
    )


def test_each_encoder_has_its_best_value_of_each_way_and_ranks_are_compared(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    for place, name in enumerate(ENCODERS):
        append_record(run, _record(replace(FILTER, encoder=name), 1.0 + place / 10, 0.9 - place / 10))
        for seed in (0, 1) if place < 2 else ():
            network = TrialSpec("native1k", epochs=3, seed=seed, encoder=name)
            append_record(run, _record(network, 1.0 + place / 10, 0.7 + place / 10 + seed / 100))
    opened = open_run(run)
    assert not [note for note in opened.notes if "linear" in note]  # what is only screened has no scores to miss
    findings = find(opened)
    frame = encoders_frame(findings).set_index("encoder")
    assert frame.index.to_list() == ["jpeg", "jpeg-c0.6", "avif", "jpeg-flat"]
    assert frame.loc["jpeg"].to_list() == pytest.approx([1.0, 0.9, 0.7, 0.8])
    assert frame.loc["avif", "filter"] == pytest.approx(0.6)
    assert frame["network"].isna().to_list() == [False, False, True, True]
    table, _ = encoders_tables(findings)
    assert table is not None
    assert table.below == ("Ranks alone and with the linear filter: Spearman's correlation -1.00 over 4 encoders.",)


def test_luma_and_chroma_are_those_of_the_best_trial_of_each_way(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    names = ("chroma_bytes", "chroma_error", "luma_removed", "chroma_removed")
    for place, name in enumerate(ENCODERS):
        shares = dict(zip(names, (0.1 + place / 10, 0.6, 0.2, 0.5), strict=True))
        record = _record(replace(FILTER, encoder=name), 1.0 + place / 10, 0.9 + place / 100)
        append_record(run, replace(record, channels=shares))
    for share in (0.7, 0.6):
        network = TrialSpec("native1k", epochs=3, encoder="jpeg", seed=round(10 * share))
        append_record(run, replace(_record(network, 1.0, share), channels=dict.fromkeys(names, share)))
    findings = find(open_run(run))
    frame = channels_frame(findings)
    assert (frame.loc[0, "encoder"], frame.loc[0, "way"]) == ("jpeg", "network")
    assert frame.loc[0, list(names)].to_list() == pytest.approx([0.6] * 4)
    assert len(frame) == 1 + len(ENCODERS)
    _, table = encoders_tables(findings)
    assert table is not None
    assert table.below[1] == (
        "The median of 4 encoders with the linear filter: colour takes 25% of the bytes, chroma has 60% of the squared "
        "error; restoring removes 50% of that and 20% of luma's."
    )


def test_a_filter_beside_a_finalist_is_none_of_the_screening(tmp_path: Path) -> None:
    axes = {"training_quality": [FILTER.training_quality, "40-75"]}
    run = write_run(tmp_path / "run", [plan()], space_definition={"axes": axes})
    append_record(run, _record(replace(FILTER, encoder="jpeg"), 1.0, 0.9))
    append_record(run, _record(replace(FILTER, encoder="jpeg", training_quality="40-75"), 1.0, 0.8))
    assert encoders_frame(find(open_run(run))).set_index("encoder").loc["jpeg", "filter"] == pytest.approx(0.9)


def test_a_trial_that_diverged_stands_for_no_encoder(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    append_record(run, _record(replace(FILTER, encoder="jpeg"), 1.0, 0.9))
    network = _record(TrialSpec("native1k", epochs=3, encoder="jpeg"), 1.0, 0.5)
    append_record(run, replace(network, status=TrialStatus.DIVERGED))
    row = encoders_frame(find(open_run(run))).set_index("encoder").loc["jpeg"]
    assert math.isnan(row["network"])
    assert (row["filter"], row["viewable_ssim"]) == pytest.approx((0.9, 1.0))


def test_a_network_is_held_against_the_filter_of_its_own_files(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan()])
    margins = {"jpeg": -2.0, "jpeg-c0.6": 0.5}
    for name, margin in margins.items():
        append_record(run, replace(_record(replace(FILTER, encoder=name), 1.0, 0.9), margin=margin))
        as_written = TrialSpec("identity", epochs=0, encoder=name)
        append_record(run, replace(_record(as_written, 1.0, 1.0), margin=-3.0))
        append_record(run, _record(TrialSpec("native1k", epochs=3, encoder=name), 1.0, 0.8))  # its margin is -1
    assert find(open_run(run)).under_linear == {TrialSpec("native1k", epochs=3, encoder="jpeg-c0.6").trial_id}


def test_a_run_of_the_packs_own_files_has_no_such_table(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run", [plan()])))
    assert encoders_tables(findings) == (None, None)

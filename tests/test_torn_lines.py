"""Lines that a kill tore: cut off before the next, however long the file is; and a run whose facts are damaged."""

from pathlib import Path

import pytest

from datasets.errors import InputError
from search.cluster.connection import connect
from search.records import RUN_FACTS, TAIL_BYTES, append_line, read_run_facts


@pytest.mark.parametrize("whole", ["", "first\n", "first\n" + "x" * (2 * TAIL_BYTES) + "\n"])
@pytest.mark.parametrize("torn", ["", "{", "{" * (2 * TAIL_BYTES + 1)])
def test_what_follows_the_last_line_break_is_cut_and_nothing_else(tmp_path: Path, whole: str, torn: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(whole + torn)
    append_line(path, "new")
    assert path.read_text() == whole + "new\n"


@pytest.mark.parametrize("text", ["", "{"])
def test_a_run_whose_facts_are_damaged_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / RUN_FACTS).write_text(text)
    with pytest.raises(ValueError, match=r"run\.json is damaged: put back a copy"):
        read_run_facts(tmp_path)


def test_an_address_of_rays_client_is_refused_before_anything_is_tried() -> None:
    with pytest.raises(InputError, match=r"ray://host:10001 is for Ray's client.*HOST:6379"):
        connect("ray://host:10001")

"""The notebook runs from top to bottom on a run, and lies in the repository without what it printed."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.run_fixture import plan, write_run

NOTEBOOK = Path(__file__).resolve().parent.parent / "analysis" / "explore.ipynb"


def _execute(folder: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    return NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()


def _words(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(str(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in outputs)


def test_notebook_shows_the_answer_the_tables_and_the_figures_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", [plan(0), plan(1, margin=-0.5)])
    monkeypatch.setenv("LOWQ_RUN", str(run))
    notebook = _execute(tmp_path)
    words = _words(notebook)
    assert "Quality 50 restored by" in words
    assert "quality_test_full" in words
    data = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in item for item in data) >= 4
    # at quality 50 the restorer has 40.2 dB where JPEG has 38
    assert any("2.2" in item.get("text/html", "") and "green" in item.get("text/html", "") for item in data)
    assert not (run / "report").exists()


def test_notebook_goes_on_where_nothing_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWQ_RUN", str(write_run(tmp_path / "run")))
    assert "Nothing smaller than JPEG-75 can be picked" in _words(_execute(tmp_path))


def test_notebook_lies_here_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert len(code) >= 6
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []

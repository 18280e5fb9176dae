"""The commands that README.md and docs/ name are ones that lowq takes.

Those of cluster.md are run, by tests/cluster.
"""

import argparse
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datasets import cli as of_datasets
from models import cli as of_models
from search import cli as of_search

ROOT = Path(__file__).resolve().parents[1]
TOLD_ELSEWHERE = ("cluster.md", "design.md")  # a command in a sentence of design.md need not be whole
PAGES = [ROOT / "README.md", ROOT / "docs" / "results" / "README.md"]
PAGES += [page for page in (ROOT / "docs").glob("*.md") if page.name not in TOLD_ELSEWHERE]
COMMAND = re.compile(r"python (?:-m (datasets|models|analysis)|search/run\.py) ((?:\\\||[^`\n|])+)")
PARSERS: dict[str, Callable[[list[str]], argparse.Namespace]] = {
    "datasets": lambda words: of_datasets._parser().parse_args(words),
    "models": lambda words: of_models._parser().parse_args(words),
    "": lambda words: of_search._parser().parse_args(words),
}


def commands() -> Iterator[tuple[str, str, str]]:
    """Yield page, program and arguments of every command: what is [optional] as given, of A|B the first."""
    for page in PAGES:
        for program, arguments in COMMAND.findall(page.read_text()):
            whole = arguments.replace("pack ...", "pack SOURCE OUT")
            yield page.name, program, re.sub(r"\\\|\S+|\.\.\.|[][]", " ", whole).strip()


@pytest.mark.parametrize(("page", "program", "arguments"), [command for command in commands() if command[1] in PARSERS])
def test_a_command_of_a_page_is_taken(page: str, program: str, arguments: str) -> None:
    PARSERS[program](shlex.split(arguments))


def test_what_no_program_takes_is_found() -> None:
    with pytest.raises(Exception, match="invalid choice"):
        PARSERS["models"](["restoer", "IN"])


FOREIGN = ("SSH still not available", "rsync: command not found", "ensurepip is not available")  # ssh's, Python's


def test_what_the_clusters_page_says_is_printed_is_said_by_the_search() -> None:
    sources = [path for path in (ROOT / "search").rglob("*") if path.suffix in (".py", ".sh")]
    said = "".join(path.read_text() for path in sources)
    table = (ROOT / "docs" / "cluster.md").read_text().partition("| symptom | fix |")[2].partition("\n\n")[0]
    symptoms = [
        quoted for row in table.splitlines()[2:] for quoted in re.findall(r"says? `([^`]+)`|^\| `([^`]+)`", row)
    ]
    lines = [one or other for one, other in symptoms]
    assert len(lines) > len(FOREIGN)
    for line in lines:
        assert line in FOREIGN or all(part in said for part in re.split(r"\d[\d.]*", line)), line

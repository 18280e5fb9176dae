"""Beside another package of one of lowq's names every command says so in a line."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from models.namesakes import FOLDERS, ROOT


@pytest.mark.parametrize(
    ("command", "name"), [*product(("analysis", "models"), ("datasets", "search")), ("datasets", "datasets")]
)
def test_another_package_of_the_name_is_told_in_a_line(tmp_path: Path, command: str, name: str) -> None:
    (tmp_path / "others" / name).mkdir(parents=True)
    (tmp_path / "others" / name / "__init__.py").write_text("")
    path = os.pathsep.join((str(tmp_path / "others"), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", command, "nothing"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"package {name} is not lowq's but {tmp_path / 'others' / name}: install lowq in an environment" in line


def test_the_folders_are_the_packages() -> None:
    assert all((ROOT / name / "__init__.py").is_file() for name in FOLDERS)

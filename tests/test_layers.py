"""Who may import whom: the rooms' table, read off the imports of every file."""

import ast
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("datasets", "models", "search", "analysis")
MAY_IMPORT = {
    "datasets": {"datasets"},
    "models": {"models", "datasets.whole_file"},
    "search": {"search", "datasets", "models"},
    "analysis": {"analysis", "search.records", "search.space.spec", "models.names", "models.parity"}
    | {"models.restoring.model_file", "models.namesakes"}
    | {"datasets.console", "datasets.cores", "datasets.errors"},
}
RAY_AND_OPTUNA = ("search/engine/", "search/cluster/")
PACKING = ("datasets/on_cluster.py",)
# The reading of JPEG files, and what a command line needs: files of a room that may know more than the room.
MAY_IMPORT_MORE = {
    "models/restore.py": {"datasets.encoders.family", "datasets.jpeg_file", "datasets.tables", "datasets.qualities"},
    "models/cli.py": {"datasets"},
    "models/commands/": {"datasets"},
}
OWNERS = {  # outside package -> the beginnings of the files that may import it
    "PIL": ("datasets/", "analysis/figures/picture.py"),
    "keras": ("models/", "search/trial/", "search/scoring/"),
    "ray": RAY_AND_OPTUNA + PACKING,
    "optuna": RAY_AND_OPTUNA,
    "pandas": ("analysis/",),
    "seaborn": ("analysis/figures/",),
    "matplotlib": ("analysis/figures/",),
    "jinja2": ("analysis/report/", "analysis/tables/write.py"),
    "tensorflow": ("models/backend.py", "models/restoring/tensorflow_file.py"),
}
FILES = sorted(path.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def _imports(file: str, module_level_only: bool = False) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    nodes = tree.body if module_level_only else list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in nodes), "imports are absolute"
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def _is_under(name: str, allowed: set[str]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in allowed)


@pytest.mark.parametrize("file", FILES)
def test_a_room_imports_only_the_rooms_it_may_know(file: str) -> None:
    ours = {name for name in _imports(file) if name.split(".")[0] in ROOMS}
    more = (rooms for start, rooms in MAY_IMPORT_MORE.items() if file.startswith(start))
    allowed = MAY_IMPORT[file.split("/")[0]].union(*more)
    assert not {name for name in ours if not _is_under(name, allowed)}


@pytest.mark.parametrize("file", FILES)
def test_an_outside_package_is_imported_only_by_its_owners(file: str) -> None:
    outside = {name.split(".")[0] for name in _imports(file)}
    assert not {name for name in outside & set(OWNERS) if not file.startswith(OWNERS[name])}


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith(("models/", "datasets/"))])
def test_models_and_datasets_import_no_tensorflow_at_module_level(file: str) -> None:
    assert not {name for name in _imports(file, module_level_only=True) if name.split(".")[0] == "tensorflow"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_and_its_sub_rooms_have_an_init_of_a_docstring_alone(room: str) -> None:
    for init in (ROOT / room).rglob("__init__.py"):
        (only,) = ast.parse(init.read_text()).body
        assert isinstance(only, ast.Expr)
        assert isinstance(only.value, ast.Constant)


def test_names_of_networks_losses_and_metrics_need_no_import() -> None:
    assert not _imports("models/names.py")


def test_no_file_of_search_bears_the_name_of_a_package_in_use() -> None:
    outside = {name.split(".")[0] for file in FILES for name in _imports(file)} - set(ROOMS)
    assert not outside & {Path(file).stem for file in FILES if file.startswith("search/")}


def test_run_defines_nothing() -> None:
    tree = ast.parse((ROOT / "search" / "run.py").read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def test_a_user_without_a_home_folder_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "search" / "run.py"), run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "lowq: this user has no home folder: set HOME to a folder that it can write\n"

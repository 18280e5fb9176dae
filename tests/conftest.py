"""What several rooms' tests share: a small pack of synthetic smears."""

import gc
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

# Before numpy and TensorFlow are loaded: tests in parallel would wait for each other's threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")  # as in `models.backend.prepare_backend`

import pytest
from hypothesis import settings

from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.smear import synthesize

N_IMAGES, SIZE_PX = 12, 96
# The files that take longest come first, so that none is left to one worker at the end (with --no-loadscope-reorder).
LONGEST = (
    *("test_search_commands.py", "test_search_interrupted.py", "test_plugin_search.py", "test_search_killed.py"),
    *("test_training.py", "test_trial.py", "test_tensorflow_file.py", "test_networks.py", "test_report.py"),
    *("test_bad_input.py", "test_restore.py", "test_cost.py", "test_tables.py", "test_untrained.py", "test_strict.py"),
    *("test_course.py", "test_export_model.py", "test_figures.py", "test_notebook.py", "test_backends.py"),
)
# Of these, whose search need not try two trials at a time: on one core it starts half as many processes.
ON_ONE_CORE = ("test_plugin_search.py",)

settings.register_profile("lowq", deadline=None)  # nothing is timed in a test
settings.load_profile("lowq")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish() -> None:
    """Leave all that was imported out of garbage collection: `clear_session` would go through it for every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _core_of_its_own(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep what a file starts to one core of each worker."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if request.path.name not in ON_ONE_CORE or not worker or not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[int(worker.removeprefix("gw")) % len(cores)]})
    yield
    os.sched_setaffinity(0, cores)


@pytest.fixture(scope="session")
def small_pack(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """A pack of 12 images of 96 px: 8 to train, 2 to validate, 2 to test (tiny: 8 and 2)."""
    folder: Path = tmp_path_factory.mktemp("packs") / "small"
    write_pack(synthesize(N_IMAGES, seed=0), folder, PackSettings(SIZE_PX, description="12 small smears"))
    return open_pack(folder)


@pytest.fixture
def own_tables() -> Iterator[None]:
    """Leave the tables of networks and losses as they were, whatever a plugin adds to them."""
    from models.build import ARCHITECTURES
    from models.footprint import FOOTPRINTS
    from models.losses import LOSSES

    tables: tuple[dict[str, object], ...] = (ARCHITECTURES, LOSSES, FOOTPRINTS)  # type: ignore[assignment]
    before = [dict(table) for table in tables]
    yield
    for table, kept in zip(tables, before, strict=True):
        table.clear()
        table.update(kept)


@pytest.fixture
def small_resnet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ResNet so small that its training is compiled in a moment."""
    from models.architectures.resnet import resnet
    from models.build import ARCHITECTURES

    monkeypatch.setitem(ARCHITECTURES, "resnet", partial(resnet, width=4, n_blocks=1))


@pytest.fixture
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have reports draw the quality curve alone: all figures take seconds, and have tests of their own."""
    from analysis.figures import catalogue

    few = tuple(spec for spec in catalogue.CATALOGUE if spec.title == "Quality curve")
    monkeypatch.setattr("analysis.figures.catalogue.CATALOGUE", few)
    monkeypatch.setattr("analysis.report.report.CATALOGUE", few)


@pytest.fixture
def unsaved_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw figures and do not save them, which takes most of the time."""
    monkeypatch.setattr(
        "analysis.figures.picture.save", lambda figure, is_photograph: (b"picture", b"picture", b"<svg/>")
    )


@pytest.fixture
def no_vgg16(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither VGG16's weights nor a way to them."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")

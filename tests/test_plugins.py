"""Networks, losses and spaces of one's own: the page's example works, and what is wrong is said in one line."""

import re
from pathlib import Path

import numpy as np
import pytest

from datasets.errors import InputError
from datasets.packed import PackedDataset
from models.build import ARCHITECTURES, build_model
from models.footprint import FOOTPRINTS
from models.losses import make_loss
from models.plugins import Plugin, PluginError, check_plugin, read_plugin, run_plugin, use_plugin
from search.request import require_affordable
from search.space.plan import Machine
from search.space.plugin import PLUGIN_FILE, extended_space, find_plugin, space_name
from search.space.scale import SCALES
from search.space.space import Space
from search.space.spaces import SPACES
from search.space.spec import TrialSpec
from search.task import Task

pytestmark = pytest.mark.usefixtures("own_tables")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "extending.md"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return _written(tmp_path, _blocks()[0])


def _blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def _written(folder: Path, text: str) -> Path:
    file = folder / "my_nets.py"
    file.write_text(text)
    return file


def test_encoders_of_the_page_are_an_axis_of_a_space(tmp_path: Path) -> None:
    space = extended_space(check_plugin(read_plugin(_written(tmp_path, _blocks()[1]))), "files")
    specs = [TrialSpec(**cell, **space.fields, told_tables=True) for cell in space.first_parameters()]
    assert [spec.encoder for spec in specs] == list(space.axes["encoder"])
    with pytest.raises(InputError, match=r"to add to space full: leave out --space to search its own, files"):
        extended_space(check_plugin(read_plugin(_written(tmp_path, _blocks()[1]))), "full")


def test_the_example_of_the_page_is_checked_counted_and_known(example: Path) -> None:
    plugin = check_plugin(read_plugin(example))
    (footprint,) = plugin.footprints.values()
    assert footprint.parameters == (27 * 8 + 8) + (72 * 3 + 3)  # two convolutions of 3 x 3 with biases
    assert footprint.macs_per_pixel == 27 * 8 + 72 * 3
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    model = build_model("my_nets.narrow", start="near_identity")
    np.testing.assert_allclose(model.predict_on_batch(images), images, atol=1e-6)
    loss = np.asarray(make_loss("my_nets.cubic")(images, images * 0))
    np.testing.assert_allclose(loss, (images**3).mean(axis=(1, 2, 3)), rtol=1e-5)


def test_the_space_of_the_example_is_searched_unless_another_is_named(example: Path) -> None:
    plugin = read_plugin(example)
    assert space_name(plugin) == "mine"
    assert extended_space(plugin, "mine").axes["architecture"] == ("my_nets.narrow", "native1k")
    full = extended_space(plugin, "full")
    assert full.axes["architecture"] == ("my_nets.narrow", *SPACES["full"].axes["architecture"])
    assert full.axes["loss"] == ("my_nets.cubic", *SPACES["full"].axes["loss"])


def test_a_network_of_ones_own_makes_a_spec_with_a_readable_name() -> None:
    spec = TrialSpec("my_nets.narrow", loss="my_nets.cubic", training_quality="20-80")
    assert spec.trial_id.startswith("my_nets.narrow-my_nets.cubic-none-q20-80-s0-")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NETWORKS = {", "cannot be read as Python"),
        ("import no_such_package", "my_nets.py fails with ModuleNotFoundError"),
        ("NETWORKS = {'x': 3}", "NETWORKS must be a dict of names and functions"),
        ("NETWORKS = {'X y': print}", "must be of small letters"),
        ("NETWORKS = {'x': lambda d, last: last(5)(d)}", "network my_nets.x cannot be built"),
        ("NETWORKS = {'x': lambda d: d}", "network my_nets.x cannot be built: TypeError"),
        ("LOSSES = {'x': lambda a, b: a - b}", r"must return a number per image, \[B\]"),
        ("LOSSES = {'x': lambda a, b: 1 / 0}", "loss my_nets.x fails with ZeroDivisionError"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_said_before_anything_runs(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        check_plugin(read_plugin(_written(tmp_path, text)))


@pytest.mark.parametrize("name", ["my-nets.py", "Nets.py", "nets.txt"])
def test_a_file_that_no_network_could_be_named_after_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginError, match=r"named like my_nets\.py"):
        read_plugin(tmp_path / name)


def test_a_plugin_with_nothing_to_search_or_a_space_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to add"):
        extended_space(read_plugin(_written(tmp_path, "x = 1")), "full")
    with pytest.raises(InputError, match=r"SPACE must be a search\.space\.space\.Space, got dict"):
        space_name(read_plugin(_written(tmp_path, "SPACE = {}")))


def _run_with(folder: Path, plugin: Plugin) -> Path:
    import json

    run = folder / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"space": "mine", "plugin": plugin.as_facts()}))
    (run / PLUGIN_FILE).write_text(plugin.source)
    return run


def test_a_run_brings_the_plugin_that_it_was_made_with(tmp_path: Path, example: Path) -> None:
    plugin = check_plugin(read_plugin(example))
    run = _run_with(tmp_path, plugin)
    FOOTPRINTS.clear()
    assert find_plugin(None, run) == plugin
    assert dict(plugin.footprints) == FOOTPRINTS
    assert find_plugin(example, run) == plugin


def test_a_plugin_that_was_changed_is_refused_in_the_run_and_outside(tmp_path: Path, example: Path) -> None:
    run = _run_with(tmp_path, check_plugin(read_plugin(example)))
    with pytest.raises(InputError, match=r"is not the plugin that .* was made with"):
        find_plugin(_written(tmp_path, "LOSSES = {}"), run)
    (run / PLUGIN_FILE).write_text("LOSSES = {}")
    with pytest.raises(InputError, match="was changed"):
        find_plugin(None, run)
    (run / PLUGIN_FILE).write_bytes(b"\xff\xfe no UTF-8")
    with pytest.raises(InputError, match="cannot be read"):
        find_plugin(None, run)
    (run / PLUGIN_FILE).unlink()
    with pytest.raises(InputError, match="cannot be read"):
        find_plugin(None, run)


def test_a_process_of_its_own_checks_a_plugin_that_is_given(tmp_path: Path, example: Path) -> None:
    plugin = find_plugin(example, None)
    assert plugin is not None
    assert set(plugin.footprints) == {"my_nets.narrow"}
    with pytest.raises(InputError, match=r"network my_nets\.x cannot be built"):
        find_plugin(_written(tmp_path, "NETWORKS = {'x': lambda d: d}"), None)


def test_no_plugin_changes_nothing() -> None:
    before = dict(ARCHITECTURES)
    use_plugin(None)
    assert before == ARCHITECTURES
    assert run_plugin(Plugin("nothing", "")).__name__ == "lowq_plugin_nothing"


@pytest.mark.parametrize("fields", [{}, {"ssim_weight": 2.0, "shape": "round"}])
def test_a_space_with_a_cell_of_which_no_trial_can_be_made_is_refused(
    fields: dict[str, object], small_pack: PackedDataset
) -> None:
    axes = {"architecture": ("native1k",), "loss": ("psnr-ssim",), "training_quality": (50,)}
    space = Space("mine", {**axes, "output_activation": ("none",)}, fields=fields)
    task = Task(space, SCALES["demo"], small_pack, 0, Machine(2, 1), 1, "", {})
    with pytest.raises(InputError, match=r"space mine has a cell of which no trial can be made: .*(ssim_weight|shape)"):
        require_affordable(task)

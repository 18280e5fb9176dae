"""A plugin in a search: checked before the first trial, kept in the run, and compared by its SHA-256."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from datasets.errors import InputError
from models.footprint import FOOTPRINTS, Footprint
from models.plugins import Plugin, PluginError, loss_names, network_names, read_plugin, run_plugin
from search.records import read_run_facts
from search.space.space import Space
from search.space.spaces import find_space

PLUGIN_FILE = "plugin.py"
CHECK_S = 300.0


def find_plugin(path: Path | None, run: Path | None) -> Plugin | None:
    """Return the plugin that a search is given, or the one of the run that it resumes or starts from; None without.

    Networks' footprints are then known to this process. Raises InputError for a plugin that is none, or that is another
    than the run's.
    """
    kept = _kept_plugin(run) if run is not None else None
    if path is None:
        plugin = kept
    else:
        try:
            plugin = read_plugin(Path(path))
        except PluginError as error:
            raise InputError(str(error)) from error
        if kept is not None and plugin.sha256 != kept.sha256:
            raise InputError(
                f"{path} is not the plugin that {run} was made with: leave --plugin out, the run has its own"
            )
        plugin = kept or Plugin(plugin.name, plugin.source, _check(Path(path)))
    if plugin is not None:
        FOOTPRINTS.update(plugin.footprints)
    return plugin


def space_name(plugin: Plugin) -> str:
    """Return the name of the space that a plugin is searched in where none is named: its own, or full."""
    own = _own_space(plugin, _run(plugin))
    return own.name if own else "full"


def extended_space(plugin: Plugin, name: str) -> Space:
    """Return the plugin's own space, or the named one with the plugin's networks and losses before its own.

    Raises InputError where the plugin holds nothing to search, ValueError for an unknown space.
    """
    module = _run(plugin)
    own = _own_space(plugin, module)
    if own is not None and name == own.name:
        return own
    networks, losses = network_names(plugin, module), loss_names(plugin, module)
    if not networks and not losses and own is not None:
        raise InputError(
            f"{plugin.name}.py has no NETWORKS or LOSSES to add to space {name}: leave out --space to search its own, "
            f"{own.name}"
        )
    if not networks and not losses:
        raise InputError(f"{plugin.name}.py defines neither NETWORKS nor LOSSES nor a SPACE: there is nothing to add")
    space = find_space(name)
    return space.with_more("architecture", networks).with_more("loss", losses)


def _run(plugin: Plugin) -> ModuleType:
    try:
        return run_plugin(plugin)
    except PluginError as error:
        raise InputError(str(error)) from error


def _own_space(plugin: Plugin, module: ModuleType) -> Space | None:
    own = getattr(module, "SPACE", None)
    if own is not None and not isinstance(own, Space):
        raise InputError(f"{plugin.name}.py: SPACE must be a search.space.space.Space, got {type(own).__name__}")
    return own


def _kept_plugin(run: Path) -> Plugin | None:
    """Return the plugin that a run was made with. Raises InputError where its file is lost or was changed."""
    try:
        facts = read_run_facts(run).get("plugin")
    except (OSError, ValueError, AttributeError):
        return None  # no run: whoever opens it says so
    if not facts:
        return None
    footprints = {name: Footprint(**footprint) for name, footprint in facts["networks"].items()}
    try:
        plugin = Plugin(facts["name"], (run / PLUGIN_FILE).read_text(encoding="utf-8"), footprints)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{run / PLUGIN_FILE} cannot be read ({error}): put the plugin of the run back") from error
    if plugin.sha256 != facts["sha256"]:
        raise InputError(f"{run / PLUGIN_FILE} was changed (its SHA-256 is not the run's): put the first one back")
    return plugin


def _check(path: Path) -> dict[str, Footprint]:
    """Have a process of its own, which sees no GPU, build the networks and try the losses. Raises InputError."""
    command = [sys.executable, "-m", "models", "check-plugin", str(path.resolve())]
    root = Path(__file__).resolve().parents[2]
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        answer = subprocess.run(
            command, cwd=root, env=hidden, capture_output=True, text=True, timeout=CHECK_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(
            f"{path} could not be checked within {CHECK_S / 60:g} minutes: make its networks smaller"
        ) from error
    lines = answer.stdout.strip().splitlines()
    if answer.returncode or not lines:
        reasons = [line for line in answer.stderr.splitlines() if line.startswith("lowq: ")]
        raise InputError(reasons[-1].removeprefix("lowq: ") if reasons else f"{path} could not be checked")
    return {name: Footprint(**footprint) for name, footprint in json.loads(lines[-1]).items()}

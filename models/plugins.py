"""Networks, losses and a space of one's own: a file of Python that a search is given, and every process of it loads.

NETWORKS = {name: function} and LOSSES = {name: function} are what `models.build.ARCHITECTURES` and a loss of
`models.losses` are; SPACE is a `search.space.space.Space`. A search knows them as FILE.name, the file's name
without ".py".
"""

import ast
import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from models.footprint import FOOTPRINTS, Footprint

LEAST_SIDE_PX = 16


class PluginError(ValueError):
    """The file is no plugin; the message says what is wrong, and where."""


@dataclass(frozen=True)
class Plugin:
    """A plugin as it travels to every node. footprints: of its networks, once they were counted."""

    name: str
    source: str
    footprints: Mapping[str, Footprint] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()

    def as_facts(self) -> dict[str, Any]:
        """Return what run.json says of it: name, SHA-256, and the footprints of its networks."""
        sizes = {name: asdict(footprint) for name, footprint in self.footprints.items()}
        return {"name": self.name, "sha256": self.sha256, "networks": sizes}


def read_plugin(path: Path) -> Plugin:
    """Read a file, without running it. Raises PluginError where it cannot be read or is no Python."""
    if path.suffix != ".py" or not re.fullmatch(r"[a-z_][a-z0-9_]*", path.stem):
        raise PluginError(f"a plugin is a file named like my_nets.py (small letters, digits and _), got {path.name!r}")
    try:
        source = path.read_text(encoding="utf-8")
        ast.parse(source, str(path))
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as error:
        raise PluginError(f"{path} cannot be read as Python: {' '.join(str(error).split())}") from error
    return Plugin(path.stem, source)


def run_plugin(plugin: Plugin) -> ModuleType:
    """Run a plugin's file and return its module. Raises PluginError for whatever goes wrong in it."""
    module = ModuleType(f"lowq_plugin_{plugin.name}")
    module.__file__ = f"{plugin.name}.py"
    try:
        exec(compile(plugin.source, module.__file__, "exec"), module.__dict__)
    except Exception as error:  # it is the user's code
        raise PluginError(f"{module.__file__} fails with {type(error).__name__}: {error}") from error
    for table in ("NETWORKS", "LOSSES"):
        entries = getattr(module, table, {})
        if not isinstance(entries, dict) or not all(isinstance(n, str) and callable(f) for n, f in entries.items()):
            raise PluginError(f"{module.__file__}: {table} must be a dict of names and functions")
        for name in entries:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise PluginError(f"{module.__file__}: {name!r} in {table} must be of small letters, digits and _")
    return module


def network_names(plugin: Plugin, module: ModuleType) -> list[str]:
    """Return the names under which a search knows a plugin's networks."""
    return [f"{plugin.name}.{name}" for name in getattr(module, "NETWORKS", {})]


def loss_names(plugin: Plugin, module: ModuleType) -> list[str]:
    """Return the names under which a search knows a plugin's losses."""
    return [f"{plugin.name}.{name}" for name in getattr(module, "LOSSES", {})]


def use_plugin(plugin: Plugin | None) -> None:
    """Put a plugin's networks and losses into the tables of this process, which is to build models."""
    if plugin is None:
        return
    from models.build import ARCHITECTURES
    from models.losses import LOSSES

    module = run_plugin(plugin)
    FOOTPRINTS.update(plugin.footprints)
    ARCHITECTURES.update(
        {f"{plugin.name}.{name}": network for name, network in getattr(module, "NETWORKS", {}).items()}
    )
    for name, loss in getattr(module, "LOSSES", {}).items():
        LOSSES[f"{plugin.name}.{name}"] = partial(_whatever_the_options, loss)


def _whatever_the_options(loss: Any, options: Any) -> Any:
    return loss


def check_plugin(plugin: Plugin) -> Plugin:
    """Build each network and try each loss, and return the plugin with its networks' footprints. Raises PluginError."""
    import numpy as np

    from models.cost import SIDE_PX, count_footprint
    from models.losses import make_loss

    use_plugin(plugin)
    module = run_plugin(plugin)
    footprints = {}
    for name in network_names(plugin, module):
        try:
            footprints[name] = count_footprint(name)
        except Exception as error:  # it is the user's code
            raise PluginError(f"network {name} cannot be built: {type(error).__name__}: {error}") from error
    images = np.random.default_rng(0).random((2, 2, SIDE_PX, SIDE_PX, 3), np.float32)
    for name in loss_names(plugin, module):
        try:
            shape = tuple(make_loss(name)(images[0], images[1]).shape)
        except Exception as error:  # it is the user's code
            raise PluginError(f"loss {name} fails with {type(error).__name__}: {error}") from error
        if shape != (2,):
            raise PluginError(f"loss {name} must return a number per image, [B], got {list(shape)} of a batch of 2")
    return Plugin(plugin.name, plugin.source, footprints)

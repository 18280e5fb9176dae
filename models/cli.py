"""The command line of the models: restoring files, exporting restorers, what networks are and what they need."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from datasets.console import quiet_libraries, run_command
from datasets.errors import InputError
from models.commands import export, restore, safety
from models.footprint import CONTEXT_RESERVE_MB, FOOTPRINTS, GPU_MARGIN, training_memory_mb
from models.names import LOSSES, PERCEPTUAL
from models.plugins import PluginError, check_plugin, read_plugin
from models.restoring.model_file import ModelFileError

SIDES_PX = (192, 360)  # the thesis' crop, and its images
CROP_PX = 192
BATCH_SIZES = (4, 8, 16)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; {' '.join(self.format_usage().split())}")


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code, 2 with one line on standard error for a user's mistake."""
    code = 0

    def run() -> None:
        nonlocal code
        try:
            options = _parser().parse_args(arguments)
            with quiet_libraries():
                code = options.run(options)
        except (PluginError, ModelFileError) as error:
            raise InputError(" ".join(str(error).split())) from error

    return run_command(run) or code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m models", description="Restores JPEG files; networks, and what they need.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (restore, export, safety):
        module.add_parser(commands)
    command = commands.add_parser("describe", help="size, reach and memory of networks")
    command.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(FOOTPRINTS)} (default: all)")
    command.set_defaults(run=_describe)
    command = commands.add_parser(
        "check-plugin", help="builds the networks and tries the losses of a file of one's own"
    )
    command.add_argument("file", type=Path)
    command.set_defaults(run=_check_plugin)
    return parser


def _check_plugin(options: argparse.Namespace) -> int:
    plugin = check_plugin(read_plugin(options.file))
    print(json.dumps({name: asdict(footprint) for name, footprint in plugin.footprints.items()}))
    return 0


def _describe(options: argparse.Namespace) -> int:
    networks = options.networks or list(FOOTPRINTS)
    unknown = [name for name in networks if name not in FOOTPRINTS]
    if unknown:
        raise InputError(f"unknown network {unknown[0]!r}; known: {', '.join(FOOTPRINTS)}")
    print(describe(networks))
    return 0


def describe(networks: Sequence[str]) -> str:
    """Return two tables of networks: their size and reach, and the memory that training them takes."""
    from models.cost import receptive_field_px  # loads Keras, which a mistake need not wait for

    sizes = [["network", "parameters", *(f"GMACs at {side} px" for side in SIDES_PX), "receptive field, px"]]
    memory = [["network", "losses", *(f"batch {size}, MB" for size in BATCH_SIZES)]]
    for name in networks:
        network = FOOTPRINTS[name]
        macs = [f"{network.macs_per_pixel * side**2 / 1e9:.2f}" for side in SIDES_PX]
        sizes.append([name, f"{network.parameters:,}", *macs, str(receptive_field_px(name))])
        for losses in ([loss for loss in LOSSES if loss != PERCEPTUAL], [PERCEPTUAL]):
            needs = [training_memory_mb(name, losses[0], size, CROP_PX) for size in BATCH_SIZES]
            memory.append([name, ", ".join(losses), *(f"{need:,.0f}" for need in needs)])
    return (
        f"{_aligned(sizes)}\n\n"
        f"Memory to train on crops of {CROP_PX} px, over the built network, on a CPU (MB of 10^6 bytes; estimated, "
        "benchmarks/memory.py compares):\n\n"
        f"{_aligned(memory, n_left=2)}\n\n"
        f"On a GPU the search assumes {GPU_MARGIN:g} times as much, and {CONTEXT_RESERVE_MB:.0f} MB for the CUDA "
        "context; neither was measured."
    )


def _aligned(rows: Sequence[Sequence[str]], n_left: int = 1) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < n_left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )

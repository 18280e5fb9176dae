"""`python -m search.cluster_pack SOURCE OUT`: a pack whose images all nodes of a Ray cluster read and compress.

Every node must see SOURCE under the same path, as on a shared disk. The images come back in order to the process that
writes the pack, a few ahead of their use, so its memory does not grow with their number.
"""

import argparse
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import ray

from datasets.cli import OneLineParser
from datasets.console import note, run_command
from datasets.errors import InputError
from datasets.pack import QUALITIES, Packing, PackSettings, prepare, write_pack
from datasets.pack_files import Prepared
from datasets.progress import Progress
from datasets.source import SourceImage, find_sources
from datasets.staging import check_apart, check_new

IMAGES_A_TASK = 16  # a third of a second of a core: long beside what a task costs


def prepare_on_nodes(images: Sequence[SourceImage], settings: PackSettings) -> Iterator[Prepared]:
    """Yield the images prepared, in order, by all nodes of the cluster that this process is connected to.

    Raises InputError for an image that cannot be used, on whichever node.
    """
    task = ray.remote(num_cpus=1)(_prepare_some).options(max_retries=3, retry_exceptions=False)
    n_ahead = 2 * int(ray.cluster_resources().get("CPU", 1))
    waiting: deque[ray.ObjectRef] = deque()
    for start in range(0, len(images), IMAGES_A_TASK):
        waiting.append(task.remote(images[start : start + IMAGES_A_TASK], settings))
        if len(waiting) > n_ahead:
            yield from _taken(waiting.popleft())
    while waiting:
        yield from _taken(waiting.popleft())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; a user's mistake is one line on standard error and exit code 2."""
    parser = OneLineParser(prog="python -m search.cluster_pack", description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--address", default="auto", help="of the cluster (default: the one of this machine)")
    parser.add_argument("--size", type=int, default=360)
    parser.add_argument("--qualities", type=int, nargs="+", default=QUALITIES, metavar="Q")
    return run_command(lambda: _pack(parser.parse_args(arguments)))


def _pack(options: argparse.Namespace) -> None:
    settings = PackSettings(options.size, tuple(options.qualities))
    check_apart(options.source, options.out)
    check_new(options.out)
    source = options.source.resolve()
    images = find_sources(source, options.size, note)
    settings = replace(settings, description=f"{source.name}, {len(images)} images")
    try:
        ray.init(options.address, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or ["no answer"])[0]
        raise InputError(
            f"no cluster at {options.address} ({reason}): start it, or use python -m datasets pack"
        ) from error
    try:
        with Progress("packing", "images") as progress:
            how = Packing(str(source), say=note, progress=progress.tell, prepare=prepare_on_nodes)
            write_pack(images, options.out, settings, how)
    finally:
        ray.shutdown()
    print(f"{len(images)} images in {options.out}")


def _prepare_some(images: Sequence[SourceImage], settings: PackSettings) -> list[Prepared]:
    return list(map(partial(prepare, settings), images))


def _taken(reference: ray.ObjectRef) -> list[Prepared]:
    try:
        prepared: list[Prepared] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise error.cause from error
        raise
    return prepared


if __name__ == "__main__":
    sys.exit(main())

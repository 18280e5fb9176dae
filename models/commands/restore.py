"""`python -m models restore`: JPEG files in, restored images out, as many at a time as there are cores."""

import argparse
import glob
import os
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.console import note
from datasets.cores import n_cores
from datasets.errors import InputError, explain, printable
from datasets.image_output import FORMATS, WITH_PROFILE, image_bytes, write_image
from datasets.jpeg_file import JpegError, read_bytes, read_frame, read_jpeg, upright
from datasets.progress import Progress
from datasets.sources.walk import find_files

if TYPE_CHECKING:  # it loads Keras, which a mistake need not wait for
    from models.restore import Restorer

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
STANDARD_OUTPUT = "-"
SKIPPED = 1  # exit code where a file was left out
N_SHOWN = 10  # lines of one kind; the rest is counted
LARGE_PIXELS = 8_000_000  # larger images are restored one at a time, so that memory does not grow with --jobs
AHEAD = 2  # files in hand for each job
RESTORED, THERE, LEFT_OUT = "restored", "there already", "left out"


@dataclass(frozen=True)
class Job:
    """A file to restore, and where it goes."""

    source: Path
    out: Path


@dataclass
class Outcome:
    """What became of a file, in words where it was left out, and what is to be doubted of it."""

    job: Job
    kind: str
    why: str = ""
    doubts: list[str] = field(default_factory=list)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m models`."""
    command = commands.add_parser("restore", help="restores JPEG files")
    command.add_argument("sources", nargs="+", metavar="IN", help="files, folders (with all below), patterns")
    command.add_argument("-o", "--out", required=True, metavar="OUT", help="a folder, a file, or - (PPM)")
    command.add_argument("--model", type=Path, metavar="FILE|RUN", help="a model file or a run (default: lowq's own)")
    command.add_argument("--plugin", type=Path, metavar="FILE", help="defines the model's network, if it is one's own")
    command.add_argument("--format", choices=sorted({s[1:] for s in FORMATS}), help="of files in a folder (png)")
    command.add_argument("--force", action="store_true", help="replaces what is there already")
    command.add_argument("--jobs", type=int, metavar="N", help="files at a time (default: as many as cores)")
    command.add_argument(
        "--consistent",
        choices=("wide", "narrow", "off"),
        default="wide",
        help="keeps to images that the file could have come from: wide (default) so that no error grows, narrow so "
        "that compressing again gives the same file",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Restore; returns 1 where a file was left out. Raises InputError before anything is written."""
    if options.out == STANDARD_OUTPUT and sys.stdout is None:
        raise InputError("standard output is closed: name a file or a folder")
    n_jobs = n_cores() if options.jobs is None else options.jobs
    if n_jobs < 1:
        raise InputError(f"--jobs must be at least 1, got {n_jobs}")
    jobs = find_jobs(options.sources, options.out, options.format)
    from models.backend import prepare_backend
    from models.restore import load

    prepare_backend(max(1, n_cores() // min(n_jobs, len(jobs))))
    worker = _Worker(load(options.model, options.plugin), options.consistent, options.force)
    outcomes: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    with warnings.catch_warnings(), Progress("restoring", "files") as progress:
        warnings.simplefilter("ignore")  # of files that are left out anyhow
        try:
            for n_done, outcome in enumerate(_outcomes(worker, jobs, n_jobs), 1):
                outcomes[outcome.kind] += 1
                outcomes["doubted"] += bool(outcome.doubts)
                _say(outcome, shown)
                progress.tell(n_done, len(jobs))
        except KeyboardInterrupt as error:
            error.add_note("what is restored is whole and stays; the same command restores the rest")
            raise
    print(_summary(outcomes), file=sys.stderr)
    return SKIPPED if outcomes[LEFT_OUT] or outcomes[THERE] else 0


def find_jobs(sources: list[str], out: str, suffix: str | None) -> list[Job]:
    """List what is to be restored, and where to. Raises InputError."""
    found = [pair for source in sources for pair in _find(source)]
    if not found:
        raise InputError(f"no file of {', '.join(JPEG_SUFFIXES)} is in {', '.join(sources)}")
    place = Path(out)
    is_one_file = len(found) == 1 and Path(sources[0]) == found[0][0]
    if out == STANDARD_OUTPUT or (is_one_file and place.suffix.lower() in FORMATS and not place.is_dir()):
        if len(found) > 1:
            raise InputError(f"-o - takes one file, got {len(found)}: name a folder")
        named = ".ppm" if out == STANDARD_OUTPUT else place.suffix.lower()
        if suffix and f".{suffix}" != named:
            raise InputError(f"--format {suffix} is another than that of {out}, {named[1:]}: leave it out")
        return _checked([Job(found[0][0], place)])
    if not place.is_dir() and (place.exists() or place.suffix.lower() in (*FORMATS, *JPEG_SUFFIXES)):
        raise InputError(
            f"{place} is no folder, and there is more than one file, or its format is none of {', '.join(FORMATS)}"
        )
    for source in map(Path, sources):
        if source.is_dir() and place.resolve().is_relative_to(source.resolve()):
            raise InputError(f"the output {place} lies inside the input {source}: name another folder")
    jobs = [Job(path, place / Path(name).with_suffix(f".{suffix or 'png'}")) for path, name in found]
    taken: dict[Path, Path] = {}
    for job in jobs:
        first = taken.setdefault(job.out, job.source)
        if first != job.source:
            raise InputError(f"{first} and {job.source} would both become {job.out}: restore them apart")
    return _checked(list({job.out: job for job in jobs}.values()))


def _checked(jobs: list[Job]) -> list[Job]:
    """Return the jobs. Raises InputError where what is written would take the place of what is read."""
    read = {os.path.realpath(job.source) for job in jobs}
    for job in jobs:
        if os.path.realpath(job.out) in read:
            raise InputError(f"{job.out} is an input too, which is not replaced: name another folder or file")
    return jobs


def _find(source: str) -> Iterator[tuple[Path, str]]:
    """Yield the files of one argument, each with its name below the output folder."""
    path = Path(source)
    if path.is_dir():
        walk = find_files(path, must_be_read=False)
        files = [found for found in walk.files if not found.is_hidden]
        other = Counter(found.path.suffix.lower() for found in files if found.path.suffix.lower() not in JPEG_SUFFIXES)
        if other:
            kinds = ", ".join(f"{n} {kind or 'without a suffix'}" for kind, n in sorted(other.items()))
            note(f"passed over in {source}: {kinds}")
        of_jpeg = [found for found in files if found.path.suffix.lower() in JPEG_SUFFIXES]
        yield from ((found.path, found.name) for found in (*of_jpeg, *walk.unreadable))  # which are named later
    elif not path.exists() and glob.has_magic(source):
        matching = [Path(name) for name in sorted(glob.glob(source, recursive=True))]
        fitting = [name for name in matching if name.is_file() or not name.exists()]  # a link to nothing is named later
        if not fitting:
            folders = ", only folders, which are to be named themselves" if matching else ""
            raise InputError(f"no file is like {source}{folders}")
        yield from ((file, file.name) for file in fitting)
    else:
        if not path.exists():
            raise InputError(f"{source} does not exist: check the name")
        yield path, path.name


class _Worker:
    """Restores files, from several threads."""

    def __init__(self, restorer: "Restorer", consistent: str, force: bool) -> None:
        self.restorer, self.consistent, self.force = restorer, consistent, force
        self.large = threading.Lock()

    def __call__(self, job: Job) -> Outcome:
        if str(job.out) != STANDARD_OUTPUT and job.out.exists() and not self.force:
            return Outcome(job, THERE)
        try:
            data = read_bytes(job.source)
            frame = read_frame(data)
            with self.large if frame.height * frame.width > LARGE_PIXELS else nullcontext():
                return self._restore(job, data)
        except JpegError as error:
            return Outcome(job, LEFT_OUT, str(error))
        except BrokenPipeError:  # who read standard output has ended
            raise
        except OSError as error:
            where = "" if error.filename in (None, str(job.source)) else f" ({error.filename})"
            return Outcome(job, LEFT_OUT, f"cannot be restored: {explain(error)}{where}")
        except MemoryError:
            return Outcome(job, LEFT_OUT, "needs more memory than there is")

    def _restore(self, job: Job, data: bytes) -> Outcome:
        from models.restore import CannotRestoreError, doubts, examine, restore_pixels

        jpeg = read_jpeg(data)
        try:
            examined = examine(self.restorer, jpeg)
            found = doubts(self.restorer, jpeg, examined)
            pixels = restore_pixels(self.restorer, jpeg, self.consistent, in_place=True, examined=examined)
        except CannotRestoreError as error:
            return Outcome(job, LEFT_OUT, str(error))
        if jpeg.is_grey:
            pixels = pixels[..., 0]
        pixels, profile = upright(pixels, jpeg.turn), jpeg.icc_profile
        del jpeg  # before it is written, which takes memory of its own
        if str(job.out) == STANDARD_OUTPUT:
            sys.stdout.buffer.write(image_bytes(pixels, ".ppm"))
        else:
            if profile and job.out.suffix.lower() not in WITH_PROFILE:
                found.append(f"its colour profile has no place in a {job.out.suffix[1:].upper()} file")
            write_image(job.out, pixels, profile)
        return Outcome(job, RESTORED, doubts=found)


def _outcomes(worker: _Worker, jobs: list[Job], n_jobs: int) -> Iterator[Outcome]:
    """Yield what becomes of the files as they are done, a few of them in hand."""
    pool = ThreadPoolExecutor(n_jobs)
    left, running = iter(jobs), set[Future[Outcome]]()
    try:
        while True:
            running |= {pool.submit(worker, job) for job in islice(left, AHEAD * n_jobs - len(running))}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(cancel_futures=True)


def _say(outcome: Outcome, shown: Counter[str]) -> None:
    """Name a file that was left out or is to be doubted, unless enough were."""
    lines = [(LEFT_OUT, f"{outcome.job.source} {outcome.why}")] if outcome.kind == LEFT_OUT else []
    lines += [("doubted", f"warning: {outcome.job.source}: {'; '.join(outcome.doubts)}")] if outcome.doubts else []
    for kind, line in lines:
        shown[kind] += 1
        if kind == LEFT_OUT or shown[kind] <= N_SHOWN:
            print(f"lowq: {printable(line)}", file=sys.stderr)


def _summary(outcomes: Counter[str]) -> str:
    parts = [f"{outcomes[RESTORED]} restored"]
    if outcomes["doubted"]:
        parts.append(f"{outcomes['doubted']} of them other than what the model was trained for")
    if outcomes[THERE]:
        parts.append(f"{outcomes[THERE]} there already (--force replaces them)")
    if outcomes[LEFT_OUT]:
        parts.append(f"{outcomes[LEFT_OUT]} left out")
    return ", ".join(parts)

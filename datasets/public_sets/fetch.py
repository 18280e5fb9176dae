"""Downloads of public sets: gone on with where they broke off, compared with their SHA-256, laid out for a pack."""

import hashlib
import http.client
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from datasets.errors import InputError, explain
from datasets.public_sets.public_set import PublicSet, RemoteFile
from datasets.public_sets.unpack import unpack
from datasets.staging import Staging, staged

READ_BYTES = 1 << 16
TIMEOUT_S = 30.0
PAUSES_S = (1.0, 4.0)  # before each further try
DESCRIPTION = "README.txt"
BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)
NOT_TRANSIENT = range(400, 500)  # HTTP: another try would not help


def fetch_set(public: PublicSet, out: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Download a set into the folder `out`, which appears whole or not at all.

    progress: told the bytes done and in all. Raises InputError when out exists, a file cannot be had or is not what
    the catalogue says; the error says what was kept, where the same command goes on from.
    """
    identity = hashlib.sha256(repr(public.files).encode()).hexdigest()
    with staged(out, f"fetch {identity}") as staging:
        downloads = staging.folder / "downloads"
        downloads.mkdir(exist_ok=True)
        shutil.rmtree(staging.contents)  # what an earlier run had laid out, perhaps in part
        staging.contents.mkdir()
        n_done = 0

        def tell(n_bytes: int) -> None:
            progress(n_done + n_bytes, public.n_bytes)

        try:
            for file in public.files:
                _lay_out(file, _fetch(file, downloads, tell), staging)
                n_done += file.n_bytes
        except BaseException as error:
            _keep(staging, downloads, error)
            raise
        (staging.contents / DESCRIPTION).write_text(f"{public.describe()}\n", "utf-8", "backslashreplace")


def _fetch(file: RemoteFile, downloads: Path, progress: Callable[[int], None]) -> Path:
    """Return the downloaded file, verified; what is there already is not downloaded again."""
    path = downloads / file.sha256
    for pause_s in (*PAUSES_S, None):
        try:
            if not path.exists() or path.stat().st_size < file.n_bytes:
                _download(file, path, progress)
            break
        except BROKEN as error:
            code = error.code if isinstance(error, urllib.error.HTTPError) else 0
            if code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:  # what is there is longer than the file
                path.unlink(missing_ok=True)
            is_final = code in NOT_TRANSIENT and code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE
            if pause_s is None or is_final:
                raise InputError(f"{file.address} cannot be had: {_reason(error)}; start the command again") from error
            time.sleep(pause_s)
    progress(file.n_bytes)
    with path.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != file.sha256:
        path.unlink()
        raise InputError(
            f"{file.address} is not what the catalogue says: its SHA-256 is {found[:16]}..., not "
            f"{file.sha256[:16]}...; it was changed there or on the way, and is not taken"
        )
    return path


def _download(file: RemoteFile, path: Path, progress: Callable[[int], None]) -> None:
    """Download a file, or what is still missing of it. Raises InputError where it is of another length."""
    n_there = path.stat().st_size if path.exists() else 0
    headers = {"User-Agent": "lowq"} | ({"Range": f"bytes={n_there}-"} if n_there else {})
    request = urllib.request.Request(file.address, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        goes_on = answer.status == http.client.PARTIAL_CONTENT
        if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {n_there}-"):
            path.unlink(missing_ok=True)
            raise ConnectionError("the server sent another part of it than was asked for")
        n_bytes = n_there if goes_on else 0
        if answer.length is not None and n_bytes + answer.length != file.n_bytes:
            path.unlink(missing_ok=True)
            raise InputError(
                f"{file.address} is of {n_bytes + answer.length} bytes, not of the {file.n_bytes} that the catalogue "
                "says: it was changed there, or a page to log in to a network came instead"
            )
        with path.open("ab" if goes_on else "wb") as content:
            while part := answer.read(READ_BYTES):
                content.write(part)
                n_bytes += len(part)
                progress(min(n_bytes, file.n_bytes))
                if n_bytes > file.n_bytes:
                    break
    if n_bytes > file.n_bytes:
        path.unlink()
        raise InputError(f"{file.address} is longer than the {file.n_bytes} bytes that the catalogue says: not taken")
    if n_bytes < file.n_bytes:
        raise ConnectionError(f"it broke off after {n_bytes} of {file.n_bytes} bytes")


def _lay_out(file: RemoteFile, path: Path, staging: Staging) -> None:
    """Put a file where it belongs, or an archive's images into their systems."""
    if file.members:
        unpack(path, dict(file.members), staging.contents, file.name)
        return
    place = staging.contents / file.name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)


def _keep(staging: Staging, downloads: Path, error: BaseException) -> None:
    """Leave what was downloaded for the next run, and say so."""
    n_bytes = sum(path.stat().st_size for path in downloads.iterdir())
    if n_bytes:
        staging.keep = True
        error.add_note(f"{n_bytes / 1e6:.1f} MB are kept in {staging.folder}, where the same command goes on from")


def _reason(error: Exception) -> str:
    """Return in one line why a download failed."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    reason = getattr(error, "reason", error)
    return explain(reason) if isinstance(reason, OSError) and reason.strerror else str(reason) or type(error).__name__

"""Public sets from a server on this machine: whole, gone on with, refused where a byte is wrong; and the catalogue."""

import hashlib
import http.server
import io
import json
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.cli import main
from datasets.errors import InputError
from datasets.public_sets import fetch
from datasets.public_sets.public_set import find_set, list_sets
from datasets.sources.source import find_sources
from tests.pack_fixture import tiny_image

Capture = pytest.CaptureFixture[str]
LICENCE = {"title": "tiny images", "licence": "MIT", "licence_address": "http://x", "jpeg_history": "none"}


def _png(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(tiny_image(number)).save(file, "PNG")
    return file.getvalue()


IMAGES = {f"field {number}.png": _png(number) for number in range(8)}


class Server(http.server.ThreadingHTTPServer):
    """Serves what it holds, and can be told to break off, to know no ranges, or to answer with an error."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.held: dict[str, bytes] = {f"/{name.replace(' ', '%20')}": data for name, data in IMAGES.items()}
        self.asked: list[tuple[str, str]] = []
        self.knows_ranges = True
        self.is_off_by = 0  # bytes that a part begins too early
        self.refused: list[str] = []  # path and range
        self.breaks_off: dict[str, int] = {}  # path -> bytes, once
        self.fails: dict[str, list[int]] = {}  # path -> codes to answer first

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.path, wanted))
        if self.server.fails.get(self.path):
            self.send_error(self.server.fails[self.path].pop(0))
            return
        if f"{self.path} {wanted}" in self.server.refused:
            self.send_error(416)
            return
        if self.path not in self.server.held:
            self.send_error(404)
            return
        data = self.server.held[self.path]
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.knows_ranges else 0
        start -= min(start, self.server.is_off_by)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = self.server.breaks_off.pop(self.path, len(data))
        self.wfile.write(data[start:end])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetch, "PAUSES_S", (0.0, 0.0))
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _row(address: str, name: str, data: bytes) -> list[Any]:
    return [address, name, len(data), hashlib.sha256(data).hexdigest()]


def _describe(folder: Path, server: Server, rows: list[list[Any]] | None = None, **more: Any) -> str:
    rows = rows or [_row(name.replace(" ", "%20"), f"camera/{name}", data) for name, data in IMAGES.items()]
    path = folder / "tiny.json"
    path.write_text(json.dumps({**LICENCE, "address": server.address, "files": rows, **more}))
    return str(path)


def _complaint(capsys: Capture, *arguments: object) -> str:
    assert main(["fetch", *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_a_set_is_fetched_into_a_source_folder_and_its_licence_is_said(
    tmp_path: Path, server: Server, capsys: Capture
) -> None:
    out = tmp_path / "out"
    assert main(["fetch", _describe(tmp_path, server), str(out)]) == 0
    said = capsys.readouterr().out
    assert "licence: MIT (http://x)" in said
    assert "JPEG history: none" in said
    assert {path.name: path.read_bytes() for path in (out / "camera").iterdir()} == IMAGES
    assert "licence: MIT" in (out / "README.txt").read_text()
    assert len(find_sources(out, 32)) == len(IMAGES)
    assert sorted(os.listdir(tmp_path)) == ["out", "tiny.json"]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_connection_that_breaks_off_is_gone_on_with(tmp_path: Path, server: Server, knows_ranges: bool) -> None:
    path = "/field%203.png"
    server.knows_ranges, server.breaks_off = knows_ranges, {path: 1000}
    assert main(["fetch", _describe(tmp_path, server), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "camera" / "field 3.png").read_bytes() == IMAGES["field 3.png"]
    assert [wanted for asked, wanted in server.asked if asked == path] == ["", "bytes=1000-"]


def test_another_part_than_was_asked_for_is_not_taken(tmp_path: Path, server: Server) -> None:
    path = "/field%203.png"
    server.is_off_by, server.breaks_off = 1, {path: 1000}
    assert main(["fetch", _describe(tmp_path, server), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "camera" / "field 3.png").read_bytes() == IMAGES["field 3.png"]
    assert [wanted for asked, wanted in server.asked if asked == path] == ["", "bytes=1000-", ""]


def test_what_is_there_is_dropped_where_the_server_has_no_more_of_it(tmp_path: Path, server: Server) -> None:
    path = "/field%203.png"
    server.breaks_off, server.refused = {path: 1000}, [f"{path} bytes=1000-"]
    assert main(["fetch", _describe(tmp_path, server), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "camera" / "field 3.png").read_bytes() == IMAGES["field 3.png"]
    assert [wanted for asked, wanted in server.asked if asked == path] == ["", "bytes=1000-", ""]


def test_a_command_that_failed_is_gone_on_with_without_downloading_anything_twice(
    tmp_path: Path, server: Server, capsys: Capture
) -> None:
    path, described = "/field%205.png", _describe(tmp_path, server)
    server.breaks_off = {path: 500}
    server.fails = {}
    data = server.held.pop(path)
    error = _complaint(capsys, described, tmp_path / "out")
    assert "field%205.png cannot be had: the server answers 404" in error
    assert "MB are kept in" in error
    assert not (tmp_path / "out").exists()
    server.held[path] = data
    server.asked.clear()
    assert main(["fetch", described, str(tmp_path / "out")]) == 0
    assert [asked for asked, _ in server.asked] == [path, path, "/field%206.png", "/field%207.png"]
    assert {file.name: file.read_bytes() for file in (tmp_path / "out" / "camera").iterdir()} == IMAGES
    assert sorted(os.listdir(tmp_path)) == ["out", "tiny.json"]


def test_a_server_that_is_busy_is_asked_again_and_one_without_the_file_is_not(
    tmp_path: Path, server: Server, capsys: Capture
) -> None:
    server.fails = {"/field%200.png": [503, 500]}
    assert main(["fetch", _describe(tmp_path, server), str(tmp_path / "out")]) == 0
    server.asked.clear()
    server.fails = {"/field%200.png": [404]}
    assert "404" in _complaint(capsys, _describe(tmp_path, server), tmp_path / "other")
    assert len(server.asked) == 1


@pytest.mark.parametrize("change", ["a byte", "longer", "a page"])
def test_a_file_that_is_not_what_the_catalogue_says_is_refused_and_not_kept(
    tmp_path: Path, server: Server, capsys: Capture, change: str
) -> None:
    data = IMAGES["field 0.png"]
    flipped = data[:100] + bytes([data[100] ^ 1]) + data[101:]
    server.held["/field%200.png"] = {"a byte": flipped, "longer": data + b"x", "a page": b"log in"}[change]
    words = "its SHA-256 is" if change == "a byte" else f"is of {len(server.held['/field%200.png'])} bytes, not of the"
    assert words in _complaint(capsys, _describe(tmp_path, server), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert os.listdir(tmp_path) == ["tiny.json"]


def _archive(kind: str, members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in members.items():
                zipped.writestr(name, data)
        return file.getvalue()
    with tarfile.open(fileobj=file, mode="w:gz") as tarred:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tarred.addfile(info, io.BytesIO(data))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_is_unpacked_into_systems_and_nothing_else_of_it(tmp_path: Path, server: Server, kind: str) -> None:
    members = {f"set/green/{name}": data for name, data in IMAGES.items()}
    members |= {
        "set/notes.txt": b"no image",
        "set/masks/a.png": b"left",
        "../../escaped.png": b"left",
        "/tmp/x.png": b"",
    }
    server.held = {"/all": _archive(kind, members)}
    rows = [_row("all", f"all.{kind}", server.held["/all"])]
    described = _describe(tmp_path, server, rows, members={f"all.{kind}": {"set/green": "camera"}})
    assert main(["fetch", described, str(tmp_path / "out")]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "camera").iterdir()} == IMAGES
    assert sorted(os.listdir(tmp_path / "out")) == ["README.txt", "camera"]
    assert sorted(os.listdir(tmp_path)) == ["out", "tiny.json"]


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (b"no archive at all", "cannot be unpacked"),
        (_archive("zip", {"other/a.png": b""}), "holds no image for camera"),
        (_archive("zip", {"set/a.png": _png(0)})[:-30], "cannot be unpacked"),
    ],
)
def test_an_archive_that_cannot_be_used_is_one_line(
    tmp_path: Path, server: Server, capsys: Capture, held: bytes, words: str
) -> None:
    server.held = {"/all": held}
    described = _describe(tmp_path, server, [_row("all", "all.zip", held)], members={"all.zip": {"set": "camera"}})
    assert words in _complaint(capsys, described, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_address_without_a_server_is_one_line(tmp_path: Path, server: Server, capsys: Capture) -> None:
    described = _describe(tmp_path, server)
    server.shutdown()
    server.server_close()
    assert "cannot be had: Connection refused" in _complaint(capsys, described, tmp_path / "out")


@pytest.mark.parametrize(
    "rows",
    [
        [["a", "../a.png", 1, "0" * 64]],
        [["a", "/a.png", 1, "0" * 64]],
        [["a", "x/a.png", -1, "0" * 64]],
        [["a", "x/a.png", 1, "0"]],
        [["file:///etc/passwd", "x/a.png", 1, "0" * 64]],
        [["a", "x/a.png", 1, "0" * 64], ["b", "x/a.png", 1, "0" * 64]],
        [["a", "x/\0.png", 1, "0" * 64]],
        [["a", "x/\ud800.png", 1, "0" * 64]],
        [["\xe9", "x/a.png", 1, "0" * 64]],
        [["a b", "x/a.png", 1, "0" * 64]],
        [[1]],
        "no list",
    ],
)
def test_a_description_that_cannot_be_is_refused(tmp_path: Path, server: Server, capsys: Capture, rows: Any) -> None:
    assert "describes no set of images" in _complaint(capsys, _describe(tmp_path, server, rows), tmp_path / "out")


@pytest.mark.parametrize("system", ["../../escaped", "/tmp/escaped", "..", "", 7, None])
def test_a_system_of_an_archive_lies_below_the_folder(
    tmp_path: Path, server: Server, capsys: Capture, system: Any
) -> None:
    server.held = {"/all": _archive("zip", {"set/a.png": _png(0)})}
    rows = [_row("all", "all.zip", server.held["/all"])]
    described = _describe(tmp_path, server, rows, members={"all.zip": {"set": system}})
    assert "describes no set of images" in _complaint(capsys, described, tmp_path / "out")
    assert server.asked == []


def test_unknown_names_and_files_are_one_line_and_no_name_lists_all(tmp_path: Path, capsys: Capture) -> None:
    assert "no public set is called nope: known are draaslan" in _complaint(capsys, "nope", tmp_path / "out")
    assert "absent.json cannot be read: No such file" in _complaint(capsys, tmp_path / "absent.json", tmp_path / "out")
    assert main(["fetch"]) == 0
    assert all(public.describe() in capsys.readouterr().out for public in list_sets()[:1])


@pytest.mark.parametrize("public", list_sets(), ids=lambda public: public.name)
def test_every_set_of_the_catalogue_says_its_licence_and_lies_in_systems(public: Any) -> None:
    assert public.licence
    assert public.licence_address.startswith("https://")
    assert public.jpeg_history
    assert all(file.name.count("/") == 1 and file.address.startswith("https://") for file in public.files)
    assert public.n_bytes == sum(file.n_bytes for file in public.files)
    assert find_set(public.name) == public


CELLS = Path(__file__).resolve().parents[2] / "shared" / "data" / "cells" / "draaslan"


@pytest.mark.skipif(not CELLS.is_dir(), reason="the real cell images are not beside this repository")
def test_the_hashes_of_the_catalogue_are_those_of_the_images() -> None:
    known = {Path(file.name).name: file.sha256 for file in find_set("draaslan").files}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in CELLS.iterdir()}
    assert len(found) > 50
    assert found.items() <= known.items()


def test_the_fixture_has_images_that_differ() -> None:
    assert len({np.asarray(Image.open(io.BytesIO(data))).tobytes() for data in IMAGES.values()}) == len(IMAGES)
    with pytest.raises(InputError):
        find_set("../draaslan")

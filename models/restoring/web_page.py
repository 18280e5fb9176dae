"""A page that restores a dropped JPEG in the browser: one file with the network and onnxruntime-web in it."""

import base64
import html
import tarfile
import zlib
from pathlib import Path
from string import Template
from typing import Any

from models.restoring.model_file import ModelFile

TEMPLATE = Path(__file__).with_name("page.html")
MEGAPIXELS = 4
# Of the package onnxruntime-web on npm: the program with its loader, and the WebAssembly that it loads.
RUNTIME, BINARY = "package/dist/ort.wasm.bundle.min.mjs", "package/dist/ort-wasm-simd-threaded.wasm"
ADVICE = "make one with `npm pack onnxruntime-web`"


class RuntimeFileError(ValueError):
    """The file is no package of onnxruntime-web; the message says what to do."""


def make_page(model_file: ModelFile, onnx: bytes, runtime: Path) -> bytes:
    """Return the page of a model. runtime: the package of onnxruntime-web, as npm packs it (.tgz).

    Raises RuntimeFileError where it cannot be read or lacks a file.
    """
    program, binary = _read(runtime)
    described = model_file.facts["training_data"].get("description") or "images that its file does not describe"
    parts = {"runtime": program, "binary": binary, "model": onnx}
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=html.escape(model_file.name),
        trained=html.escape(str(described)),
        megapixels=MEGAPIXELS,
        **{name: base64.b64encode(data).decode() for name, data in parts.items()},
    )
    return page.encode()


def _read(runtime: Path) -> list[bytes]:
    try:
        with tarfile.open(runtime) as package:
            files: list[Any] = [package.extractfile(name) for name in (RUNTIME, BINARY)]
            return [file.read() for file in files]
    except KeyError as error:
        raise RuntimeFileError(f"{runtime} lacks {str(error.args[0])[:90]}: {ADVICE}") from error
    except (OSError, tarfile.TarError, zlib.error, EOFError, AttributeError) as error:
        raise RuntimeFileError(f"{runtime} cannot be read as a package of onnxruntime-web: {ADVICE}") from error

"""Encoders by name: "jpeg-q50", "jpeg-flat12-c0.6", "avif-q60-444"; files that list them, and what a run picked."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets.encoders.encoder import SUBSAMPLINGS, Encoder, encoder_from_facts
from datasets.encoders.step_tables import RadialTables, ScaledTables
from datasets.errors import InputError, explain

SETTING = re.compile(r"(q|flat|radial)(\d{1,9}(?:\.\d{1,9})?)")
NUMBER = re.compile(r"(a|p|c|ca|dc)(\d{1,9}(?:\.\d{1,9})?)")
NUMBERS = {"a": "slope", "p": "exponent", "c": "chroma_scale", "ca": "chroma_slope", "dc": "dc"}
FORM = (
    "an encoder is named such as jpeg-q50, jpeg-q45-c0.6-dc0.7, jpeg-flat12-c0.6, jpeg-radial8-a0.2-p1.2-c1.5-ca0.1, "
    f"with -422, -444, -plain, -progressive, -smooth20 or -trellis behind; codecs: {', '.join(SUBSAMPLINGS)}"
)
COMMENT = "#"
PICK = Path("report", "pick.json")


def find_encoder(name: str) -> Encoder:
    """Return the encoder of a name. Raises InputError, with the form of names, for any other text."""
    if not isinstance(name, str):
        raise InputError(f"{str(name)[:80]} is no encoder: {FORM}")
    codec, *words = name.split("-")
    setting = SETTING.fullmatch(words[0]) if words else None
    if codec not in SUBSAMPLINGS or setting is None:
        raise InputError(f"{name[:80]!r} is no encoder: {FORM}")
    numbers: dict[str, float] = {}
    options: dict[str, Any] = {}
    for word in words[1:]:
        if found := NUMBER.fullmatch(word):
            numbers[NUMBERS[found[1]]] = float(found[2])
        else:
            options |= _option(name, word)
    encoder = Encoder(codec, **_coarseness(name, setting[1], setting[2], numbers), **options)
    if encoder.name != name:
        raise InputError(f"{name[:80]!r} is no encoder: this one is written {encoder.name}")
    return encoder


def read_encoders(path: Path) -> tuple[Encoder, ...]:
    """Return the encoders that a text file lists, a name a line, comments behind #. Raises InputError.

    A line may be a JSON object instead, as `Encoder.as_facts` makes one: so tables are given step by step.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {explain(error)}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: write one encoder a line") from error
    encoders = []
    for number, line in enumerate(lines, 1):
        try:
            if line.strip().startswith("{"):
                encoders.append(encoder_from_facts(json.loads(line)))
            elif text := line.split(COMMENT)[0].strip():
                encoders.append(find_encoder(text))
        except (ValueError, RecursionError) as error:  # an InputError too
            raise InputError(f"{path}, line {number}: {error}") from error
    if not encoders:
        raise InputError(f"{path} lists no encoder: write one a line, such as jpeg-q50")
    return tuple(encoders)


def picked_encoder(run: Path) -> Encoder:
    """Return the encoder that a search picked, by its report, with optimised Huffman tables: the same pixels for less.

    Raises InputError where there is none.
    """
    file = run / PICK
    try:
        pick = json.loads(file.read_bytes())
        name = pick["encoder"] if pick["quality"] is not None else None
    except FileNotFoundError as error:
        raise InputError(f"{run} has no {PICK}: name an encoder, or a run whose report is written") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {explain(error)}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{file} names no encoder: write the report anew with `python -m analysis {run}`") from error
    if name is None:
        raise InputError(f"{run} has no pick: name an encoder, such as jpeg-q60")
    return replace(find_encoder(str(name)), optimised=True)


def _option(name: str, word: str) -> dict[str, Any]:
    if word in ("420", "422", "444"):
        return {"subsampling": ":".join(word)}
    if word == "plain":
        return {"optimised": False}
    if word == "progressive":
        return {"progressive": True}
    if word == "trellis":
        return {"trellis": True}
    if found := re.fullmatch(r"smooth(\d{1,9})", word):
        return {"smoothing": int(found[1])}
    raise InputError(f"{name[:80]!r} is no encoder ({word!r} means nothing): {FORM}")


def _coarseness(name: str, kind: str, value: str, numbers: dict[str, float]) -> dict[str, Any]:
    """Return the quality or the tables."""
    if kind != "q":
        return {"tables": RadialTables(float(value), **numbers)}
    if not value.isdecimal():
        raise InputError(f"{name[:80]!r} is no encoder: a quality is a whole number")
    if not numbers:
        return {"quality": int(value)}
    if not numbers.keys() <= {"chroma_scale", "dc"}:
        raise InputError(
            f"{name[:80]!r} is no encoder: of the standard's tables chroma and DC are scaled, as in -c0.6-dc0.7"
        )
    return {"tables": ScaledTables(int(value), numbers.get("chroma_scale", 1), numbers.get("dc", 1))}

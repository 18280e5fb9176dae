"""An encoder as a value: which codec, how coarse, and how it writes; with a name that says all of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

from datasets.encoders.step_tables import (
    ExplicitTables,
    RadialTables,
    ScaledTables,
    Steps,
    Tables,
    check_quality,
    is_whole,
    standard_steps,
)
from datasets.errors import InputError

JPEG = "jpeg"
SUBSAMPLINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(  # that a codec can write, its default first
    {
        JPEG: ("4:2:0", "4:2:2", "4:4:4"),
        "webp": ("4:2:0",),
        "avif": ("4:2:0", "4:2:2", "4:4:4"),
        "jxl": ("4:4:4",),
    }
)
KINDS: Mapping[str, type[Tables]] = MappingProxyType(
    {"radial": RadialTables, "scaled": ScaledTables, "explicit": ExplicitTables}
)
HIGHEST_SMOOTHING = 100


@dataclass(frozen=True)
class Encoder:
    """How an image becomes a file.

    codec: a key of SUBSAMPLINGS; quality: 1..100 on the codec's own scale, or else tables of JPEG; subsampling: of
    chroma, "" for the codec's default. Of JPEG alone: optimised, Huffman tables made for each image, which takes fewer
    bytes for the same pixels, and progressive, which is always optimised; smoothing: 0..100, of the image beforehand;
    trellis: coefficients that cost more bits than they show are left out, by mozjpeg.
    Raises InputError for what the codec lacks.
    """

    codec: str = JPEG
    quality: int | None = None
    tables: Tables | None = None
    subsampling: str = ""
    optimised: bool = True
    progressive: bool = False
    smoothing: int = 0
    trellis: bool = False

    def __post_init__(self) -> None:
        if self.codec not in SUBSAMPLINGS:
            raise InputError(f"unknown codec {self.codec!r}; known: {', '.join(SUBSAMPLINGS)}")
        if not isinstance(self.tables, Tables | None):
            raise InputError(f"quantisation tables are {', '.join(KINDS)}, got {str(self.tables)[:60]!r}")
        if (self.quality is None) == (self.tables is None):
            raise InputError(f"an encoder has a quality or quantisation tables, got {self.quality} and {self.tables}")
        if self.quality is not None:
            check_quality(self.quality)
        known = SUBSAMPLINGS[self.codec]
        object.__setattr__(self, "subsampling", self.subsampling or known[0])
        if self.subsampling not in known:
            raise InputError(f"{self.codec} has no subsampling {self.subsampling}; it has {', '.join(known)}")
        for choice in ("optimised", "progressive", "trellis"):
            if not isinstance(getattr(self, choice), bool):
                raise InputError(f"{choice} must be true or false, got {getattr(self, choice)!r}")
        if not is_whole(self.smoothing) or not 0 <= self.smoothing <= HIGHEST_SMOOTHING:
            raise InputError(f"smoothing must be a whole number of 0..{HIGHEST_SMOOTHING}, got {self.smoothing!r}")
        of_jpeg = self.tables is not None or self.progressive or self.smoothing or self.trellis or not self.optimised
        if self.codec != JPEG and of_jpeg:
            raise InputError(
                f"tables, plain, progressive, smoothing and trellis are JPEG's: {self.codec} has a quality alone"
            )
        if self.trellis and (self.progressive or self.smoothing or not self.optimised):
            raise InputError(
                "files with a trellis are optimised baseline JPEG: neither plain, progressive nor smoothed"
            )
        object.__setattr__(self, "optimised", self.optimised or self.progressive)

    @property
    def name(self) -> str:
        """The name: "jpeg-q50", "jpeg-flat12-c0.6", "jpeg-q75-444-progressive", "avif-q60"."""
        options = [
            "" if self.subsampling == SUBSAMPLINGS[self.codec][0] else self.subsampling.replace(":", ""),
            "" if self.optimised else "plain",
            "progressive" if self.progressive else "",
            f"smooth{self.smoothing}" if self.smoothing else "",
            "trellis" if self.trellis else "",
        ]
        return "-".join([self.codec, *self._setting(), *filter(None, options)])

    def _setting(self) -> list[str]:
        tables = self.tables
        if tables is None:
            return [f"q{self.quality}"]
        if isinstance(tables, ScaledTables):
            return [
                f"q{tables.quality}",
                f"c{tables.chroma_scale:g}",
                *([f"dc{tables.dc:g}"] if tables.dc != 1 else []),
            ]
        if isinstance(tables, ExplicitTables):
            return [f"tables.{hashlib.sha256(tables.steps().tobytes()).hexdigest()[:8]}"]
        numbers = {
            "a": (tables.slope, 0),
            "p": (tables.exponent, 1),
            "c": (tables.chroma_scale, 1),
            "ca": (tables.chroma_slope, 0),
            "dc": (tables.dc, 1),
        }
        kind = "flat" if (tables.slope, tables.chroma_slope, tables.exponent) == (0, 0, 1) else "radial"
        told = [f"{letters}{value:g}" for letters, (value, default) in numbers.items() if value != default]
        return [f"{kind}{tables.scale:g}", *told]

    def steps(self) -> Steps:
        """Return the quantisation tables in rows: int [2, 64] of 1..255. Raises InputError for other codecs' files."""
        if self.codec != JPEG:
            raise InputError(f"{self.name} has no quantisation tables: they are JPEG's")
        if self.tables is not None:
            return self.tables.steps()
        return standard_steps(self.quality or 0).reshape(2, -1)

    def plain(self) -> "Encoder":
        """Return the encoder as Pillow has it by default: of JPEG, without optimised Huffman tables."""
        if self.codec != JPEG or self.progressive or self.trellis:
            return self
        return replace(self, optimised=False)

    def as_facts(self) -> dict[str, Any]:
        """Return what JSON is to say of the encoder, its name included."""
        facts = {"name": self.name, **asdict(self)}
        if self.tables is not None:
            kind = next(kind for kind, made in KINDS.items() if isinstance(self.tables, made))
            facts["tables"] = {"kind": kind, **asdict(self.tables)}
        return facts


def encoder_from_facts(facts: Any) -> Encoder:
    """Return the encoder that `as_facts` described. Raises InputError where the facts describe none."""
    if not isinstance(facts, dict):
        raise InputError(f"an encoder is described by a JSON object, got {str(facts)[:60]!r}")
    told = {name: value for name, value in facts.items() if name != "name"}
    try:
        if isinstance(told.get("tables"), dict):
            numbers = dict(told["tables"])
            told["tables"] = KINDS[numbers.pop("kind")](**numbers)
        encoder = Encoder(**told)
    except (KeyError, TypeError) as error:
        raise InputError(f"{str(facts)[:60]!r} describes no encoder: {error}") from error
    if facts.get("name", encoder.name) != encoder.name:
        raise InputError(f"an encoder named {str(facts['name'])[:60]!r} is described as {encoder.name}")
    return encoder

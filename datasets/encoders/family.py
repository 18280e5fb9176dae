"""Families of encoders that differ in coarseness alone, so that a quality of 1..100 chooses one of them."""

import re
from dataclasses import dataclass, replace
from functools import cache

from datasets.encoders.encoder import SUBSAMPLINGS, Encoder
from datasets.encoders.names import find_encoder
from datasets.encoders.step_tables import BOUNDS, ExplicitTables, RadialTables, ScaledTables, standard_factor
from datasets.errors import InputError

KINDS = ("flat", "radial")  # of tables whose coarseness is a scale
MIDDLE = 50  # the quality at which libjpeg takes the standard's tables as they are
RADIUS, STEP = 3, 16  # about the step of the standard's luma table at this radial frequency
FORM = (
    "a family of encoders is named as its encoders are, without the number that says how coarse: jpeg, jpeg-c0.6, "
    "jpeg-flat-c1.5, jpeg-radial-a0.2-c1.5, jpeg-444, jpeg-c0.8-trellis, webp, avif"
)


@dataclass(frozen=True)
class EncoderFamily:
    """Encoders that differ in coarseness alone: `middle` is the one of quality 50.

    Radial tables of a quality have about the step of the standard's tables of that quality where the radial frequency
    is 3, within the bounds of their scale. Raises InputError for explicit tables, which have no coarseness to choose.
    """

    middle: Encoder

    def __post_init__(self) -> None:
        if isinstance(self.middle.tables, ExplicitTables):
            raise InputError(f"{self.middle.name} is one encoder and no family: its tables are given step by step")

    @property
    def name(self) -> str:
        """The name: that of its encoders without the number that says how coarse."""
        codec, setting, *rest = self.middle.name.split("-")
        kind = re.sub(r"[\d.]+$", "", setting)
        return "-".join([codec, *((kind,) if kind in KINDS else ()), *rest])

    def at(self, quality: int) -> Encoder:
        """Return the encoder of a quality of 1..100."""
        return _at(self, quality)


def find_family(name: str) -> EncoderFamily:
    """Return the family of a name. Raises InputError, with the form of names, for any other text."""
    if not isinstance(name, str):
        raise InputError(f"{str(name)[:80]} is no family of encoders: {FORM}")
    codec, *words = name.split("-")
    if codec not in SUBSAMPLINGS:
        raise InputError(f"{name[:80]!r} is no family of encoders: {FORM}; codecs: {', '.join(SUBSAMPLINGS)}")
    if words and words[0] in KINDS:
        middle = "-".join((codec, f"{words[0]}{STEP}", *words[1:]))
    else:
        middle = "-".join((codec, f"q{MIDDLE}", *words))
    try:
        family = EncoderFamily(find_encoder(middle))
    except InputError as error:
        raise InputError(f"{name[:80]!r} is no family of encoders: {error}") from error
    if family.name != name:
        raise InputError(f"{name[:80]!r} is no family of encoders: this one is written {family.name}")
    return family


@cache
def _at(family: EncoderFamily, quality: int) -> Encoder:
    tables = family.middle.tables
    if tables is None:
        return replace(family.middle, quality=quality)
    if isinstance(tables, ScaledTables):
        return replace(family.middle, tables=replace(tables, quality=quality))
    assert isinstance(tables, RadialTables)
    low, high = BOUNDS["scale"]
    scale = STEP * standard_factor(quality) / (1 + tables.slope * RADIUS**tables.exponent)
    return replace(family.middle, tables=replace(tables, scale=min(max(scale, low), high)))

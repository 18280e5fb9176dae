"""The sizes of the networks made for JPEG: numbers that need no Keras, and what they cost."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

PLANES = 12  # Y, Cb and Cr of the 2 x 2 pixels at each place of half resolution
FILTER_PX = 5
FILTER_WEIGHTS = FILTER_PX**2 * PLANES**2
DOWNSCALES = (2, 4)
KERNELS_PX = (3, 5)


@dataclass(frozen=True)
class NetworkSize:
    """How large a native network is.

    width: feature maps; depth: residual blocks of two convolutions; kernel_px: side of the blocks' kernels; downscale:
    how many pixels of the image lie between two of the features, 2 or 4; branch_width: feature maps of a branch at
    half the features' resolution, 0 for none; told_tables: whether the file's quantisation tables, in 8 numbers, are an
    input too, which scale the features and what the filter does. Raises ValueError with the rule and what was found.
    """

    width: int
    depth: int
    kernel_px: int = 3
    downscale: int = 2
    branch_width: int = 0
    told_tables: bool = False

    def __post_init__(self) -> None:
        for name in ("width", "depth"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        for name, known in (("kernel_px", KERNELS_PX), ("downscale", DOWNSCALES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(map(str, known))}, got {getattr(self, name)!r}")

    def with_changes(self, **changes: Any) -> "NetworkSize":
        """Return the size with some fields changed; None leaves a field as it is."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


SIZE_FIELDS = tuple(field.name for field in fields(NetworkSize) if field.name != "branch_width")
N_TABLE_NUMBERS = 8
NATIVE_SIZES: dict[str, NetworkSize] = {
    "native1k": NetworkSize(width=8, depth=1),
    "native10k": NetworkSize(width=24, depth=3),
    "native11k": NetworkSize(width=24, depth=2, branch_width=48),
    "native41k": NetworkSize(width=64, depth=2),
}
REFERENCE_SIZE = NATIVE_SIZES["native10k"]


def network_size(architecture: str, **changes: Any) -> NetworkSize | None:
    """Return the size of a network of the table with some fields changed, None for one that has no such fields.

    Raises ValueError where a network without them is given one.
    """
    if architecture in NATIVE_SIZES:
        return NATIVE_SIZES[architecture].with_changes(**changes)
    given = [name for name, value in changes.items() if value is not None]
    if given:
        known = ", ".join(NATIVE_SIZES)
        raise ValueError(f"{architecture} has no {given[0]}; networks that have: {known}; leave {given[0]} out")
    return None


def rate_factor(size: NetworkSize | None) -> float:
    """Return what a learning rate is multiplied by, so that one rate serves networks of every size.

    The steps of Adam do not shrink with a network: what they change of a feature grows with the width of the layer
    before it and with the number of blocks, so that the rate falls with both. At most 1, as for native10k and without a
    size: the filter, which is as large in every network, takes no more.
    """
    if size is None:
        return 1.0
    return min(1.0, REFERENCE_SIZE.width / size.width * math.sqrt(REFERENCE_SIZE.depth / size.depth))

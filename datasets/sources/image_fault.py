"""What is wrong with an image file, in words that follow its name, and the words that several formats share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOSS = "its loss cannot be undone: export the original again as PNG, BMP or TIFF, or remove it"
AS_RGB = "export the original again with three channels of 8 bits, or remove it"
LIMIT_PIXELS = 178_956_970  # Pillow's own: twice what it calls large
LEAST_EMPTY_ROWS = 1 / 50  # share of the rows without a checksum that are zero in a copy that was cut off


class ImageFault(Exception):  # noqa: N818
    """An image file cannot be used; the words follow its name: "is damaged (no end): ..."."""


@dataclass(frozen=True)
class Header:
    """What the header of an image file says: width and height in pixels."""

    width: int
    height: int


def damaged(what: str) -> ImageFault:
    """Return the fault of a file whose bytes cannot be right."""
    return ImageFault(f"is damaged ({what}): replace it by a good copy, or remove it")


def not_rgb(found: str, advice: str = AS_RGB) -> ImageFault:
    """Return the fault of a file with other channels than three of 8 bits."""
    return ImageFault(f"is not 8-bit RGB ({found}): {advice}")


def several(n_images: int) -> ImageFault:
    """Return the fault of a file of several images."""
    return ImageFault(f"holds {n_images} images: save each as a file of its own")


def check_size(header: Header, size_px: int) -> None:
    """Raise ImageFault for an image that is too large to be read, or smaller than size_px."""
    width, height = header.width, header.height
    if width * height > LIMIT_PIXELS:
        raise ImageFault(
            f"is {width} x {height} = {width * height // 1_000_000} million pixels, more than the "
            f"{LIMIT_PIXELS // 1_000_000} million that can be read: export a part of it, or cut it into fields of view "
            f"(`vips crop SLIDE FIELD.png LEFT TOP WIDTH HEIGHT`)"
        )
    if min(width, height) < size_px:
        raise ImageFault(f"is {width} x {height}, smaller than {size_px} px: choose a smaller --size or remove it")


def check_fourth_channel(fourth: NDArray[np.uint8], name: str) -> None:
    """Raise ImageFault where a channel beside RGB varies, and so says something that dropping it would lose."""
    if np.ptp(fourth):
        raise ImageFault(f"has {name} that varies, so 4 channels: save it as plain 8-bit RGB, or remove it")


def check_rows(is_empty: NDArray[np.bool_]) -> None:
    """Raise ImageFault where rows are zero, as in a copy that was cut off; is_empty: of each, in the file's order.

    A black frame, which is on both sides, is left alone.
    """
    n_empty = int(is_empty.sum())
    is_framed = is_empty[0] and is_empty[-1] and n_empty < len(is_empty)
    if not is_framed and n_empty >= max(2, LEAST_EMPTY_ROWS * len(is_empty)):
        raise ImageFault(
            f"is damaged ({n_empty} of its {len(is_empty)} rows are zero, as in a copy that was cut off): "
            "replace it by a good copy, or crop it"
        )

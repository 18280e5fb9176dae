"""Pixels as JPEG sees them, luma and chroma, and the parts of pictures that are shown."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.figures.style import COLOURS, JPEG_COLOUR

# Rows: Y, Cb, Cr; columns: R, G, B (JFIF 1.02, page 3). Written again here: analysis knows no room that has pixels.
RGB_TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]])
CHROMA_ZERO = 128.0
N_LEVELS = 256


def to_ycbcr(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert uint8 RGB [..., 3] to Y, Cb, Cr [..., 3] in [0, 255.5], not rounded; grey has Cb = Cr = 128."""
    converted: NDArray[np.float64] = pixels @ RGB_TO_YCBCR.T
    converted[..., 1:] += CHROMA_ZERO
    return converted


def to_luma(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert uint8 RGB [..., 3] to luma [...] in [0, 255], not rounded."""
    luma: NDArray[np.float64] = pixels @ RGB_TO_YCBCR[0]
    return luma


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert uint8 RGB [..., 3] to luma rounded to 8 bits: uint8 [...]."""
    return np.rint(to_luma(pixels)).astype(np.uint8)


def equalising_curve(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the curve, uint8 [256], by which a grey picture's levels become equally frequent: use curve[picture].

    The darkest level becomes 0 and the brightest 255 (Gonzalez and Woods, Digital Image Processing, section 3.3). The
    curve of a constant picture leaves every level as it is.
    """
    n_up_to = np.cumsum(np.bincount(grey.ravel(), minlength=N_LEVELS))
    n_darkest = n_up_to[grey.min()]
    n_brighter = grey.size - n_darkest
    if not n_brighter:
        return np.arange(N_LEVELS, dtype=np.uint8)
    shares = (n_up_to - n_darkest) / n_brighter
    curve: NDArray[np.uint8] = np.rint(np.clip(shares, 0, 1) * (N_LEVELS - 1)).astype(np.uint8)
    return curve


# Side of the part of an image that is shown large: a macroblock of 16 pixels is then a quarter of it.
ZOOM_PX = 64
FONT_SIZE = 8
LONGEST_NAME = 22  # of what fits beside a small tile
Number = TypeVar("Number", bound=np.generic)
# How the versions of an image are drawn as lines; JPEG's dashes lie on top, for the restored line may be the same.
SIDES: dict[str, dict[str, Any]] = {
    "original": {"color": "#999999", "linewidth": 2.6},
    "JPEG": {"color": JPEG_COLOUR, "linewidth": 1.1, "linestyle": "--", "zorder": 3},
    "restored": {"color": COLOURS[0], "linewidth": 1.1},
}
Pixels = NDArray[np.uint8]
Errors = NDArray[np.float64]


def centre(picture: NDArray[Number], side_px: int = ZOOM_PX) -> NDArray[Number]:
    """Cut the central side_px x side_px of a picture [H, W, ...]; a smaller picture is left as it is."""
    top, left = (max(0, side - side_px) // 2 for side in picture.shape[:2])
    return picture[top : top + side_px, left : left + side_px]


def worst_place(error: Errors, side_px: int = ZOOM_PX) -> tuple[slice, slice]:
    """Return the rows and columns of the first side_px square with the largest sum of squared errors [H, W]."""
    sums = np.zeros((error.shape[0] + 1, error.shape[1] + 1))
    sums[1:, 1:] = np.square(error).cumsum(axis=0).cumsum(axis=1)
    rows, columns = (min(side_px, side) for side in error.shape)
    squares = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    top, left = (int(place) for place in np.unravel_index(np.argmax(squares), squares.shape))
    return slice(top, top + rows), slice(left, left + columns)


def psnr_db(original: Pixels, other: Pixels) -> float:
    """Return the PSNR of uint8 pictures of one shape in dB, infinite where they are identical."""
    mse = float(np.mean(np.square(original.astype(np.float64) - other)))
    return float(20 * np.log10(255) - 10 * np.log10(mse)) if mse else float(np.inf)


def rms(error: Errors) -> float:
    """Return the root of the mean square of an error."""
    return float(np.sqrt(np.mean(np.square(error))))


def psnr_text(value_db: float) -> str:
    """Say the PSNR of a whole picture."""
    return "identical to the original" if np.isinf(value_db) else f"{value_db:.2f} dB (whole image)"


def short_name(name: str) -> str:
    """Return the last part of an image's name, or the end of it where it is long."""
    last = name.rpartition("/")[2]
    return last if len(last) <= LONGEST_NAME else f"…{last[1 - LONGEST_NAME :]}"

"""Pixels as JPEG sees them, luma and chroma, and the parts of pictures that are shown."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# Rows: Y, Cb, Cr; columns: R, G, B (JFIF 1.02, page 3). Written again here: analysis knows no room that has pixels.
RGB_TO_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]])
CHROMA_ZERO = 128.0
N_LEVELS = 256
ZOOM_PX = 64  # side of the part of an image that is shown large: a macroblock of 16 pixels is then a quarter of it
LONGEST_NAME = 22  # of what fits beside a small subplot

Number = TypeVar("Number", bound=np.generic)
Pixels = NDArray[np.uint8]
Errors = NDArray[np.float64]


def to_ycbcr(pixels: Pixels) -> NDArray[np.float64]:
    """Convert uint8 RGB [..., 3] to Y, Cb, Cr [..., 3] in [0, 255.5], not rounded; grey has Cb = Cr = 128."""
    return np.asarray(pixels @ RGB_TO_YCBCR.T + [0, CHROMA_ZERO, CHROMA_ZERO], np.float64)


def to_luma(pixels: Pixels) -> NDArray[np.float64]:
    """Convert uint8 RGB [..., 3] to luma [...] in [0, 255], not rounded."""
    return np.asarray(pixels @ RGB_TO_YCBCR[0], np.float64)


def to_grey(pixels: Pixels) -> Pixels:
    """Convert uint8 RGB [..., 3] to luma rounded to 8 bits: uint8 [...]."""
    return np.rint(to_luma(pixels)).astype(np.uint8)


def equalising_curve(grey: Pixels) -> Pixels:
    """Return the curve, uint8 [256], by which a grey picture's levels become equally frequent: use curve[picture].

    The darkest level becomes 0 and the brightest 255 (Gonzalez and Woods, Digital Image Processing, section 3.3). The
    curve of a constant picture leaves every level as it is.
    """
    n_up_to = np.cumsum(np.bincount(grey.ravel(), minlength=N_LEVELS))
    n_darkest = n_up_to[grey.min()]
    if n_darkest == grey.size:
        return np.arange(N_LEVELS, dtype=np.uint8)
    shares = (n_up_to - n_darkest) / (grey.size - n_darkest)
    return np.asarray(np.rint(np.clip(shares, 0, 1) * (N_LEVELS - 1)), np.uint8)


def centre(picture: NDArray[Number], side_px: int = ZOOM_PX) -> NDArray[Number]:
    """Cut the central side_px x side_px of a picture [H, W, ...]; a smaller picture is left as it is."""
    top, left = (max(0, side - side_px) // 2 for side in picture.shape[:2])
    return picture[top : top + side_px, left : left + side_px]


def worst_place(error: Errors, side_px: int = ZOOM_PX) -> tuple[slice, slice]:
    """Return the rows and columns of the first side_px square with the largest sum of squared errors [H, W]."""
    sums = np.pad(np.square(error).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    rows, columns = (min(side_px, side) for side in error.shape)
    squares = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    top, left = (int(place) for place in np.unravel_index(np.argmax(squares), squares.shape))
    return slice(top, top + rows), slice(left, left + columns)


def psnr_text(original: Pixels, other: Pixels) -> str:
    """Say the PSNR of a whole uint8 picture."""
    mse = float(np.mean(np.square(original.astype(np.float64) - other)))
    return f"{10 * np.log10(255**2 / mse):.2f} dB (whole image)" if mse else "identical to the original"


def rms(error: Errors) -> float:
    """Return the root of the mean square of an error."""
    return float(np.sqrt(np.mean(np.square(error))))


def short_name(name: str) -> str:
    """Return the last part of an image's name, or the end of it where it is long."""
    last = name.rpartition("/")[2]
    return last if len(last) <= LONGEST_NAME else f"…{last[1 - LONGEST_NAME :]}"

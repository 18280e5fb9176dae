"""Pixels as JPEG sees them: luma and chroma, and grey whose contrast is spread evenly."""

import numpy as np
from numpy.typing import NDArray

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

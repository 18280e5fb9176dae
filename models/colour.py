"""Colour: RGB to and from YCbCr as JPEG has it (ITU-R BT.601, full range)."""

from typing import Any

import numpy as np
from keras import ops

Tensor = Any  # of Keras' backend

# Rows: Y, Cb, Cr; columns: R, G, B (JFIF 1.02, page 3). Chroma is centred on 0 here, where JPEG adds 128/255.
RGB_TO_YCBCR = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]], np.float32
)
YCBCR_TO_RGB = np.linalg.inv(RGB_TO_YCBCR).astype(np.float32)


def to_ycbcr(images: Tensor) -> Tensor:
    """Convert RGB [B, H, W, 3] in [0, 1] to Y in [0, 1], Cb and Cr in [-0.5, 0.5]."""
    return ops.matmul(images, RGB_TO_YCBCR.T)


def to_rgb(images: Tensor) -> Tensor:
    """Convert Y, Cb, Cr [B, H, W, 3] back to RGB; being linear, it converts differences too."""
    return ops.matmul(images, YCBCR_TO_RGB.T)

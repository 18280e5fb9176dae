"""Gaussian blur with valid borders, channel by channel, as SSIM and the high-frequency loss need it."""

from functools import cache
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

Tensor = Any  # of Keras' backend


def gaussian_blur(images: Tensor, window_px: int, sigma_px: float) -> Tensor:
    """Blur images [B, H, W, C] by a window_px x window_px Gaussian: [B, H - window_px + 1, W - window_px + 1, C].

    By two multiplications with band matrices, which on a CPU and at the sides of crops take half of what two depthwise
    convolutions do; H and W must be known.
    """
    rows, columns = (_band(side_px, window_px, sigma_px) for side_px in images.shape[1:3])
    planes = ops.transpose(images, (0, 3, 1, 2))
    return ops.transpose(ops.matmul(ops.matmul(rows, planes), columns.T), (0, 2, 3, 1))


@cache
def _band(side_px: int, window_px: int, sigma_px: float) -> NDArray[np.float32]:
    """Return the matrix [side_px - window_px + 1, side_px] whose product with a column blurs it."""
    offsets = np.arange(window_px) - window_px // 2
    weights = np.exp(-(offsets**2) / (2 * sigma_px**2))
    matrix = np.zeros((side_px - window_px + 1, side_px), np.float32)
    for row in range(len(matrix)):
        matrix[row, row : row + window_px] = weights / weights.sum()
    return matrix

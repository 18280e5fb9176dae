"""Gaussian blur with valid borders, channel by channel, as SSIM and the high-frequency loss need it."""

from functools import cache
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

Tensor = Any  # of Keras' backend


def gaussian_blur(images: Tensor, window_px: int, sigma_px: float) -> Tensor:
    """Blur images [B, H, W, C] by a window_px x window_px Gaussian: [B, H - window_px + 1, W - window_px + 1, C]."""
    channels = images.shape[-1]
    column = np.repeat(_gaussian(window_px, sigma_px)[:, None, None, None], channels, axis=2)
    blurred = ops.depthwise_conv(images, column, padding="valid")
    return ops.depthwise_conv(blurred, column.transpose(1, 0, 2, 3), padding="valid")


@cache
def _gaussian(window_px: int, sigma_px: float) -> NDArray[np.float32]:
    offsets = np.arange(window_px) - window_px // 2
    weights = np.exp(-(offsets**2) / (2 * sigma_px**2))
    kernel: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return kernel

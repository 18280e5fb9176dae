"""Metrics: MAE, MSE, PSNR and SSIM of restored images, and the PSNR where they are worst, a number per image.

Identical images have an infinite PSNR. No mean takes it in: whoever averages leaves such images out and counts them
(`search.trial.monitor`: n_identical; `analysis.cells`: n_left_out).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.backend import compiled
from models.blur import Tensor, gaussian_blur
from models.errors import PerImage, error, mae, mse

BT601 = (0.299, 0.587, 0.114)  # weights of R, G, B in grey
WORST_WINDOW_PX = 32
SSIM_WINDOW_PX = 11
SSIM_SIGMA_PX = 1.5
SSIM_K1, SSIM_K2 = 0.01, 0.03  # Wang et al., IEEE Transactions on Image Processing 13 (2004)


def psnr_db(original: Tensor, restored: Tensor) -> Tensor:
    """Return the PSNR in dB for a peak of 1, [B, H, W, C] -> [B]; inf where the images are identical."""
    return -10 / np.log(10) * ops.log(mse(original, restored))


def ssim(original: Tensor, restored: Tensor) -> Tensor:
    """Return the structural similarity of grey images, [B, H, W, 3] in [0, 1] -> [B]; sides of at least 11 px.

    Grey by BT.601, an 11 x 11 Gaussian window of sigma 1.5, valid borders, population covariance: the definition of
    Wang et al. (2004), as tf.image.ssim computes it.
    """
    error(original, restored)  # checks the shapes
    grey_x, grey_y = _grey(original), _grey(restored)
    level_x, level_y = _level(grey_x), _level(grey_y)
    x, y = grey_x - level_x, grey_y - level_y  # no variance changes, and float32 keeps those of bright, even images
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x, variance_y = _blur(x * x) - mean_x * mean_x, _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + level_x, mean_y + level_y
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return ops.mean(luminance * structure, axis=(1, 2, 3))


def worst_window_psnr_db(original: Tensor, restored: Tensor) -> Tensor:
    """Return the PSNR in dB, peak 1, of the worst of all 32 x 32 px windows, [B, H, W, C] -> [B]; inf if identical.

    Where a side is shorter than 32 px the window is as long as that side.
    """
    squares = ops.mean(ops.square(error(original, restored)), axis=3, keepdims=True)
    height, width = (min(WORST_WINDOW_PX, side) for side in squares.shape[1:3])
    windows = ops.average_pool(ops.average_pool(squares, (height, 1), 1), (1, width), 1)
    return -10 / np.log(10) * ops.log(ops.max(windows, axis=(1, 2, 3)))


METRICS: Mapping[str, PerImage] = {
    "mae": mae,
    "mse": mse,
    "psnr_db": psnr_db,
    "ssim": ssim,
    "worst_window_psnr_db": worst_window_psnr_db,
}


def measure(
    original: NDArray[np.float32], restored: NDArray[np.float32], names: Sequence[str] = tuple(METRICS)
) -> dict[str, NDArray[np.float64]]:
    """Return metrics of float32 [B, H, W, 3] images, peak 1, as name -> float64 [B]; compiled once for each shape."""
    values = _measuring(tuple(names))(ops.convert_to_tensor(original), ops.convert_to_tensor(restored))
    return {name: np.asarray(ops.convert_to_numpy(value), np.float64) for name, value in values.items()}


@cache
def _measuring(names: tuple[str, ...]) -> Callable[[Tensor, Tensor], dict[str, Tensor]]:
    def together(original: Tensor, restored: Tensor) -> dict[str, Tensor]:
        return {name: METRICS[name](original, restored) for name in names}

    return compiled(together)


def _grey(images: Tensor) -> Tensor:
    red, green, blue = BT601
    return red * images[..., :1] + green * images[..., 1:2] + blue * images[..., 2:]


def _level(planes: Tensor) -> Tensor:
    return ops.stop_gradient(ops.mean(planes, axis=(1, 2, 3), keepdims=True))


def _blur(plane: Tensor) -> Tensor:
    return gaussian_blur(plane, SSIM_WINDOW_PX, SSIM_SIGMA_PX)

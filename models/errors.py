"""Errors of pixels: mean absolute and mean squared, a number per image."""

from collections.abc import Callable

from keras import ops

from models.blur import Tensor

PerImage = Callable[[Tensor, Tensor], Tensor]  # [B, H, W, C], [B, H, W, C] -> [B]


def error(original: Tensor, restored: Tensor) -> Tensor:
    """Return original - restored. Raises ValueError unless both are [B, H, W, C] of one shape."""
    if len(original.shape) != 4 or tuple(original.shape) != tuple(restored.shape):
        raise ValueError(f"both batches must be [B, H, W, C] of one shape, got {original.shape} and {restored.shape}")
    return original - restored


def mae(original: Tensor, restored: Tensor) -> Tensor:
    """Return the mean absolute error over pixels and channels: [B, H, W, C], [B, H, W, C] -> [B]."""
    return ops.mean(ops.abs(error(original, restored)), axis=(1, 2, 3))


def mse(original: Tensor, restored: Tensor) -> Tensor:
    """Return the mean squared error over pixels and channels: [B, H, W, C], [B, H, W, C] -> [B]."""
    return ops.mean(ops.square(error(original, restored)), axis=(1, 2, 3))

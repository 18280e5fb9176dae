"""Losses: how far a restored batch is from the originals, a number per image; the training loop averages."""

from collections.abc import Callable
from typing import Any

from keras import ops

Tensor = Any  # of Keras' backend
Loss = Callable[[Tensor, Tensor], Tensor]


def mae(original: Tensor, restored: Tensor) -> Tensor:
    """Return the mean absolute error over pixels and channels: [B, H, W, C], [B, H, W, C] -> [B]."""
    return ops.mean(ops.abs(_error(original, restored)), axis=(1, 2, 3))


def mse(original: Tensor, restored: Tensor) -> Tensor:
    """Return the mean squared error over pixels and channels: [B, H, W, C], [B, H, W, C] -> [B]."""
    return ops.mean(ops.square(_error(original, restored)), axis=(1, 2, 3))


LOSSES: dict[str, Loss] = {"mae": mae, "mse": mse}


def _error(original: Tensor, restored: Tensor) -> Tensor:
    if len(original.shape) != 4 or tuple(original.shape) != tuple(restored.shape):
        raise ValueError(f"both batches must be [B, H, W, C] of one shape, got {original.shape} and {restored.shape}")
    return original - restored

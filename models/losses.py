"""Losses: how far a restored batch is from the originals, a number per image; the training loop averages."""

from collections.abc import Callable

from keras import ops

from models.blur import Tensor, gaussian_blur

Loss = Callable[[Tensor, Tensor], Tensor]

HF_ALPHA, HF_WINDOW_PX, HF_SIGMA_PX = 0.99, 7, 3.0  # thesis, section 2.7


def mae(original: Tensor, restored: Tensor) -> Tensor:
    """Return the mean absolute error over pixels and channels: [B, H, W, C], [B, H, W, C] -> [B]."""
    return ops.mean(ops.abs(_error(original, restored)), axis=(1, 2, 3))


def mse(original: Tensor, restored: Tensor) -> Tensor:
    """Return the mean squared error over pixels and channels: [B, H, W, C], [B, H, W, C] -> [B]."""
    return ops.mean(ops.square(_error(original, restored)), axis=(1, 2, 3))


def hf(original: Tensor, restored: Tensor) -> Tensor:
    """Return H_f, the mean absolute high-frequency error with a little MAE: [B, H, W, C], [B, H, W, C] -> [B].

    0.99 mean |e - G(e)| + 0.01 MAE of the error e, G a 7 x 7 Gaussian of sigma 3, valid borders (thesis, equations 10
    to 12); sides of at least 7 px.
    """
    error = _error(original, restored)
    edge = HF_WINDOW_PX // 2
    inner = error[:, edge:-edge, edge:-edge]
    sharpness = ops.mean(ops.abs(inner - gaussian_blur(error, HF_WINDOW_PX, HF_SIGMA_PX)), axis=(1, 2, 3))
    return HF_ALPHA * sharpness + (1 - HF_ALPHA) * mae(original, restored)


LOSSES: dict[str, Loss] = {"mae": mae, "mse": mse, "hf": hf}


def _error(original: Tensor, restored: Tensor) -> Tensor:
    if len(original.shape) != 4 or tuple(original.shape) != tuple(restored.shape):
        raise ValueError(f"both batches must be [B, H, W, C] of one shape, got {original.shape} and {restored.shape}")
    return original - restored

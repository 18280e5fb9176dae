"""Losses: how far a restored batch is from the originals, a number per image; the training loop averages."""

from collections.abc import Callable
from pathlib import Path

import keras
from keras import ops

from models.blur import Tensor, gaussian_blur

Loss = Callable[[Tensor, Tensor], Tensor]

HF_ALPHA, HF_WINDOW_PX, HF_SIGMA_PX = 0.99, 7, 3.0  # thesis, section 2.7
VGG16_LAYER, VGG16_BETA = "block5_pool", 0.9  # likewise: 512 feature maps, of 6 x 6 for a crop of 192 px


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


def perceptual(features: keras.Model) -> Loss:
    """Return the loss P = 0.9 mean |VGG(y) - VGG(y_hat)| + 0.1 MAE (thesis, equation 13) over `vgg16_features`.

    Like the others it takes [B, H, W, 3] twice, in [0, 1] with sides of at least 32 px, and returns [B].
    """

    def loss(original: Tensor, restored: Tensor) -> Tensor:
        pixels = mae(original, restored)
        seen, wanted = (features(keras.applications.vgg16.preprocess_input(255.0 * x)) for x in (restored, original))
        return VGG16_BETA * ops.mean(ops.abs(wanted - seen), axis=(1, 2, 3)) + (1 - VGG16_BETA) * pixels

    return loss


def vgg16_features(weights: Path | None) -> keras.Model:
    """Return VGG16 up to its last pooling, from preprocessed images [B, H, W, 3] to maps [B, H / 32, W / 32, 512].

    weights: a file of its convolutions' weights; None leaves them random, for tests and measurements alone.
    """
    vgg16 = keras.applications.VGG16(include_top=False, weights=None)
    if weights is not None:
        vgg16.load_weights(weights)
    features = keras.Model(vgg16.input, vgg16.get_layer(VGG16_LAYER).output, name="vgg16_features")
    features.trainable = False
    return features


LOSSES: dict[str, Callable[[Path | None], Loss]] = {  # from VGG16's weights, which one of them needs
    "mae": lambda weights: mae,
    "mse": lambda weights: mse,
    "hf": lambda weights: hf,
    "perceptual": lambda weights: perceptual(vgg16_features(weights)),
}


def _error(original: Tensor, restored: Tensor) -> Tensor:
    if len(original.shape) != 4 or tuple(original.shape) != tuple(restored.shape):
        raise ValueError(f"both batches must be [B, H, W, C] of one shape, got {original.shape} and {restored.shape}")
    return original - restored

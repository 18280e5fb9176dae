"""Losses: how far a restored batch is from the originals, a number per image; the training loop averages."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import ops

from models.blur import Tensor, gaussian_blur
from models.errors import PerImage, error, mae, mse
from models.metrics import ssim

Loss = PerImage

HF_ALPHA, HF_WINDOW_PX, HF_SIGMA_PX = 0.99, 7, 3.0  # thesis, section 2.7
VGG16_LAYER, VGG16_BETA = "block5_pool", 0.9  # likewise: 512 feature maps, of 6 x 6 for a crop of 192 px
# So that at the errors of restored images, of some 38 dB, the parts of a sum weigh about as much at a weight of 1.
MSE_SCALE, SSIM_SCALE = 1000.0, 5.0
LEAST_MSE, LEAST_STRUCTURE = 1e-7, 1e-4  # 70 dB, and a SSIM of 0.9999: better images are good enough


def hf(original: Tensor, restored: Tensor) -> Tensor:
    """Return H_f, the mean absolute high-frequency error with a little MAE: [B, H, W, C], [B, H, W, C] -> [B].

    0.99 mean |e - G(e)| + 0.01 MAE of the error e, G a 7 x 7 Gaussian of sigma 3, valid borders (thesis, equations 10
    to 12); sides of at least 7 px.
    """
    whole = error(original, restored)
    edge = HF_WINDOW_PX // 2
    inner = whole[:, edge:-edge, edge:-edge]
    sharpness = ops.mean(ops.abs(inner - gaussian_blur(whole, HF_WINDOW_PX, HF_SIGMA_PX)), axis=(1, 2, 3))
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


def mse_with_ssim(ssim_weight: float) -> Loss:
    """Return the loss 1000 MSE + 5 ssim_weight (1 - SSIM), of [B, H, W, 3] twice with sides of at least 11 px."""

    def loss(original: Tensor, restored: Tensor) -> Tensor:
        structure = 1 - ssim(original, restored)
        return MSE_SCALE * mse(original, restored) + SSIM_SCALE * ssim_weight * structure

    return loss


def relative(ssim_weight: float) -> Loss:
    """Return the loss log MSE + ssim_weight log (1 - SSIM), of [B, H, W, 3] twice with sides of at least 11 px -> [B].

    Its first part is the negative PSNR. Each image counts by how much of its own error is left: those of high quality
    and of cameras with little noise weigh as much as others.
    """

    def loss(original: Tensor, restored: Tensor) -> Tensor:
        structure = 1 - ssim(original, restored)
        return ops.log(mse(original, restored) + LEAST_MSE) + ssim_weight * ops.log(structure + LEAST_STRUCTURE)

    return loss


@dataclass(frozen=True)
class LossOptions:
    """What some losses need. vgg16_weights: of the perceptual one; ssim_weight: of those with a part of SSIM."""

    vgg16_weights: Path | None = None
    ssim_weight: float | None = None


LOSSES: dict[str, Callable[[LossOptions], Loss]] = {
    "mae": lambda options: mae,
    "mse": lambda options: mse,
    "hf": lambda options: hf,
    "perceptual": lambda options: perceptual(vgg16_features(options.vgg16_weights)),
    "mse-ssim": lambda options: mse_with_ssim(options.ssim_weight or 1.0),
    "psnr-ssim": lambda options: relative(options.ssim_weight or 1.0),
}


def make_loss(name: str, options: LossOptions = LossOptions()) -> Loss:
    """Return the loss of a name. Raises ValueError for an unknown one, listing the known."""
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}; known: {', '.join(LOSSES)}")
    return LOSSES[name](options)

"""What a network needs, as numbers that no Keras is needed for: the search places trials by them.

The tables are counted from the built networks by `models.cost`, which a test compares; the formula's few constants are
measured by benchmarks/memory.py.
"""

from dataclasses import dataclass

from models.names import PERCEPTUAL


@dataclass(frozen=True)
class Footprint:
    """A network's size. Floats are per pixel of its input.

    kept_floats: what the way back needs of the way forth; widest_floats: the largest single feature map.
    """

    parameters: int
    macs_per_pixel: int
    n_layers: int
    kept_floats: int
    widest_floats: int


FOOTPRINTS: dict[str, Footprint] = {
    "resnet": Footprint(114_691, 114_272, 24, 502, 32),
    "jjnet": Footprint(244_771, 244_432, 24, 742, 96),
    "memnet": Footprint(84_403, 80_224, 136, 2_102, 112),
    "unet": Footprint(888_003, 229_824, 29, 674, 96),
    "denseunet": Footprint(198_115, 66_816, 66, 1_188, 96),
    "smallxception": Footprint(11_183, 10_080, 41, 746, 20),
    "densenet": Footprint(49_667, 48_320, 30, 870, 80),
    "resnetyuv": Footprint(126_171, 125_664, 37, 613, 32),
}

FLOAT_BYTES = 4
# Measured by benchmarks/memory.py on a CPU: besides what is kept, the way back holds three maps as large as the widest.
N_TRANSIENT_MAPS = 3
IMAGE_FLOATS = 36  # a dozen images of three channels: input, original, output, their error and what losses make of it
FIXED_MB, LAYER_MB = 25.0, 1.2  # TensorFlow's graph of a training step: for any network, and for each of its layers
WEIGHT_COPIES = 4  # the weights, their gradients and Adam's two moments
# The perceptual loss: VGG16's weights and graph, and its feature maps of the restored image with what computes them.
VGG16_MB, VGG16_FLOATS = 85.0, 400
# Assumed, as no GPU was at hand: what cuDNN's workspaces and the gaps of TensorFlow's GPU allocator add, and what the
# CUDA context, cuDNN and cuBLAS take before the first tensor.
GPU_MARGIN = 1.3
CONTEXT_RESERVE_MB = 600.0


def training_memory_mb(architecture: str, loss: str, batch_size: int, crop_px: int) -> float:
    """Estimate what training needs above the built model, in MB of 10^6 bytes, on a CPU."""
    network = FOOTPRINTS[architecture]
    sees_vgg16 = loss == PERCEPTUAL
    transient = max(N_TRANSIENT_MAPS * network.widest_floats, VGG16_FLOATS if sees_vgg16 else 0)
    per_pixel = network.kept_floats + transient + IMAGE_FLOATS
    n_floats = batch_size * crop_px**2 * per_pixel + WEIGHT_COPIES * network.parameters
    fixed_mb = FIXED_MB + LAYER_MB * network.n_layers + (VGG16_MB if sees_vgg16 else 0)
    return fixed_mb + n_floats * FLOAT_BYTES / 1e6


def gpu_memory_mb(architecture: str, loss: str, batch_size: int, crop_px: int) -> float:
    """Estimate what training takes of a GPU's memory, in MB of 10^6 bytes: the estimate for a CPU with its margins."""
    return GPU_MARGIN * training_memory_mb(architecture, loss, batch_size, crop_px) + CONTEXT_RESERVE_MB

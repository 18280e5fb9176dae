"""What a network needs, as numbers that no Keras is needed for: the search places trials by them.

The tables are counted from the built networks by `models.cost`, which a test compares; the formula's few constants are
measured by benchmarks/memory.py.
"""

from dataclasses import dataclass

from models.names import PERCEPTUAL
from models.sizes import FILTER_WEIGHTS, N_TABLE_NUMBERS, NATIVE_SIZES, PLANES, NetworkSize


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


def native_footprint(size: NetworkSize) -> Footprint:
    """Return the footprint of a native network of a size."""
    at_features = size.downscale**2  # pixels of the image for one place of the features
    inner, edge = size.kernel_px**2, 9
    head = (edge if size.downscale == 2 else 16) * PLANES * size.width
    blocks = 2 * size.depth * inner * size.width**2
    branch_in, branch_out = edge * size.width * size.branch_width, size.branch_width * size.width
    branch_blocks = 2 * inner * size.branch_width**2
    last = edge * size.width * PLANES
    biases = size.width * (1 + 2 * size.depth) + PLANES
    if size.branch_width:
        biases += 3 * size.branch_width + size.width
    # the last convolution works where the filter does, behind the enlarging of features at quarter resolution
    macs = (FILTER_WEIGHTS + last) / 4 + (head + blocks) / at_features
    macs += (branch_in + branch_blocks + branch_out) / (4 * at_features)
    kept = 10 * 3 + size.width / at_features * (1 + 3 * size.depth)  # ten maps as large as an image
    if size.branch_width:
        kept += (
            4 * size.branch_width / (4 * at_features) + size.width / (4 * at_features) + 2 * size.width / at_features
        )
    if size.downscale > 2:
        kept += size.width / 4
    n_scaled = size.depth + 1 if size.told_tables else 0  # the features before each block, and the filter
    if size.told_tables:
        kept += 2 * (size.depth * size.width / at_features + PLANES / 4)
        biases += (N_TABLE_NUMBERS + 1) * (size.depth * size.width + PLANES)
    return Footprint(
        parameters=FILTER_WEIGHTS + head + blocks + branch_in + branch_blocks + branch_out + last + biases,
        macs_per_pixel=round(macs),
        n_layers=12
        + 3 * size.depth
        + (7 if size.branch_width else 0)
        + (1 if size.downscale > 2 else 0)
        + (1 + 4 * n_scaled if n_scaled else 0),
        kept_floats=round(kept),
        widest_floats=round(max(3, size.width / (at_features if size.downscale == 2 else 4))),
    )


FOOTPRINTS: dict[str, Footprint] = {
    "linear": Footprint(3_600, 900, 7, 18, 3),
    **{name: native_footprint(size) for name, size in NATIVE_SIZES.items()},
    "resnet": Footprint(114_691, 114_272, 24, 502, 32),
    "jjnet": Footprint(244_771, 244_432, 24, 742, 96),
    "memnet": Footprint(84_403, 80_224, 136, 2_102, 112),
    "unet": Footprint(888_003, 229_824, 29, 674, 96),
    "denseunet": Footprint(198_115, 66_816, 66, 1_188, 96),
    "smallxception": Footprint(11_183, 10_080, 41, 746, 20),
    "densenet": Footprint(49_667, 48_320, 30, 870, 80),
    "resnetyuv": Footprint(126_171, 125_664, 37, 613, 32),
}


def footprint(architecture: str, size: NetworkSize | None = None) -> Footprint:
    """Return the footprint of a network of the table, of another size where one is given."""
    return FOOTPRINTS[architecture] if size is None else native_footprint(size)


FLOAT_BYTES = 4
# Measured by benchmarks/memory.py on a CPU: besides what is kept, the way back holds three maps as large as the widest.
N_TRANSIENT_MAPS = 3
RESTORED_PX = 4 * 192**2  # of the largest image that the estimate holds for: 384 px a side
IMAGE_FLOATS = 36  # a dozen images of three channels: input, original, output, their error and what losses make of it
FIXED_MB, LAYER_MB = 25.0, 1.2  # TensorFlow's graph of a training step: for any network, and for each of its layers
AT_HALF_RESOLUTION = ("linear", *NATIVE_SIZES)  # for which the first of the two was not seen
WEIGHT_COPIES = 6  # the weights, their gradients, Adam's two moments, averages, and what was watched
# The perceptual loss: VGG16's weights and graph, and its feature maps of the restored image with what computes them.
VGG16_MB, VGG16_FLOATS = 85.0, 400
# Assumed, as no GPU was at hand: what cuDNN's workspaces and the gaps of TensorFlow's GPU allocator add, and what the
# CUDA context, cuDNN and cuBLAS take before the first tensor.
GPU_MARGIN = 1.3
CONTEXT_RESERVE_MB = 600.0


def training_memory_mb(
    architecture: str, loss: str, batch_size: int, crop_px: int, size: NetworkSize | None = None
) -> float:
    """Estimate what training needs above the built model, in MB of 10^6 bytes, on a CPU."""
    network = footprint(architecture, size)
    sees_vgg16 = loss == PERCEPTUAL
    transient = max(N_TRANSIENT_MAPS * network.widest_floats, VGG16_FLOATS if sees_vgg16 else 0)
    per_pixel = network.kept_floats + transient + IMAGE_FLOATS
    n_floats = batch_size * crop_px**2 * per_pixel + WEIGHT_COPIES * network.parameters
    return _graph_mb(architecture, network) + (VGG16_MB if sees_vgg16 else 0) + n_floats * FLOAT_BYTES / 1e6


def restoring_memory_mb(architecture: str, size: NetworkSize | None = None) -> float:
    """Estimate what restoring, as a trial is watched, needs above the built model, in MB of 10^6 bytes, on a CPU."""
    network = footprint(architecture, size)
    n_floats = RESTORED_PX * (N_TRANSIENT_MAPS * network.widest_floats + IMAGE_FLOATS)  # no map is kept for long
    return _graph_mb(architecture, network) + n_floats * FLOAT_BYTES / 1e6


def trial_memory_mb(
    architecture: str, loss: str, batch_size: int, crop_px: int, size: NetworkSize | None = None
) -> float:
    """Estimate the most that a trial needs above the built model, in MB of 10^6 bytes, on a CPU."""
    return max(
        training_memory_mb(architecture, loss, batch_size, crop_px, size), restoring_memory_mb(architecture, size)
    )


def _graph_mb(architecture: str, network: Footprint) -> float:
    fixed_mb = 0.0 if architecture in AT_HALF_RESOLUTION else FIXED_MB
    return fixed_mb + LAYER_MB * network.n_layers


def gpu_memory_mb(
    architecture: str, loss: str, batch_size: int, crop_px: int, size: NetworkSize | None = None
) -> float:
    """Estimate what training takes of a GPU's memory, in MB of 10^6 bytes: the estimate for a CPU with its margins."""
    return GPU_MARGIN * trial_memory_mb(architecture, loss, batch_size, crop_px, size) + CONTEXT_RESERVE_MB

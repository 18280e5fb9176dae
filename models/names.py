"""The names of networks, losses, output activations and metrics, free of imports, so that every room may use them."""

ARCHITECTURES = (
    "identity",
    "linear",
    "native1k",
    "native10k",
    "native11k",
    "native41k",
    "resnet",
    "jjnet",
    "memnet",
    "unet",
    "denseunet",
    "smallxception",
    "densenet",
    "resnetyuv",
)
UNTRAINED = ("identity", "linear")  # without epochs: JPEG as it is, and a filter in closed form
LOSSES = ("mae", "mse", "hf", "perceptual", "mse-ssim", "psnr-ssim")
WEIGHTED_LOSSES = ("mse-ssim", "psnr-ssim")  # a sum whose part of SSIM has a weight
PERCEPTUAL = "perceptual"  # the one that needs VGG16's weights
PRECISIONS = ("float32", "mixed_float16")
OUTPUT_ACTIVATIONS = ("none", "tanh")
STARTS = ("thesis", "near_identity")

# Higher is better: +1, lower is better: -1.
METRIC_DIRECTIONS = {"mae": -1, "mse": -1, "psnr_db": 1, "ssim": 1}
METRICS = tuple(METRIC_DIRECTIONS)  # the thesis' four, which decide
REPORTED_METRICS = (*METRICS, "worst_window_psnr_db")

REGIONS = ("crop", "full")


def is_of_plugin(name: str) -> bool:
    """Say whether a network or loss is of a file of one's own (`models.plugins`): these are known as FILE.name."""
    return "." in name

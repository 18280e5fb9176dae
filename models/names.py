"""The names of networks, losses, output activations and metrics, free of imports, so that every room may use them."""

ARCHITECTURES = (
    "identity",
    "resnet",
    "jjnet",
    "memnet",
    "unet",
    "denseunet",
    "smallxception",
    "densenet",
    "resnetyuv",
)
LOSSES = ("mae", "mse", "hf")
OUTPUT_ACTIVATIONS = ("none", "tanh")

# Higher is better: +1, lower is better: -1.
METRIC_DIRECTIONS = {"mae": -1, "mse": -1, "psnr_db": 1, "ssim": 1}
METRICS = tuple(METRIC_DIRECTIONS)

REGIONS = ("crop", "full")

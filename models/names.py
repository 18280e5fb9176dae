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
LOSSES = ("mae", "mse", "hf", "perceptual")
PERCEPTUAL = "perceptual"  # the one that needs VGG16's weights
PRECISIONS = ("float32", "mixed_float16")
OUTPUT_ACTIVATIONS = ("none", "tanh")

# Higher is better: +1, lower is better: -1.
METRIC_DIRECTIONS = {"mae": -1, "mse": -1, "psnr_db": 1, "ssim": 1}
METRICS = tuple(METRIC_DIRECTIONS)  # the thesis' four, which decide
REPORTED_METRICS = (*METRICS, "worst_window_psnr_db")

REGIONS = ("crop", "full")

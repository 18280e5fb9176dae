"""The spaces that lowq comes with."""

from collections.abc import Mapping
from typing import Any

from models.names import ARCHITECTURES, LOSSES, OUTPUT_ACTIVATIONS, UNTRAINED, WEIGHTED_LOSSES
from models.sizes import NATIVE_SIZES
from search.space.space import Space
from search.space.spec import AUGMENTATIONS, RANDOM, SCHEDULES
from search.space.values import By, LogRange, TableShapes

# The best that is known comes first, then the thesis' choice: where few trials are run, they start there.
FIRST = ("native11k", "native10k", "jjnet")
TRAINED = (*FIRST, *(name for name in ARCHITECTURES if name not in (*UNTRAINED, *FIRST)))
THESIS_NETWORKS = tuple(name for name in TRAINED if name not in NATIVE_SIZES)
THESIS_LOSSES = tuple(name for name in LOSSES if name not in WEIGHTED_LOSSES)
COMPARED_LOSSES = ("psnr-ssim", "mse", *(name for name in LOSSES if name not in ("psnr-ssim", "mse")))
USEFUL_RANGE = "20-80"  # where restorers are used; the thesis drew from 25 to 100
SSIM_WEIGHT = By("loss", None, dict.fromkeys(WEIGHTED_LOSSES, 2.0))
SSIM_WEIGHTS = By("loss", (None,), dict.fromkeys(WEIGHTED_LOSSES, (1.0, 2.0, 4.0)))
THESIS_AUGMENTATIONS = tuple(name for name in AUGMENTATIONS if name != "symmetries")
APPENDIX_AXES = ("architecture", "training_quality", "output_activation")
APPENDIX = (  # the thesis' Tables 8 to 17: network, training quality, output activation
    ("jjnet", 75, "none"),
    ("denseunet", 75, "none"),
    ("smallxception", 75, "none"),
    ("unet", 75, "none"),
    ("denseunet", 50, "none"),
    ("denseunet", 25, "none"),
    ("resnet", 75, "none"),
    ("densenet", 75, "none"),
    ("memnet", 75, "none"),
    ("jjnet", 75, "tanh"),
)


def for_natives(native: Any, usual: Any) -> By:
    """Return what holds for native networks, and for all others."""
    return By("architecture", usual, dict.fromkeys(NATIVE_SIZES, native))


FINAL, ENCODER = "final", "encoder"
SPACES: Mapping[str, Space] = {
    "full": Space(
        name="full",
        axes={
            "architecture": TRAINED,
            "loss": COMPARED_LOSSES,
            "training_quality": (USEFUL_RANGE, RANDOM, 75, 50, 25),
            "output_activation": OUTPUT_ACTIVATIONS,
        },
        sampled={
            "learning_rate": for_natives(LogRange(1e-3, 4e-3), LogRange(3e-4, 3e-3)),  # around Adam's default
            # MemNet keeps five times ResNet's feature maps: 16 crops of 192 px would fit none of the thesis' cards.
            "batch_size": By("architecture", (4, 8, 16), dict.fromkeys(NATIVE_SIZES, (8,)) | {"memnet": (2, 4, 8)}),
            "schedule": for_natives(("cosine",), SCHEDULES),
            "augmentation": for_natives(("symmetries",), THESIS_AUGMENTATIONS),
            "clip_norm": for_natives((1.0,), (None, 1.0)),
            "ema": for_natives((None, 0.99, 0.998), (None,)),
            "ssim_weight": SSIM_WEIGHTS,
        },
        fields={"ssim_weight": SSIM_WEIGHT},
        confirms=True,
    ),
    "native": Space(  # the networks made for JPEG alone
        name="native",
        axes={
            "architecture": ("native11k", "native10k", "native41k", "native1k"),
            "loss": ("psnr-ssim", "mse-ssim"),
            "training_quality": (USEFUL_RANGE,),
            "output_activation": ("none",),
        },
        sampled={
            "learning_rate": LogRange(1e-3, 4e-3),
            "ema": (None, 0.99),
            "ssim_weight": SSIM_WEIGHTS,
            # None: as the network's name says
            "width": By("architecture", (None,), {"native11k": (None, 16, 32), "native10k": (None, 16, 32)}),
            "depth": By("architecture", (None,), {"native11k": (None, 3), "native10k": (None, 2, 4)}),
            "kernel_px": By("architecture", (None,), {"native1k": (None, 5)}),
            "downscale": By("architecture", (None,), {"native41k": (None, 4)}),
        },
        fields={"ssim_weight": SSIM_WEIGHT},
        scale="small",
        confirms=True,
    ),
    ENCODER: Space(  # how the JPEG is written, for networks that are told its tables
        name=ENCODER,
        axes={
            "architecture": ("native11k", "native10k", "native1k"),
            "loss": ("psnr-ssim",),
            "training_quality": (USEFUL_RANGE,),
            "output_activation": ("none",),
        },
        sampled={"learning_rate": LogRange(1e-3, 4e-3), "ssim_weight": SSIM_WEIGHTS},
        fields={"ssim_weight": SSIM_WEIGHT, ENCODER: "jpeg"},
        scale="small",
        minimises_macs=True,
        n_trials=16,
        confirms=True,
        screens=TableShapes(
            known=(
                "jpeg",
                *("jpeg-c0.6", "jpeg-c1.1-dc0.5", "jpeg-c2-dc0.7", "jpeg-trellis"),
                *("jpeg-flat", "jpeg-radial-a0.4-p1.3-c2", "webp", "avif"),
            ),
        ),
    ),
    "appendix": Space(
        name="appendix",
        axes={
            "architecture": tuple(dict.fromkeys(network for network, _, _ in APPENDIX)),
            "loss": THESIS_LOSSES,
            "training_quality": (75, 50, 25),
            "output_activation": OUTPUT_ACTIVATIONS,
        },
        only=tuple(dict(zip(APPENDIX_AXES, row, strict=True)) for row in APPENDIX),
        fields={  # the thesis' section 3.4 and Table 5
            "split": "tiny",
            "crop_px": 192,
            "crop": "centre",
            "augmentation": "none",
            "learning_rate": 1e-3,
            "batch_size": 8,
            "epochs": 30,
            "epoch_images": None,
            "schedule": "constant",
            "start": "thesis",
            "restore_best": False,
            "normalisation": "moving",
        },
        scale="tiny",
        stops_early=False,
    ),
    "residual": Space(  # the thesis' section 5.1: networks that predict the image itself fail
        name="residual",
        axes={
            "architecture": ("resnet", *(name for name in THESIS_NETWORKS if name != "resnet")),
            "loss": ("mse",),
            "training_quality": (RANDOM,),
            "output_activation": ("none",),
            "global_residual": (True, False),
        },
        fields={"start": "thesis"},
        stops_early=False,
    ),
    "quality": Space(  # the thesis' section 3.4: Tables 7, 18 and 19, Figures 24 to 28
        name="quality",
        axes={
            "architecture": ("jjnet", "resnetyuv"),
            "loss": ("mse",),
            "training_quality": (RANDOM, 75, 50, 25),
            "output_activation": ("none",),
            "split": ("data100", "data101"),
        },
        only=({"architecture": "jjnet"}, *({"architecture": "resnetyuv", "training_quality": q} for q in (RANDOM, 75))),
        fields={"augmentation": "flips-brightness"},
        scale="full",
        stops_early=False,
        tests_all=True,
    ),
    "smoke": Space(
        name="smoke",
        axes={
            "architecture": ("resnet",),
            "loss": ("mse", "mae"),
            "training_quality": (RANDOM,),
            "output_activation": ("none",),
        },
        sampled={"learning_rate": LogRange(3e-4, 3e-3)},
        fields={"epochs": 2, "epoch_images": 16, "crop_px": 32, "crop": "random", "start": "near_identity"},
        n_trials=2,
    ),
}


def find_space(name: str) -> Space:
    """Return the space of a name. Raises ValueError for an unknown one, listing the known.

    "final" is none of them: `search.space.final` makes it of the best of a run.
    """
    if name not in SPACES:
        raise ValueError(f"unknown space {name!r}; known: {', '.join((*SPACES, FINAL))}")
    return SPACES[name]

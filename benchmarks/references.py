"""A space that trains the thesis' networks and lowq's for about as long each, with three seeds.

python search/run.py --plugin benchmarks/references.py --data PACK --out RUN

Epochs have as many crops as take each network about as long on a CPU. Batches, rate and start are the demo's; the
thesis' networks have their loss, the others theirs.
"""

from search.space.space import Space
from search.space.spaces import SSIM_WEIGHT
from search.space.values import By

AXES = ("architecture", "loss", "training_quality", "output_activation")
THESIS = ("jjnet", "resnet", "memnet", "denseunet")
ROWS = [*((name, "mse", "20-80", "none") for name in THESIS), ("native11k", "psnr-ssim", "20-80", "none")]
CROPS = {"jjnet": 184, "resnet": 376, "memnet": 168, "denseunet": 272, "native11k": 2496}  # of 96 px, an epoch: 18 s
SEEDS = (0, 1, 2)

SPACE = Space(
    name="references",
    axes={**{name: tuple(dict.fromkeys(row[place] for row in ROWS)) for place, name in enumerate(AXES)}, "seed": SEEDS},
    only=tuple(dict(zip(AXES, row, strict=True)) for row in ROWS),
    fields={"ssim_weight": SSIM_WEIGHT, "epochs": 12, "epoch_images": By("architecture", 256, CROPS), "crop_px": 96},
    scale="demo",
    stops_early=False,
    tests_all=True,
)

"""A space that asks on few images what the thesis concluded: pairs of trials that differ in one thing alone.

python search/run.py --plugin benchmarks/thesis_questions.py --scale demo --data PACK --out RUN

Every network of the thesis once, and of three of them each loss, training quality and activation; all are trained to
their end. Conclusions are drawn on validation images, so that no more than the finalists is scored on others. Much
shorter than the thesis' training: what differs by little here tells nothing.
"""

from datasets.qualities import RANDOM
from search.space.space import Space

AXES = ("architecture", "loss", "training_quality", "output_activation")
ASKED = ("jjnet", "resnet", "smallxception", "resnetyuv", "densenet", "unet", "denseunet", "memnet")
VARIED = ASKED[:3]
USUAL = ("mse", RANDOM, "none")
OTHERS = (
    *((loss, *USUAL[1:]) for loss in ("mae", "hf")),
    *(("mse", quality, "none") for quality in (75, 50, 25)),
    ("mse", RANDOM, "tanh"),
)
ROWS = [*((name, *USUAL) for name in ASKED), *((name, *other) for name in VARIED for other in OTHERS)]

SPACE = Space(
    name="thesis-questions",
    axes={name: tuple(dict.fromkeys(row[place] for row in ROWS)) for place, name in enumerate(AXES)},
    only=tuple(dict(zip(AXES, row, strict=True)) for row in ROWS),
    fields={"epoch_images": 384, "crop_px": 64},
    scale="demo",
    stops_early=False,
)

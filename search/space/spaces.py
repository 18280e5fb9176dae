"""Spaces: the axes a search compares, their cells in an order whose every prefix is balanced, and Optuna's view."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import chain, combinations, product
from typing import Any

from models.names import ARCHITECTURES, LOSSES, OUTPUT_ACTIVATIONS, UNTRAINED, WEIGHTED_LOSSES
from models.sizes import NATIVE_SIZES
from search.space.spec import AUGMENTATIONS, RANDOM, SCHEDULES
from search.space.values import By, LogRange, Suggests, TableShapes, Values, drawn_as, suggest, values_from_facts

Cell = tuple[Any, ...]  # a value for each axis


def for_natives(native: Any, usual: Any) -> By:
    """Return what holds for native networks, and for all others."""
    return By("architecture", usual, dict.fromkeys(NATIVE_SIZES, native))


@dataclass(frozen=True)
class Space:
    """What a search compares: the axes, field of TrialSpec -> values, whose every combination is a cell.

    only: where given, the cells are those that agree with one of these; sampled: fields that Optuna draws besides,
    while the first trial of a cell has the usual values; fields: what the space fixes of every spec, over the scale's;
    scale: the one that "auto" means; n_trials: how many there are where nobody says, None: the scale's; stops_early:
    whether weak trials are stopped; tests_all: whether every trial that completes is scored on test images, or only the
    scale's few best; confirms: whether the best are trained again with other seeds. screens: families of encoders of
    which n_screened are tried with the closed-form filter first; the n_kept best of them become an axis.
    """

    name: str
    axes: Mapping[str, tuple[Any, ...]]
    only: tuple[Mapping[str, Any], ...] = ()
    sampled: Mapping[str, Values | By] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    scale: str = "auto"
    n_trials: int | None = None
    stops_early: bool = True
    tests_all: bool = False
    confirms: bool = False
    screens: TableShapes | None = None
    n_screened: int = 48
    n_kept: int = 4

    def cells(self) -> list[Cell]:
        """Return every combination of the axes' values, each prefix of the list as balanced as can be.

        The next cell is the one whose values, then whose pairs of values, have come up least; ties go to the declared
        order.
        """
        return list(self._ordered)

    def first_parameters(self) -> list[dict[str, Any]]:
        """Return the axes' values in each cell, in the order of `cells`."""
        return [dict(zip(self.axes, cell, strict=True)) for cell in self.cells()]

    def suggest(self, trial: Suggests) -> dict[str, Any]:
        """Draw a trial's parameters, define-by-run: field of TrialSpec -> value."""
        parameters = {axis: trial.suggest_categorical(axis, values) for axis, values in self.axes.items()}
        for name in self.sampled:
            parameters[name] = suggest(trial, *self._known_as(name, parameters))
        return parameters

    def drawn_from(self, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what Optuna would have drawn for these parameters, None where it never would.

        A field whose values depend on an axis is drawn under a name of its own for each case: Optuna wants the same
        values under the same name.
        """
        if not all(parameters[axis] in values for axis, values in self.axes.items()) or not self._has(parameters):
            return None
        drawn = {axis: parameters[axis] for axis in self.axes}
        for name in self.sampled:
            own = drawn_as(*self._known_as(name, parameters), parameters[name])
            if own is None:
                return None
            drawn |= own
        return drawn

    def choices(self, name: str, cell: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values that a field is drawn from in a cell; none where it is not drawn, or from a range."""
        values = self._known_as(name, cell)[1] if name in self.sampled else ()
        return values if isinstance(values, tuple) else ()

    def narrowed(self, axis: str, values: Sequence[Any] | None) -> "Space":
        """Return the space with fewer values on an axis (None: all). Raises ValueError for a value it does not have."""
        if values is None:
            return self
        for value in values:
            if value not in self.axes[axis]:
                known = ", ".join(map(str, self.axes[axis]))
                raise ValueError(f"unknown {axis.replace('_', ' ')} {value!r} in space {self.name}; known: {known}")
        kept = tuple(value for value in self.axes[axis] if value in values)
        return replace(self, axes={**self.axes, axis: kept})

    def with_more(self, axis: str, values: Sequence[Any]) -> "Space":
        """Return the space with more values on an axis, before those that it has."""
        return replace(self, axes={**self.axes, axis: tuple(dict.fromkeys((*values, *self.axes[axis])))})

    def as_facts(self) -> dict[str, Any]:
        """Return the space as what JSON can hold; `space_from_facts` reads it."""
        return asdict(self)

    @cached_property
    def _ordered(self) -> tuple[Cell, ...]:
        parts = {cell: (_parts(cell, 1), _parts(cell, 2)) for cell in self._combinations()}
        seen = dict.fromkeys(chain.from_iterable(chain(*own) for own in parts.values()), 0)
        ordered = []
        while parts:
            cell = min(parts, key=lambda cell: [sum(map(seen.__getitem__, own)) for own in parts[cell]])
            for part in chain(*parts.pop(cell)):
                seen[part] += 1
            ordered.append(cell)
        return tuple(ordered)

    def _combinations(self) -> list[Cell]:
        rows = [
            product(*((part[axis],) if axis in part else values for axis, values in self.axes.items()))
            for part in self.only or ({},)
            if all(part[axis] in values for axis, values in self.axes.items() if axis in part)
        ]
        named = set(chain.from_iterable(rows))
        places = [{value: place for place, value in enumerate(values)} for values in self.axes.values()]
        return sorted(named, key=lambda cell: [place[value] for place, value in zip(places, cell, strict=True)])

    def _has(self, parameters: Mapping[str, Any]) -> bool:
        return not self.only or any(part.items() <= dict(parameters).items() for part in self.only)

    def _known_as(self, name: str, parameters: Mapping[str, Any]) -> tuple[str, Values]:
        values = self.sampled[name]
        if not isinstance(values, By):
            return name, values
        case = parameters[values.axis]
        return (f"{name} of {case}", values.cases[case]) if case in values.cases else (name, values.usual)


def space_from_facts(facts: Mapping[str, Any]) -> Space:
    """Return the space that as_facts described, read from JSON. Raises KeyError or TypeError when it is none."""
    return Space(
        **{
            **facts,
            "axes": {name: tuple(values) for name, values in facts["axes"].items()},
            "only": tuple(facts["only"]),
            "screens": values_from_facts(facts["screens"]) if facts.get("screens") else None,
            "sampled": {name: values_from_facts(values) for name, values in facts["sampled"].items()},
            "fields": {
                name: By(**value) if isinstance(value, dict) else value for name, value in facts["fields"].items()
            },
        }
    )


def _parts(cell: Cell, n: int) -> list[tuple[Any, ...]]:
    return list(combinations(enumerate(cell), n))


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
            "architecture": ("native10k", "native11k"),
            "loss": ("psnr-ssim",),
            "training_quality": (USEFUL_RANGE,),
            "output_activation": ("none",),
        },
        sampled={"learning_rate": LogRange(1e-3, 4e-3), "ssim_weight": SSIM_WEIGHTS},
        fields={"ssim_weight": SSIM_WEIGHT, ENCODER: "jpeg"},
        scale="small",
        n_trials=16,
        confirms=True,
        screens=TableShapes(
            known=(
                "jpeg",
                *("jpeg-trellis", "jpeg-c0.6-trellis", "jpeg-c1.8-trellis"),
                *("jpeg-flat", "jpeg-radial-a0.4-p1.3-c2-trellis", "webp", "avif"),
            ),
            trellis=(True, False),
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

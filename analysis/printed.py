"""Printed tables of means read as a study: the thesis' numbers, checked, examined, and decided by its own rule."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.checks import RunError
from analysis.decide import METRIC_TITLES
from analysis.study import AXES, Study
from analysis.suspects import SWAPPED, Oddity, examine
from models.names import METRIC_DIRECTIONS
from models.names import METRICS as OUR_METRICS
from search.space.spec import RANDOM, TrialStatus

COLUMNS = (
    *("table", "network", "output_activation", "dataset", "training_quality"),
    *("loss", "input_quality", "metric", "value"),
)
# What the thesis calls otherwise than we do.
NAMED = ("identity", "resnet", "jjnet", "memnet", "unet", "denseunet", "smallxception", "densenet", "resnetyuv")
NETWORKS = {**{name: name for name in NAMED}, "xception": "smallxception"}
DATASETS = {"tiny": "tiny", "data100": "data100", "data101": "data101", "tinydata": "tiny"}
LOSSES, ACTIVATIONS = ("mae", "mse", "hf", "perceptual"), ("none", "tanh")
METRICS = {"mae": "mae", "mse": "mse", "psnr": "psnr_db", "ssim": "ssim"}
CELL = ["trial_id", "input_quality", "metric"]


def read_printed(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read a CSV file of printed means; returns a row for each, and what is to be told.

    Columns: table, network (as printed), architecture, output_activation, split, training_quality (int or "random"),
    loss, input_quality, metric, printed (its digits), mean, trial_id (with the table's number), model (without).
    Raises RunError when the file is no such table.
    """
    text = _read(path)
    lacking = [name for name in COLUMNS if name not in text]
    if lacking:
        raise RunError(
            f"a table of printed means has the columns {', '.join(COLUMNS)}; {path} lacks {', '.join(lacking)}"
        )
    if text.empty:
        raise RunError(f"a table of printed means has a row for each, found none in {path}; name another file")
    rows = pd.DataFrame({"table": _each(text, "table", _whole, path), "network": text["network"].str.strip()})
    for column, name, known in (
        ("architecture", "network", NETWORKS),
        ("output_activation", "output_activation", dict.fromkeys(ACTIVATIONS)),
        ("split", "dataset", DATASETS),
        ("loss", "loss", dict.fromkeys(LOSSES)),
        ("metric", "metric", METRICS),
    ):
        rows[column] = _each(text, name, _named(known), path)
    rows["training_quality"] = _each(text, "training_quality", _training_quality, path).astype(object)
    rows["input_quality"] = _each(text, "input_quality", _quality, path)
    rows["mean"], rows["printed"] = _each(text, "value", _number, path), [_digits(value) for value in text["value"]]
    rows["model"] = [_model(row) for row in rows.to_dict("records")]
    rows["trial_id"] = rows["model"] + "-table" + rows["table"].astype(str)
    twice = rows[rows.duplicated(CELL)]
    if len(twice):
        raise RunError(f"a mean stands once, found {' '.join(map(str, twice.iloc[0][CELL]))} twice in {path}; keep one")
    unknown = [str(name) for name in text.columns if name not in COLUMNS]
    return rows, (f"Columns of {path.name} that were not read: {', '.join(unknown)}.",) if unknown else ()


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig").fillna("")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise RunError(f"{path} must be a CSV file, found {error}; name a run directory or a table") from error


def _each(text: pd.DataFrame, name: str, read: Callable[[str], Any], path: Path) -> "pd.Series[Any]":
    """Read every cell of a column. Raises RunError with the line of the first that cannot be."""
    cells = []
    for line, cell in enumerate(text[name], start=2):  # line 1 is the head
        try:
            cells.append(read(cell.strip()))
        except ValueError as error:
            raise RunError(f"{path}, line {line}: {name} must be {error}, found {cell[:60]!r}") from error
    return pd.Series(cells, index=text.index)


def _named(known: Mapping[str, str | None]) -> Callable[[str], str]:
    def read(cell: str) -> str:
        name = cell.lower()
        if name not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return known[name] or name

    return read


def _whole(cell: str) -> int:
    if not cell.isdecimal():
        raise ValueError("a whole number")
    return int(cell)


def _quality(cell: str) -> int:
    if not (cell.isdecimal() and 1 <= int(cell) <= 100):
        raise ValueError("a JPEG quality, 1..100")
    return int(cell)


def _training_quality(cell: str) -> int | str:
    return RANDOM if cell == RANDOM else _quality(cell)


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return number


def _digits(cell: str) -> str:
    """Write 4.8e-05 as 0.000048: the digits as they are, the exponent spelt out."""
    mantissa, _, exponent = cell.strip().lower().partition("e")
    if not exponent:
        return mantissa
    decimals = len(mantissa.partition(".")[2]) - int(exponent)
    return f"{float(cell):.{max(0, decimals)}f}"


def _model(row: Mapping[Any, Any]) -> str:
    return "-".join((row["architecture"], row["loss"], row["output_activation"], f"q{row['training_quality']}"))


REFERENCE_QUALITY = 75
TINY, LARGE = ("tinydata", "validation"), ("data100 data101", "test")  # rows of Table 2 that were scored


@dataclass(frozen=True)
class Reference:
    """What the thesis prints besides.

    requirements: Table 3, metric -> the mean of JPEG-75 over whole images. sizes_kb: Table 1, quality -> mean size of
    a file, kB of 1000 bytes. n_images: Table 2, split -> images that were scored. epochs: Table 7, model -> epochs run.
    rows: all of it as shipped; bold: the numbers that are set in bold.
    """

    requirements: Mapping[str, float]
    sizes_kb: Mapping[int, float]
    n_images: Mapping[str, int]
    epochs: Mapping[str, int]
    rows: pd.DataFrame
    bold: pd.DataFrame


def read_reference() -> Reference:
    """Read the constants that are shipped beside this file."""
    rows = _shipped("thesis_reference.csv")
    value = rows.set_index(["table", "row", "column"])["value"].astype(float).to_dict()
    by_row = {table: rows[rows["table"] == table] for table in ("1", "7")}
    images = {
        split: int(value[("2", *(TINY if split == "tiny" else LARGE))]) for split in ("tiny", "data100", "data101")
    }
    return Reference(
        requirements={ours: value[("3", printed, "full360")] for printed, ours in METRICS.items()},
        sizes_kb={int(quality): value[("1", quality, "mean_size")] for quality in by_row["1"]["row"].unique()},
        n_images=images,
        epochs={model.lower(): int(value[("7", model, "epochs")]) for model in by_row["7"]["row"]},
        rows=rows,
        bold=_shipped("thesis_bold.csv"),
    )


def _shipped(name: str) -> pd.DataFrame:
    with (files("analysis") / "thesis" / name).open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str)


REGION = "full"  # the captions: evaluated on the full size image
TINY_EPOCHS = 30  # Table 5
BOLD = "bold is not the best"
UNKNOWN = ["sd", "low", "high"]


def scored_split(split: str) -> str:
    """Say which images a trial of a split was scored on: tiny has no test images."""
    return "validation" if split == "tiny" else "test"


def means_of(printed: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return means and trials as `analysis.suspects.examine` takes them; no two trials are of one origin."""
    means = printed[["trial_id", "split", "input_quality", "metric", "mean"]].rename(columns={"trial_id": "trial"})
    trials = printed[["trial_id", "architecture"]].drop_duplicates().set_axis(["trial", "network"], axis=1)
    return means.assign(region=REGION), trials.assign(origin=trials["trial"])


def examine_printed(printed: pd.DataFrame, reference: Reference) -> tuple[Oddity, ...]:
    """Examine printed means; what they are compared with is Table 3, and what they have in common."""
    means, trials = means_of(printed)
    inputs = pd.DataFrame(
        [
            {"split": split, "region": REGION, "input_quality": REFERENCE_QUALITY, "metric": metric, "mean": mean}
            for split in printed["split"].unique()
            if split != "tiny"  # Table 3 is of the large splits
            for metric, mean in reference.requirements.items()
        ]
    )
    found = examine(means, trials, inputs, {})
    return (*found, *_examine_bold(printed, reference.bold))


def study_of_printed(printed: pd.DataFrame, oddities: Sequence[Oddity], reference: Reference) -> Study:
    """Take from printed means what tables need; means of a trial with swapped labels are no rivals of other tables'."""
    unfit = {trial: oddity.kind for oddity in reversed(oddities) if oddity.kept_out for trial in oddity.trials}
    mislabelled = {trial for oddity in oddities if oddity.kind == SWAPPED for trial in oddity.trials}
    trials = printed[["trial_id", "model", "table", *AXES[:1], *AXES[2:]]].drop_duplicates(
        "trial_id", ignore_index=True
    )
    trials = trials.assign(
        global_residual=True, status=str(TrialStatus.COMPLETED), epoch_images=None, margin=np.nan, psnr_gain_db=np.nan
    )
    trials["epochs_run"] = [_epochs(row, reference) for row in trials.to_dict("records")]
    trials["epochs_allowed"] = trials["epochs_run"].where(trials["split"] == "tiny")
    cells = printed[["trial_id", "input_quality", "metric", "mean", "printed"]].assign(
        split=printed["split"].map(scored_split),
        region=REGION,
        system=ALL,
        n_images=printed["split"].map(reference.n_images).astype(int),
        n_left_out=0,
        mislabelled=printed["trial_id"].isin(mislabelled) & printed["metric"].isin(["mae", "mse"]),
        **dict.fromkeys(UNKNOWN, np.nan),
    )
    return Study(trials, cells, unfit, {"loss": LOSSES, "architecture": list(printed["architecture"].unique())}, {})


def _epochs(trial: Mapping[Any, Any], reference: Reference) -> float:
    """Return the epochs run: Table 5 for tiny, Table 7 for data100; data101's are not printed."""
    if trial["split"] == "tiny":
        return TINY_EPOCHS
    model = f"{trial['architecture']}-{trial['training_quality']}"
    return reference.epochs.get(model, np.nan) if trial["split"] == "data100" else np.nan


def _examine_bold(printed: pd.DataFrame, bold: pd.DataFrame) -> list[Oddity]:
    """Find numbers set in bold that are not the best of their row."""
    keys = ["table", "training_quality", "loss", "input_quality", "metric"]
    marked = bold.replace({"metric": {"psnr": "psnr_db"}}).assign(value=bold["value"].astype(float))
    told = printed[keys].astype(str).assign(value=printed["mean"])
    is_bold = pd.MultiIndex.from_frame(told).isin(pd.MultiIndex.from_frame(marked[list(told.columns)]))
    signed = printed["mean"] * printed["metric"].map(METRIC_DIRECTIONS)
    row = signed.groupby([printed[name] for name in ("table", "input_quality", "metric")])
    cells = printed.assign(better=printed.loc[row.transform("idxmax"), "printed"].to_numpy())
    findings = []
    for cell in cells[is_bold & (signed < row.transform("max"))].to_dict("records"):
        place = f"{cell['split']} {REGION} at {cell['input_quality']}"
        sentence = (
            f"{cell['trial_id']}: Table {cell['table']} sets its {METRIC_TITLES[cell['metric']]} {cell['printed']} in "
            f"bold, though {cell['better']} stands beside it ({place})"
        )
        findings.append(Oddity(BOLD, (cell["trial_id"],), place, sentence))
    return findings


RULE = (
    "the lowest quality at which one model's printed means of all four metrics over the test images are at least as "
    "good as what Table 3 asks of whole images, on every split that the tables hold; suspects that are kept "
    "out do not count, and of several models the one with the highest mean PSNR is named"
)
LIMITS = (
    "The tables print means of whole images only: nothing is said of centre crops, of spread, or of single images. "
    "Table 3 is measured on other images than the test images that it is compared with."
)


PLACE = ["name", "model", "input_quality", "split", "metric"]


@dataclass(frozen=True)
class PrintedPick:
    """The answer of printed tables.

    quality, model, trials, saved_percent: the picked JPEG quality, its restorer, where its means stand, and how many
        bytes fewer its files take by Table 1; None or empty when there is no pick.
    evidence: a row for each split and metric of the pick. reason: why there is none, or empty. qualities: those judged.
    """

    reference_quality: int
    qualities: tuple[int, ...]
    quality: int | None
    model: str | None
    trials: tuple[str, ...]
    saved_percent: float | None
    evidence: tuple[Mapping[str, Any], ...]
    reason: str
    warning: str = LIMITS

    def to_json(self) -> str:
        """Return the pick as strict JSON."""
        return json.dumps({"rule": RULE, **asdict(self)}, indent=2, allow_nan=False)

    def sentence(self) -> str:
        """Say the answer in plain words."""
        if self.quality is None:
            return f"No JPEG quality can be picked: {self.reason}"
        of = f"the lowest of {', '.join(map(str, self.qualities))}"
        saved = "of unknown size" if self.saved_percent is None else f"{self.saved_percent:.0f} % smaller"
        return (
            f"Quality {self.quality}, {of}, restored by {self.model}, is at least as good as "
            f"JPEG-{self.reference_quality} in the printed means of all four metrics on "
            f"{' and '.join(str(row['split']) for row in self.evidence[:: len(OUR_METRICS)])}. Its files are {saved}."
        )


def judge(study: Study, printed: pd.DataFrame, reference: Reference) -> pd.DataFrame:
    """Judge every model at every quality on every split with test images.

    Returns a row for each model, input_quality, split and metric that is printed: name (as the thesis calls it),
    trial_id, unfit ("" or why), mean, printed, required, reaches.
    """
    rows = printed[printed["split"] != "tiny"]
    required = rows["metric"].map(reference.requirements).astype(float)
    better = (rows["mean"] - required) * rows["metric"].map(METRIC_DIRECTIONS).astype(float)
    return rows.assign(
        name=rows["network"] + "-" + rows["training_quality"].astype(str),
        unfit=[study.unfit.get(trial, "") for trial in rows["trial_id"]],
        required=required,
        reaches=better >= 0,
    )[[*PLACE, "trial_id", "unfit", "mean", "printed", "required", "reaches"]]


def choose(judged: pd.DataFrame, reference: Reference) -> PrintedPick:
    """Apply RULE to what was judged."""
    n_wanted = len(OUR_METRICS) * judged["split"].nunique()
    qualities = tuple(sorted((int(quality) for quality in judged["input_quality"].unique()), reverse=True))
    fit = judged[judged["unfit"] == ""]
    models = fit.assign(cell=fit["split"] + fit["metric"]).groupby(["input_quality", "model"])
    passes = models["reaches"].all() & (models["cell"].nunique() == n_wanted)
    passing = passes[passes]
    if passing.empty:
        shortfall = "no model reaches what Table 3 asks on every split."
        reason = shortfall if n_wanted else "the file has no means of test images."
        return PrintedPick(REFERENCE_QUALITY, qualities, None, None, (), None, (), reason)
    quality = min(int(quality) for quality, _ in passing.index)
    named = [model for where, model in passing.index if where == quality]
    there = fit[(fit["input_quality"] == quality) & fit["model"].isin(named)]
    model = there[there["metric"] == "psnr_db"].groupby("model")["mean"].mean().idxmax()
    own = there[there["model"] == model].sort_values("split", kind="stable")
    sizes = reference.sizes_kb
    saved = 100 * (1 - sizes[quality] / sizes[REFERENCE_QUALITY]) if quality in sizes else None
    evidence = tuple(own[["split", "metric", "mean", "required", "trial_id"]].to_dict("records"))
    return PrintedPick(
        reference_quality=REFERENCE_QUALITY,
        qualities=qualities,
        quality=quality,
        model=str(own["name"].iloc[0]),
        trials=tuple(own["trial_id"].unique()),
        saved_percent=saved,
        evidence=tuple({str(name): value for name, value in row.items()} for row in evidence),
        reason="",
    )

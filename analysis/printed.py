"""Printed tables of means read as a study: the thesis' numbers, checked and examined."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.checks import RunError, one_line
from analysis.decide import METRIC_TITLES
from analysis.study import AXES, Study
from analysis.suspects import SWAPPED, Oddity, examine
from models.names import METRIC_DIRECTIONS
from search.space.spec import RANDOM, TrialStatus

# What the thesis calls otherwise than we do.
NAMED = ("identity", "resnet", "jjnet", "memnet", "unet", "denseunet", "smallxception", "densenet", "resnetyuv")
NETWORKS = {**{name: name for name in NAMED}, "xception": "smallxception"}
DATASETS = {"tiny": "tiny", "data100": "data100", "data101": "data101", "tinydata": "tiny"}
LOSSES, ACTIVATIONS = ("mae", "mse", "hf", "perceptual"), ("none", "tanh")
METRICS = {"mae": "mae", "mse": "mse", "psnr": "psnr_db", "ssim": "ssim"}
CELL = ["trial_id", "input_quality", "metric"]
QUALITY = r"[1-9]\d?|100"


def _one_of(known: Collection[str]) -> tuple[str, str]:
    return f"one of {', '.join(known)}", "|".join(known)


# What the cells of each column must be, in words and as a pattern; of the value, besides, a finite number.
RULES: Mapping[str, tuple[str, str]] = {
    "table": ("a whole number", r"\d+"),
    "network": _one_of(NETWORKS),
    "output_activation": _one_of(ACTIVATIONS),
    "dataset": _one_of(DATASETS),
    "training_quality": (f"a JPEG quality, 1..100, or {RANDOM}", f"{QUALITY}|{RANDOM}"),
    "loss": _one_of(LOSSES),
    "input_quality": ("a JPEG quality, 1..100", QUALITY),
    "metric": _one_of(METRICS),
    "value": ("a finite number", ".*"),
}


def read_printed(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read a CSV file of printed means; returns a row for each, and what is to be told.

    Columns: table, network (as printed), architecture, output_activation, split, training_quality (int or "random"),
    loss, input_quality, metric, printed (its digits), mean, trial_id (with the table's number), model (without).
    Raises RunError when the file is no such table.
    """
    text = _read(path)
    lacking = [name for name in RULES if name not in text]
    if lacking:
        raise RunError(
            f"a table of printed means has the columns {', '.join(RULES)}; {path} lacks {', '.join(lacking)}"
        )
    if text.empty:
        raise RunError(f"a table of printed means has a row for each, found none in {path}; name another file")
    text = text.apply(lambda cells: cells.str.strip())
    is_number = pd.to_numeric(text["value"], errors="coerce").abs() < math.inf
    for name, (rule, pattern) in RULES.items():
        wrong = text[~(text[name].str.lower().str.fullmatch(pattern) & (is_number | (name != "value")))]
        if len(wrong):
            line, cell = int(wrong.index[0]) + 2, wrong[name].iloc[0]  # line 1 is the head
            raise RunError(f"{path}, line {line}: {name} must be {rule}, found {cell[:60]!r}")
    words = text.apply(lambda cells: cells.str.lower())
    rows = pd.DataFrame({"table": text["table"].astype(int), "network": text["network"]})
    rows = rows.assign(
        architecture=words["network"].map(NETWORKS),
        output_activation=words["output_activation"],
        split=words["dataset"].map(DATASETS),
        loss=words["loss"],
        metric=words["metric"].map(METRICS),
        training_quality=pd.Series([q if q == RANDOM else int(q) for q in text["training_quality"]], dtype=object),
        input_quality=text["input_quality"].astype(int),
        mean=text["value"].astype(float),
        # 4.8e-05 is written as 0.000048: the digits as they are, the exponent spelt out
        printed=[f"{Decimal(value):f}" if "e" in value.lower() else value for value in text["value"]],
    )
    parts = [rows["loss"], rows["output_activation"], "q" + text["training_quality"]]
    rows["model"] = rows["architecture"].str.cat(parts, sep="-")
    rows["trial_id"] = rows["model"] + "-table" + rows["table"].astype(str)
    twice = rows[rows.duplicated(CELL)]
    if len(twice):
        raise RunError(f"a mean stands once, found {' '.join(map(str, twice.iloc[0][CELL]))} twice in {path}; keep one")
    unknown = [str(name) for name in text.columns if name not in RULES]
    return rows, (f"Columns of {path.name} that were not read: {', '.join(unknown)}.",) if unknown else ()


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig").fillna("")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        found = one_line(error)
        raise RunError(f"{path} must be a CSV file, found {found}; name a run directory or a table") from error


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
    value = rows.set_index(["table", "row", "column"])["value"].astype(float)
    sizes, epochs = (value.xs(of, level=("table", "column")) for of in (("1", "mean_size"), ("7", "epochs")))
    tiny, large = (int(value[("2", *scored)]) for scored in (TINY, LARGE))
    return Reference(
        requirements={ours: value[("3", printed, "full360")] for printed, ours in METRICS.items()},
        sizes_kb={int(str(quality)): size for quality, size in sizes.items()},
        n_images={"tiny": tiny, "data100": large, "data101": large},
        epochs={str(model).lower(): int(n) for model, n in epochs.items()},
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


def means_of(printed: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return means and trials as `analysis.suspects.examine` takes them; no two trials are of one origin."""
    means = printed[["trial_id", "split", "input_quality", "metric", "mean"]].rename(columns={"trial_id": "trial"})
    trials = printed[["trial_id", "architecture"]].drop_duplicates().set_axis(["trial", "network"], axis=1)
    return means.assign(region=REGION), trials.assign(origin=trials["trial"])


def examine_printed(printed: pd.DataFrame, reference: Reference) -> tuple[Oddity, ...]:
    """Examine printed means; what they are compared with is Table 3, and what they have in common."""
    means, trials = means_of(printed)
    large = printed.loc[printed["split"] != "tiny", ["split"]].drop_duplicates()  # Table 3 is of the large splits
    asked = pd.DataFrame(list(reference.requirements.items()), columns=["metric", "mean"])
    inputs = large.merge(asked, how="cross").assign(region=REGION, input_quality=REFERENCE_QUALITY)
    found = examine(means, trials, inputs, {})
    return (*found, *_examine_bold(printed, reference.bold))


def study_of_printed(printed: pd.DataFrame, oddities: Sequence[Oddity], reference: Reference) -> Study:
    """Take from printed means what tables need; means of a trial with swapped labels are no rivals of other tables'."""
    unfit = {trial: oddity.kind for oddity in reversed(oddities) if oddity.kept_out for trial in oddity.trials}
    mislabelled = {trial for oddity in oddities if oddity.kind == SWAPPED for trial in oddity.trials}
    columns = ["trial_id", "model", "table", *AXES[:1], *AXES[2:-1]]
    unknown = dict.fromkeys(("margin", "merit", "psnr_gain_db"), np.nan)
    trials = printed[columns].drop_duplicates("trial_id", ignore_index=True)
    trials = trials.assign(global_residual=True, encoder=None, epoch_images=None, **unknown)
    trials["status"] = str(TrialStatus.COMPLETED)
    is_tiny, is_data100 = (trials["split"] == split for split in ("tiny", "data100"))  # data101's are not printed
    epochs = (trials["architecture"] + "-" + trials["training_quality"].astype(str)).map(reference.epochs)
    trials["epochs_run"] = epochs.where(is_data100).mask(is_tiny, TINY_EPOCHS)
    trials["epochs_allowed"] = trials["epochs_run"].where(is_tiny)
    cells = printed[["trial_id", "input_quality", "metric", "mean", "printed"]].assign(
        split=np.where(printed["split"] == "tiny", "validation", "test"),  # tiny has no test images
        region=REGION,
        system=ALL,
        n_images=printed["split"].map(reference.n_images).astype(int),
        n_left_out=0,
        mislabelled=printed["trial_id"].isin(mislabelled) & printed["metric"].isin(["mae", "mse"]),
        **dict.fromkeys(UNKNOWN, np.nan),
    )
    return Study(trials, cells, unfit, {"loss": LOSSES, "architecture": list(printed["architecture"].unique())}, {})


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

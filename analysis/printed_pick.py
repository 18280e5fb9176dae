"""The decision by printed tables, by the thesis' own rule: what reaches Table 3, and the lowest quality of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from analysis.printed import REFERENCE_QUALITY, Reference
from analysis.study import Study
from models.names import METRIC_DIRECTIONS
from models.names import METRICS as OUR_METRICS

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
    quality: int | None = None
    model: str | None = None
    trials: tuple[str, ...] = ()
    saved_percent: float | None = None
    evidence: tuple[Mapping[Any, Any], ...] = ()
    reason: str = ""
    warning: str = LIMITS

    def as_json(self) -> dict[str, Any]:
        """Return the pick as JSON can hold it."""
        return {"rule": RULE, **asdict(self)}

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
        return PrintedPick(REFERENCE_QUALITY, qualities, reason=reason)
    quality = min(int(quality) for quality, _ in passing.index)
    named = [model for where, model in passing.index if where == quality]
    there = fit[(fit["input_quality"] == quality) & fit["model"].isin(named)]
    model = there[there["metric"] == "psnr_db"].groupby("model")["mean"].mean().idxmax()
    own = there[there["model"] == model].sort_values("split", kind="stable")
    sizes = reference.sizes_kb
    saved = 100 * (1 - sizes[quality] / sizes[REFERENCE_QUALITY]) if quality in sizes else None
    evidence = own[["split", "metric", "mean", "required", "trial_id"]].to_dict("records")
    name, trials = str(own["name"].iloc[0]), tuple(own["trial_id"].unique())
    return PrintedPick(REFERENCE_QUALITY, qualities, quality, name, trials, saved, tuple(evidence))

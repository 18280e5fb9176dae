"""The strict rule: the smallest files demonstrated, with a bounded chance of error, not to be worse than the reference.

It is demonstrated in every camera system and by every seed: all must pass, so no bound needs to be wider for their
number. Nor for the number of qualities: their order is declared, and the first that fails ends it (fixed-sequence
testing).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis import statistics
from analysis.records import written
from analysis.run import Run
from analysis.statistics import Interval
from analysis.viewable import UNKNOWN, floor_of, under_floor, viewable_of
from models.names import METRIC_DIRECTIONS
from search.records import TrialRecord
from search.space.spec import TrialSpec

# What may be lost, in the mean of whole images: dB of PSNR, SSIM.
LOSSES = {"psnr_db": 0.1, "ssim": 0.0005}
LOSS_TITLES = {"psnr_db": "dB of PSNR", "ssim": "of SSIM"}
WORSE_DB, WORSE_SHARE = 0.5, 0.005
RULE = (
    "from the reference's files down, one quality of the model's encoder after the other, by their bytes, until the "
    "first that fails: in every camera system and by every seed, the mean of whole images is demonstrated to lose less "
    f"than {LOSSES['psnr_db']} dB of PSNR and {LOSSES['ssim']} of SSIM against the reference (one-sided 97.5 % bounds "
    f"over fields), and at most {WORSE_SHARE:.1%} of the fields to hold an image more than {WORSE_DB} dB worse (upper "
    "97.5 % bound). One model is judged, the best on validation images, on images that no choice was made on"
)


@dataclass(frozen=True)
class StrictPick:
    """What is demonstrated of one run.

    model, trial_ids: the model that is judged, and its trials, one for each seed and split; empty where there is none.
    quality, saved, mean_bytes, reference_bytes, encoder: the lowest quality demonstrated, the percent of bytes it
        saves, the mean bytes of its files and of the reference's, and what writes them; None where no quality is.
    steps: a row per quality judged, trial and camera system, as `judge` returns them.
    reason: why the next quality is not demonstrated, or why nothing was judged. fields_needed, images_needed: how many
        fields and test images a camera system it would take if what was seen stays so; None where no number suffices
        or it is unknown. n_images: test images judged; n_seen: those left out, as choices were made on their fields.
    """

    reference_quality: int
    model: str = ""
    trial_ids: tuple[str, ...] = ()
    quality: int | None = None
    saved: Interval | None = None
    mean_bytes: float | None = None
    reference_bytes: float | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""
    fields_needed: int | None = None
    images_needed: int | None = None
    n_images: int = 0
    n_seen: int = 0
    encoder: str | None = None

    @property
    def written(self) -> str:
        """What the files demonstrated are called."""
        return written(self.encoder, self.quality)

    @property
    def trial_id(self) -> str | None:
        """The trial to use: of those of the model that is demonstrated the best on validation images."""
        return None if self.quality is None else self.trial_ids[0]

    def sentence(self) -> str:
        """Say the answer in plain words."""
        if self.quality is None or self.saved is None:
            return (
                f"By the strict rule nothing smaller than JPEG-{self.reference_quality} is demonstrated: {self.reason}"
            )
        seeds = "" if len(self.trial_ids) == 1 else f" by all {len(self.trial_ids)} of its trainings"
        bounds = f" (95 % interval {self.saved.low:.1f} to {self.saved.high:.1f} %)" if self.saved.has_bounds else ""
        return (
            f"By the strict rule {self.written[0].lower()}{self.written[1:]} is demonstrated: restored by "
            f"{self.model}, it is not worse than JPEG-{self.reference_quality} in any camera system{seeds}. "
            f"Its files are {self.saved.estimate:.1f} % smaller{bounds}."
            + (f" The next quality is not demonstrated: {self.reason}" if self.reason else "")
        )


def choose_strictly(run: Run, validation_suspects: Mapping[str, str]) -> StrictPick:
    """Judge the best model on validation images, quality after quality, on test images.

    validation_suspects: the trials that are suspect by their records and validation means alone, and why.
    """
    repeats, reason = declared_model(run, validation_suspects)
    if not repeats:
        return StrictPick(run.reference_quality, reason=reason)
    trial_ids = tuple(record.trial_id for record in repeats)
    every = pairs_with_reference(run, trial_ids)
    pairs = every[~every["image"].isin(list(run.choice_images))]
    n_images = pairs["image"].nunique()
    n_seen = every["image"].nunique() - n_images
    name = trial_ids[0] if len(trial_ids) == 1 else f"{trial_ids[0]} and {len(trial_ids) - 1} more of its kind"
    pick = StrictPick(run.reference_quality, name, trial_ids, n_images=n_images, n_seen=n_seen)
    by_quality = every.groupby("input_quality")
    sizes = by_quality[["jpeg_bytes", "reference_bytes"]].mean()
    sizes = sizes[by_quality["trial_id"].nunique() == len(trial_ids)]  # seeds may be tested at qualities of their own
    smaller = sizes[sizes["jpeg_bytes"] < sizes["reference_bytes"]].sort_values("jpeg_bytes", ascending=False)
    if smaller.empty:
        of_all = " that all of its trials have" if len(trial_ids) > 1 else ""
        words = f"it has no test scores of files smaller than JPEG-{run.reference_quality}'s{of_all}."
        return replace(pick, reason=words)
    viewable = viewable_of(run, repeats[0])
    for quality in smaller.index:
        seen = viewable.get(int(quality), UNKNOWN)
        if not seen.reaches(floor_of(run)):
            return replace(pick, reason=f"at quality {quality}, {under_floor(run, seen)}.")
        at_quality = pairs[pairs["input_quality"] == quality]
        steps = judge(run, trial_ids, at_quality, int(quality))
        pick = replace(pick, steps=(*pick.steps, *steps))
        failed = [step for step in steps if not step["passes"]]
        if failed:
            return replace(pick, **_shortfall(int(quality), failed))
        encoder = repeats[0].spec.encoder_at(int(quality))
        pick = replace(pick, quality=int(quality), encoder=encoder, **bytes_of(at_quality))
    return pick


def declared_model(run: Run, validation_suspects: Mapping[str, str]) -> tuple[list[TrialRecord], str]:
    """Return the trials of the model that is judged, or none and why; chosen without a look at test scores.

    A model's trials differ in seed and split alone. Of those that were all tested and are not suspect by what their
    records and validation images tell, the best is the one whose worst trial ranks highest on monitored images.
    """
    merits = {record.trial_id: run.ranking.merit(record) for record in run.finalists}
    able = {name: merit for name, merit in merits.items() if merit is not None and name not in validation_suspects}
    if not able:
        return [], "no trial that can be picked has been scored on the test split, which the search does when it ends."
    models: dict[tuple[TrialSpec, str], list[TrialRecord]] = {}
    for record in run.trials:
        setting = replace(record.spec, seed=0, split="tiny", parent=None)
        models.setdefault((setting, str(sorted(getattr(record, "others", {}).items()))), []).append(record)
    whole = [repeats for repeats in models.values() if all(record.trial_id in able for record in repeats)]
    if not whole:
        return [], "every model that was tested has a seed or split that failed, was not tested or is suspect."
    return max(whole, key=lambda repeats: min(able[record.trial_id] for record in repeats)), ""


def pairs_with_reference(run: Run, trial_ids: Sequence[str]) -> pd.DataFrame:
    """Set trials' test scores of whole images beside those of JPEG as it is at the reference quality.

    Returns a row per trial, input quality and image that both have: trial_id, input_quality, image, system, group; the
    gain of each of LOSSES over the reference, positive where restored is better, 0 where both are perfect, infinite
    where one is, NaN where one is unknown; jpeg_bytes and reference_bytes.
    """
    whole = run.scores[(run.scores["split"] == "test") & (run.scores["region"] == "full")]
    is_baseline = whole["trial_id"].isin([record.trial_id for record in run.baselines])
    columns = ["image", "jpeg_bytes", *LOSSES]
    reference = whole.loc[is_baseline & (whole["input_quality"] == run.reference_quality), columns]
    own = whole.loc[whole["trial_id"].isin(list(trial_ids)), ["trial_id", "input_quality", "system", *columns]]
    pairs = own.merge(reference.drop_duplicates("image"), on="image", suffixes=("", "_reference"))
    pairs = pairs.astype({"trial_id": str, "input_quality": int, "image": int, "system": str})
    for name in LOSSES:
        ours, theirs = pairs[name], pairs[f"{name}_reference"]
        pairs[name] = METRIC_DIRECTIONS[name] * (ours - theirs).mask(ours == theirs, 0.0)
    return pairs.assign(group=run.images.fields_of(pairs["image"]), reference_bytes=pairs["jpeg_bytes_reference"])


def bytes_of(pairs: pd.DataFrame) -> dict[str, Any]:
    """Return mean_bytes and reference_bytes of the files of pairs, and as saved the percent of bytes between them."""
    images = pairs.drop_duplicates("image")
    fewer, reference = images["reference_bytes"] - images["jpeg_bytes"], images["reference_bytes"]
    saved = statistics.bootstrap_ratio(100 * fewer, reference, images["group"])
    means = {"mean_bytes": float(images["jpeg_bytes"].mean()), "reference_bytes": float(reference.mean())}
    return {"saved": saved, **means}


def judge(run: Run, trial_ids: Sequence[str], pairs: pd.DataFrame, quality: int) -> list[dict[str, Any]]:
    """Judge trials at one quality in every camera system that the run's images come from.

    pairs: as `pairs_with_reference` returns them, of that quality.
    Returns a row per trial and system: n_images, n_fields; each of LOSSES' mean gain and its bounds, n_left_out images
    that are identical to their original on either side; n_worse fields with an image more than WORSE_DB worse, and the
    upper bound of their share; fails (why, empty where it passes), passes, fields_needed, images_needed.
    """
    systems = sorted({*map(str, run.facts["dataset"]["systems"]), *pairs["system"]})
    by_place = {place: rows for place, rows in pairs.groupby(["trial_id", "system"])}
    return [
        {"input_quality": quality, "trial_id": trial_id, "system": system, **_judged(rows)}
        for trial_id in trial_ids
        for system in systems
        for rows in [by_place.get((trial_id, system), pairs.iloc[:0])]
    ]


def _judged(rows: pd.DataFrame) -> dict[str, Any]:
    finite = {name: rows[~np.isinf(rows[name])] for name in LOSSES}  # not so of an image identical to its original
    intervals = {name: statistics.bootstrap_mean(own[name], own["group"]) for name, own in finite.items()}
    is_worse = ~(rows["psnr_db"] >= -WORSE_DB)  # so an unknown one is
    n_images, n_fields = len(rows), rows["group"].nunique()
    n_worse = rows.loc[is_worse, "group"].nunique()
    bound = statistics.share_upper_bound(n_worse, n_fields) if n_fields else 1.0
    fails = _fails(intervals, n_fields, n_worse, bound)
    fields_needed = _fields_needed(intervals, n_fields, n_worse) if fails else None
    per_field, parts = n_images / n_fields if n_fields else 1.0, ("estimate", "low", "high")
    return {
        "n_images": n_images,
        "n_fields": n_fields,
        "n_left_out": int(np.isinf(rows["psnr_db"]).sum()),
        **{f"{name}_{part}": getattr(found, part) for name, found in intervals.items() for part in parts},
        "n_worse": n_worse,
        "worse_share_bound": bound,
        "passes": not fails,
        "fails": "; ".join(fails),
        "fields_needed": fields_needed,
        "images_needed": None if fields_needed is None else math.ceil(fields_needed * per_field),
    }


def _fails(intervals: Mapping[str, Interval], n_fields: int, n_worse: int, bound: float) -> list[str]:
    if not n_fields:
        return ["no test image"]
    fails = []
    for name, interval in intervals.items():
        if not interval.low > -LOSSES[name]:
            found = "unknown" if math.isnan(interval.estimate) else f"{interval.estimate:+.4f} in the mean"
            reach = f", {interval.low:+.4f} at worst" if interval.has_bounds else ""
            few = ", too few fields for a bound" if interval.n_groups < statistics.LEAST_GROUPS else ""
            fails.append(
                f"a loss of {LOSSES[name]} {LOSS_TITLES[name]} or more cannot be excluded ({found}{reach}{few})"
            )
    if bound > WORSE_SHARE:
        fails.append(
            f"up to {bound:.2%} of the fields may hold an image more than {WORSE_DB} dB worse ({n_worse} of "
            f"{n_fields} do)"
        )
    return fails


def _fields_needed(intervals: Mapping[str, Interval], n_fields: int, n_worse: int) -> int | None:
    needed = [statistics.groups_for_share(n_worse / n_fields if n_fields else 0, WORSE_SHARE)]
    if n_fields:
        needed += [statistics.groups_for_mean(interval, -LOSSES[name]) for name, interval in intervals.items()]
    return None if None in needed else max(number for number in needed if number is not None)


def _shortfall(quality: int, failed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say why a quality is not demonstrated, by the step that is the farthest from it."""
    endless = [step for step in failed if step["fields_needed"] is None]
    worst = (endless or sorted(failed, key=lambda step: -step["fields_needed"]))[0]
    fields, images = worst["fields_needed"], worst["images_needed"]
    n_others = len(failed) - 1
    cases = "case fails" if n_others == 1 else "cases fail"
    others = f" {n_others} more such {cases} at this quality." if n_others else ""
    ends = (
        "No number of images would demonstrate it, if what was seen stays so."
        if fields is None
        else f"It would take about {fields:,} fields a camera system, {images:,} test images, if what was seen holds."
    )
    where = f"at quality {quality}, {worst['system']}, {worst['trial_id']} ({worst['n_images']} images)"
    return {"reason": f"{where}: {worst['fails']}.{others} {ends}", "fields_needed": fields, "images_needed": images}

"""The strict pick: the lowest quality shown, with a bounded chance of error, not to be worse than the reference.

It is shown in every camera system and by every seed: all must pass, so no bound needs to be wider for their number.
Nor for the number of qualities: their order is declared, and the first that fails ends it (fixed-sequence testing).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.paired import paired_with_reference
from analysis.run import Run
from analysis.statistics import (
    Interval,
    images_for_mean,
    images_for_share,
    paired_bootstraps,
    ratio_bootstrap,
    share_upper_bound,
)
from search.records import TrialRecord
from search.spec import TrialSpec

# What may be lost, in the mean of whole images: dB of PSNR, SSIM.
LOSSES = {"psnr_db": 0.1, "ssim": 0.0005}
WORSE_DB, WORSE_SHARE = 0.5, 0.005
CONFIDENCE = 0.95  # of an interval, so 97.5 % of either of its bounds
SHARE_CONFIDENCE = (1 + CONFIDENCE) / 2
RULE = (
    "from the reference quality down, one quality after the other until the first that fails: in every camera system "
    f"and by every seed, the mean of whole images is shown to lose less than {LOSSES['psnr_db']} dB of PSNR and "
    f"{LOSSES['ssim']} of SSIM against the reference (one-sided 97.5 % bounds), and at most {WORSE_SHARE:.1%} of the "
    f"images to be more than {WORSE_DB} dB worse (upper 97.5 % bound). One model is judged, the best on validation "
    "images, so no choice was made on the images that decide"
)


@dataclass(frozen=True)
class StrictPick:
    """What is shown of one run.

    model, trial_ids: the model that is judged, and its trials, one for each seed and split; empty where there is none.
    quality, saved: the lowest quality shown, and the bytes it saves in percent with their interval; None where no
        quality is. steps: a row per quality judged, trial and camera system, as `judge` returns them.
    reason: why the next quality is not shown, or why nothing was judged. images_needed: how many test images a camera
        system it would take if what was seen stays so; None where no number suffices or it is unknown.
    """

    reference_quality: int
    model: str
    trial_ids: tuple[str, ...]
    quality: int | None
    saved: Interval | None
    steps: tuple[Mapping[str, Any], ...]
    reason: str
    images_needed: int | None

    def as_facts(self) -> dict[str, Any]:
        """Return the pick as what JSON can hold, but for numbers that are not finite."""
        return {"rule": RULE, **asdict(self), "in_words": self.sentence()}

    def sentence(self) -> str:
        """Say the answer in plain words."""
        if self.quality is None or self.saved is None:
            return f"By the strict rule no quality below {self.reference_quality} is shown: {self.reason}"
        seeds = "" if len(self.trial_ids) == 1 else f" by all {len(self.trial_ids)} of its trainings"
        return (
            f"By the strict rule quality {self.quality} is shown: restored by {self.model}, it is not worse than "
            f"JPEG-{self.reference_quality} in any camera system{seeds}. Its files are {self.saved.estimate:.1f} % "
            f"smaller (95 % interval {self.saved.low:.1f} to {self.saved.high:.1f} %)."
            + (f" The next quality is not shown: {self.reason}" if self.reason else "")
        )


def choose_strictly(run: Run) -> StrictPick:
    """Judge the best model on validation images, quality after quality, on test images."""
    repeats, reason = declared_model(run)
    if not repeats:
        return StrictPick(run.reference_quality, "", (), None, None, (), reason, None)
    trial_ids = tuple(record.trial_id for record in repeats)
    pairs = paired_with_reference(run, trial_ids, "full")
    below = pairs.loc[pairs["input_quality"] < run.reference_quality, "input_quality"]
    pick = StrictPick(run.reference_quality, _name(repeats), trial_ids, None, None, (), "", None)
    if below.empty:
        return replace(pick, reason=f"it has no test scores at a quality below {run.reference_quality}.")
    for quality in sorted(below.unique(), reverse=True):
        at_quality = pairs[pairs["input_quality"] == quality]
        steps = judge(run, trial_ids, at_quality)
        pick = replace(pick, steps=(*pick.steps, *steps))
        failed = [step for step in steps if not step["passes"]]
        if failed:
            return replace(pick, **_shortfall(int(quality), failed))
        pick = replace(pick, quality=int(quality), saved=_saved(at_quality))
    return pick


def declared_model(run: Run) -> tuple[list[TrialRecord], str]:
    """Return the trials of the model that is judged, or none and why; chosen without a look at test images.

    A model's trials differ in seed and split alone. Of those that were all tested and are not suspect, the best is the
    one whose smallest monitored margin is the largest.
    """
    able = {record.trial_id for record in run.candidates if record.margin is not None}
    if not able:
        return [], "no trial that can be picked has been scored on the test split, which the search does when it ends."
    models: dict[TrialSpec, list[TrialRecord]] = {}
    for record in run.trials:
        models.setdefault(_setting(record.spec), []).append(record)
    whole = [repeats for repeats in models.values() if all(record.trial_id in able for record in repeats)]
    if not whole:
        return [], "every model that was tested has a seed or split that failed, was not tested or is suspect."
    return max(whole, key=lambda repeats: min(record.margin or -math.inf for record in repeats)), ""


def judge(run: Run, trial_ids: Sequence[str], pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Judge trials at one quality in every camera system that the run's images come from.

    pairs: as `paired_with_reference` returns them, of that quality.
    Returns a row per trial and system: n_images, n_fields; each of LOSSES' mean gain and its bounds, n_left_out images
    that are identical to their original on either side; n_worse fields with an image more than WORSE_DB worse, and the
    upper bound of their share; fails (why, empty where it passes), passes, images_needed.
    """
    systems = sorted({*map(str, run.facts["dataset"]["systems"]), *pairs["system"]})
    by_place = {place: rows for place, rows in pairs.groupby(["trial_id", "system"])}
    quality = int(pairs["input_quality"].iloc[0])
    return [
        {"input_quality": quality, "trial_id": trial_id, "system": system, **_judged(rows)}
        for trial_id in trial_ids
        for system in systems
        for rows in [by_place.get((trial_id, system), pairs.iloc[:0])]
    ]


def _judged(rows: pd.DataFrame) -> dict[str, Any]:
    gains = rows[list(LOSSES)].to_numpy(np.float64).T
    kept = ~np.isinf(gains)  # the PSNR of an image identical to its original, on one side
    intervals = paired_bootstraps(gains, rows["group"], kept=kept, rng=np.random.default_rng(0), confidence=CONFIDENCE)
    is_worse = ~(gains[0] >= -WORSE_DB)  # so an unknown one is
    n_fields, n_worse = rows["group"].nunique(), rows.loc[is_worse, "group"].nunique()
    bound = share_upper_bound(n_worse, n_fields, SHARE_CONFIDENCE) if n_fields else 1.0
    fails = _fails(dict(zip(LOSSES, intervals, strict=True)), n_fields, n_worse, bound)
    return {
        "n_images": len(rows),
        "n_fields": n_fields,
        "n_left_out": int((~kept[0]).sum()),
        **{
            f"{name}_{part}": getattr(interval, part)
            for name, interval in zip(LOSSES, intervals, strict=True)
            for part in ("estimate", "low", "high")
        },
        "n_worse": n_worse,
        "worse_share_bound": bound,
        "passes": not fails,
        "fails": "; ".join(fails),
        "images_needed": _images_needed(intervals, n_fields, n_worse) if fails else None,
    }


def _fails(intervals: Mapping[str, Interval], n_fields: int, n_worse: int, bound: float) -> list[str]:
    if not n_fields:
        return ["no test image"]
    fails = []
    for (name, interval), title in zip(intervals.items(), ("dB of PSNR", "of SSIM"), strict=True):
        if not interval.low > -LOSSES[name]:
            found = "unknown" if math.isnan(interval.estimate) else f"{interval.estimate:+.4f} in the mean"
            reach = f", {interval.low:+.4f} at worst" if math.isfinite(interval.low) else ""
            fails.append(f"a loss of {LOSSES[name]} {title} or more cannot be excluded ({found}{reach})")
    if bound > WORSE_SHARE:
        fails.append(
            f"up to {bound:.2%} of the images may be more than {WORSE_DB} dB worse ({n_worse} of {n_fields} were)"
        )
    return fails


def _images_needed(intervals: Sequence[Interval], n_fields: int, n_worse: int) -> int | None:
    if not n_fields:
        return images_for_share(0, WORSE_SHARE, SHARE_CONFIDENCE)
    needed = [images_for_share(n_worse / n_fields, WORSE_SHARE, SHARE_CONFIDENCE)]
    # Of a single image no spread is known: what the share needs is then all that can be said.
    measured = [(item, loss) for item, loss in zip(intervals, LOSSES.values(), strict=True) if math.isfinite(item.low)]
    needed += [images_for_mean(interval, -loss) for interval, loss in measured]
    needed += [None for item in intervals if math.isnan(item.estimate)]
    return None if None in needed else max(number for number in needed if number is not None)


def _shortfall(quality: int, failed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say why a quality is not shown, by the step that is the farthest from it."""
    endless = [step for step in failed if step["images_needed"] is None]
    worst = (endless or sorted(failed, key=lambda step: -step["images_needed"]))[0]
    needed = None if endless else worst["images_needed"]
    others = f" {len(failed) - 1} more such cases fail at this quality." if len(failed) > 1 else ""
    ends = (
        "No number of images would show it, if what was seen stays so."
        if needed is None
        else f"It would take about {needed} test images a camera system, if what was seen stays so."
    )
    where = f"at quality {quality}, {worst['system']}, {worst['trial_id']} ({worst['n_images']} images)"
    return {"reason": f"{where}: {worst['fails']}.{others} {ends}", "images_needed": needed}


def _saved(pairs: pd.DataFrame) -> Interval:
    images = pairs.drop_duplicates("image")
    fewer, reference = images["reference_bytes"] - images["jpeg_bytes"], images["reference_bytes"]
    share = ratio_bootstrap(fewer, reference, images["group"], rng=np.random.default_rng(0), confidence=CONFIDENCE)
    return Interval(100 * share.estimate, 100 * share.low, 100 * share.high, share.n)


def _setting(spec: TrialSpec) -> TrialSpec:
    return replace(spec, seed=0, split="tiny", parent=None)


def _name(repeats: Sequence[TrialRecord]) -> str:
    first = repeats[0].trial_id
    return first if len(repeats) == 1 else f"{first} and {len(repeats) - 1} more of its kind"

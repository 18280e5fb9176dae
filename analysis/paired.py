"""Restored images beside the reference's JPEG of the same images: what every difference is reckoned from."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.run import Run
from analysis.statistics import paired_bootstraps
from models.names import METRIC_DIRECTIONS, METRICS, REGIONS


def paired_with_reference(run: Run, trial_ids: Sequence[str], region: str) -> pd.DataFrame:
    """Set trials' test scores beside those of JPEG as it is at the reference quality, image by image.

    Returns a row per trial, input quality and image that both have: trial_id, input_quality, image, system, group;
    each metric's gain over the reference, positive where restored is better, 0 where both are perfect, infinite where
    one is, NaN where one is unknown; jpeg_bytes and reference_bytes.
    """
    whole = run.scores[(run.scores["split"] == "test") & (run.scores["region"] == region)]
    is_baseline = whole["trial_id"].isin([record.trial_id for record in run.baselines])
    columns = ["image", "jpeg_bytes", *METRICS]
    reference = whole.loc[is_baseline & (whole["input_quality"] == run.reference_quality), columns]
    beside = reference.drop_duplicates("image").rename(columns=_reference)  # a split each; the files are the same
    own = whole.loc[whole["trial_id"].isin(list(trial_ids)), ["trial_id", "input_quality", "system", *columns]]
    pairs = own.merge(beside, left_on="image", right_on=_reference("image"))
    gains = {name: METRIC_DIRECTIONS[name] * _difference(pairs[name], pairs[_reference(name)]) for name in METRICS}
    return pd.DataFrame(
        {
            "trial_id": pairs["trial_id"].astype(str),
            "input_quality": pairs["input_quality"].astype(int),
            "image": pairs["image"].astype(int),
            "system": pairs["system"].astype(str),
            "group": run.images.fields_of(pairs["image"].astype(int)),
            **gains,
            "jpeg_bytes": pairs["jpeg_bytes"],
            "reference_bytes": pairs[_reference("jpeg_bytes")],
        }
    )


def gains_over_reference(run: Run, trial_id: str, quality: int) -> pd.DataFrame:
    """Return a trial's mean gain over the reference at a quality, with its paired bootstrap interval over fields.

    Returns region, metric, gain, gain_low, gain_high (95 %, positive is better), n_paired: images whose gain is finite.
    """
    rows = []
    for region in REGIONS:
        pairs = paired_with_reference(run, [trial_id], region)
        pairs = pairs[pairs["input_quality"] == quality]
        gains = pairs[list(METRICS)].to_numpy(float).T
        rng = np.random.default_rng(0)
        intervals = paired_bootstraps(gains, pairs["group"], kept=~np.isinf(gains), rng=rng)
        for metric, found in zip(METRICS, intervals, strict=True):
            gain = {"gain": found.estimate, "gain_low": found.low, "gain_high": found.high, "n_paired": found.n}
            rows.append({"region": region, "metric": metric, **gain})
    return pd.DataFrame(rows)


def _difference(own: pd.Series, reference: pd.Series) -> pd.Series:
    return (own - reference).mask(own == reference, 0.0)


def _reference(name: str) -> str:
    return f"reference_{name}"

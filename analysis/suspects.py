"""Suspects: what means give away about the trials behind them, down to those that cannot be what they claim to be.

Judged from means alone, so that a printed table can be examined like a run. Sentences name what was found where.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csgraph, csr_array

from models.names import METRICS
from search.records import DEAD_EPOCHS, DEAD_STEPS

DEAD, NEAR_DEAD, DIVERGED, DUPLICATED = "dead", "near-dead", "diverged", "duplicated"
HEAVY_TAILS, IMPOSSIBLE, UNCLIPPED, SWAPPED = "heavy tails", "impossible", "unclipped", "labels swapped"
WORSE, LEAK = "worse than its input", "near-duplicates across the split"
UNTRAINED, UNDER_LINEAR = "hardly trained", "under the linear filter"
KEPT_OUT = frozenset({DEAD, DIVERGED, DUPLICATED, IMPOSSIBLE, UNCLIPPED})  # of "best"

SAME = 1e-3  # relative: equal to about four digits; five would part columns that were rounded twice
DIVERGED_DB = 10.0  # as the search's own rule: so far under its input
DIVERGED_AT = 75
# Mean MSE over 10^(-mean PSNR / 10), which by Jensen's inequality is at least 1. Where PSNR is normal over images with
# a spread of s dB it is exp((s ln 10 / 10)^2 / 2): 1.11 at 2 dB, 1.27 at 3, 1.53 at 4. An input's own is divided out.
HEAVY = 1.5
CHANCE = f"ended before the {DEAD_EPOCHS} epochs and {DEAD_STEPS} steps after which the search calls a trial dead"
TAIL = "its mean MSE is {:.2f} times what its mean PSNR implies"
PRINTED = 0.02  # an MSE of two printed digits may be this share too low

PLACE = ["split", "region"]
ROW = ["trial", *PLACE, "input_quality"]
MSE_BESIDE_PSNR = "mse_beside_psnr"  # over the images that the mean PSNR is over: identical ones are in neither


@dataclass(frozen=True)
class Oddity:
    """Something odd. where: the split, region and qualities it shows at; kept_out: its trials cannot be the best."""

    kind: str
    trials: tuple[str, ...]
    where: str
    sentence: str

    @property
    def kept_out(self) -> bool:
        return self.kind in KEPT_OUT


def examine(
    means: pd.DataFrame,
    trials: pd.DataFrame,
    inputs: pd.DataFrame,
    statuses: Mapping[str, str],
    untrained: Collection[str] = (),
) -> tuple[Oddity, ...]:
    """Examine trials by their means.

    means: trial, split, region, input_quality, metric (MSE_BESIDE_PSNR where it differs from mse), mean (NaN where
        unknown).
    trials: trial, network, origin; those of one origin, such as a trial and its continuation, may agree.
    inputs: the means of each trial's input over the same images, or of all trials', without trial; where a split and
        region has none, means on which different networks agree stand in: what they have in common is their input.
    statuses: how trials ended, by trial, where that is recorded. untrained: those that ended before they could be told
        from dead ones; that they return their input is told, and keeps them out of nothing.
    """
    recorded = [
        Oddity(status, (trial,), "its record", f"{trial}: {status}, says its record")
        for trial, status in statuses.items()
        if status in (DEAD, DIVERGED)
    ]
    if means.empty:
        return tuple(recorded)
    table, swapped = _as_meant(means)
    is_trained = ~table.index.get_level_values("trial").isin(list(untrained))
    twins = _twins(table[is_trained], trials.set_index("trial")["origin"])
    inferred = _inferred(table, twins, trials.set_index("trial")["network"])
    known = inferred if inputs.empty else _by_metric(inputs, [name for name in ROW if name in inputs])
    beside = _beside(table, known, inferred)
    agrees, has_psnr = (table - beside).abs() <= SAME * beside.abs(), beside["psnr_db"].notna()
    still = _everywhere(agrees[list(METRICS)].all(axis=1), beside["mae"].notna())
    near_dead = _everywhere(agrees["mae"], beside["mae"].notna(), at_least=2) & ~still
    at_75 = table.index.get_level_values("input_quality") == DIVERGED_AT
    diverged = (table["psnr_db"] < beside["psnr_db"] - DIVERGED_DB) & at_75 & is_trained
    factor = _tail_factor(table)
    tailed = factor > HEAVY * _tail_factor(beside).clip(lower=1).fillna(1)
    worse = _everywhere(table["psnr_db"] < beside["psnr_db"], has_psnr) & ~still
    findings = [
        *_listed(DEAD, still & is_trained, "its means are those of its input, which it returns"),
        *_listed(UNTRAINED, still & ~is_trained, f"it returns its input, but {CHANCE}"),
        *_listed(NEAR_DEAD, near_dead, "its MAE is its input's, though other means are not"),
        *_listed(DIVERGED, diverged, f"its mean PSNR is more than {DIVERGED_DB:.0f} dB under its input's"),
        *_duplicated(twins),
        *_listed(SWAPPED, swapped, "what is called MAE and MSE fits its PSNR and each other only when exchanged"),
        *_listed(HEAVY_TAILS, tailed, f"{TAIL}: a few images have very large errors", factor),
        *_listed(IMPOSSIBLE, factor < 1 - PRINTED, f"{TAIL}, and under 1 cannot be", factor),
        *_listed(UNCLIPPED, table["mse"] > table["mae"], "its mean MSE is above its MAE: errors exceed 1"),
        *_listed(WORSE, worse, "its mean PSNR is under its input's at every quality"),
    ]
    told = {(finding.kind, finding.trials) for finding in recorded}
    return (*recorded, *(finding for finding in findings if (finding.kind, finding.trials) not in told))


def inferred_inputs(means: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the means on which trials of different networks agree, a row per split, region and quality: their input's.

    means, trials: as `examine` takes them.
    """
    table, _ = _as_meant(means)
    listed = trials.set_index("trial")
    return _inferred(table, _twins(table, listed["origin"]), listed["network"]).reset_index()


def reasons(oddities: Sequence[Oddity]) -> dict[str, str]:
    """Return why trials are kept out of "best": trial -> the kinds of what was found, "dead, duplicated"."""
    kinds: dict[str, list[str]] = {}
    for oddity in oddities:
        for trial in oddity.trials if oddity.kept_out else ():
            kinds.setdefault(trial, []).append(oddity.kind)
    return {trial: ", ".join(dict.fromkeys(found)) for trial, found in kinds.items()}


def _as_meant(means: pd.DataFrame) -> tuple[pd.DataFrame, "pd.Series[bool]"]:
    """Return the means by ROW with swapped labels put right, and which rows were.

    They were where MSE is above MAE at every quality, while what is called MAE is what the mean PSNR implies of an MSE.
    """
    table = _by_metric(means, ROW)
    as_mse = table["mae"] / 10 ** (-table["psnr_db"] / 10)
    swapped = _everywhere((table["mse"] > table["mae"]) & as_mse.between(1 - PRINTED, HEAVY), as_mse.notna())
    table.loc[swapped, ["mae", "mse", MSE_BESIDE_PSNR]] = table.loc[swapped, ["mse", "mae", "mae"]].to_numpy()
    return table, swapped


def _by_metric(means: pd.DataFrame, row: list[str]) -> pd.DataFrame:
    wide = means.pivot(index=row, columns="metric", values="mean").reindex(columns=[*METRICS, MSE_BESIDE_PSNR])
    wide[MSE_BESIDE_PSNR] = wide[MSE_BESIDE_PSNR].fillna(wide["mse"])
    return wide.astype(float)


def _tail_factor(table: pd.DataFrame) -> "pd.Series[float]":
    return table[MSE_BESIDE_PSNR] / 10 ** (-table["psnr_db"] / 10)


def _everywhere(claim: "pd.Series[bool]", known: "pd.Series[bool]", at_least: int = 1) -> "pd.Series[bool]":
    """Mark the known rows of each trial, split and region at all of whose known qualities the claim holds."""
    keys = ["trial", *PLACE]
    holds = (claim | ~known).groupby(level=keys).transform("all")
    return holds & (known.groupby(level=keys).transform("sum") >= at_least) & known


def _twins(table: pd.DataFrame, origin: "pd.Series[str]") -> list[pd.DataFrame]:
    """List the rows of trials of different origin that agree, on a split and region, wherever both have means."""
    found = []
    for _, rows in table.groupby(level=PLACE):
        wide = rows.unstack("input_quality")
        names, values = wide.index.get_level_values("trial"), wide.to_numpy()
        family = origin.loc[names].to_numpy()
        own = values[:, None]
        near, unknown = np.abs(values - own) <= SAME * np.abs(own), np.isnan(values) | np.isnan(own)
        agree = (near | unknown).all(axis=2) & ~unknown.all(axis=2) & (family != family[:, None])
        n_groups, labels = csgraph.connected_components(csr_array(agree.astype(np.int8)), directed=False)
        groups = [names[labels == label] for label in range(n_groups)]
        found += [rows[rows.index.isin(group, level="trial")] for group in groups if len(group) > 1]
    return found


def _inferred(table: pd.DataFrame, twins: list[pd.DataFrame], network: "pd.Series[str]") -> pd.DataFrame:
    """Average the twins of different networks."""
    shared = [rows for rows in twins if network.loc[rows.index.unique("trial")].nunique() > 1]
    return pd.concat([table.iloc[:0], *shared]).groupby(level=ROW[1:]).mean()


def _beside(table: pd.DataFrame, known: pd.DataFrame, inferred: pd.DataFrame) -> pd.DataFrame:
    """Return the means of the input of each row; inferred ones on a split and region of which nothing is known."""
    places = pd.MultiIndex.from_frame(known.index.to_frame(index=False)[PLACE])
    shared = inferred[~inferred.droplevel("input_quality").index.isin(places)]
    of_each = "trial" in known.index.names
    inputs = shared if of_each else pd.concat([known, shared]) if len(known) else inferred
    beside = inputs.reindex(table.droplevel("trial").index).set_axis(table.index)
    return known.reindex(table.index).fillna(beside) if of_each else beside


def _duplicated(twins: list[pd.DataFrame]) -> list[Oddity]:
    findings = []
    places: dict[tuple[str, ...], list[pd.DataFrame]] = {}
    for rows in twins:
        places.setdefault(tuple(rows.index.unique("trial")), []).append(rows)
    for trials, parts in places.items():
        where = _where(pd.concat(parts).index)
        sentence = f"{', '.join(trials)}: trained differently, yet all their means agree to {SAME:.1%} ({where})"
        findings.append(Oddity(DUPLICATED, trials, where, sentence))
    return findings


def _listed(kind: str, rows: "pd.Series[bool]", text: str, sizes: "pd.Series[float] | None" = None) -> list[Oddity]:
    """Write a finding for each trial with a marked row; the text may name the most extreme of its sizes."""
    marked = rows[rows]
    findings = []
    for trial in marked.index.unique("trial"):
        places = marked.index[marked.index.get_level_values("trial") == trial]
        # the farthest from 1, on either side; one that is not positive cannot be farther
        size = 0.0 if sizes is None else max(sizes[places], key=lambda f: abs(math.log(f)) if f > 0 else math.inf)
        findings.append(Oddity(kind, (trial,), _where(places), f"{trial}: {text.format(size)} ({_where(places)})"))
    return findings


def _where(places: pd.Index) -> str:
    """Name splits, regions and qualities: "test full at 25, 50; test crop at 25"."""
    by_place = places.to_frame(index=False).drop_duplicates([*PLACE, "input_quality"]).groupby(PLACE)
    return "; ".join(
        f"{split} {region} at {', '.join(map(str, sorted(group['input_quality'])))}"
        for (split, region), group in by_place
    )

"""Conclusions over an axis: what one value of it brings over another, from pairs of trials that differ in it alone.

A pair counts where both of its trials are alive; of the others the table says how many there are, and why.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.statistics import mean_interval
from analysis.study import Study, is_filter
from analysis.tables.spec import Cell, Column, Row, write_bounds
from search.space.spec import TrialSpec

AXES = {
    "loss": "loss",
    "output_activation": "activation",
    "training_quality": "training quality",
    "architecture": "network",
}
MARGIN = "margin"
MEASURES = {"psnr_db": "PSNR, dB", "ssim": "SSIM", MARGIN: "margin"}  # higher is better
FORMATS = {"psnr_db": "+.2f", "ssim": "+.4f", MARGIN: "+.3f"}
# Networks have batch sizes of their own where memory asks for it.
MAY_DIFFER: dict[str, set[str]] = {"architecture": {"batch_size"}}
# What is no setting of a trial, in a frame of trials.
OUTCOMES = {
    *("trial_id", "status", "epochs_run", "margin", "input_margin", "psnr_gain_db", "parameters", "macs_per_pixel"),
    *("weights_bytes", "seconds", "trained_batch_size", "device", "error", "model", "table"),
}
NO_PARTNER, NOT_SCORED = "without a partner", "not scored"
READING = (
    "A pair: two trials whose settings differ in this alone, both alive. A difference: the first minus the second, the "
    "mean over pairs with its 95 % interval over pairs, and in how many of them the first is better. PSNR and SSIM: "
    "means over whole images, then over the qualities that both were scored at. Of many such intervals one in twenty "
    "misses by chance."
)
UNEQUAL = "In some pairs the two were not trained equally long: their difference may be one of training."


@dataclass(frozen=True)
class _Pairs:
    """Trials that differ in one setting alone. alive: (first, second); not_used: why -> how many."""

    alive: Sequence[tuple[str, str]]
    not_used: Counter[str]


def conclusions_frame(study: Study, by_system: bool = False) -> pd.DataFrame:
    """Tabulate each two values of each axis that were tried and have a pair; of an axis without any pair one row.

    Returns system, axis, first, second, n_pairs, n_not_used, why, n_unequal (pairs not trained equally long), and of
    each of MEASURES the mean difference of pairs in which it is known, with _low and _high (95 % interval over pairs,
    NaN of too few), _n (such pairs) and _better (those of them in which the first is better).
    """
    if study.trials.empty:
        return pd.DataFrame()
    tried = study.trials[~study.trials["architecture"].map(is_filter)]
    trials, cells, rows = study.trials.set_index("trial_id"), study.cells, []
    groups = {axis: _groups(tried, axis, study.unfit) for axis in AXES}
    for system, part in cells[(cells["system"] != ALL) == by_system].groupby("system", observed=True):
        measured = _measured(part, trials, with_margin=not by_system)
        for axis in AXES:
            values = [value for value in study.values(axis) if value in set(tried[axis])]
            found = []
            for first, second in combinations(values, 2):
                pairs = _pairs(groups[axis], first, second, study.unfit, set(measured["psnr_db"].index))
                row = {"system": str(system), "axis": axis, "first": str(first), "second": str(second)}
                found.append(row | _count(pairs, trials["epochs_run"]) | _differences(pairs, measured))
            rows += [row for row in found if row["n_pairs"]] or [
                row | {"first": "any", "second": "any", "n_not_used": 0, "why": ""}
                for row in found[:1]
                if not by_system
            ]
    return pd.DataFrame(rows)


def conclusions_columns(by_system: bool) -> tuple[Column, ...]:
    """Return how a `conclusions_frame` is shown."""
    system = (Column("system", "system"),) if by_system else ()
    measures = {measure: title for measure, title in MEASURES.items() if not (by_system and measure == MARGIN)}
    return (
        *system,
        Column("setting", "axis", lambda axis: AXES[axis]),
        Column("first", "first"),
        Column("second", "second"),
        Column("pairs", show=_show_pairs),
        Column("not used", show=_show_not_used, is_wide=True),
        *(Column(title, show=_shown(measure)) for measure, title in measures.items()),
    )


def conclusions_below(owner: Any, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say how a `conclusions_frame` is read."""
    return (READING, UNEQUAL) if frame["n_unequal"].any() else (READING,)


def _groups(trials: pd.DataFrame, axis: str, unfit: Any) -> list[dict[Any, str]]:
    """Return the trials that agree in all other settings: by their value on the axis, an alive one where there is."""
    known = [field.name for field in fields(TrialSpec)]
    settings = [*known, *(name for name in trials if name not in OUTCOMES and name not in known)]
    same = [name for name in settings if name in trials and name not in {axis, *MAY_DIFFER.get(axis, ())}]
    groups: dict[Hashable, dict[Any, str]] = {}
    for row in trials.astype({name: str for name in same}).to_dict("records"):
        group = groups.setdefault(tuple(row[name] for name in same), {})
        if row[axis] not in group or group[row[axis]] in unfit:
            group[row[axis]] = row["trial_id"]
    return list(groups.values())


def _pairs(groups: Sequence[dict[Any, str]], first: Any, second: Any, unfit: Any, scored: set[Any]) -> _Pairs:
    alive, not_used = [], Counter[str]()
    for group in groups:
        pair = [group[value] for value in (first, second) if value in group]
        if len(pair) == 2:
            reasons = [unfit[trial] for trial in pair if trial in unfit]
            reasons += [NOT_SCORED for trial in pair if trial not in scored]
            alive += [] if reasons else [(pair[0], pair[1])]
            not_used.update(reasons[:1])
        elif pair:
            not_used[NO_PARTNER] += 1
    return _Pairs(alive, not_used)


def _measured(cells: pd.DataFrame, trials: pd.DataFrame, with_margin: bool) -> dict[str, pd.DataFrame]:
    """Return of each of MEASURES what trials (rows) have of it: at each split and quality, or once."""
    whole = cells[cells["region"] == "full"]
    validated = set(whole.loc[whole["split"] == "validation", "trial_id"])
    whole = whole[(whole["split"] == "validation") | ~whole["trial_id"].isin(validated)]  # choices are made there
    wide = {
        metric: whole[whole["metric"] == metric].pivot(
            index="trial_id", columns=["split", "input_quality"], values="mean"
        )
        for metric in MEASURES
        if metric != MARGIN
    }
    own = {MARGIN: trials[[MARGIN]]} if with_margin and trials[MARGIN].notna().any() else {}
    return {measure: table.astype(float) for measure, table in {**wide, **own}.items()}


def _count(pairs: _Pairs, epochs_run: "pd.Series[Any]") -> dict[str, Any]:
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(pairs.not_used.items()))
    return {
        "n_pairs": len(pairs.alive),
        "n_not_used": pairs.not_used.total(),
        "why": why,
        "n_unequal": sum(bool(abs(epochs_run[first] - epochs_run[second]) > 0) for first, second in pairs.alive),
    }


def _differences(pairs: _Pairs, measured: dict[str, pd.DataFrame]) -> dict[str, float]:
    row: dict[str, float] = {}
    firsts, seconds = [first for first, _ in pairs.alive], [second for _, second in pairs.alive]
    for measure, table in measured.items():
        by_place = table.reindex(firsts).to_numpy() - table.reindex(seconds).to_numpy()
        by_pair = pd.DataFrame(by_place).mean(axis=1).to_numpy()  # of the qualities that both have
        known = by_pair[np.isfinite(by_pair)]
        found = mean_interval(known)
        row |= {measure: found.estimate, f"{measure}_low": found.low, f"{measure}_high": found.high}
        row |= {f"{measure}_n": found.n, f"{measure}_better": int((known > 0).sum())}
    return row


def _show_pairs(row: Row) -> Cell:
    unequal = f" ({row['n_unequal']} unequally long)" if row["n_unequal"] else ""
    return Cell(f"{row['n_pairs']}{unequal}", row["n_pairs"])


def _show_not_used(row: Row) -> Cell:
    if row["first"] == "any":
        return Cell("no two trials, both alive, differ in it alone")
    return Cell(str(row["why"]) if row["n_not_used"] else "0", row["n_not_used"])


def _shown(measure: str) -> Any:
    def show(row: Row) -> Cell:
        n = row.get(f"{measure}_n", 0)
        if not n or n != n:
            return Cell("no pairs" if not row["n_pairs"] else "unknown")
        form, better = FORMATS[measure], f"better in {row[f'{measure}_better']:.0f} of {n:.0f}"
        bounds = write_bounds(row[f"{measure}_low"], row[f"{measure}_high"], form)
        text = f"{row[measure]:{form}}" + (f" ({bounds})" if bounds != "too few" else "")
        return Cell(f"{text}, {better}" if n > 1 else f"{text} (one pair)", row[measure])

    return show

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

from analysis.cell import Row
from analysis.labels import METRIC_TITLES
from analysis.statistics import mean_interval
from analysis.study import Study
from analysis.tables.table import Table
from search.spec import TrialSpec

AXES = {
    "loss": "loss",
    "output_activation": "activation",
    "training_quality": "training quality",
    "architecture": "network",
}
MARGIN = "margin"
MEASURES = {"psnr_db": METRIC_TITLES["psnr_db"], "ssim": METRIC_TITLES["ssim"], MARGIN: "margin"}  # higher is better
FORMATS = {"psnr_db": "{:.2f}", "ssim": "{:.4f}", MARGIN: "{:.3f}"}
# Networks have batch sizes of their own where memory asks for it.
MAY_DIFFER: dict[str, set[str]] = {"architecture": {"batch_size"}}
ANY, NO_PARTNER, NOT_SCORED = "any", "without a partner", "not scored"
READING = (
    "A pair: two trials whose settings differ in this alone, both alive. A difference: the first minus the second, the "
    "mean over pairs ± half of its 95 % interval over pairs, and in how many of them the first is better. PSNR and "
    "SSIM: means over whole images, then over the qualities that both were scored at. Of many such intervals one in "
    "twenty misses by chance."
)
UNEQUAL = "In some pairs the two were not trained equally long: their difference may be one of training."


@dataclass(frozen=True)
class _Pairs:
    """Trials that differ in one setting alone. alive: (first, second); not_used: why -> how many."""

    alive: Sequence[tuple[str, str]]
    not_used: Counter[str]


def conclusions_tables(study: Study) -> dict[str, Table]:
    """Return the table of conclusions, and the one by camera system; none where no axis has two values."""
    tables = {}
    title = "What a setting brings: pairs of trials that differ in it alone"
    for ending, cells in (("", study.cells), ("_by_system", study.by_system)):
        numbers = conclusions_table(study, cells)
        if not numbers.empty and (numbers["n_pairs"].any() or not ending):
            below = (READING, UNEQUAL) if numbers["n_unequal"].any() else (READING,)
            heading = f"{title}, by camera system" if ending else title
            tables[f"conclusions{ending}"] = Table(numbers, show_conclusions(numbers), below, heading)
    return tables


def conclusions_table(study: Study, cells: pd.DataFrame) -> pd.DataFrame:
    """Tabulate each two values of each axis that were tried.

    cells: those of the study, or its by_system.
    Returns (system,) axis, first, second, n_pairs, n_not_used, why, n_unequal (pairs not trained equally long), and of
    each of MEASURES the mean difference of pairs in which it is known, with _low and _high (95 % interval over pairs,
    infinite of a single one), _n (such pairs) and _better (those of them in which the first is better).
    """
    trials = study.trials.set_index("trial_id")
    parts = cells.groupby("system", observed=True) if "system" in cells else [(None, cells)]
    rows = []
    for system, part in parts:
        measured = _measured(part, trials)
        for axis in AXES:
            groups = _groups(study, axis)
            tried = [value for value in study.values(axis) if value in set(study.trials[axis])]
            for first, second in combinations(tried, 2):
                pairs = _pairs(groups, first, second, study.unfit, set(measured["psnr_db"].index))
                row = {} if system is None else {"system": str(system)}
                row |= {"axis": axis, "first": first, "second": second}
                rows.append(row | _count(pairs, trials["epochs_run"]) | _differences(pairs, measured))
    return pd.DataFrame(rows)


def show_conclusions(table: pd.DataFrame) -> pd.DataFrame:
    """Lay a `conclusions_table` out; of a setting without any pair one row, which says so."""
    has_pairs = table.groupby("axis")["n_pairs"].transform("sum") > 0
    bare = table[~has_pairs].drop_duplicates("axis").assign(first=ANY, second=ANY, n_not_used=0)
    table = pd.concat([table[table["n_pairs"] > 0], bare]).sort_index()
    rows = table.to_dict("records")
    unequal = [f" ({row['n_unequal']} unequally long)" if row["n_unequal"] else "" for row in rows]
    return pd.DataFrame(
        {
            **({"system": table["system"]} if "system" in table else {}),
            "setting": table["axis"].map(AXES),
            "first": table["first"].astype(str),
            "second": table["second"].astype(str),
            "pairs": [f"{row['n_pairs']}{note}" for row, note in zip(rows, unequal, strict=True)],
            "not used": [_not_used(row) for row in rows],
            **{MEASURES[measure]: [_show(row, measure) for row in rows] for measure in MEASURES if measure in table},
        }
    )


def _groups(study: Study, axis: str) -> list[dict[Any, str]]:
    """Return the trials that agree in all other settings: by their value on the axis, an alive one where there is."""
    settings = [field.name for field in fields(TrialSpec)] + ["epochs_allowed"]
    same = [name for name in settings if name in study.trials and name not in {axis, *MAY_DIFFER.get(axis, ())}]
    groups: dict[Hashable, dict[Any, str]] = {}
    for row in study.trials.astype({name: str for name in same}).to_dict("records"):
        group = groups.setdefault(tuple(row[name] for name in same), {})
        if row[axis] not in group or group[row[axis]] in study.unfit:
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


def _measured(cells: pd.DataFrame, trials: pd.DataFrame) -> dict[str, pd.DataFrame]:
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
    has_margin = "system" not in cells and trials[MARGIN].notna().any()  # a margin is of all camera systems
    own = {MARGIN: trials[[MARGIN]]} if has_margin else {}
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


def _not_used(row: Row) -> str:
    if row["first"] == ANY:
        return "no two trials, both alive, differ in it alone"
    return str(row["why"]) if row["n_not_used"] else "0"


def _show(row: Row, measure: str) -> str:
    n = row[f"{measure}_n"]
    if not n:
        return "no pairs" if not row["n_pairs"] else "unknown"
    form, reach = FORMATS[measure], row[f"{measure}_high"] - row[measure]
    spread = " (one pair)" if n == 1 else f" ±{form.format(reach)}, {row[f'{measure}_better']} of {n}"
    return form.replace(":", ":+").format(row[measure]) + spread

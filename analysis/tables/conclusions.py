"""Conclusions over an axis: what one value of it brings over another, from pairs of trials that differ in it alone.

A pair counts where both of its trials are alive; of the others the table says how many there are, and why.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.cells import ALL
from analysis.statistics import mean_interval
from analysis.study import OUTCOMES, Study, is_filter
from analysis.tables.formats import write_bounds
from analysis.tables.spec import Cell, Layout, Row, Table, lay_out, read_catalogue

MARGIN = "margin"
MEASURES = {"psnr_db": "+.2f", "ssim": "+.4f", MARGIN: "+.3f"}  # higher is better; how they are written
# Networks have batch sizes of their own where memory asks for it.
MAY_DIFFER: dict[str, set[str]] = {"architecture": {"batch_size"}}
NO_PARTNER, NOT_SCORED = "without a partner", "not scored"
UNEQUAL = "In some pairs the two were not trained equally long: their difference may be one of training."


def conclusions_table(study: Study) -> Table | None:
    """Return the table of conclusions, of a run's study or of a printed source's."""
    axes = read_catalogue()["conclusions"]["axes"]
    shows = {
        "axis": lambda row, name: Cell(axes[row[name]]),
        "pairs": _show_pairs,
        "not used": _show_not_used,
        "difference": _show_difference,
    }
    layout = Layout(shows, below=lambda frame: (UNEQUAL,) if frame["n_unequal"].any() else ())
    return lay_out("conclusions", conclusions_frame(study), layout)


def conclusions_frame(study: Study) -> pd.DataFrame:
    """Tabulate each two values of each axis that were tried and have a pair; of an axis without any pair one row.

    Returns axis, first, second, n_pairs, n_not_used, why, n_unequal (pairs not trained equally long), and of each of
    MEASURES the mean difference of pairs in which it is known, with _low and _high (95 % interval over pairs, NaN of
    too few), _n (such pairs) and _better (those of them in which the first is better).
    """
    if study.trials.empty:
        return pd.DataFrame()
    tried = study.trials[~study.trials["architecture"].map(is_filter)]
    epochs_run, measured = study.trials.set_index("trial_id")["epochs_run"], _measured(study)
    scored, rows = set(measured["psnr_db"].index), []
    for axis in read_catalogue()["conclusions"]["axes"]:
        groups, found = _groups(tried, axis, study.unfit), []
        for first, second in combinations([value for value in study.values(axis) if value in groups], 2):
            both = groups[[first, second]].dropna(how="all")
            why = [_why_not(pair, study.unfit, scored) for pair in both.itertuples(index=False, name=None)]
            pairs = both[np.array(why) == ""]
            counts = sorted(Counter(filter(None, why)).items())
            epochs = [pairs[value].map(epochs_run).astype(float).to_numpy() for value in (first, second)]
            row = {"axis": axis, "first": str(first), "second": str(second), "n_pairs": len(pairs)}
            row |= {"n_not_used": len(both) - len(pairs), "why": ", ".join(f"{n} {reason}" for reason, n in counts)}
            row |= {"n_unequal": int((np.abs(epochs[0] - epochs[1]) > 0).sum())}
            found.append(row | _differences(pairs, measured))
        none = [row | {"first": "any", "second": "any", "n_not_used": 0, "why": ""} for row in found[:1]]
        rows += [row for row in found if row["n_pairs"]] or none
    return pd.DataFrame(rows)


def _groups(trials: pd.DataFrame, axis: str, unfit: Mapping[str, str]) -> pd.DataFrame:
    """Return trials that agree in all other settings, a row each, by their value on the axis: alive before others."""
    same = [name for name in trials if name not in {*OUTCOMES, axis, *MAY_DIFFER.get(axis, ())}]
    others = trials.astype(dict.fromkeys(same, str)).groupby(same, sort=False, dropna=False).ngroup()
    keyed = trials.assign(others=others, is_unfit=trials["trial_id"].isin(list(unfit)))
    first = keyed.sort_values("is_unfit", kind="stable").drop_duplicates(["others", axis])
    return first.pivot(index="others", columns=axis, values="trial_id")


def _why_not(pair: tuple[Any, Any], unfit: Mapping[str, str], scored: set[Any]) -> str:
    """Say why a pair of trials does not count, nothing where it does."""
    if not all(isinstance(trial, str) for trial in pair):
        return NO_PARTNER
    reasons = [unfit[trial] for trial in pair if trial in unfit]
    return next(iter([*reasons, *(NOT_SCORED for trial in pair if trial not in scored)]), "")


def _measured(study: Study) -> dict[str, pd.DataFrame]:
    """Return of each of MEASURES what trials (rows) have of it: at each split and quality, or once."""
    cells, margins = study.cells, study.trials.set_index("trial_id")[[MARGIN]]
    whole = cells[(cells["region"] == "full") & (cells["system"] == ALL)]
    validated = set(whole.loc[whole["split"] == "validation", "trial_id"])
    whole = whole[(whole["split"] == "validation") | ~whole["trial_id"].isin(validated)]  # choices are made there
    # Over the reference, image by image, where it was scored: who was stopped is scored on fewer images than others.
    values = "gain" if "gain" in whole and whole["gain"].notna().any() else "mean"
    place = {"index": "trial_id", "columns": ["split", "input_quality"], "values": values}
    tables = {name: whole[whole["metric"] == name].pivot(**place) for name in MEASURES if name != MARGIN}
    tables |= {MARGIN: margins} if margins[MARGIN].notna().any() else {}
    return {name: table.astype(float) for name, table in tables.items()}


def _differences(pairs: pd.DataFrame, measured: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    row: dict[str, float] = {}
    for measure, table in measured.items():
        by_place = table.reindex(pairs.iloc[:, 0]).to_numpy() - table.reindex(pairs.iloc[:, 1]).to_numpy()
        by_pair = pd.DataFrame(by_place).mean(axis=1).to_numpy()  # of the qualities that both have
        known = by_pair[np.isfinite(by_pair)]
        found = mean_interval(known)
        row |= {measure: found.estimate, f"{measure}_low": found.low, f"{measure}_high": found.high}
        row |= {f"{measure}_n": found.n, f"{measure}_better": int((known > 0).sum())}
    return row


def _show_pairs(row: Row, name: str) -> Cell:
    unequal = f" ({row['n_unequal']} unequally long)" if row["n_unequal"] else ""
    return Cell(f"{row['n_pairs']}{unequal}", row["n_pairs"])


def _show_not_used(row: Row, name: str) -> Cell:
    if row["first"] == "any":
        return Cell("no two trials, both alive, differ in it alone")
    return Cell(str(row["why"]) if row["n_not_used"] else "0", row["n_not_used"])


def _show_difference(row: Row, measure: str) -> Cell:
    n = row.get(f"{measure}_n", 0)
    if not n or n != n:
        return Cell("no pairs" if not row["n_pairs"] else "unknown")
    form, better = MEASURES[measure], f"better in {row[f'{measure}_better']:.0f} of {n:.0f}"
    text = f"{row[measure]:{form}}" + write_bounds(row[f"{measure}_low"], row[f"{measure}_high"], form, "")
    return Cell(f"{text}, {better}" if n > 1 else f"{text} (one pair)", row[measure])

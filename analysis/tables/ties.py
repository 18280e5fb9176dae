"""The best trial at each quality, and which others cannot be told from it."""

import numpy as np
import pandas as pd

from analysis.cell import Row
from analysis.labels import METRIC_TITLES
from analysis.run import Run
from analysis.statistics import paired_bootstraps
from analysis.tables.table import Table

COMPARED = {"psnr_db": "{:+.3f}", "ssim": "{:+.5f}"}  # higher is better
N_NAMED = 5
BELOW = (
    "A difference: the trial's mean minus the best one's, over the images that both have, with the 95 % interval of a "
    "paired bootstrap over fields. A trial is tied with the best where the interval holds 0. Each is compared on its "
    "own: of many that are truly equal, one in twenty is missed. The best is the best of these very images: it was "
    "chosen on them, so a tie counts for more than a lead.",
)


def ties_tables(run: Run) -> dict[str, Table]:
    """Return the table of ties on whole validation images; none where fewer than two trials were scored."""
    numbers = ties_table(run)
    if numbers.empty:
        return {}
    return {"ties": Table(numbers, show_ties(numbers), BELOW, "The best trials, and who cannot be told from them")}


def ties_table(run: Run) -> pd.DataFrame:
    """Compare every trial that can be the best with the best one, at each quality, by each metric.

    Returns input_quality, metric, trial_id, n_images, difference, low, high, is_best, tied; best first.
    """
    able = [record.trial_id for record in run.alive]
    rows = run.scores[(run.scores["split"] == "validation") & (run.scores["region"] == "full")]
    rows = rows[rows["trial_id"].isin(able)]
    parts = []
    for quality, at_quality in rows.groupby("input_quality", sort=True):
        for metric in COMPARED:
            wide = at_quality.pivot_table(index="trial_id", columns="image", values=metric, observed=True)
            part = _compare(run, wide.replace([np.inf, -np.inf], np.nan))
            parts.append(part.assign(input_quality=int(str(quality)), metric=metric))
    columns = ["input_quality", "metric", "trial_id", "n_images", "difference", "low", "high", "is_best", "tied"]
    return pd.concat(parts, ignore_index=True)[columns] if len(able) > 1 and parts else pd.DataFrame(columns=columns)


def _compare(run: Run, wide: pd.DataFrame) -> pd.DataFrame:
    """Compare rows of scores, trial x image, with the best of them."""
    scores = wide.to_numpy(np.float64)
    best = scores[int(np.argmax(wide.mean(axis=1)))]
    kept = np.isfinite(scores) & np.isfinite(best)
    groups = run.images.fields_of(pd.Series(wide.columns.astype(int)))
    intervals = paired_bootstraps(scores - best, groups, kept=kept, rng=np.random.default_rng(0))
    table = pd.DataFrame(
        {
            "trial_id": wide.index.astype(str),
            "n_images": [interval.n for interval in intervals],
            "difference": [interval.estimate for interval in intervals],
            "low": [interval.low for interval in intervals],
            "high": [interval.high for interval in intervals],
        }
    )
    table["is_best"] = (scores == best).all(axis=1, where=kept) & (table["n_images"] > 0)
    table["tied"] = (table["low"] <= 0) & (table["high"] >= 0)
    return table.sort_values("difference", ascending=False, ignore_index=True)


def show_ties(table: pd.DataFrame) -> pd.DataFrame:
    """Lay a `ties_table` out, a row per quality and metric; the CSV file holds every trial."""
    shown = []
    for (quality, metric), rows in table.groupby(["input_quality", "metric"], sort=False):
        tied = rows[rows["tied"] & ~rows["is_best"]].to_dict("records")
        named = "; ".join(_show(row) for row in tied[:N_NAMED])
        more = f"; {len(tied) - N_NAMED} more" if len(tied) > N_NAMED else ""
        shown.append(
            {
                "quality": str(quality),
                "metric": METRIC_TITLES[str(metric)],
                "best": ", ".join(rows.loc[rows["is_best"], "trial_id"]),
                "images": str(rows["n_images"].max()),
                "tied with it": f"{len(tied)} of {len(rows) - 1}",
                "which (difference and its interval)": f"{named}{more}" or "none",
            }
        )
    return pd.DataFrame(shown)


def _show(row: Row) -> str:
    form = COMPARED[row["metric"]]
    reach = f"{form.format(row['low'])} to {form.format(row['high'])}" if np.isfinite(row["low"]) else "unknown"
    return f"{row['trial_id']} ({form.format(row['difference'])}, {reach})"

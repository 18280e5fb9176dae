"""The table of rivals: what each way to keep an image needs to be as good as JPEG-75, and whether restoring wins."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.cell import FORMATS, REACHES, Row, show_percent
from analysis.pick import N_REQUIREMENTS, Pick
from analysis.rivals import CODEC, JPEG, RESTORED, TITLES, Rivals, title_of
from analysis.run import Run
from analysis.statistics import ratio_bootstrap
from analysis.tables.table import Table
from analysis.verdict import BARS, MEASURED, PSNR, REFERENCE, verdicts

NOT_REACHED = "not reached"
PICKED, CLOSEST = "the pick", "closest to a pick"
SEED = 0  # of the bootstrap


def rivals_tables(run: Run, rivals: Rivals, pick: Pick) -> dict[str, Table]:
    """Return the table that compares, with its verdicts below, and the one of every setting; none without points."""
    if rivals.points.empty:
        return {}
    numbers = rivals_table(rivals, pick, run.reference_quality)
    quality, n_images = run.reference_quality, int(numbers["n_images"].max())
    title = f"What needs fewer bytes than JPEG-{quality} and is as good, over the same {n_images} test images"
    below = (*verdicts(numbers, quality), *_reading(rivals, n_images, quality))
    ladder = rivals.points.sort_values(["kind", "name", "setting"], ignore_index=True)
    every = f"Every codec and finalist at every setting, over the same {n_images} test images, whole"
    return {
        "rivals": Table(numbers, show_rivals(numbers, quality), below, title),
        "rivals_ladder": Table(ladder, show_ladder(ladder), (), every),
    }


def rivals_table(rivals: Rivals, pick: Pick, reference_quality: int) -> pd.DataFrame:
    """Tabulate, for each codec and each of BARS, the lowest setting that reaches it; then restoring, then the pick.

    Returns the columns of `analysis.rivals.rival_points` and bar; holds: "mean" or why there is none; role: the pick,
    or what came closest; saved_percent, saved_low, saved_high: bytes saved against the reference's files of the same
    images, with the paired bootstrap interval.
    """
    points, names = rivals.points, [name for name in TITLES if name in rivals.points["name"].unique() and name != JPEG]
    names += sorted(set(points.loc[points["kind"] == CODEC, "name"]) - set(names))
    reference = points[(points["name"] == JPEG) & (points["setting"] == reference_quality)]
    rows: list[dict[Any, Any]] = [{**reference.iloc[0].to_dict(), "bar": REFERENCE, "holds": MEASURED}]
    for name in names:
        rows += [_lowest(points[points["name"] == name], bar) for bar in BARS]
    rows += [{"name": name, "kind": CODEC, "holds": f"not run, {why}"} for name, why in rivals.not_run.items()]
    restored = points[(points["kind"] == RESTORED) & (points["setting"] < reference_quality)]
    if not restored.empty:
        rows += [_lowest(restored, bar) for bar in BARS]
    rows = _with_pick(rows, restored, pick)
    return pd.DataFrame([{**row, **_saving(row, rivals.files, reference_quality)} for row in rows])


def show_rivals(table: pd.DataFrame, reference_quality: int) -> pd.DataFrame:
    """Lay a `rivals_table` out."""
    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "kept as": [title_of(row) for row in rows],
            "as good by": [_known(row["bar"]) for row in rows],
            "setting": [row["holds"] if row["holds"] != MEASURED else str(int(row["setting"])) for row in rows],
            "mean bytes": [_number(row["mean_bytes"], "{:.0f}") for row in rows],
            f"saved against JPEG-{reference_quality}": [_show_saving(row) for row in rows],
            **_show_measures(rows),
        }
    )


def show_ladder(ladder: pd.DataFrame) -> pd.DataFrame:
    """Lay the points of `analysis.rivals.rival_points` out."""
    rows = ladder.to_dict("records")
    return pd.DataFrame(
        {
            "kept as": [title_of(row) for row in rows],
            "setting": [str(row["setting"]) for row in rows],
            "mean bytes": [_number(row["mean_bytes"], "{:.0f}") for row in rows],
            **_show_measures(rows),
        }
    )


def _lowest(points: pd.DataFrame, bar: str) -> dict[Any, Any]:
    """Return the point of fewest bytes that reaches a bar, or say that none does."""
    reached = points[points["reaches_psnr"] if bar == PSNR else points["n_reached"] == N_REQUIREMENTS]
    if reached.empty:
        name = points["name"].iloc[0] if points["name"].nunique() == 1 else "a finalist"
        return {"name": name, "kind": points["kind"].iloc[0], "bar": bar, "holds": NOT_REACHED}
    best = reached.sort_values(["mean_bytes", "name"]).iloc[0]
    return {**best.to_dict(), "bar": bar, "holds": MEASURED}


def _with_pick(rows: list[dict[Any, Any]], restored: pd.DataFrame, pick: Pick) -> list[dict[Any, Any]]:
    """Mark the row of the pick, or of what came closest to one; add it where it is not there yet."""
    closest = next(iter(pick.evidence), None)
    if pick.quality is not None:
        wanted, role = (pick.trial_id, pick.quality), PICKED
    elif closest is not None:
        wanted, role = (closest["trial_id"], closest["input_quality"]), CLOSEST
    else:
        return rows
    marked = [{**row, "role": role if (row.get("name"), row.get("setting")) == wanted else ""} for row in rows]
    own = restored[(restored["name"] == wanted[0]) & (restored["setting"] == wanted[1])]
    if own.empty or any(row["role"] for row in marked):
        return marked
    return [*marked, {**own.iloc[0].to_dict(), "bar": "", "holds": MEASURED, "role": role}]


def _saving(row: Mapping[str, Any], files: pd.DataFrame, reference_quality: int) -> dict[str, float]:
    if row["holds"] != MEASURED:
        return {}
    own, reference = (
        files[(files["name"] == name) & (files["setting"] == setting) & (files["region"] == "full")].set_index("image")
        for name, setting in ((row["name"], row["setting"]), (JPEG, reference_quality))
    )
    both = own.join(reference["file_bytes"].rename("reference_bytes"), how="inner")
    saved = ratio_bootstrap(
        both["reference_bytes"] - both["file_bytes"], both["reference_bytes"], rng=np.random.default_rng(SEED)
    )
    return {"saved_percent": 100 * saved.estimate, "saved_low": 100 * saved.low, "saved_high": 100 * saved.high}


def _reading(rivals: Rivals, n_images: int, reference_quality: int) -> tuple[str, ...]:
    lowest = rivals.points[rivals.points["kind"] == CODEC].groupby("name")["setting"].agg(["min", "max"])
    tried = ", ".join(f"{TITLES.get(str(name), name)} {row['min']} to {row['max']}" for name, row in lowest.iterrows())
    missing = [f"{TITLES.get(name, name)}: not run, {why}" for name, why in rivals.not_run.items()]
    return (
        *missing,
        f"Of each codec the setting of fewest bytes that reaches what JPEG-{reference_quality} has, on a scale that is "
        f"the codec's own; tried: {tried}. Everything else is as Pillow saves it. Bytes saved: with the 95 % interval "
        f"of a paired bootstrap over {n_images} images. Decoding: one thread, the median of three an image.",
    )


def _show_saving(row: Row) -> str:
    if row["holds"] != MEASURED or row["bar"] == REFERENCE:
        return ""
    spread = f" ({row['saved_low']:.1f} to {row['saved_high']:.1f})" if np.isfinite(row["saved_low"]) else ""
    return show_percent(row["saved_percent"]) + spread


def _show_measures(rows: list[dict[Any, Any]]) -> dict[str, list[str]]:
    return {
        "PSNR, dB": [_number(row["psnr_db"], FORMATS["psnr_db"]) for row in rows],
        "SSIM": [_number(row["ssim"], FORMATS["ssim"]) for row in rows],
        "means reached": [_reached(row["n_reached"]) for row in rows],
        "decoding, ms": [_number(row["decode_ms"], "{:.1f}") for row in rows],
        "restoring, ms": [_restoring(row) for row in rows],
        "images": [_number(row["n_images"], "{:.0f}") for row in rows],
    }


def _reached(n_reached: float) -> str:
    if pd.isna(n_reached):
        return ""
    return f"{n_reached:.0f} of {N_REQUIREMENTS}" + (f" {REACHES}" if n_reached == N_REQUIREMENTS else "")


def _restoring(row: Row) -> str:
    if row["kind"] != RESTORED or row.get("holds", MEASURED) != MEASURED:
        return ""
    return "unknown" if pd.isna(row["restore_ms"]) else f"{row['restore_ms']:.1f} on {row['restored_on']}"


def _number(value: float, form: str) -> str:
    return "" if pd.isna(value) else form.format(value)


def _known(text: Any) -> str:
    return text if isinstance(text, str) else ""

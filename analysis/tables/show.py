"""How cells of a run's tables are shown: a function of a row of the frame each, and the lines below."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.codecs import RESTORED, TITLES, title_of
from analysis.decide import N_REQUIREMENTS
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL
from analysis.run import LINEAR
from analysis.study import CHOICE
from analysis.tables.frames import N_TRIALS, ties_frame
from analysis.tables.layout import MEAN, legend
from analysis.tables.spec import (
    GAIN_DIGITS,
    NOT_RUN,
    NOT_SCORED,
    TOO_FEW,
    UNKNOWN,
    Cell,
    Row,
    is_missing,
    write_bounds,
    write_mean,
    write_spread,
    write_value,
)
from search.spec import TrialStatus

NOT_TRIED = "\u2013"
N_NAMED = 5


def or_blank(row: Row, name: str, otherwise: str) -> Cell:
    """Show a count, or why there is none of all systems."""
    if is_missing(row[name]):
        return Cell("" if row["system"] else otherwise)
    return Cell(f"{row[name]:,}", row[name])


def with_bound(row: Row, name: str, form: str) -> Cell:
    """Show a gain with its lower bound in brackets."""
    low = TOO_FEW if is_missing(row[f"{name}_low"]) else f"{row[f'{name}_low']:{form}}"
    return Cell(f"{write_value(row[f'{name}_estimate'], form)} ({low})", row[f"{name}_low"])


def needed(row: Row, name: str) -> Cell:
    """Show how many it would take where a step fails."""
    if row["passes"]:
        return Cell("")
    return Cell("no number") if is_missing(row[name]) else Cell(f"{row[name]:,.0f}", row[name])


def reaching(row: Row) -> Cell:
    """Show a mean of the evidence."""
    left_out = f" (-{row['n_left_out']})" if row["n_left_out"] else ""
    return Cell(write_mean(row["metric"], row["mean"]) + left_out, row["mean"], reaches=bool(row["reaches"]))


def gain(row: Row) -> Cell:
    """Show a gain over the reference with its interval."""
    form = GAIN_DIGITS[row["metric"]]
    bounds = write_bounds(row["gain_low"], row["gain_high"], form)
    return Cell(f"{write_value(row['gain'], form)} ({bounds})", row["gain"])


def reached(row: Row) -> Cell:
    """Show how many of the means reach the reference's."""
    n_reached = int(row["n_reached"])
    return Cell(f"{n_reached} of {N_REQUIREMENTS}", n_reached, reaches=n_reached == N_REQUIREMENTS)


def codecs_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate the ways to keep an image, fewest bytes first, and the codecs that were not run."""
    ways = findings.codecs.ways
    role = {findings.pick.trial_id: " (the pick)"} if findings.pick.quality else {}
    titles = [title_of(n, k) + role.get(n, "") for n, k in zip(ways["name"], ways["kind"], strict=True)]
    table = ways.assign(title=titles, holds=MEAN)
    table = table.drop(index=table[table["kind"] == RESTORED].index[N_TRIALS:])
    missing = [
        {"name": name, "kind": "codec", "title": TITLES.get(name, name), "holds": f"{NOT_RUN}, {why}"}
        for name, why in findings.codecs.not_run.items()
    ]
    return pd.concat([table, pd.DataFrame(missing)], ignore_index=True) if missing and len(table) else table


def share(row: Row, term: str) -> Cell:
    """Show bytes at parity with their interval."""
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]) if term == "all" else "")
    found = row[f"share_{term}"]
    bounds = write_bounds(row[f"{term}_low"], row[f"{term}_high"], ".0%")
    beyond = "≈ " if term == "all" and not row["is_measured"] else ""
    return Cell(UNKNOWN if is_missing(found) else f"{beyond}{found:.0%} ({bounds})", found)


def restoring(row: Row) -> Cell:
    """Show how long restoring takes, and on what."""
    if row["kind"] != RESTORED:
        return Cell("")
    time_ms = row["restore_ms"]
    return Cell(UNKNOWN) if is_missing(time_ms) else Cell(f"{time_ms:.1f} on {row['restored_on']}", time_ms)


def codecs_below(findings: Findings, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say which codecs were tried how, and what they come to."""
    points = findings.codecs.points
    tried = points[points["kind"] == "codec"].groupby("name")["setting"].agg(["min", "max"])
    listed = ", ".join(f"{TITLES.get(str(name), name)} {row['min']} to {row['max']}" for name, row in tried.iterrows())
    line = (
        "≈: beyond the settings that were tried, by at most a factor of two. Settings are on the codec's own scale; "
        f"tried: {listed or 'none'}. Everything else is as Pillow saves it. In brackets the 95 % interval of a "
        "bootstrap over fields, of the best three restorers. Decoding: one thread, the median of three an image."
    )
    return tuple(filter(None, (findings.codecs.verdict, line)))


def matrix_parity(row: Row) -> Cell:
    """Show the bytes at parity of a place of the matrix."""
    if is_missing(row["share"]):
        return Cell(str(row["holds"]).replace(MEAN, UNKNOWN))
    beyond = "" if row["is_measured"] else "≈ "
    return Cell(f"{beyond}{row['share']:.0%}", row["share"], bool(row["has_best_share"]), marks=row["mark"])


def matrix_means(row: Row) -> Cell:
    """Show mean PSNR and SSIM of a place of the matrix."""
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]))
    text = UNKNOWN if is_missing(row["psnr_db"]) else f"{row['psnr_db']:.2f} · {write_mean('ssim', row['ssim'])}"
    return Cell(text, row["psnr_db"], bool(row["is_best"]), marks=row["mark"])


def matrix_below(findings: Findings, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say how the matrix is read."""
    has_linear = (frame["network"] == "linear filter").any()
    lines = [
        f"Over up to {frame.loc[frame['holds'] == MEAN, 'n_images'].max():.0f} images. Bold: the best by its smallest "
        f"margin of the four means, or by bytes. {NOT_TRIED}: not tried. {BASELINE_LABEL} stands in every column"
        + (", the linear filter in those of its own training quality." if has_linear else ".")
    ]
    lines += legend("".join(frame["mark"]))
    lines += ["≈: beyond the qualities that were scored."] if frame["is_measured"].eq(False).any() else []
    return (*lines, *([CHOICE] if (frame["n_trials"] > 1).any() else []))


def n_more(findings: Findings, split: str) -> tuple[str, ...]:
    """Say how many trials a table does not show."""
    n_trials = len(findings.run.finalists if split == "test" else findings.run.trials)
    more = f"The best {N_TRIALS} of {n_trials} trials; tables/cells.parquet holds all."
    return (more,) if n_trials > N_TRIALS else ()


def change(row: Row) -> Cell:
    """Show what restoring changes in the mean, and of how many images it makes that metric better."""
    if is_missing(row["n_changed"]) or not row["n_changed"]:
        return Cell(NOT_SCORED)
    n_changed = int(row["n_changed"])
    text = write_spread(row["metric"], row["change"], row["change_sd"], row["change_high"], n_changed)
    signed = text if text.startswith(("-", UNKNOWN)) else f"+{text}"
    improved = "" if is_missing(row["change"]) else f", {row['improved_percent']:.1f} % of {n_changed}"
    return Cell(f"{signed}{improved}", row["change"])


def named_ties(findings: Findings) -> pd.DataFrame:
    """Tabulate, for each split, quality and metric, the best trial and which others cannot be told from it."""
    frame, rows, place = ties_frame(findings), [], ["trained_on", "input_quality", "metric"]
    for key, own in frame.groupby(place, sort=False) if len(frame) else ():
        others = own[~own["is_best"]]
        is_unknown, tied = others["tied"].isna().all(), others[others["tied"].eq(True)]
        form = "+.3f" if key[2] == "psnr_db" else "+.5f"
        named = [
            f"{row['trial_id']} ({row['difference']:{form}}, {write_bounds(row['low'], row['high'], form)})"
            for row in tied.head(N_NAMED).to_dict("records")
        ]
        more = f"; {len(tied) - N_NAMED} more" if len(tied) > N_NAMED else ""
        counted = "too few fields to tell" if is_unknown else f"{len(tied)} of {len(others)}"
        which = f"{'; '.join(named)}{more}" or ("" if is_unknown else "none")
        best = ", ".join(own.loc[own["is_best"], "trial_id"])
        rows.append((*key, best, int(own["n_images"].max()), counted, which))
    return pd.DataFrame(rows, columns=[*place, "best", "n_images", "tied", "which"])


def setting(row: Row, name: str) -> Cell:
    """Show a setting, which JPEG as it is has none of."""
    return Cell(NOT_TRIED) if row["architecture"] == "identity" else Cell(str(row[name]), row[name])


def beside_linear(row: Row) -> Cell:
    """Say where a network does not beat the linear filter."""
    if row["architecture"] in ("identity", LINEAR):
        return Cell("")
    return Cell("under it" if row["under_linear"] else "", bool(row["under_linear"]))


def epochs(row: Row) -> Cell:
    """Show how long the trial of a cell was trained, and how that ended."""
    if row["status"] == NOT_RUN:
        return Cell(NOT_RUN)
    if is_missing(row["epochs_run"]):  # a source that does not say
        return Cell(UNKNOWN)
    allowed = "" if is_missing(row["epochs_allowed"]) else f"/{row['epochs_allowed']:.0f}"
    status = "" if row["status"] == TrialStatus.COMPLETED else f", {row['status']}"
    odd = f", {row['unfit']}" if row["unfit"] and row["unfit"] != row["status"] else ""
    others = f" (1 of {row['n_trials']:.0f})" if row["n_trials"] > 1 else ""
    return Cell(f"{row['epochs_run']:.0f}{allowed}{status}{odd}{others}", row["epochs_run"])


def size(row: Row) -> Cell:
    """Show the mean size of files with its spread."""
    if is_missing(row["sd_kb"]):
        return Cell(f"{row['mean_kb']:.2f} (one image)", row["mean_kb"])
    half = "" if is_missing(row["high_kb"]) else f" ±{row['high_kb'] - row['mean_kb']:.2f}"
    return Cell(f"{row['mean_kb']:.2f}{half} ({row['sd_kb']:.2f})", row["mean_kb"])


def suspects_below(owner: Any, frame: pd.DataFrame) -> Sequence[str]:
    """Say how many trials are kept out."""
    out = {trial for trials in frame.loc[frame["kept_out"], "trials"] for trial in trials.split()}
    return (f"{len(out)} of {len(owner.study.trials)} trials are kept out of what is best, and of conclusions.",)

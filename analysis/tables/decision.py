"""The tables that a decision rests on, and what the means give away."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from analysis.codecs import RESTORED, TITLES, title_of
from analysis.decide import METRIC_TITLES, N_REQUIREMENTS, RULE, candidates_of, evidence_of
from analysis.findings import Findings
from analysis.records import fidelity_sentence
from analysis.suspects import Oddity
from analysis.tables.formats import FEW, GAIN_DIGITS, MEAN, NOT_RUN, is_missing, write_bounds, write_mean, write_value
from analysis.tables.models import N_TRIALS
from analysis.tables.spec import Cell, Layout, Row, Table, lay_out


def decision_tables(findings: Findings) -> list[Table | None]:
    """Return the tables of the decisions and of other codecs."""
    pick, unequal = findings.pick, fidelity_sentence(findings.run.finalists)
    words = {
        **{"reference": f"JPEG-{findings.run.reference_quality}", "model": findings.strict.model, "rule": RULE},
        **{"what": "The pick" if pick.quality else "What came closest", "unequal": unequal},
        "whose": f"quality {pick.closest[1]}, {pick.closest[0]}" if pick.closest else "",
    }
    points = findings.codecs.points
    tried = points[points["kind"] == "codec"].groupby("name")["setting"].agg(["min", "max"])
    listed = ", ".join(f"{TITLES.get(str(name), name)} {row['min']} to {row['max']}" for name, row in tried.iterrows())
    words |= {"verdict": findings.codecs.verdict, "tried": listed or "none"}
    few = bool(findings.codecs.ways["all_low"].isna().all())  # else only the best restorers have an interval
    layout = Layout(SHOWS | {"share": partial(_share, few=few)})
    frames = {
        "strict_steps": pd.DataFrame(list(findings.strict.steps)),
        "evidence": evidence_of(findings.cells, pick),
        "codecs": _codecs_frame(findings),
        "candidates": candidates_of(findings.run, findings.cells, findings.suspects),
        "codec_settings": points.sort_values(["kind", "name", "setting"], ignore_index=True),
    }
    return [lay_out(entry, frame, layout, words) for entry, frame in frames.items()]


def suspects_table(oddities: Sequence[Oddity], n_trials: int) -> Table | None:
    """Return the table of what means give away, of a run or of a printed source."""
    rows = [(o.kind, " ".join(o.trials), o.where, o.kept_out, o.sentence) for o in oddities]
    frame = pd.DataFrame(rows, columns=["kind", "trials", "where", "kept_out", "sentence"])
    out = {trial for oddity in oddities if oddity.kept_out for trial in oddity.trials}
    return lay_out("suspects", frame, words={"n_out": len(out), "n_trials": n_trials})


def _with_bound(row: Row, name: str) -> Cell:
    form = {"psnr_db": "+.3f", "ssim": "+.5f"}[name]
    low = row[f"{name}_low"]
    without = "" if is_missing(row[f"{name}_estimate"]) else FEW
    return Cell(f"{write_value(row[f'{name}_estimate'], form)}{write_bounds(low, None, form, without)}", low)


def _needed(row: Row, name: str) -> Cell:
    if row["passes"]:
        return Cell("")
    return Cell("no number") if is_missing(row[name]) else Cell(f"{row[name]:,.0f}", row[name])


def _reaching(row: Row, name: str) -> Cell:
    left_out = f" (-{row['n_left_out']})" if row["n_left_out"] else ""
    return Cell(write_mean(row["metric"], row[name]) + left_out, row[name], reaches=bool(row["reaches"]))


def _gain(row: Row, name: str) -> Cell:
    form = GAIN_DIGITS[row["metric"]]
    without = "" if is_missing(row[name]) else FEW
    bounds = write_bounds(row[f"{name}_low"], row[f"{name}_high"], form, without)
    return Cell(f"{write_value(row[name], form)}{bounds}", row[name])


def _reached(row: Row, name: str) -> Cell:
    n_reached = int(row[name])
    return Cell(f"{n_reached} of {N_REQUIREMENTS}", n_reached, reaches=n_reached == N_REQUIREMENTS)


def _share(row: Row, term: str, few: bool) -> Cell:
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]) if term == "all" else "")
    found = row[f"share_{term}"]
    low, high = row[f"{term}_low"], row[f"{term}_high"]
    bounds = write_bounds(low, high, ".0%") if few or not is_missing(low) else ""
    beyond = "≈ " if term == "all" and not row["is_measured"] else ""
    return Cell(write_value(found) if is_missing(found) else f"{beyond}{found:.0%}{bounds}", found)


def _restoring(row: Row, name: str) -> Cell:
    if row["kind"] != RESTORED:
        return Cell("")
    on = "" if is_missing(row[name]) else f" on {row['restored_on']}"
    return Cell(write_value(row[name], ".1f") + on, row[name])


SHOWS: dict[str, Callable[[Row, str], Cell]] = {
    "with bound": _with_bound,
    "needed": _needed,
    "reaching": _reaching,
    "mean": lambda row, name: Cell(write_mean(row["metric"], row[name])),
    "gain": _gain,
    "reached": _reached,
    "where": lambda row, name: Cell(f"{row[name]}: {METRIC_TITLES[row['metric']]}"),
    "restoring": _restoring,
    "title": lambda row, name: Cell(title_of(row[name], row["kind"])),
}


def _codecs_frame(findings: Findings) -> pd.DataFrame:
    ways, pick = findings.codecs.ways, findings.pick
    role = {pick.trial_id: " (the pick)"} if pick.quality else {}
    titles = [title_of(n, k) + role.get(n, "") for n, k in zip(ways["name"], ways["kind"], strict=True)]
    table = ways.assign(title=titles, holds=MEAN)
    table = table.drop(index=table[table["kind"] == RESTORED].index[N_TRIALS:])
    missing = [
        {"name": name, "kind": "codec", "title": TITLES.get(name, name), "holds": f"{NOT_RUN}, {why}"}
        for name, why in findings.codecs.not_run.items()
    ]
    return pd.concat([table, pd.DataFrame(missing)], ignore_index=True) if missing and len(table) else table

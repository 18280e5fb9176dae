"""What two runs say beside each other: tables, short text for the terminal, and a folder of page and tables."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.compare import RunPair, deciding_rows, difference
from analysis.decide import METRIC_TITLES, as_json, in_words
from analysis.records import fidelity
from analysis.report.page import render
from analysis.report.report import write_folder
from analysis.tables.formats import GAIN_DIGITS, is_missing, write_bounds, write_value
from analysis.tables.spec import Cell, Layout, Row, Table, by_name, lay_out
from analysis.tables.write import to_text
from models.names import METRICS
from search.records import TrialRecord

ABSENT = "not told"
N_ROWS_PRINTED, N_LETTERS_PRINTED = 12, 44
PRINTED_METRICS = ("psnr_db", "ssim")
BETTER = {"A": "better in A", "B": "better in B", "same": "the same to the last digit", "": "not told apart"}
CHANCE = "Both were chosen by {} images such as these: the better one may be so by chance."


def pair_tables(pair: RunPair) -> dict[str, Table]:
    """Return the tables by the names of their files; one that would be empty is not there."""
    best = _best_frame(pair)
    named = "; ".join(f"{s}'s {f.best.trial_id} ({fidelity(f.best)})" for s, f in pair.sides if f.best)
    words = {"split": "" if best.empty else best["split"].iloc[0], "named": named}
    chance = (CHANCE.format(words["split"]),)  # a pick by means too: it was chosen on test images
    return by_name(
        lay_out("best_of_each", best, Layout(cell=_difference_cell, below=lambda frame: chance), words),
        lay_out("picks", _picks_frame(pair), Layout({"saved": _saved})),
        lay_out("trials_in_both", _shared_frame(pair), Layout(cell=_difference_cell)),
        lay_out("settings", _settings_frame(pair)),
    )


def summarise_pair(pair: RunPair, tables: Mapping[str, Table]) -> str:
    """Say in plain text what differs between two runs, and whether their best trials can be told apart."""
    words: dict[str, Any] = {"pair": pair, "legend": _legend(pair), "answers": _answers(pair)}
    words |= {"trials": trials_lines(pair, tables), "lacking": [s for s, found in pair.sides if found.best is None]}
    if "settings" in tables:
        settings = tables["settings"].frame
        first = settings.head(N_ROWS_PRINTED).astype(str)
        short = lay_out("settings", first.map(textwrap.shorten, width=N_LETTERS_PRINTED, placeholder="..."))
        words |= {"settings": short and to_text(short), "n_more": len(settings) - N_ROWS_PRINTED}
    if "best_of_each" in tables:
        best = tables["best_of_each"]
        rows = best.frame[best.frame["metric"].isin(PRINTED_METRICS) & (best.frame["region"] == "full")]
        shown = lay_out("best_printed", rows, Layout(cell=_difference_cell))
        words |= {"best": shown and to_text(shown), "title": best.title, "chance": best.below[1:]}
        words |= {"told_apart": told_apart(rows)}
    return render("pair.txt", **words)


def write_pair(pair: RunPair, tables: Mapping[str, Table], out: Path) -> Path:
    """Write two runs' comparison into OUT; returns the path of its page. Raises RunError as `write_folder` does."""
    page = render(
        "plain.html",
        title=f"Two runs: {' and '.join(pair.names)}",
        number=" and ".join(pair.names),
        headline=_legend(pair),
        facts=[(f"run {line[0]}", line[3:]) for line in _answers(pair)],
        warnings=trials_lines(pair, tables),
        sections={"picks": "The best of each", "trials": "Trials", "method": "The runs and notes"},
        names={"picks": ["best_of_each", "picks"], "trials": ["trials_in_both"], "method": ["settings"]},
        tables=tables,
        notes=pair.notes,
    )
    picks = {side: as_json(findings.pick, findings.strict) for side, findings in pair.sides}
    return write_folder(page, picks, tables, out)


def told_apart(rows: pd.DataFrame) -> str:
    """Say at how many qualities whole images tell the best trials apart."""
    lines = []
    for metric in PRINTED_METRICS:
        better = rows.loc[rows["metric"] == metric, "better"]
        wins = " and ".join(f"{side} is better at {(better == side).sum()}" for side in "AB" if (better == side).any())
        lines.append(f"{METRIC_TITLES[metric]}: {wins or 'not told apart at any'} of {len(better)} qualities")
    return "; ".join(lines) + "."


def trials_lines(pair: RunPair, tables: Mapping[str, Table]) -> list[str]:
    """Say how many trials are in both and how they differ, and how many are in one alone."""
    n_taken = sum(own == other for own, other in pair.in_both)
    lines = [f"Trials in both: {len(pair.in_both)}" + (f", of them taken over: {n_taken}" if n_taken else "") + "."]
    rows = tables["trials_in_both"].frame if "trials_in_both" in tables else pd.DataFrame()
    if "better" in rows:
        better = rows.loc[rows["metric"] == "psnr_db", "better"]
        counts = ", ".join(f"{(better == side).sum()} {what}" for side, what in BETTER.items())
        lines[0] += f" By PSNR of whole images: {counts}."
    for side, findings in pair.sides:
        records, measure = pair.only_in(side), findings.run.ranking.measure
        best = f", the best of them by {measure} {records[0].trial_id}" if records else ""
        lines.append(f"Trials in {side} alone: {len(records)}{best}.")
    return lines


def _best_frame(pair: RunPair) -> pd.DataFrame:
    """Tabulate how far the best trial of either run differs, at every quality that both were scored at."""
    best_a, best_b = pair.a.best, pair.b.best
    if best_a is None or best_b is None or best_a.spec.encoder != best_b.spec.encoder:
        return pd.DataFrame()
    split, pairs = deciding_rows(pair.paired(best_a.trial_id, best_b.trial_id))
    rows: list[dict[str, Any]] = []
    for (quality, region), group in pairs.groupby(["input_quality", "region"]):
        place = {"split": split, "region": region, "input_quality": quality, "n_both": group["image"].nunique()}
        rows += [{**place, **difference(group, metric)} for metric in METRICS]
    # whole images first, highest quality first
    by = ["region", "input_quality"]
    return pd.DataFrame(rows).sort_values(by, ascending=False, kind="stable") if rows else pd.DataFrame()


def _picks_frame(pair: RunPair) -> pd.DataFrame:
    """Tabulate the decisions of either run by either rule: run, rule, quality, trial_id, saved..., n_images, answer."""
    rows = []
    for side, findings in pair.sides:
        pick, strict = findings.pick, findings.strict
        by_means = (pick, pick.trial_id, " ".join((pick.sentence(), *pick.warnings)))
        strictly = (strict, strict.model or None, strict.sentence())
        for rule, (found, trial_id, answer) in (("means", by_means), ("strict", strictly)):
            quality, saved = found.quality, found.saved
            bounds = {"saved": saved and saved.estimate, "low": saved and saved.low, "high": saved and saved.high}
            row = {"run": side, "rule": rule, "quality": quality or "none", "trial_id": trial_id or "none"}
            rows.append({**row, **bounds, "n_images": found.n_images, "answer": answer})
    return pd.DataFrame(rows)


def _shared_frame(pair: RunPair) -> pd.DataFrame:
    """Tabulate how far the trials of both runs differ on whole images, over all qualities that both were scored at."""
    rows = []
    for own, other in pair.in_both:
        same = own == other
        pairs = pair.paired(own.trial_id, other.trial_id)
        split, pairs = deciding_rows(pairs[pairs["region"] == "full"])
        facts = {"trial_id": own.trial_id, "words_a": _words(own), "images": f"{pairs['image'].nunique()} {split}"}
        facts |= {"words_b": "the same record: taken over" if same else _words(other)}
        for metric in METRICS:
            rows.append({**facts, "same_record": same, **({"metric": metric} if same else difference(pairs, metric))})
    return pd.DataFrame(rows)


def _settings_frame(pair: RunPair) -> pd.DataFrame:
    """Tabulate the facts of run.json that differ: setting, A, B."""
    flat = [dict(_flat("", findings.run.facts)) for _, findings in pair.sides]
    rows = {name: tuple(facts.get(name, ABSENT) for facts in flat) for name in dict.fromkeys([*flat[0], *flat[1]])}
    rows = {name: values for name, values in rows.items() if values[0] != values[1]}
    once = {name for name in rows if rows.get(name.removeprefix("options.")) != rows[name] or "options." not in name}
    return pd.DataFrame([{"setting": name, "A": a, "B": b} for name, (a, b) in rows.items() if name in once])


def _difference_cell(row: Row) -> Cell:
    """Show a difference, its interval and the better run where it can be told: "+0.12 (+0.05 to +0.20) B"."""
    if row.get("same_record") is True:
        return Cell("taken over")
    if is_missing(row["difference"]):
        return Cell("unknown")
    form = GAIN_DIGITS[row["metric"]]
    bounds = " (one image)" if row["n_images"] == 1 else write_bounds(row["low"], row["high"], form)
    left_out = f" (-{row['n_left_out']:.0f})" if row["n_left_out"] else ""
    return Cell(f"{row['difference']:{form}}{bounds}{left_out}", row["difference"], marks=str(row["better"]))


def _saved(row: Row, name: str) -> Cell:
    if is_missing(row[name]):
        return Cell("none")
    return Cell(f"{row[name]:.1f} %" + write_bounds(row["low"], row["high"], ".1f", ""), row[name])


def _answers(pair: RunPair) -> list[str]:
    return [f"{side}: {in_words(findings.pick, findings.strict)}" for side, findings in pair.sides]


def _legend(pair: RunPair) -> str:
    names = "; ".join(f"{side} is {name}" for side, name in zip("AB", pair.names, strict=True))
    return f"{names}. Images in both: {len(pair.images)}. A difference is B minus A."


def _words(record: TrialRecord) -> str:
    return f"{fidelity(record)}, {record.status}, margin {write_value(record.margin, '+.3f')}"


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    """List what JSON holds by dotted names; a list is one text."""
    if isinstance(value, Mapping) and value:
        return [item for key, inner in value.items() for item in _flat(f"{name}.{key}" if name else str(key), inner)]
    if isinstance(value, list):
        return [(name, "; ".join(", ".join(text for _, text in _flat("", item)) for item in value) or "none")]
    return [(name, "none" if value in (None, {}) else str(value))]

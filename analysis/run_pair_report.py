"""What two runs say beside each other: short text for the terminal, and a folder of page and tables."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from analysis.folder import Folder, write_folder
from analysis.labels import METRIC_TITLES
from analysis.markup import to_text
from analysis.page import Section, build_page, bullets, paragraph, titled_table
from analysis.run_pair import RunPair
from analysis.tables.run_pair import SIDES
from analysis.tables.table import Table

N_ROWS_PRINTED = 12
N_LETTERS_PRINTED = 44
PRINTED_METRICS = ("psnr_db", "ssim")
CHAPTERS = {
    "picks": ("picks", "best_of_each"),
    "trials": ("trials_in_both", "trials_in_one"),
    "runs": ("settings", "effort"),
}
TITLES = {"picks": "The picks and the best", "trials": "Trials", "runs": "The runs"}


def summarise_pair(pair: RunPair, tables: Mapping[str, Table]) -> str:
    """Say in plain text what differs between two runs, and whether their best trials can be told apart."""
    parts = [_legend(pair), *(f"note: {note}" for note in pair.notes), ""]
    for name in ("settings", "effort"):
        parts += _printed(tables[name]) if name in tables else ["The facts of both runs are the same.", ""]
    parts += [f"pick of {line}" for line in tables["picks"].below]
    parts += [""]
    if "best_of_each" in tables:
        best = tables["best_of_each"]
        titles = [METRIC_TITLES[metric] for metric in PRINTED_METRICS]
        whole = best.shown[best.shown["region"] == "full"][["quality", "images", *titles]]
        parts += [f"{best.title}, B - A:", "", to_text(whole), told_apart(best), *best.below[1:], ""]
    else:
        parts += [f"The best of each cannot be compared: {_why_no_best(pair)}.", ""]
    return "\n".join([*parts, *trials_lines(pair, tables)])


def write_pair(pair: RunPair, tables: Mapping[str, Table], out: Path) -> Path:
    """Write two runs' comparison into OUT; returns the path of its page. Raises RunError as `write_folder` does."""
    title = f"Two runs: {' and '.join(pair.names)}"
    above = [paragraph(_legend(pair)), bullets(pair.notes) if pair.notes else ""]
    above += [paragraph(line) for line in trials_lines(pair, tables)]
    sections = [Section("both", "In short", above)]
    for chapter, names in CHAPTERS.items():
        parts = [_titled(tables[name]) for name in names if name in tables]
        sections.append(Section(chapter, TITLES[chapter], parts or [paragraph("There is nothing to show.")]))
    picks = {side: json.loads(findings.pick.to_json()) for side, findings in zip(SIDES, (pair.a, pair.b), strict=True)}
    return write_folder(Folder(build_page(title, sections), json.dumps(picks, indent=2), tables), out)


def told_apart(best: Table) -> str:
    """Say at how many qualities whole images tell the best trials apart."""
    rows = best.numbers[best.numbers["region"] == "full"]
    said = []
    for metric in PRINTED_METRICS:
        better = rows.loc[rows["metric"] == metric, "better"]
        wins = " and ".join(f"{side} is better at {(better == side).sum()}" for side in SIDES if (better == side).any())
        said.append(f"{METRIC_TITLES[metric]}: {wins or 'not told apart at any'} of {len(better)} qualities")
    return "; ".join(said) + "."


def trials_lines(pair: RunPair, tables: Mapping[str, Table]) -> list[str]:
    """Say how many trials are in both and how they differ, and how many are in one alone."""
    n_taken = sum(own == other for own, other in pair.in_both)
    lines = [f"Trials in both: {len(pair.in_both)}" + (f", of them taken over: {n_taken}" if n_taken else "") + "."]
    rows = tables["trials_in_both"].numbers if "trials_in_both" in tables else pd.DataFrame()
    if "metric" in rows:
        better = rows.loc[rows["metric"] == "psnr_db", "better"]
        counts = {
            "better in A": (better == "A").sum(),
            "better in B": (better == "B").sum(),
            "the same to the last digit": (better == "same").sum(),
            "not told apart": (better == "").sum(),
        }
        lines[0] += f" By PSNR of whole images: {', '.join(f'{count} {what}' for what, count in counts.items())}."
    alone = {side: pair.only_in(side) for side in SIDES}
    for side, records in alone.items():
        best = f", the best of them by margin {records[0].trial_id}" if records else ""
        lines.append(f"Trials in {side} alone: {len(records)}{best}.")
    return lines


def _why_no_best(pair: RunPair) -> str:
    sides = zip(SIDES, (pair.a, pair.b), strict=True)
    lacking = " and ".join(side for side, findings in sides if findings.best is None)
    if lacking:
        return f"no trial of {lacking} has scores and is free of suspicion"
    return "there is no image with scores of both"


def _titled(table: Table) -> str:
    return titled_table(table.title, "", table.shown, table.below)


def _legend(pair: RunPair) -> str:
    names = "; ".join(f"{side} is {name}" for side, name in zip(SIDES, pair.names, strict=True))
    return f"{names}. Images in both: {len(pair.images)}. A difference is B minus A."


def _printed(table: Table) -> list[str]:
    shown = table.shown.head(N_ROWS_PRINTED).map(_shortened)
    more = len(table.shown) - len(shown)
    return [f"{table.title}:", "", to_text(shown), *([f"(further rows, in the report: {more})"] if more else [])]


def _shortened(text: object) -> str:
    words = " ".join(str(text).split())
    return words if len(words) <= N_LETTERS_PRINTED else f"{words[: N_LETTERS_PRINTED - 3]}..."

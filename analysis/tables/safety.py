"""The table of safety: what each finalist may do to what is looked for, as the card in its model file says."""

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from analysis.findings import Findings
from analysis.records import label
from analysis.tables.spec import Cell, Layout, Row, Table, lay_out, read_catalogue
from models.restoring.model_file import FINALISTS_IN_RUN, SUFFIX, ModelFileError, read_model_file

PSNR = {"jpeg": "JPEG as it is", "off": "restored, not projected", "wide": "restored and projected"}
COLUMNS = ("measure", "limit", "number", "form", "is_beyond")
NONE, BEYOND = "none", "\u2021"


def safety_table(findings: Findings) -> Table | None:
    """Return the table of safety, a column for each finalist."""
    frame = _frame(findings)
    told = {name: sorted(frame[name].dropna().unique()) for name in ("quality", "n_images") if name in frame}
    words = {name: ", ".join(map(str, values)) for name, values in told.items()}
    marked = f"{BEYOND} beyond the proposed limit."
    layout = Layout(cell=_cell, below=lambda rows: (marked,) if rows["is_beyond"].any() else ())
    return lay_out("safety", frame, layout, words)


def beyond_sentence(table: Table | None, trials: Collection[str]) -> str:
    """Say what of the cards of trials is beyond its proposed limit; empty where nothing is."""
    if table is None:
        return ""
    frame = table.frame[table.frame["trial_id"].isin(list(trials)) & table.frame["is_beyond"]]
    told = (f"{row['measure']} ({_cell(row).text}, {row['limit']})" for row in frame.to_dict("records"))
    return f"The safety card is beyond its proposed limits: {'; '.join(told)}." if len(frame) else ""


def _frame(findings: Findings) -> pd.DataFrame:
    """Return a row per finalist that has a card and measure: its number, how that is written, its limit."""
    rows: list[dict[str, Any]] = []
    for record in findings.run.finalists:
        try:
            facts = read_model_file(findings.run.path / FINALISTS_IN_RUN / f"{record.trial_id}{SUFFIX}").facts
        except ModelFileError:
            continue  # a run of an earlier version has none
        card = facts.get("safety")
        named = {"trial_id": record.trial_id, "trial": label(record)}
        rows += [named | row for row in _rows(card)] if isinstance(card, dict) else []
    return pd.DataFrame(rows)


def _rows(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    proposed, beyond = card.get("proposed", {}), card.get("beyond_proposed", ())
    rows = []
    for name, (words, form) in read_catalogue()["safety"]["measures"].items():
        bound = "at least" if name.startswith("least_") else "at most"
        limit = f"{bound} {proposed[name]:{form}}" if name in proposed else ""
        rows.append((words, limit, card.get(name), form, name in beyond))
    for quality, means in card.get("projection", {}).items():
        psnr = f"PSNR at quality {quality}"
        rows += [(f"{psnr}, {words}, dB", "", means.get(f"psnr_db_{way}"), ".3f", False) for way, words in PSNR.items()]
    said = {"quality": card.get("quality"), "n_images": card.get("n_images")}
    return [{**dict(zip(COLUMNS, row, strict=True)), **said} for row in rows]


def _cell(row: Row) -> Cell:
    number = row["number"]
    if number is None or pd.isna(number):
        return Cell(NONE)
    return Cell(format(number, row["form"]), number, marks=BEYOND if row["is_beyond"] else "")

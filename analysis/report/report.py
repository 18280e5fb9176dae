"""The report of a run: the folder that page, tables, figures and decision are written to."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis import strict
from analysis.cells import ALL
from analysis.checks import RunError
from analysis.decide import RULE, as_json
from analysis.figures.catalogue import CATALOGUE, collect_figures, figures_of
from analysis.figures.picture import Picture
from analysis.figures.samples import before_after
from analysis.findings import Findings
from analysis.records import label
from analysis.report.page import render
from analysis.tables.catalogue import SECTIONS, tables_of
from analysis.tables.safety import beyond_sentence
from analysis.tables.spec import Table
from analysis.tables.write import WRITERS
from analysis.viewable import floor_of

PAGE, PICK, CELLS = "index.html", "pick.json", "tables/cells.parquet"


def write_report(findings: Findings, out: Path) -> Path:
    """Write the report of a run into OUT, replacing an earlier report; returns the path of its page.

    Nothing appears at OUT before the report is complete. Raises RunError when OUT is something else than a report.
    """
    require_report_place(out.resolve())  # before the figures, which take longest
    with figures_of(findings) as figures:
        tables = tables_of(findings)  # while they are drawn
        pictures, picture_notes = collect_figures(figures)
    drawn_in = [spec.section for spec in CATALOGUE if spec.title in pictures]
    pick, strictly = findings.pick, findings.strict
    picked = strictly.trial_ids if strictly.quality else [pick.trial_id] if pick.quality and pick.trial_id else []
    tested = findings.cells[(findings.cells["split"] == "test") & (findings.cells["system"] != ALL)]
    n_systems = tested["system"].nunique() or len(findings.run.facts["dataset"]["systems"])
    told = {"data", *drawn_in, *(table.section for table in tables.values())}
    page = render(
        "run.html",
        title=f"How low can the JPEG quality go? Run {findings.run.path.resolve().name}",
        sections={name: title for name, title in SECTIONS.items() if name in told} | {"method": "Method and notes"},
        findings=findings,
        slider=before_after(findings),
        figures=CATALOGUE,
        pictures=pictures,
        tables=tables,
        notes=[*findings.notes, *picture_notes, *findings.left_out],
        unsafe=beyond_sentence(tables.get("safety"), picked),
        finalists=[label(record) for record in findings.run.finalists],
        rule_by_means=RULE,
        strict_rule=strict.RULE,
        losses=strict.LOSSES,
        worse_share=strict.WORSE_SHARE,
        floor=floor_of(findings.run),
        n_systems=n_systems,
    )
    drawn = [picture for own in pictures.values() for picture in own]
    return write_folder(page, as_json(pick, strictly), tables, out, drawn, findings.cells)


def write_folder(
    page: str,
    pick: Mapping[str, Any],
    tables: Mapping[str, Table],
    out: Path,
    pictures: Iterable[Picture] = (),
    cells: pd.DataFrame | None = None,
) -> Path:
    """Write page, decision, tables and figures to OUT, replacing an earlier report; returns the path of its page.

    Nothing appears at OUT before it is complete. Raises RunError when OUT is something else than a report.
    """
    out = out.resolve()
    require_report_place(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial, earlier = (out.with_name(f".{out.name}.{os.getpid()}.{kind}") for kind in ("partial", "earlier"))
    try:
        for part in (partial / "tables", partial / "figures"):
            part.mkdir(parents=True)
        for table in tables.values():
            for ending, write in WRITERS.items():
                (partial / "tables" / f"{table.name}.{ending}").write_text(write(table), encoding="utf-8")
        if cells is not None:
            _write_cells(cells, partial / CELLS)
        for picture in pictures:
            (partial / "figures" / f"{picture.name}.png").write_bytes(picture.png)
            (partial / "figures" / f"{picture.name}.svg").write_bytes(picture.svg)
        (partial / PAGE).write_text(f"{page}\n", encoding="utf-8")
        (partial / PICK).write_text(f"{json.dumps(pick, indent=2, allow_nan=False)}\n", encoding="utf-8")
        if out.exists():
            out.rename(earlier)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(earlier, ignore_errors=True)
    return out / PAGE


def require_report_place(out: Path) -> None:
    """Raise RunError unless OUT is free, empty, or an earlier report."""
    free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not free and not (out / PICK).is_file():
        raise RunError(
            f"the report replaces only an earlier report, found something else at {out}; name another folder"
        )


def _write_cells(cells: pd.DataFrame, path: Path) -> None:
    """Write cells with words as categories and numbers of single precision; what follows from others is left away."""
    cells = cells.drop(columns=["step", "gain", "mean_beside_psnr"])
    words = ["trial_id", "split", "region", "system", "metric"]
    numbers = list(cells.select_dtypes("float64").columns)
    small = cells.astype({**dict.fromkeys(words, "category"), **dict.fromkeys(numbers, np.float32)})
    table = pa.Table.from_pandas(small, preserve_index=False)
    pq.write_table(table, path, compression="zstd", use_dictionary=words, use_byte_stream_split=numbers)

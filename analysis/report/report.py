"""The report of a run: what its page says, and the folder that page, tables, figures and decision are written to."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis import strict
from analysis.checks import RunError
from analysis.decide import RULE, to_json
from analysis.figures.catalogue import CATALOGUE, draw_figures
from analysis.figures.samples import before_after
from analysis.figures.style import Picture
from analysis.findings import Findings
from analysis.records import label
from analysis.report.page import Card, Item, Page, Section, build_page, grouped, listed
from analysis.strict import LOSSES, WORSE_SHARE
from analysis.tables.catalogue import SECTIONS, tables_of
from analysis.tables.spec import Table
from analysis.tables.write import WRITERS

PAGE, PICK, CELLS = "index.html", "pick.json", "tables/cells.parquet"
TITLES = {"decision": "Decision", "comparison": "Comparison", "trials": "Trials", "data": "Data"}
GROUPS = {  # how the names of tables begin that are folded together, and under which title
    "quality_": "Every mean by quality and model",
    "relative_": "What restoring changes of each image",
    "appendix_": "Losses beside each other, in the layout of the thesis",
    "training_quality_": "Training qualities beside each other, in the layout of the thesis",
}


def write_report(findings: Findings, out: Path) -> Path:
    """Write the report of a run into OUT, replacing an earlier report; returns the path of its page.

    Nothing appears at OUT before the report is complete. Raises RunError when OUT is something else than a report.
    """
    require_report_place(out.resolve())  # before the figures, which take longest
    pictures, picture_notes = draw_figures(findings)
    tables = tables_of(findings)
    page = page_of(findings, tables, pictures, [*findings.notes, *picture_notes, *findings.left_out])
    drawn = [picture for own in pictures.values() for picture in own]
    return write_folder(build_page(page), to_json(findings.pick, findings.strict), tables, out, drawn, findings.cells)


def page_of(
    findings: Findings, tables: Mapping[str, Table], pictures: Mapping[str, Sequence[Picture]], notes: Sequence[str]
) -> Page:
    """Lay out the page of a run. notes: all of them, those of the figures too."""
    sections = []
    for name in SECTIONS:
        items = [
            Item(spec.title, pictures=pictures[spec.title], is_open=not spec.is_folded)
            for spec in CATALOGUE
            if spec.section == name and spec.title in pictures
        ]
        beside: list[Picture] = []
        if name == "decision":
            beside = [picture for item in items[:2] for picture in item.pictures]
            items = items[2:] if len(items) > 1 else []
        own = [key for key, table in tables.items() if table.section == name]
        lone = [key for key in own if not key.startswith(tuple(GROUPS))]
        shown = listed(tables, lone)
        first = [item for item in shown if item.is_open]
        order = [*first[:1], *items, *first[1:]] if name == "decision" else [*first, *items]
        order += [item for item in shown if not item.is_open]
        for prefix, title in GROUPS.items():
            order += grouped(tables, [key for key in own if key.startswith(prefix)], title)
        lines = _data_lines(findings) if name == "data" else []
        sections.append(
            Section(name, TITLES[name], order, lines, beside, _errors(findings) if name == "trials" else ())
        )
    sections.append(Section("method", "Method and notes", lines=_method(findings)))
    title = f"How low can the JPEG quality go? Run {findings.run.path.resolve().name}"
    return Page(title, card_of(findings), sections, notes, before_after(findings))


def card_of(findings: Findings) -> Card:
    """Say the answer in one look: the number, by which rule, on what, what it is not shown for, and other codecs."""
    pick, demonstrated, reference = findings.pick, findings.strict, findings.run.reference_quality
    quality, saved, restorer = demonstrated.quality, demonstrated.saved, demonstrated.model
    by = "demonstrated by the strict rule, in every camera system and by every seed"
    if quality is None:
        quality, saved, restorer = pick.quality, pick.saved, str(pick.trial_id)
        by = "by the means of all four metrics, not demonstrated by the strict rule"
    if quality is None or saved is None:
        number, headline = f"No quality below {reference}", "No JPEG quality can be recommended: nothing is saved."
        by = "neither by means nor by the strict rule"
    else:
        bounds = f" (95 % interval {saved.low:.1f} to {saved.high:.1f} %)" if saved.has_bounds else ""
        few = "" if bounds else " (too few fields for an interval)"
        number = f"Quality {quality}: {saved.estimate:.1f} % fewer bytes"
        headline = f"than JPEG-{reference}{bounds}{few}, restored by {restorer}."
    facts = [("rule", by), ("on", _images(findings)), ("by means", pick.sentence())]
    facts.append(("strictly", demonstrated.sentence()))
    if demonstrated.fields_needed:
        facts.append(("needed", _needed(findings)))
    facts.append(("other codecs", findings.codecs.verdict or "not compared: no other codec was tried on these images."))
    return Card(number, headline, facts, _warnings(findings))


def _images(findings: Findings) -> str:
    run, n_images = findings.run, findings.pick.n_images
    systems = len(run.facts["dataset"]["systems"])
    kind = "synthetic" if run.is_synthetic else "real, as far as the description of the images tells,"
    described = str(run.facts["dataset"].get("description", "")) or "no description"
    plural = "" if systems == 1 else "s"
    return f"{n_images} {kind} test images of {systems} camera system{plural} ({described})."


def _needed(findings: Findings) -> str:
    found = findings.strict
    return (
        f"about {found.fields_needed:,} fields a camera system, {found.images_needed:,} test images, to demonstrate "
        "that "
        f"less than {LOSSES['psnr_db']} dB and {LOSSES['ssim']} of SSIM are lost and at most {WORSE_SHARE:.1%} of the "
        "fields hold an image more than 0.5 dB worse."
    )


def _warnings(findings: Findings) -> list[str]:
    lines = [*findings.pick.warnings]
    if findings.run.is_synthetic:
        lines.append("The images are synthetic: nothing here holds of a camera before it is measured with one.")
    under = findings.under_linear
    if under:
        named = ", ".join(sorted(under)[:5])
        more = f" and {len(under) - 5} more" if len(under) > 5 else ""
        lines.append(f"Under the linear filter, which takes seconds to fit: {named}{more}.")
    odd = list(findings.suspects.items())
    if odd:
        named = "; ".join(f"{trial} ({why})" for trial, why in odd[:5])
        lines.append(
            f"Suspect, and so not in figures or decisions: {named}{f'; {len(odd) - 5} more' if odd[5:] else ''}."
        )
    return lines


def _data_lines(findings: Findings) -> list[str]:
    dataset = findings.run.facts["dataset"]
    systems = ", ".join(f"{name} ({count})" for name, count in dataset["systems"].items())
    subsets = ", ".join(f"{count} {name}" for name, count in dataset["subsets"].items())
    described = str(dataset.get("description", ""))
    return [
        *([described] if described else []),
        f"{dataset['n_images']} images of {dataset['size_px']} x {dataset['size_px']} pixels from {dataset['path']} "
        f"(fingerprint {dataset['fingerprint']}). Camera systems: {systems}. Split {dataset['split']}: {subsets} "
        "images.",
        *_grouping(dataset),
        *_today(dataset),
    ]


def _grouping(dataset: Mapping[str, Any]) -> list[str]:
    """Say what grouped the images of a pack, and whether its groups were kept together; nothing of an older pack."""
    facts = dataset.get("grouping") or {}
    if not {"by", "n_grouped_images", "largest_group"} <= facts.keys() or not isinstance(facts["by"], dict):
        return []
    by = ", ".join(f"{str(way).replace('_', ' ')} ({count} groups)" for way, count in facts["by"].items())
    kept = "each on one side of a split" if dataset.get("division") == "grouped" else "divided regardless of groups"
    return [
        f"Images are grouped by {by}: {facts['n_grouped_images']} of {dataset['n_images']} images share a group with "
        f"others, the largest has {facts['largest_group']}; {kept}."
    ]


def _today(dataset: Mapping[str, Any]) -> list[str]:
    """Say what optimised Huffman tables alone would save of the files stored today; nothing where that is unknown."""
    today = dataset.get("today") or {}
    stored, optimised = today.get("mean_bytes"), today.get("mean_optimised_bytes")
    if not stored or not optimised:
        return []
    return [
        f"Files as stored today ({today.get('encoder')}) take {stored / 1000:.2f} kB an image. With optimised Huffman "
        f"tables the same pixels take {optimised / stored:.1%} of that, without any restorer."
    ]


def _errors(findings: Findings) -> list[str]:
    failed = [f"{record.trial_id}: {record.error}" for record in findings.run.trials if record.error]
    return ["Errors of trials that failed:", *failed] if failed else []


def _method(findings: Findings) -> list[str]:
    facts, reference = findings.run.facts, findings.run.reference_quality
    scored = facts["dataset"]["scored"]
    is_tiny = facts["dataset"]["split"] == "tiny"
    finalists = [label(record) for record in findings.run.finalists]
    versions = ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items()) or "unknown"
    monitored = ", ".join(str(quality) for quality in facts["scored_qualities"])
    return [
        f"The rule by means: {RULE}. Here the reference is JPEG-{reference}.",
        f"The strict rule: {strict.RULE}.",
        "Every image is compressed whole and cut afterwards, as it happens in use: a centre crop need not start on "
        "JPEG's "
        "grid of blocks. A restored image is rounded to 8 bits before it is scored, and these scores decide.",
        f"Networks, losses, early stopping and the model that the strict rule judges are chosen on validation images, "
        "of "
        f"which every trial is scored on {scored['validation']}. {scored['test']} test images are read once, at the "
        "end, "
        "for the finalists and for JPEG as it is"
        + (": data101's, for tiny has none and never draws from them." if is_tiny else "."),
        f"The finalists: {'; '.join(finalists)}." if finalists else "There are no finalists yet.",
        f"The monitored margin: over a fixed set of validation images at qualities {monitored}, each metric's mean is "
        f"compared with JPEG-{reference}'s mean on the same images, in units of the JPEG-{reference}-to-JPEG-50 "
        "distance; "
        "the margin is the smallest of the four. Bytes at parity: where that margin of the scored images, a line "
        "over the "
        "logarithm of mean bytes, reaches 0.",
        f"Trials are ranked on these images alone: the {findings.run.ranking.words} first.",
        "An image identical to its original has an infinite PSNR. It is left out of the mean PSNR on both sides of the "
        "comparison, and the cell says how many are. Bounds need 20 fields; of fewer the tables say so.",
        f"Command: {facts['command']}. Space {facts['space']}, scale {facts['scale']}, seed {facts['seed']}, begun "
        f"{facts.get('created', 'at an unknown time')}, git commit {facts.get('git_commit') or 'unknown'}. Versions: "
        f"{versions}.",
    ]


def write_folder(
    page: str,
    pick: str,
    tables: Mapping[str, Table],
    out: Path,
    pictures: Sequence[Picture] = (),
    cells: pd.DataFrame | None = None,
) -> Path:
    """Write page, decision, tables and figures to OUT, replacing an earlier report; returns the path of its page.

    Nothing appears at OUT before it is complete. Raises RunError when OUT is something else than a report.
    """
    out = out.resolve()
    require_report_place(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
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
        (partial / PAGE).write_text(page, encoding="utf-8")
        (partial / PICK).write_text(f"{json.dumps(json.loads(pick), indent=2)}\n", encoding="utf-8")
        _swap(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out / PAGE


def require_report_place(out: Path) -> None:
    """Raise RunError unless OUT is free, empty, or an earlier report."""
    free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if free or (out / PICK).is_file():
        return
    raise RunError(f"the report replaces only an earlier report, found something else at {out}; name another folder")


def _write_cells(cells: pd.DataFrame, path: Path) -> None:
    """Write cells with words as categories and numbers of single precision; what follows from others is left away."""
    cells = cells.drop(columns=["step", "gain", "mean_beside_psnr"])
    words = ["trial_id", "split", "region", "system", "metric"]
    numbers = list(cells.select_dtypes("float64").columns)
    small = cells.astype({**dict.fromkeys(words, "category"), **dict.fromkeys(numbers, np.float32)})
    table = pa.Table.from_pandas(small, preserve_index=False)
    pq.write_table(table, path, compression="zstd", use_dictionary=words, use_byte_stream_split=numbers)


def _swap(partial: Path, out: Path) -> None:
    if not out.exists():
        partial.rename(out)
        return
    earlier = out.with_name(f".{out.name}.{os.getpid()}.earlier")
    out.rename(earlier)
    partial.rename(out)
    shutil.rmtree(earlier)

"""The tables that set models beside each other, and how each of their cells is shown."""

from functools import partial
from typing import Any

import pandas as pd

from analysis.decide import METRIC_TITLES
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL, fidelity_sentence, heading, short_heading
from analysis.study import CHOICE
from analysis.tables import frames, layout
from analysis.tables.columns import IMAGES, METRIC, QUALITY
from analysis.tables.frames import N_TRIALS, ties_frame
from analysis.tables.layout import MEAN, legend
from analysis.tables.spec import (
    NOT_SCORED,
    NOT_TRIED,
    UNKNOWN,
    Cell,
    Column,
    Row,
    Table,
    TableSpec,
    is_missing,
    lay_out,
    write_bounds,
    write_mean,
    write_spread,
)
from search.records import TrialRecord

CHANGES = (
    "A cell: the mean over images of restored minus its own input, ± half of its 95 % interval (standard deviation), "
    "and the share of images of which that metric gets better. PSNR and SSIM are to grow, MAE and MSE to shrink."
)
TIES = (
    "A difference: the trial's mean minus the best one's, over the images that both have, with its 95 % interval over "
    f"fields. A trial is tied with the best where the interval holds 0; compared are the best {frames.N_TRIALS}, each "
    "on its own: of many that are truly equal, one in twenty is missed. The best was chosen on these very images, so a "
    "tie counts for more than a lead.",
)
N_NAMED = 5


def comparison_tables(findings: Findings) -> list[TableSpec]:
    """Return the tables of networks and models side by side."""
    return [
        *(spec for split in ("validation", "test") for spec in _matrices(findings, split)),
        *(
            spec
            for split in ("test", "validation")
            for region in layout.REGION_WORDS
            for spec in _models(findings, split, region)
        ),
        TableSpec(
            "ties",
            "comparison",
            "The best trials, and who cannot be told from them: whole validation images",
            _named_ties,
            rows=(
                Column("trained on", "trained_on"),
                QUALITY,
                METRIC,
                Column("best", "best", is_wide=True),
                IMAGES,
                Column("tied with it", "tied"),
                Column("which (difference and its interval)", "which", is_wide=True),
            ),
            below=lambda owner, frame: TIES,
        ),
    ]


def summary_table(findings: Findings, records: list[TrialRecord], split: str) -> Table | None:
    """Lay out a row per quality and a column per record: mean PSNR, mean SSIM, and how many of the 8 means reach."""
    heads = {record.trial_id: short_heading(record) for record in records}
    spec = TableSpec(
        "summary",
        "",
        "",
        partial(_summary, split=split, records=records),
        rows=(QUALITY,),
        across=("trial_id",),
        head=lambda row: (heads[row["trial_id"]],),
        cell=lambda row: Cell(row["text"]),
    )
    return lay_out(spec, findings)


def _summary(findings: Findings, split: str, records: list[TrialRecord]) -> pd.DataFrame:
    whole, crops = (frames.models_frame(findings, split, region, records) for region in layout.REGION_WORDS)
    both = pd.concat([whole, crops]).query("system == ''")
    rows = []
    for (quality, trial_id), own in both.groupby(["input_quality", "trial_id"], sort=False):
        means = own[: len(METRIC_TITLES)].set_index("metric")["mean"].to_dict()
        shown = " ".join(write_mean(metric, means[metric]) for metric in frames.TIED_METRICS)
        has_mean = (own["holds"] == layout.MEAN).any()
        text = f"{shown} {own['reaches'].sum()}/{len(own)}" if has_mean else own["holds"].iloc[0]
        rows.append((quality, trial_id, text))
    return pd.DataFrame(rows, columns=["input_quality", "trial_id", "text"])


def _matrices(findings: Findings, split: str) -> list[TableSpec]:
    run = findings.run
    shared: dict[str, Any] = {
        "rows": (*((Column("made on", "made_on"),) if len(run.baselines) > 1 else ()), Column("network", "network")),
        "across": ("loss", "training_quality"),
        "blank": NOT_TRIED,
        "below": _matrix_below,
    }
    return [
        TableSpec(
            f"bytes_at_parity_{split}",
            "comparison",
            f"Networks side by side: bytes at parity, whole {split} images",
            partial(_parity_matrix, split=split),
            **shared,
            cell=_matrix_parity,
            caption=f"The share of JPEG-{run.reference_quality}'s bytes at which all four means reach its means, "
            "interpolated between the qualities that were scored; below 100 % restoring saves bytes.",
            is_open=split in ("validation", run.deciding_split),
        ),
        TableSpec(
            f"networks_{split}",
            "comparison",
            f"Networks side by side at each quality: whole {split} images",
            partial(frames.matrix_frame, split=split),
            **shared,
            cell=_matrix_means,
            per=("input_quality",),
            part_title=lambda row: f"JPEG-{row['input_quality']} restored",
            caption="Across: the loss, and below it the quality trained on. A cell: mean PSNR in dB · mean SSIM.",
            is_open=split == "validation",
        ),
    ]


def _parity_matrix(findings: Findings, split: str) -> pd.DataFrame:
    frame = frames.matrix_frame(findings, split)
    if frame.empty or frame["input_quality"].nunique() < 2:
        return frame.iloc[:0]
    return frame.drop_duplicates(["made_on", "network", "loss", "training_quality"])


def _models(findings: Findings, split: str, region: str) -> list[TableSpec]:
    records, more = frames.columns_of(findings, split), _n_more(findings, split)
    where = f"{split} split, {layout.REGION_WORDS[region]}"
    heads = {record.trial_id: (heading(record),) for record in records}
    shared: dict[str, Any] = {
        "rows": (QUALITY, METRIC),
        "across": ("trial_id",),
        "head": lambda row: heads[row["trial_id"]],
        "per": ("system",),
        "part_title": layout.title_of_system,
    }
    return [
        TableSpec(
            f"quality_{split}_{region}",
            "comparison",
            f"Quality and model, {where}",
            partial(frames.models_frame, split=split, region=region, records=records),
            **shared,
            cell=layout.spread_cell,
            caption="Rows are qualities of the JPEG input; a mean that is marked is at least as good as "
            f"JPEG-{findings.run.reference_quality}'s of the same images. {fidelity_sentence(records)}",
            below=lambda owner, frame: (*layout.spread_below(owner, frame), *more),
        ),
        TableSpec(
            f"relative_{split}_{region}",
            "comparison",
            f"Restored beside its own input, {where}",
            partial(frames.changes_frame, split=split, region=region),
            **shared,
            cell=_change,
            below=lambda owner, frame: (CHANGES, *more),
        ),
    ]


def _matrix_parity(row: Row) -> Cell:
    if is_missing(row["share"]):
        return Cell(str(row["holds"]).replace(MEAN, UNKNOWN))
    beyond = "" if row["is_measured"] else "≈ "
    return Cell(f"{beyond}{row['share']:.0%}", row["share"], bool(row["has_best_share"]), marks=row["mark"])


def _matrix_means(row: Row) -> Cell:
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]))
    text = UNKNOWN if is_missing(row["psnr_db"]) else f"{row['psnr_db']:.2f} · {write_mean('ssim', row['ssim'])}"
    return Cell(text, row["psnr_db"], bool(row["is_best"]), marks=row["mark"])


def _matrix_below(findings: Findings, frame: pd.DataFrame) -> tuple[str, ...]:
    has_linear = (frame["network"] == "linear filter").any()
    lines = [
        f"Over up to {frame.loc[frame['holds'] == MEAN, 'n_images'].max():.0f} images. Bold: the best by its smallest "
        f"margin of the four means, or by bytes. {NOT_TRIED}: not tried. {BASELINE_LABEL} stands in every column"
        + (", the linear filter in those of its own training quality." if has_linear else ".")
    ]
    lines += legend("".join(frame["mark"]))
    lines += ["≈: beyond the qualities that were scored."] if frame["is_measured"].eq(False).any() else []
    return (*lines, *([CHOICE] if (frame["n_trials"] > 1).any() else []))


def _n_more(findings: Findings, split: str) -> tuple[str, ...]:
    n_trials = len(findings.run.finalists if split == "test" else findings.run.trials)
    more = f"The best {N_TRIALS} of {n_trials} trials; tables/cells.parquet holds all."
    return (more,) if n_trials > N_TRIALS else ()


def _change(row: Row) -> Cell:
    if is_missing(row["n_changed"]) or not row["n_changed"]:
        return Cell(NOT_SCORED)
    n_changed = int(row["n_changed"])
    text = write_spread(row["metric"], row["change"], row["change_sd"], row["change_high"], n_changed)
    signed = text if text.startswith(("-", UNKNOWN)) else f"+{text}"
    improved = "" if is_missing(row["change"]) else f", {row['improved_percent']:.1f} % of {n_changed}"
    return Cell(f"{signed}{improved}", row["change"])


def _named_ties(findings: Findings) -> pd.DataFrame:
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

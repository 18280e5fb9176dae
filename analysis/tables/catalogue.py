"""Every table of a run, in the order of the page: name, section, title, what lies where, and when there is one."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import pandas as pd

from analysis.cells import ALL
from analysis.codecs import RESTORED, TITLES, title_of
from analysis.decide import METRIC_TITLES, N_REQUIREMENTS, RULE, candidates_of, evidence_of
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL, fidelity_sentence, heading
from analysis.run import LINEAR
from analysis.study import CHOICE
from analysis.tables import frames
from analysis.tables.conclusions import conclusions_below, conclusions_columns, conclusions_frame
from analysis.tables.layout import (
    BEST_OF_ALL,
    LEFT_OUT,
    LEGEND,
    MEAN,
    REGION_WORDS,
    SPREAD,
    layout_below,
    layout_cell,
    layout_frame,
    layout_head,
    part_title,
    spread_cell,
)
from analysis.tables.spec import (
    NOT_RUN,
    Cell,
    Column,
    Row,
    Table,
    TableSpec,
    is_missing,
    lay_out,
    write_bounds,
    write_mean,
    write_signed,
    write_spread,
    write_value,
)

SECTIONS = ("decision", "comparison", "trials", "data")
MARGIN = "The margin is in units of what JPEG loses from the reference to quality 50; 0 is as good as the reference."
RELATIVE = (
    "A cell: the mean over images of restored minus its own input, ± half of its 95 % interval (standard deviation), "
    "and the share of images of which that metric gets better. PSNR and SSIM are to grow, MAE and MSE to shrink."
)
TIES = (
    "A difference: the trial's mean minus the best one's, over the images that both have, with its 95 % interval over "
    "fields. A trial is tied with the best where the interval holds 0. Each is compared on its own: of many that are "
    "truly equal, one in twenty is missed. The best was chosen on these very images, so a tie counts for more than a "
    "lead.",
)
N_NAMED = 5
NOT_TRIED = "\u2013"
SETTINGS = {
    **{"architecture": "network", "training_images": "training images", "epoch_images": "images in an epoch"},
    **{"epochs_allowed": "epochs at most", "crop_px": "side of the training crop, px", "patience": "patience, epochs"},
    "clip_norm": "largest gradient norm",
}


def tables_of(findings: Findings) -> dict[str, Table]:
    """Lay out every table that a run has anything for, by the names of their files."""
    laid_out = [lay_out(spec, findings) for spec in catalogue(findings)]
    return {table.name: table for table in laid_out if table}


def catalogue(findings: Findings) -> list[TableSpec]:
    """Return every table of a run, in the order of the page."""
    return [*_decision(findings), *_comparison(findings), *study_tables(), *_trials(), *_data(findings)]


def study_tables() -> list[TableSpec]:
    """Return the tables that any study has, be it a run's or a printed source's."""
    specs = [
        TableSpec(
            name=f"conclusions{ending}",
            section="comparison",
            title=f"What a setting brings: pairs of trials that differ in it alone{words}",
            frame=partial(_conclusions, by_system=by_system),
            rows=conclusions_columns(by_system),
            below=conclusions_below,
        )
        for ending, words, by_system in (("", "", False), ("_by_system", ", by camera system", True))
    ]
    layouts = product((("appendix", "loss"), ("training_quality",) * 2), ("validation", "test"), REGION_WORDS, (0, 1))
    for (name, across), split, region, by_system in layouts:
        words = f"{split} split, {REGION_WORDS[region]}{', by camera system' if by_system else ''}"
        lies = "Losses" if across == "loss" else "Training qualities"
        specs.append(
            TableSpec(
                name="_".join([name, split, *(["crop"] if region == "crop" else []), *(["by_system"] * by_system)]),
                section="comparison",
                title=f"{lies} beside each other, in the layout of the thesis: {words}",
                frame=partial(_layout, across=across, split=split, region=region, by_system=bool(by_system)),
                rows=(*((Column("system", "system"),) * by_system), Column("input", "input_quality"), _METRIC),
                across=(across,),
                head=layout_head(across),
                cell=layout_cell,
                per=("place",),
                part_title=part_title(across, split, region, bool(by_system)),
                below=layout_below,
            )
        )
    specs.append(
        TableSpec(
            name="epochs",
            section="trials",
            title="Epochs run",
            frame=frames.epochs_frame,
            rows=(
                Column("network", "architecture"),
                Column("activation", "output_activation"),
                Column("loss", "loss"),
                Column("predicts", "global_residual", lambda added: "what to add" if added else "the image itself"),
                Column("split", "split"),
            ),
            across=("training_quality",),
            head=lambda row: (f"trained at {row['training_quality']}",),
            cell=_epochs_cell,
            caption="Epochs run, of those allowed where they were limited, and how the trial ended if not so.",
            below=lambda owner, frame: (
                (CHOICE, "In brackets: of how many trials.") if (frame["n_trials"] > 1).any() else ()
            ),
        )
    )
    return specs


def suspects_table() -> TableSpec:
    """Return the table of what means give away."""
    return TableSpec(
        name="suspects",
        section="trials",
        title="Suspects: what the means give away",
        caption="Dead, diverged, duplicated or otherwise odd trials, and fields on both sides of a split.",
        frame=frames.suspects_frame,
        rows=(
            Column("what", "kind"),
            Column("in the best", "kept_out", lambda out: "kept out" if out else "stays in"),
            Column("found", "sentence", is_wide=True),
        ),
        below=lambda owner, frame: (
            f"{len({t for row in frame[frame['kept_out']]['trials'] for t in row.split()})} of "
            f"{len(owner.study.trials)} trials are kept out of what is best, and of conclusions.",
        ),
    )


_METRIC = Column("metric", "metric", lambda metric: METRIC_TITLES[metric])
_SYSTEM = Column("system", "system", lambda system: system or "all")


def _conclusions(owner: Any, by_system: bool) -> pd.DataFrame:
    return conclusions_frame(owner.study, by_system)


def _layout(owner: Any, across: str, split: str, region: str, by_system: bool) -> pd.DataFrame:
    return layout_frame(owner.study, across, split, region, by_system)


def _decision(findings: Findings) -> list[TableSpec]:
    run, pick = findings.run, findings.pick
    whose = f"quality {pick.closest[1]}, {pick.closest[0]}" if pick.closest else ""
    return [
        TableSpec(
            name="strict_steps",
            section="decision",
            title="The strict rule, quality after quality until one fails",
            caption=f"{findings.strict.model}: gains over JPEG-{run.reference_quality} in whole test images, in "
            "brackets "
            "their lower bound (one-sided 97.5 %). A field is what near-duplicate images show; fields are counted.",
            frame=lambda owner: pd.DataFrame([dict(step) for step in owner.strict.steps]),
            rows=(
                Column("quality", "input_quality"),
                Column("trial", "trial_id", is_wide=True),
                Column("system", "system"),
                Column("images", "n_images"),
                Column("fields", "n_fields"),
                Column("PSNR gain, dB (at least)", show=partial(_with_bound, name="psnr_db", form="+.3f")),
                Column("SSIM gain (at least)", show=partial(_with_bound, name="ssim", form="+.5f")),
                Column("fields 0.5 dB worse", "n_worse"),
                Column("of all at most", "worse_share_bound", ".2%"),
                Column("demonstrated", "passes", lambda passes: "yes" if passes else "no"),
                Column("fields needed", show=partial(_needed, name="fields_needed")),
                Column("images needed", show=partial(_needed, name="images_needed")),
            ),
            is_open=True,
        ),
        TableSpec(
            name="evidence",
            section="decision",
            title=f"{'The pick by means' if pick.quality else 'What came closest by means'}: {whose}",
            caption=f"Means over the test images. A gain is positive where restored is better. {MARGIN}",
            frame=lambda owner: evidence_of(owner.cells, owner.pick),
            rows=(
                Column("region", "region", lambda region: REGION_WORDS[region]),
                _METRIC,
                Column("restored", show=_reaching),
                Column("required", show=lambda row: Cell(write_mean(row["metric"], row["reference_mean"]))),
                Column("gain (95 % interval over fields)", show=_gain),
                Column("margin", "margin", write_signed),
                Column("images", "n_images"),
            ),
            is_open=True,
        ),
        TableSpec(
            name="codecs",
            section="decision",
            title=f"Bytes at parity: what each way to keep an image needs to be as good as "
            f"JPEG-{run.reference_quality}",
            caption=f"The share of JPEG-{run.reference_quality}'s bytes at which all four means of whole images reach "
            "its "
            "means, between the settings that were tried, and beside it the share at which mean PSNR alone does.",
            frame=_codecs_frame,
            rows=(
                Column("kept as", "title", is_wide=True),
                Column("all four means", show=partial(_share, term="all")),
                Column("mean PSNR alone", show=partial(_share, term="psnr")),
                Column("lowest setting with all four", "setting", ".0f"),
                Column("decoding, ms", "decode_ms", ".1f"),
                Column("restoring, ms", show=_restoring),
                Column("images", "n_images", ".0f"),
            ),
            below=_codecs_below,
            is_open=True,
        ),
        TableSpec(
            name="candidates",
            section="decision",
            title="Every finalist at every lower quality, by means",
            caption=f"The rule: {RULE}. The smallest of a finalist's eight margins decides; where says which mean that "
            f"is. {fidelity_sentence(run.finalists)}",
            frame=lambda owner: candidates_of(owner.run, owner.cells, owner.suspects),
            rows=(
                Column("quality", "input_quality"),
                Column("trial", "trial_id", is_wide=True),
                Column("means reached", show=_reached),
                Column("smallest margin", "smallest_margin", write_signed),
                Column("where", show=lambda row: Cell(f"{row['region']}: {METRIC_TITLES[row['metric']]}")),
                Column("images", "n_images"),
            ),
        ),
        TableSpec(
            name="codec_settings",
            section="decision",
            title="Every codec and finalist at every setting, over the same test images, whole",
            frame=lambda owner: owner.codecs.points.sort_values(["kind", "name", "setting"], ignore_index=True),
            rows=(
                Column("kept as", show=lambda row: Cell(title_of(row["name"], row["kind"])), is_wide=True),
                Column("setting", "setting"),
                Column("mean bytes", "mean_bytes", ",.0f"),
                Column("PSNR, dB", "psnr_db", ".2f"),
                Column("SSIM", "ssim", ".4f"),
                Column("means reached", show=_reached),
                Column("decoding, ms", "decode_ms", ".1f"),
                Column("restoring, ms", show=_restoring),
                Column("images", "n_images"),
            ),
        ),
    ]


def _comparison(findings: Findings) -> list[TableSpec]:
    run = findings.run
    deciding = run.deciding_split
    specs = []
    for split in ("validation", "test"):
        side = (*((Column("made on", "made_on"),) if len(run.baselines) > 1 else ()), Column("network", "network"))
        specs += [
            TableSpec(
                name=f"bytes_at_parity_{split}",
                section="comparison",
                title=f"Networks side by side: bytes at parity, whole {split} images",
                caption=f"The share of JPEG-{run.reference_quality}'s bytes at which all four means reach its means, "
                "interpolated between the qualities that were scored; below 100 % restoring saves bytes.",
                frame=partial(_parity_matrix, split=split),
                rows=side,
                across=("loss", "training_quality"),
                head=lambda row: (str(row["loss"]), str(row["training_quality"])),
                cell=_parity_cell,
                below=_matrix_below,
                is_open=split == "validation" or split == deciding,
            ),
            TableSpec(
                name=f"networks_{split}",
                section="comparison",
                title=f"Networks side by side at each quality: whole {split} images",
                caption="Across: the loss, and below it the quality trained on. A cell: mean PSNR in dB · mean SSIM.",
                frame=partial(frames.matrix_frame, split=split),
                rows=side,
                across=("loss", "training_quality"),
                head=lambda row: (str(row["loss"]), str(row["training_quality"])),
                cell=_matrix_cell,
                per=("input_quality",),
                part_title=lambda row: f"JPEG-{row['input_quality']} restored",
                below=_matrix_below,
                is_open=split == "validation",
            ),
        ]
    for split, region, by_system in product(("test", "validation"), REGION_WORDS, (False, True)):
        ending, words = ("_by_system", ", by camera system") if by_system else ("", "")
        where = f"{split} split, {REGION_WORDS[region]}{words}"
        records = frames.columns_of(findings, split)
        system = (Column("system", "system"),) if by_system else ()
        specs += [
            TableSpec(
                name=f"quality_{split}_{region}{ending}",
                section="comparison",
                title=f"Quality and model, {where}",
                caption=f"Rows are qualities of the JPEG input; a mean that is marked is at least as good as "
                f"JPEG-{run.reference_quality}'s of the same images. {fidelity_sentence(records)}",
                frame=partial(frames.quality_frame, split=split, region=region, by_system=by_system),
                rows=(*system, Column("quality", "input_quality"), _METRIC),
                across=("trial_id",),
                head=_trial_head(records),
                cell=_quality_cell,
                below=partial(_spread_below, n_more=_n_more(findings, split)),
            ),
            TableSpec(
                name=f"relative_{split}_{region}{ending}",
                section="comparison",
                title=f"Restored beside its own input, {where}",
                frame=partial(frames.relative_frame, split=split, region=region, by_system=by_system),
                rows=(
                    Column("trial", "trial_id", is_wide=True),
                    Column("epochs", "epochs"),
                    Column("status", "status"),
                    *system,
                    Column("input", "input_quality"),
                ),
                across=("metric",),
                head=lambda row: (METRIC_TITLES[row["metric"]],),
                cell=_relative_cell,
                below=partial(_relative_below, split=split),
            ),
        ]
    specs.append(
        TableSpec(
            name="ties",
            section="comparison",
            title="The best trials, and who cannot be told from them: whole validation images",
            frame=_ties,
            rows=(
                Column("trained on", "trained_on"),
                Column("quality", "input_quality"),
                _METRIC,
                Column("best", "best", is_wide=True),
                Column("images", "n_images"),
                Column("tied with it", "tied"),
                Column("which (difference and its interval)", "which", is_wide=True),
            ),
            below=lambda owner, frame: TIES,
        )
    )
    return specs


def _trials() -> list[TableSpec]:
    return [
        TableSpec(
            name="trials",
            section="trials",
            title="All trials",
            caption="Best monitored margin first. A trial is of use only where its margin is above its input's. The "
            "whole "
            "of every setting is in tables/trials.csv.",
            frame=frames.all_trials_frame,
            rows=(
                Column("trial", "trial_id", is_wide=True),
                Column("status", "status"),
                Column("epochs", show=lambda row: Cell(f"{row['epochs_run']}/{row['epochs_allowed']}")),
                Column("margin", "margin", write_signed),
                Column("its input's", "input_margin", write_signed),
                Column("bytes at parity", "parity", ".0%"),
                Column("PSNR gain, dB", "psnr_gain_db", write_signed),
                Column("network", "architecture", lambda n: BASELINE_LABEL if n == "identity" else n),
                Column("loss", show=partial(_setting, name="loss")),
                Column("activation", show=partial(_setting, name="output_activation")),
                Column("trained at", show=partial(_setting, name="training_quality")),
                Column("parameters", "parameters", ","),
                Column("seconds", "seconds", ".0f"),
                Column("beside the linear filter", show=_beside_linear),
            ),
        ),
        TableSpec(
            name="networks",
            section="trials",
            title="Networks",
            frame=frames.networks_frame,
            rows=(
                Column("network", "architecture"),
                Column("parameters", "parameters", ",.0f"),
                Column("MACs per pixel", "macs_per_pixel", ",.0f"),
                Column("GMACs per image", "image_gmacs", ".2f"),
                Column("file of weights, kB", "weights_kb", ",.0f"),
                Column("trials", "n_trials"),
                Column("of them under the linear filter", "n_under_linear"),
            ),
            below=lambda owner, frame: (
                "MACs: multiply-accumulates of the convolutions; an image has {0} x {0} pixels. The file holds the "
                "weights alone, in Keras' HDF5 format; 1 kB is 1000 bytes.".format(
                    owner.run.facts["dataset"]["size_px"]
                ),
            ),
        ),
        TableSpec(
            name="configuration",
            section="trials",
            title="Configuration, by training split",
            frame=frames.configuration_frame,
            rows=(Column("setting", "setting", lambda name: SETTINGS.get(name, name.replace("_", " "))),),
            across=("split",),
            cell=lambda row: Cell(str(row["values"])),
            below=lambda owner, frame: (
                "How many trials had a value stands behind it where there are several. tables/trials.csv has each one.",
            ),
        ),
        suspects_table(),
    ]


def _data(findings: Findings) -> list[TableSpec]:
    run = findings.run
    reference, split = run.reference_quality, run.deciding_split
    saved = (
        Column(f"saved against JPEG-{reference}", "saved_percent", lambda value: f"{value:.1f} %"),
        Column("saved against raw", "saved_raw_percent", lambda value: f"{value:.1f} %"),
        Column("images", "n_images", ","),
    )
    units = "1 kB is 1000 bytes; raw is three bytes a pixel."
    return [
        TableSpec(
            name="requirements",
            section="data",
            title=f"What has to be reached: the means of JPEG-{reference} over the {split} images",
            frame=frames.requirements_frame,
            rows=(Column("trained on", "trained_on"), _SYSTEM, Column("region", "region")),
            across=("metric",),
            head=lambda row: (METRIC_TITLES[row["metric"]],),
            cell=spread_cell,
            below=_spread_below,
        ),
        TableSpec(
            name="sizes",
            section="data",
            title="JPEG files by quality",
            caption=f"{units} Over every image of the dataset.",
            frame=frames.sizes_frame,
            rows=(Column("quality", "input_quality"), Column("mean size, kB", "mean_kb", ".2f"), *saved),
        ),
        TableSpec(
            name="sizes_by_system",
            section="data",
            title="JPEG files by quality and camera system",
            caption=f"{units} Over the images that were scored: the mean ± half of its 95 % interval over fields "
            "(standard deviation over images).",
            frame=frames.system_sizes_frame,
            rows=(
                Column("system", "system"),
                Column("quality", "input_quality"),
                Column("mean size, kB", show=_size),
                *saved,
                Column("fields", "n_fields", ","),
            ),
        ),
        TableSpec(
            name="splits",
            section="data",
            title="Images of each split",
            frame=frames.splits_frame,
            rows=(
                Column("split", "split"),
                Column("subset", "subset"),
                _SYSTEM,
                Column("images", "n_images", ","),
                Column("scored", show=lambda row: _or_blank(row, "n_scored", "trained on", row["subset"] == "train")),
                Column("fields of view", show=lambda row: _or_blank(row, "n_fields", "unknown", True)),
            ),
            below=lambda owner, frame: (
                "Images of one field of view resemble one another, and are no independent evidence.",
                *(
                    ["tiny has no test images of its own: data101's stand in, and it never draws from them."]
                    if (frame["split"] == "tiny").any()
                    else []
                ),
            ),
        ),
    ]


def _or_blank(row: Row, name: str, otherwise: str, is_told: bool) -> Cell:
    if is_missing(row[name]):
        return Cell(otherwise if is_told and row["system"] == ALL else "")
    return Cell(f"{row[name]:,}", row[name])


def _with_bound(row: Row, name: str, form: str) -> Cell:
    low = "too few" if is_missing(row[f"{name}_low"]) else f"{row[f'{name}_low']:{form}}"
    return Cell(f"{write_value(row[f'{name}_estimate'], form)} ({low})", row[f"{name}_low"])


def _needed(row: Row, name: str) -> Cell:
    if row["passes"]:
        return Cell("")
    return Cell("no number") if is_missing(row[name]) else Cell(f"{row[name]:,.0f}", row[name])


def _reaching(row: Row) -> Cell:
    left_out = f" (-{row['n_left_out']})" if row["n_left_out"] else ""
    return Cell(write_mean(row["metric"], row["mean"]) + left_out, row["mean"], reaches=bool(row["reaches"]))


def _gain(row: Row) -> Cell:
    digits = "+.1e" if row["metric"] == "mse" else {"mae": "+.5f", "psnr_db": "+.2f", "ssim": "+.4f"}[row["metric"]]
    bounds = write_bounds(row["gain_low"], row["gain_high"], digits)
    return Cell(f"{write_value(row['gain'], digits)} ({bounds})", row["gain"])


def _reached(row: Row) -> Cell:
    n_reached = int(row["n_reached"])
    return Cell(f"{n_reached} of {N_REQUIREMENTS}", n_reached, reaches=n_reached == N_REQUIREMENTS)


def _codecs_frame(findings: Findings) -> pd.DataFrame:
    ways = findings.codecs.ways
    role = {findings.pick.trial_id: " (the pick)"} if findings.pick.quality else {}
    titles = [title_of(n, k) + role.get(n, "") for n, k in zip(ways["name"], ways["kind"], strict=True)]
    missing = [
        {"name": name, "kind": "codec", "title": TITLES.get(name, name), "holds": f"{NOT_RUN}, {why}"}
        for name, why in findings.codecs.not_run.items()
    ]
    table = ways.assign(title=titles, holds=MEAN)
    restored = table[table["kind"] == RESTORED].index[frames.N_TRIALS :]
    table = table.drop(index=restored)
    return pd.concat([table, pd.DataFrame(missing)], ignore_index=True) if missing and len(table) else table


def _share(row: Row, term: str) -> Cell:
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]) if term == "all" else "")
    share = row[f"share_{term}"]
    bounds = write_bounds(row[f"{term}_low"], row[f"{term}_high"], ".0%")
    beyond = "≈ " if term == "all" and not row["is_measured"] else ""
    return Cell(f"{beyond}{write_value(share, '.0%')} ({bounds})" if not is_missing(share) else "unknown", share)


def _restoring(row: Row) -> Cell:
    if row["kind"] != RESTORED:
        return Cell("")
    if is_missing(row["restore_ms"]):
        return Cell("unknown")
    return Cell(f"{row['restore_ms']:.1f} on {row['restored_on']}", row["restore_ms"])


def _codecs_below(findings: Findings, frame: pd.DataFrame) -> tuple[str, ...]:
    points = findings.codecs.points
    tried = points[points["kind"] == "codec"].groupby("name")["setting"].agg(["min", "max"])
    listed = ", ".join(f"{TITLES.get(str(name), name)} {row['min']} to {row['max']}" for name, row in tried.iterrows())
    lines = [findings.codecs.verdict] if findings.codecs.verdict else []
    lines.append(
        f"≈: beyond the settings that were tried, by at most a factor of two. Settings are on the codec's own scale; "
        f"tried: {listed or 'none'}. Everything else is as Pillow saves it. In brackets the 95 % interval of a "
        "bootstrap "
        "over fields, of the best three restorers. Decoding: one thread, the median of three an image."
    )
    return tuple(lines)


def _parity_matrix(findings: Findings, split: str) -> pd.DataFrame:
    frame = frames.matrix_frame(findings, split)
    if frame.empty or frame["input_quality"].nunique() < 2:
        return frame.iloc[:0]
    return frame.drop_duplicates(["made_on", "network", "loss", "training_quality"])


def _parity_cell(row: Row) -> Cell:
    if is_missing(row["share"]):
        return Cell(NOT_TRIED if is_missing(row["trial_id"]) else str(row["holds"]).replace(MEAN, "unknown"))
    beyond = "" if row["is_measured"] else "≈ "
    return Cell(f"{beyond}{row['share']:.0%}", row["share"], bool(row["has_best_share"]), marks=row["mark"])


def _matrix_cell(row: Row) -> Cell:
    if row["holds"] != MEAN:
        return Cell(NOT_TRIED if is_missing(row["trial_id"]) else str(row["holds"]))
    text = f"{row['psnr_db']:.2f} · {write_mean('ssim', row['ssim'])}" if not is_missing(row["psnr_db"]) else "unknown"
    return Cell(text, row["psnr_db"], bool(row["is_best"]), marks=row["mark"])


def _matrix_below(findings: Findings, frame: pd.DataFrame) -> tuple[str, ...]:
    n_images = frame.loc[frame["holds"] == MEAN, "n_images"].max()
    marks = set("".join(frame["mark"]))
    lines = [
        f"Over up to {n_images:.0f} images. Bold: the best by its smallest margin of the four means, or by bytes. "
        f"{NOT_TRIED}: not tried. "
        f"{BASELINE_LABEL} stands in every column"
        + (
            ", the linear filter in those of its own training quality."
            if (frame["network"] == "linear filter").any()
            else "."
        )
    ]
    lines += [LEGEND[mark] for mark in LEGEND if mark in marks]
    lines += ["≈: beyond the qualities that were scored."] if frame["is_measured"].eq(False).any() else []
    lines += [CHOICE] if (frame["n_trials"] > 1).any() else []
    return tuple(lines)


def _trial_head(records: Sequence[Any]) -> Callable[[Row], tuple[str, ...]]:
    heads = {record.trial_id: heading(record) for record in records}
    return lambda row: (heads[row["trial_id"]],)


def _n_more(findings: Findings, split: str) -> tuple[str, ...]:
    run = findings.run
    n_trials = len(run.finalists if split == "test" else run.trials)
    more = n_trials - frames.N_TRIALS
    return (f"The best {frames.N_TRIALS} of {n_trials} trials; tables/cells.parquet holds all.",) if more > 0 else ()


def _quality_cell(row: Row) -> Cell:
    cell = spread_cell(row)
    return Cell(cell.text, cell.number, reaches=bool(row["reaches"]) and row["holds"] == MEAN)


def _spread_below(owner: Any, frame: pd.DataFrame, n_more: Sequence[str] = ()) -> tuple[str, ...]:
    n_images = frame.loc[frame["n_images"] > 0, "n_images"]
    counts = "no" if n_images.empty else f"{n_images.min()}" if n_images.nunique() == 1 else f"up to {n_images.max()}"
    left_out = (LEFT_OUT,) if (frame["n_left_out"] > 0).any() else ()
    return (f"{SPREAD} Over {counts} images.", *left_out, *n_more)


def _relative_below(findings: Findings, frame: pd.DataFrame, split: str) -> tuple[str, ...]:
    return (RELATIVE, *_n_more(findings, split))


def _relative_cell(row: Row) -> Cell:
    if not row["n_changed"]:
        return Cell("not scored")
    text = write_spread(row["metric"], row["change"], row["change_sd"], row["change_high"], row["n_changed"])
    signed = text if text.startswith(("-", "unknown")) else f"+{text}"
    improved = "" if is_missing(row["change"]) else f", {row['improved_percent']:.1f} % of {row['n_changed']}"
    return Cell(f"{signed}{improved}", row["change"])


def _ties(findings: Findings) -> pd.DataFrame:
    frame, rows = frames.ties_frame(findings), []
    for (split, quality, metric), own in (
        frame.groupby(["trained_on", "input_quality", "metric"], sort=False) if len(frame) else ()
    ):
        others = own[~own["is_best"]]
        tied = others[others["tied"].eq(True)].to_dict("records")
        form = "+.3f" if metric == "psnr_db" else "+.5f"
        named = [f"{r['trial_id']} ({r['difference']:{form}}, {write_bounds(r['low'], r['high'], form)})" for r in tied]
        more = f"; {len(tied) - N_NAMED} more" if len(tied) > N_NAMED else ""
        unknown = others["tied"].isna().all()
        place = {"trained_on": split, "input_quality": quality, "metric": metric}
        rows.append(
            place
            | {
                "best": ", ".join(own.loc[own["is_best"], "trial_id"]),
                "n_images": int(own["n_images"].max()),
                "tied": "too few fields to tell" if unknown else f"{len(tied)} of {len(others)}",
                "which": f"{'; '.join(named[:N_NAMED])}{more}" or ("" if unknown else "none"),
            }
        )
    return pd.DataFrame(rows)


def _setting(row: Row, name: str) -> Cell:
    return Cell(NOT_TRIED) if row["architecture"] == "identity" else Cell(str(row[name]), row[name])


def _beside_linear(row: Row) -> Cell:
    if row["architecture"] in ("identity", LINEAR):
        return Cell("")
    return Cell("under it" if row["under_linear"] else "", bool(row["under_linear"]))


def _epochs_cell(row: Row) -> Cell:
    if is_missing(row["trial_id"]):
        return Cell(NOT_RUN)
    if is_missing(row["epochs_run"]):  # a source that does not say
        return Cell("unknown")
    allowed = "" if is_missing(row["epochs_allowed"]) else f"/{row['epochs_allowed']:.0f}"
    status = "" if row["status"] == "completed" else f", {row['status']}"
    odd = f", {row['unfit']}" if row["unfit"] and row["unfit"] != row["status"] else ""
    others = f" (1 of {row['n_trials']:.0f})" if row["n_trials"] > 1 else ""
    return Cell(f"{row['epochs_run']:.0f}{allowed}{status}{odd}{others}", row["epochs_run"])


def _size(row: Row) -> Cell:
    if is_missing(row["sd_kb"]):
        return Cell(f"{row['mean_kb']:.2f} (one image)", row["mean_kb"])
    half = "" if is_missing(row["high_kb"]) else f" ±{row['high_kb'] - row['mean_kb']:.2f}"
    return Cell(f"{row['mean_kb']:.2f}{half} ({row['sd_kb']:.2f})", row["mean_kb"])


__all__ = ["BEST_OF_ALL", "SECTIONS", "catalogue", "study_tables", "suspects_table", "tables_of"]

"""Every table of a run, in the order of the page: name, section, title, what lies where, and when there is one."""

from functools import partial
from typing import Any

import pandas as pd

from analysis.codecs import title_of
from analysis.decide import METRIC_TITLES, RULE, candidates_of, evidence_of
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL, fidelity_sentence, heading, short_heading
from analysis.study import CHOICE
from analysis.tables import frames, layout, show
from analysis.tables.conclusions import COLUMNS, conclusions_below, conclusions_frame
from analysis.tables.spec import (
    NOT_RUN,
    Cell,
    Column,
    Row,
    Table,
    TableSpec,
    lay_out,
    lay_out_all,
    write_mean,
    write_percent,
    write_signed,
)
from search.records import TrialRecord

SECTIONS = ("decision", "comparison", "trials", "data")
MARGIN = "The margin is in units of what JPEG loses from the reference to quality 50; 0 is as good as the reference."
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
UNITS = "1 kB is 1000 bytes; raw is three bytes a pixel."
SETTINGS = {
    **{"architecture": "network", "training_images": "training images", "epoch_images": "images in an epoch"},
    **{"epochs_allowed": "epochs at most", "crop_px": "side of the training crop, px", "patience": "patience, epochs"},
    "clip_norm": "largest gradient norm",
}
METRIC = Column("metric", "metric", lambda metric: METRIC_TITLES[metric])
SYSTEM = Column("system", "system", lambda system: system or "all")
QUALITY, TRIAL = Column("quality", "input_quality"), Column("trial", "trial_id", is_wide=True)
IMAGES = Column("images", "n_images", ",.0f")


def tables_of(findings: Findings) -> dict[str, Table]:
    """Lay out every table that a run has anything for, by the names of their files."""
    specs = [*_decision(findings), *_comparison(findings), *study_tables(), *_trials(findings), *_data(findings)]
    return lay_out_all(specs, findings)


def study_tables() -> list[TableSpec]:
    """Return the tables that any study has, be it a run's or a printed source's."""
    axes = (("appendix", "loss", "Losses"), ("training_quality", "training_quality", "Training qualities"))
    layouts = [(*axis, split) for axis in axes for split in ("validation", "test")]
    return [
        TableSpec(
            "conclusions",
            "comparison",
            "What a setting brings: pairs of trials that differ in it alone",
            lambda owner: conclusions_frame(owner.study),
            rows=COLUMNS,
            below=conclusions_below,
        ),
        *(
            TableSpec(
                f"{name}_{split}",
                "comparison",
                f"{words} beside each other, in the layout of the thesis: {split} split, whole images",
                partial(_layout, across=across, split=split),
                rows=(Column("input", "input_quality"), METRIC),
                across=(across,),
                head=layout.layout_head(across),
                cell=layout.layout_cell,
                per=("place",),
                part_title=layout.part_title(across, split),
                below=layout.layout_below,
            )
            for name, across, words, split in layouts
        ),
        TableSpec(
            "epochs",
            "trials",
            "Epochs run",
            lambda owner: layout.chosen_frame(owner.study, "training_quality"),
            rows=(
                Column("network", "architecture"),
                Column("activation", "output_activation"),
                Column("loss", "loss"),
                Column("predicts", "global_residual", lambda added: "what to add" if added else "the image itself"),
                Column("split", "split"),
            ),
            across=("training_quality",),
            head=lambda row: (f"trained at {row['training_quality']}",),
            cell=show.epochs,
            blank=NOT_RUN,
            caption="Epochs run, of those allowed where they were limited, and how the trial ended if not so.",
            below=lambda owner, frame: (
                (CHOICE, "In brackets: of how many trials.") if (frame["n_trials"] > 1).any() else ()
            ),
        ),
    ]


def suspects_table() -> TableSpec:
    """Return the table of what means give away."""
    return TableSpec(
        "suspects",
        "trials",
        "Suspects: what the means give away",
        frames.suspects_frame,
        rows=(
            Column("what", "kind"),
            Column("in the best", "kept_out", lambda out: "kept out" if out else "stays in"),
            Column("found", "sentence", is_wide=True),
        ),
        caption="Dead, diverged, duplicated or otherwise odd trials, and fields on both sides of a split.",
        below=show.suspects_below,
    )


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


def _layout(owner: Any, across: str, split: str) -> pd.DataFrame:
    return layout.layout_frame(owner.study, across, split)


def _decision(findings: Findings) -> list[TableSpec]:
    reference, pick = f"JPEG-{findings.run.reference_quality}", findings.pick
    whose = f"quality {pick.closest[1]}, {pick.closest[0]}" if pick.closest else ""
    return [
        TableSpec(
            "strict_steps",
            "decision",
            "The strict rule, quality after quality until one fails",
            lambda owner: pd.DataFrame([dict(step) for step in owner.strict.steps]),
            rows=(
                QUALITY,
                TRIAL,
                Column("system", "system"),
                IMAGES,
                Column("fields", "n_fields"),
                Column("PSNR gain, dB (at least)", show=partial(show.with_bound, name="psnr_db", form="+.3f")),
                Column("SSIM gain (at least)", show=partial(show.with_bound, name="ssim", form="+.5f")),
                Column("fields 0.5 dB worse", "n_worse"),
                Column("of all at most", "worse_share_bound", ".2%"),
                Column("demonstrated", "passes", lambda passes: "yes" if passes else "no"),
                Column("fields needed", show=partial(show.needed, name="fields_needed")),
                Column("images needed", show=partial(show.needed, name="images_needed")),
            ),
            caption=f"{findings.strict.model}: gains over {reference} in whole test images, in brackets their lower "
            "bound (one-sided 97.5 %). A field is what near-duplicate images show; fields are counted.",
            is_open=True,
        ),
        TableSpec(
            "evidence",
            "decision",
            f"{'The pick by means' if pick.quality else 'What came closest by means'}: {whose}",
            lambda owner: evidence_of(owner.cells, owner.pick),
            rows=(
                Column("region", "region", lambda region: layout.REGION_WORDS[region]),
                METRIC,
                Column("restored", show=show.reaching),
                Column("required", show=lambda row: Cell(write_mean(row["metric"], row["reference_mean"]))),
                Column("gain (95 % interval over fields)", show=show.gain),
                Column("margin", "margin", write_signed),
                IMAGES,
            ),
            caption=f"Means over the test images. A gain is positive where restored is better. {MARGIN}",
            is_open=True,
        ),
        TableSpec(
            "codecs",
            "decision",
            f"Bytes at parity: what each way to keep an image needs to be as good as {reference}",
            show.codecs_frame,
            rows=(
                Column("kept as", "title", is_wide=True),
                Column("all four means", show=partial(show.share, term="all")),
                Column("mean PSNR alone", show=partial(show.share, term="psnr")),
                Column("lowest setting with all four", "setting", ".0f"),
                Column("decoding, ms", "decode_ms", ".1f"),
                Column("restoring, ms", show=show.restoring),
                IMAGES,
            ),
            caption=f"The share of {reference}'s bytes at which all four means of whole images reach its means, "
            "between the settings that were tried, and beside it the share at which mean PSNR alone does.",
            below=show.codecs_below,
            is_open=True,
        ),
        TableSpec(
            "candidates",
            "decision",
            "Every finalist at every lower quality, by means",
            lambda owner: candidates_of(owner.run, owner.cells, owner.suspects),
            rows=(
                QUALITY,
                TRIAL,
                Column("means reached", show=show.reached),
                Column("smallest margin", "smallest_margin", write_signed),
                Column("where", show=lambda row: Cell(f"{row['region']}: {METRIC_TITLES[row['metric']]}")),
                IMAGES,
            ),
            caption=f"The rule: {RULE}. The smallest of a finalist's eight margins decides; where says which mean that "
            f"is. {fidelity_sentence(findings.run.finalists)}",
        ),
        TableSpec(
            "codec_settings",
            "decision",
            "Every codec and finalist at every setting, over the same test images, whole",
            lambda owner: owner.codecs.points.sort_values(["kind", "name", "setting"], ignore_index=True),
            rows=(
                Column("kept as", show=lambda row: Cell(title_of(row["name"], row["kind"])), is_wide=True),
                Column("setting", "setting"),
                Column("mean bytes", "mean_bytes", ",.0f"),
                Column("PSNR, dB", "psnr_db", ".2f"),
                Column("SSIM", "ssim", ".4f"),
                Column("means reached", show=show.reached),
                Column("decoding, ms", "decode_ms", ".1f"),
                Column("restoring, ms", show=show.restoring),
                IMAGES,
            ),
        ),
    ]


def _comparison(findings: Findings) -> list[TableSpec]:
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
            show.named_ties,
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


def _matrices(findings: Findings, split: str) -> list[TableSpec]:
    run = findings.run
    shared: dict[str, Any] = {
        "rows": (*((Column("made on", "made_on"),) if len(run.baselines) > 1 else ()), Column("network", "network")),
        "across": ("loss", "training_quality"),
        "blank": show.NOT_TRIED,
        "below": show.matrix_below,
    }
    return [
        TableSpec(
            f"bytes_at_parity_{split}",
            "comparison",
            f"Networks side by side: bytes at parity, whole {split} images",
            partial(_parity_matrix, split=split),
            **shared,
            cell=show.matrix_parity,
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
            cell=show.matrix_means,
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
    records, more = frames.columns_of(findings, split), show.n_more(findings, split)
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
            cell=show.change,
            below=lambda owner, frame: (CHANGES, *more),
        ),
    ]


def _trials(findings: Findings) -> list[TableSpec]:
    size_px = findings.run.facts["dataset"]["size_px"]
    return [
        TableSpec(
            "trials",
            "trials",
            "All trials",
            frames.all_trials_frame,
            rows=(
                TRIAL,
                Column("status", "status"),
                Column("epochs", show=lambda row: Cell(f"{row['epochs_run']}/{row['epochs_allowed']}")),
                Column("margin", "margin", write_signed),
                Column("its input's", "input_margin", write_signed),
                Column("bytes at parity", "parity", ".0%"),
                Column("PSNR gain, dB", "psnr_gain_db", write_signed),
                Column("network", "architecture", lambda name: BASELINE_LABEL if name == "identity" else name),
                Column("loss", show=partial(show.setting, name="loss")),
                Column("activation", show=partial(show.setting, name="output_activation")),
                Column("trained at", show=partial(show.setting, name="training_quality")),
                Column("parameters", "parameters", ","),
                Column("seconds", "seconds", ".0f"),
                Column("beside the linear filter", show=show.beside_linear),
            ),
            caption=f"The {findings.run.ranking.words} first. A trial is of use only where its margin is above its "
            "input's. The whole of every setting is in tables/trials.csv.",
        ),
        TableSpec(
            "networks",
            "trials",
            "Networks",
            frames.networks_frame,
            rows=(
                Column("network", "architecture"),
                Column("parameters", "parameters", ",.0f"),
                Column("MACs per pixel", "macs_per_pixel", ",.0f"),
                Column("GMACs per image", "image_gmacs", ".2f"),
                Column("file of weights, kB", "weights_kb", ",.0f"),
                Column("trials", "n_trials"),
                Column("of them under the linear filter", "n_under_linear"),
            ),
            caption=f"MACs: multiply-accumulates of the convolutions; an image has {size_px} x {size_px} pixels. The "
            "file holds the weights alone, in Keras' HDF5 format; 1 kB is 1000 bytes.",
        ),
        TableSpec(
            "configuration",
            "trials",
            "Configuration, by training split",
            frames.configuration_frame,
            rows=(Column("setting", "setting", lambda name: SETTINGS.get(name, name.replace("_", " "))),),
            across=("split",),
            cell=lambda row: Cell(str(row["values"])),
            caption="How many trials had a value stands behind it where there are several. tables/trials.csv has each "
            "one.",
        ),
        TableSpec(
            "parity_front",
            "trials",
            "Pareto front: bytes at parity against multiply-accumulates and against measured milliseconds",
            frames.front_frame,
            rows=(
                TRIAL,
                Column("monitored bytes at parity", "bytes_at_parity", ".1%"),
                Column("MACs per pixel", "macs_per_pixel", ",.0f"),
                Column("restoring an image, ms", "restore_ms", ".1f"),
                Column("on the front of", "fronts"),
            ),
            caption="On monitored validation images. Of a trial on a front none needs fewer bytes and costs no more.",
        ),
        suspects_table(),
    ]


def _data(findings: Findings) -> list[TableSpec]:
    run = findings.run
    reference, split = run.reference_quality, run.deciding_split
    saved = (
        Column(f"saved against JPEG-{reference}", "saved_percent", write_percent),
        Column("saved against raw", "saved_raw_percent", write_percent),
        IMAGES,
    )
    return [
        TableSpec(
            "requirements",
            "data",
            f"What has to be reached: the means of JPEG-{reference} over the {split} images",
            frames.requirements_frame,
            rows=(Column("trained on", "trained_on"), SYSTEM, Column("region", "region")),
            across=("metric",),
            head=lambda row: (METRIC_TITLES[row["metric"]],),
            cell=layout.spread_cell,
            below=layout.spread_below,
        ),
        TableSpec(
            "sizes",
            "data",
            "JPEG files by quality",
            frames.sizes_frame,
            rows=(QUALITY, Column("mean size, kB", "mean_kb", ".2f"), *saved),
            caption=f"{UNITS} Over every image of the dataset.",
        ),
        TableSpec(
            "sizes_by_system",
            "data",
            "JPEG files by quality and camera system",
            frames.system_sizes_frame,
            rows=(
                Column("system", "system"),
                QUALITY,
                Column("mean size, kB", show=show.size),
                *saved,
                Column("fields", "n_fields", ","),
            ),
            caption=f"{UNITS} Over the images that were scored: the mean ± half of its 95 % interval over fields "
            "(standard deviation over images).",
        ),
        TableSpec(
            "splits",
            "data",
            "Images of each split",
            frames.splits_frame,
            rows=(
                Column("split", "split"),
                Column("subset", "subset"),
                SYSTEM,
                IMAGES,
                Column("scored", show=_scored),
                Column("fields of view", show=partial(show.or_blank, name="n_fields", otherwise="unknown")),
            ),
            below=_splits_below,
        ),
    ]


def _scored(row: Row) -> Cell:
    return show.or_blank(row, "n_scored", "trained on" if row["subset"] == "train" else "")


def _splits_below(findings: Findings, frame: pd.DataFrame) -> tuple[str, ...]:
    evidence = "Images of one field of view resemble one another, and are no independent evidence."
    tiny = "tiny has no test images of its own: data101's stand in, and it never draws from them."
    return (evidence, tiny) if (frame["split"] == "tiny").any() else (evidence,)

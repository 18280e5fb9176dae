"""The tables of what a run was made of: trials, networks, settings, images."""

from functools import partial

import pandas as pd

from analysis.decide import METRIC_TITLES
from analysis.findings import Findings
from analysis.records import BASELINE_LABEL
from analysis.run import LINEAR
from analysis.tables import layout, run_frames
from analysis.tables.columns import IMAGES, QUALITY, SYSTEM, TRIAL
from analysis.tables.spec import (
    NOT_TRIED,
    Cell,
    Column,
    Row,
    TableSpec,
    is_missing,
    write_percent,
    write_signed,
)

UNITS = "1 kB is 1000 bytes; raw is three bytes a pixel."
SETTINGS = {
    **{"architecture": "network", "training_images": "training images", "epoch_images": "images in an epoch"},
    **{"epochs_allowed": "epochs at most", "crop_px": "side of the training crop, px", "patience": "patience, epochs"},
    "clip_norm": "largest gradient norm",
}


def trials_tables(findings: Findings) -> list[TableSpec]:
    """Return the tables of trials, networks and settings."""
    size_px = findings.run.facts["dataset"]["size_px"]
    return [
        TableSpec(
            "trials",
            "trials",
            "All trials",
            run_frames.all_trials_frame,
            rows=(
                TRIAL,
                Column("status", "status"),
                Column("epochs", show=lambda row: Cell(f"{row['epochs_run']}/{row['epochs_allowed']}")),
                Column("margin", "margin", write_signed),
                Column("its input's", "input_margin", write_signed),
                Column("bytes at parity", "parity", ".0%"),
                Column("PSNR gain, dB", "psnr_gain_db", write_signed),
                Column("network", "architecture", lambda name: BASELINE_LABEL if name == "identity" else name),
                Column("loss", show=partial(_setting, name="loss")),
                Column("activation", show=partial(_setting, name="output_activation")),
                Column("trained at", show=partial(_setting, name="training_quality")),
                Column("parameters", "parameters", ","),
                Column("seconds", "seconds", ".0f"),
                Column("beside the linear filter", show=_beside_linear),
            ),
            caption=f"The {findings.run.ranking.words} first. A trial is of use only where its margin is above its "
            "input's. The whole of every setting is in tables/trials.csv.",
        ),
        TableSpec(
            "networks",
            "trials",
            "Networks",
            run_frames.networks_frame,
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
            run_frames.configuration_frame,
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
            run_frames.front_frame,
            rows=(
                TRIAL,
                Column("monitored bytes at parity", "bytes_at_parity", ".1%"),
                Column("MACs per pixel", "macs_per_pixel", ",.0f"),
                Column("restoring an image, ms", "restore_ms", ".1f"),
                Column("on the front of", "fronts"),
            ),
            caption="On monitored validation images. Of a trial on a front none needs fewer bytes and costs no more.",
        ),
    ]


def data_tables(findings: Findings) -> list[TableSpec]:
    """Return the tables of images and files."""
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
            run_frames.requirements_frame,
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
            run_frames.sizes_frame,
            rows=(QUALITY, Column("mean size, kB", "mean_kb", ".2f"), *saved),
            caption=f"{UNITS} Over every image of the dataset.",
        ),
        TableSpec(
            "sizes_by_system",
            "data",
            "JPEG files by quality and camera system",
            run_frames.system_sizes_frame,
            rows=(
                Column("system", "system"),
                QUALITY,
                Column("mean size, kB", show=_size),
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
            run_frames.splits_frame,
            rows=(
                Column("split", "split"),
                Column("subset", "subset"),
                SYSTEM,
                IMAGES,
                Column("scored", show=_scored),
                Column("fields of view", show=partial(_or_blank, name="n_fields", otherwise="unknown")),
            ),
            below=_splits_below,
        ),
    ]


def _scored(row: Row) -> Cell:
    return _or_blank(row, "n_scored", "trained on" if row["subset"] == "train" else "")


def _splits_below(findings: Findings, frame: pd.DataFrame) -> tuple[str, ...]:
    evidence = "Images of one field of view resemble one another, and are no independent evidence."
    tiny = "tiny has no test images of its own: data101's stand in, and it never draws from them."
    return (evidence, tiny) if (frame["split"] == "tiny").any() else (evidence,)


def _or_blank(row: Row, name: str, otherwise: str) -> Cell:
    if is_missing(row[name]):
        return Cell("" if row["system"] else otherwise)
    return Cell(f"{row[name]:,}", row[name])


def _setting(row: Row, name: str) -> Cell:
    return Cell(NOT_TRIED) if row["architecture"] == "identity" else Cell(str(row[name]), row[name])


def _beside_linear(row: Row) -> Cell:
    if row["architecture"] in ("identity", LINEAR):
        return Cell("")
    return Cell("under it" if row["under_linear"] else "", bool(row["under_linear"]))


def _size(row: Row) -> Cell:
    if is_missing(row["sd_kb"]):
        return Cell(f"{row['mean_kb']:.2f} (one image)", row["mean_kb"])
    half = "" if is_missing(row["high_kb"]) else f" ±{row['high_kb'] - row['mean_kb']:.2f}"
    return Cell(f"{row['mean_kb']:.2f}{half} ({row['sd_kb']:.2f})", row["mean_kb"])

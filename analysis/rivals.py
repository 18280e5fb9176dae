"""Rivals of restoring: every way to keep an image that a run measured, on the same test images, against JPEG-75."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from analysis.cell import Row
from analysis.comparison import compare
from analysis.labels import BASELINE_LABEL
from analysis.measured import read_measured, whole_rows
from analysis.run import Run
from models.names import METRICS, REGIONS

CODECS_FILE, RESTORING_FILE = "codecs.parquet", "restoring.parquet"
JPEG = "jpeg"  # JPEG as it is, among the codecs
TITLES = {
    JPEG: BASELINE_LABEL,
    "jpeg-optimised": "JPEG, optimised",
    "jpeg-progressive": "JPEG, progressive",
    "jpeg-444": "JPEG, 4:4:4",
    "webp": "WebP",
    "avif": "AVIF",
    "jpeg-xl": "JPEG XL",
}
CODEC, RESTORED = "codec", "restored"
MEASURED = ["image", "region", "file_bytes", "decode_ms", *METRICS]
CODEC_KINDS = {
    **{"codec": pa.string(), "setting": pa.int64(), "not_run": pa.string(), "image": pa.int64(), "region": pa.string()},
    **dict.fromkeys(("file_bytes", "decode_ms", *METRICS), pa.float64()),
}
RESTORING_KINDS = {
    **{"trial_id": pa.string(), "image": pa.int64(), "restore_ms": pa.float64(), "device": pa.string()},
    "n_threads": pa.int64(),
}
POINT = ["name", "setting"]
POINT_COLUMNS = [
    *("name", "kind", "setting", "n_images", "mean_bytes", "psnr_db", "ssim", "reference_psnr_db"),
    *("reaches_psnr", "n_reached", "decode_ms", "restore_ms", "restored_on"),
]


@dataclass(frozen=True)
class Rivals:
    """What a run says of other codecs beside its finalists, on the same test images.

    files: name, setting and MEASURED, a row per way to keep an image, setting, image and region. The name is a
        codec's, or the id of a finalist, whose file is the JPEG that it restores.
    points: as `rival_points` returns them. not_run: codec -> why. notes: what is missing, a sentence each.
    """

    files: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*POINT, *MEASURED]))
    points: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=POINT_COLUMNS))
    not_run: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_rivals(run: Run) -> Rivals:
    """Read what a run measured of other codecs; empty, with a note of the reason, where it did not or is damaged."""
    try:
        codecs = read_measured(run.path / CODECS_FILE, CODEC_KINDS)
    except ValueError as error:
        return Rivals(notes=(f"Other codecs are not compared: {error}",))
    tried = codecs["not_run"].isna()
    lacking = codecs[~tried & codecs["codec"].notna()]
    files = codecs[tried].rename(columns={"codec": "name"})[[*POINT, *MEASURED]]
    files, odd = whole_rows(files, run.path / CODECS_FILE, {"region": REGIONS}, infinite=("psnr_db",))
    files = files.astype({"setting": int, "image": int}).drop_duplicates([*POINT, "image", "region"])
    not_run = dict(zip(lacking["codec"], lacking["not_run"], strict=True))
    if not (files["name"].eq(JPEG) & files["setting"].eq(run.reference_quality)).any():
        reason = f"{CODECS_FILE} holds no JPEG of quality {run.reference_quality} to compare them with."
        return Rivals(not_run=not_run, notes=(*odd, f"Other codecs are not compared: {reason}"))
    kinds = {name: JPEG if name == JPEG else CODEC for name in files["name"].unique()}
    files = pd.concat([files, _restored(run, files)], ignore_index=True)
    restoring, notes = _read_restoring(run)
    points = _points(files, restoring, run.reference_quality)
    points["kind"] = points["name"].map(lambda name: kinds.get(name, RESTORED))
    return Rivals(files, points[POINT_COLUMNS], not_run, (*odd, *notes))


def rival_points(run: Run) -> pd.DataFrame:
    """Average every way to keep an image over the same test images, whole: what a picture of quality and bytes shows.

    Returns a row per name and setting: kind (JPEG, CODEC, RESTORED), n_images, mean_bytes, psnr_db, ssim;
    reference_psnr_db, reaches_psnr and n_reached: JPEG-75's mean PSNR of the same images, whether it is reached, and
    how many of the 8 means (4 metrics, whole image and centre crop) are; decode_ms and, of a restored image, restore_ms
    besides, and restored_on what.
    """
    return read_rivals(run).points


def title_of(row: Row) -> str:
    """Name a way to keep an image, from a row with its name and kind, and its role in the decision if it has one."""
    if row["kind"] != RESTORED:
        return TITLES.get(row["name"], str(row["name"]))
    role = row.get("role")
    return f"JPEG restored by {row['name']}" + (f" ({role})" if isinstance(role, str) and role else "")


def _read_restoring(run: Run) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return how long each finalist's restoring takes, by trial_id: restore_ms, restored_on."""
    try:
        rows = read_measured(run.path / RESTORING_FILE, RESTORING_KINDS)
    except ValueError as error:
        empty = pd.DataFrame(columns=["restore_ms", "restored_on"])
        return empty, (f"How long restoring takes is unknown: {error}",) if run.finalists else ()
    rows, odd = whole_rows(rows, run.path / RESTORING_FILE, {})
    threads = rows["n_threads"].astype(int).map(lambda n: f"{n} thread{'s' if n > 1 else ''}").astype(str)
    rows["restored_on"] = rows["device"].where(rows["device"] != "CPU", "CPU, " + threads)
    return rows.groupby("trial_id").agg(restore_ms=("restore_ms", "mean"), restored_on=("restored_on", "first")), odd


def _restored(run: Run, files: pd.DataFrame) -> pd.DataFrame:
    """Return the finalists' rows on the images that the codecs were tried on; decoding is that of the JPEG restored."""
    scores = run.scores
    finalists = [record.trial_id for record in run.finalists]
    of_interest = (scores["split"] == "test") & scores["trial_id"].isin(finalists)
    rows = scores.loc[of_interest & scores["image"].isin(files["image"])].drop(columns="name")
    rows = rows.rename(columns={"trial_id": "name", "input_quality": "setting", "jpeg_bytes": "file_bytes"})
    rows = rows.astype({"name": str, "region": str, "setting": int, "image": int})
    decoding = files.loc[files["name"] == JPEG, ["setting", "image", "region", "decode_ms"]]
    return rows.merge(decoding, on=["setting", "image", "region"], how="left")[[*POINT, *MEASURED]]


def _points(files: pd.DataFrame, restoring: pd.DataFrame, reference_quality: int) -> pd.DataFrame:
    scores = files.assign(trial_id=files["name"], input_quality=files["setting"], split="test")
    means = compare(scores, [JPEG], reference_quality).rename(columns={"trial_id": "name", "input_quality": "setting"})
    whole = means[means["region"] == "full"]
    psnr, ssim = (whole[whole["metric"] == metric].set_index(POINT) for metric in ("psnr_db", "ssim"))
    measured = files[files["region"] == "full"].groupby(POINT)
    points = pd.DataFrame(
        {
            "n_images": measured["image"].nunique(),
            "mean_bytes": measured["file_bytes"].mean(),
            "decode_ms": measured["decode_ms"].mean(),
            "psnr_db": psnr["mean"],
            "reference_psnr_db": psnr["reference_mean"],
            "reaches_psnr": psnr["reaches"],
            "ssim": ssim["mean"],
            "n_reached": means.groupby(POINT)["reaches"].sum(),
        }
    ).reset_index()
    return points.merge(restoring, left_on="name", right_index=True, how="left")

"""Rivals of restoring: every way to keep an image that a run measured, on the same test images, against JPEG-75."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.cell import Row
from analysis.comparison import compare
from analysis.labels import BASELINE_LABEL
from analysis.records import RESUME
from analysis.run import Run
from models.names import METRICS

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
CODEC_COLUMNS = ["codec", "setting", "not_run", *MEASURED]
RESTORING_COLUMNS = ["trial_id", "image", "restore_ms", "device", "n_threads"]
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
        codecs = _read(run.path / CODECS_FILE, CODEC_COLUMNS)
    except ValueError as error:
        return Rivals(notes=(f"Other codecs are not compared: {error}",))
    tried = codecs["not_run"].isna()
    lacking = codecs[~tried]
    files = codecs[tried].rename(columns={"codec": "name"})[[*POINT, *MEASURED]]
    files = files.astype({"setting": int, "image": int}).drop_duplicates([*POINT, "image", "region"])
    not_run = dict(zip(lacking["codec"], lacking["not_run"], strict=True))
    if not (files["name"].eq(JPEG) & files["setting"].eq(run.reference_quality)).any():
        reason = f"{CODECS_FILE} holds no JPEG of quality {run.reference_quality} to compare them with."
        return Rivals(not_run=not_run, notes=(f"Other codecs are not compared: {reason}",))
    kinds = {name: JPEG if name == JPEG else CODEC for name in files["name"].unique()}
    files = pd.concat([files, _restored(run, files)], ignore_index=True)
    restoring, notes = _read_restoring(run)
    points = _points(files, restoring, run.reference_quality)
    points["kind"] = points["name"].map(lambda name: kinds.get(name, RESTORED))
    return Rivals(files, points[POINT_COLUMNS], not_run, notes)


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


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read columns of a parquet file. Raises ValueError with the reason where it is not there or is no such file."""
    if not path.is_file():
        raise ValueError(f"the run has no {path.name}, which the search writes when it ends; {RESUME} RUN does.")
    try:
        missing = [name for name in columns if name not in pq.read_schema(path).names]
        table = pd.DataFrame() if missing else pd.read_parquet(path, columns=list(columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path.name} cannot be read ({reason}).") from error
    if missing:
        raise ValueError(f"{path.name} has no column {', '.join(missing)}.")
    return table


def _read_restoring(run: Run) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return how long each finalist's restoring takes, by trial_id: restore_ms, restored_on."""
    try:
        rows = _read(run.path / RESTORING_FILE, RESTORING_COLUMNS)
    except ValueError as error:
        empty = pd.DataFrame(columns=["restore_ms", "restored_on"])
        return empty, (f"How long restoring takes is unknown: {error}",) if run.finalists else ()
    threads = rows["n_threads"].map(lambda n: f"{n} thread{'s' if n > 1 else ''}")
    rows["restored_on"] = rows["device"].where(rows["device"] != "CPU", "CPU, " + threads)
    return rows.groupby("trial_id").agg(restore_ms=("restore_ms", "mean"), restored_on=("restored_on", "first")), ()


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

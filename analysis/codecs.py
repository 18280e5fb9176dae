"""Other codecs beside restoring, on equal terms: the bytes at which all four means reach JPEG-75's, and the times."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.cells import ALL, BYTES, STEP_QUALITY, average, parity_of
from analysis.measured import CODEC_KINDS, CODECS_FILE, read_measured, read_restoring, whole_rows
from analysis.records import BASELINE_LABEL
from analysis.run import Run
from analysis.statistics import LEAST_GROUPS, Floats, sum_groups
from models.names import METRICS
from models.parity import bytes_at_parity, smallest_margin

JPEG = "jpeg"  # JPEG as it is, among the codecs
OPTIMISED = "jpeg-optimised"  # the same pixels for fewer bytes
TITLES = {
    JPEG: BASELINE_LABEL,
    OPTIMISED: "JPEG, optimised",
    "jpeg-progressive": "JPEG, progressive",
    "jpeg-444": "JPEG, 4:4:4",
    "mozjpeg": "JPEG by mozjpeg",
    "jpegli": "JPEG by jpegli",
    "webp": "WebP",
    "avif": "AVIF",
    "jpeg-xl": "JPEG XL",
    "jpeg-xl-transcoded": "JPEG as it is, kept as JPEG XL without loss",
}
CODEC, RESTORED = "codec", "restored"
POINT = ["name", "setting"]
TIMES = ["encode_ms", "decode_ms"]
FILE_COLUMNS = [*POINT, "image", "region", "file_bytes", *TIMES, *METRICS]
POINT_COLUMNS = [
    *("name", "kind", "setting", "n_images", "mean_bytes", "psnr_db", "ssim", "n_reached", "reaches_all"),
    *(*TIMES, "restore_ms", "restored_on"),
]
WAY_COLUMNS = [
    *("name", "kind", "share_all", "all_low", "all_high", "share_psnr", "psnr_low", "psnr_high", "is_measured"),
    *("setting", *TIMES, "restore_ms", "restored_on", "n_images"),
]
# What a way to keep an image has to reach of the reference's means.
TERMS: Mapping[str, Collection[str]] = {"all": METRICS, "psnr": ("psnr_db",)}
N_RESTORERS = 3  # whose intervals are worked out, those of fewest bytes
N_RESAMPLES = 1000
LEAST_SETTINGS = 3  # at which optimised files were tried, for a finalist to be counted by them


@dataclass(frozen=True)
class CodecComparison:
    """What a run says of other codecs beside its finalists, on the same test images.

    points: POINT_COLUMNS, a row per way to keep an image and setting. The name is a codec's, or the id of a finalist,
        whose file is the JPEG that it restores. ways: WAY_COLUMNS, a row per way, fewest bytes first: its bytes at
        parity as a share of the reference's, by all four means of whole images and by mean PSNR alone, with their
        intervals, and the setting of fewest bytes that was measured to reach all four.
    not_run: codec -> why. notes: what is missing, a sentence each. verdict: the answer, empty where there is none.
    """

    points: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=POINT_COLUMNS))
    ways: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=WAY_COLUMNS))
    not_run: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    verdict: str = ""

    def optimised_share(self, quality: int) -> float | None:
        """Return the share of JPEG's bytes that it needs with optimised Huffman tables; None: one is untried."""
        sizes = self.points.set_index(POINT)["mean_bytes"].to_dict()
        optimised, plain = (sizes.get((name, quality)) for name in (OPTIMISED, JPEG))
        return None if optimised is None or plain is None else float(optimised / plain)


def compare_codecs(run: Run, suspects: Collection[str]) -> CodecComparison:
    """Compare what a run measured of other codecs with its finalists that are not suspect.

    Empty, with a note of the reason, where it did not measure any or the file is damaged.
    """
    try:
        codecs = read_measured(run.path / CODECS_FILE, CODEC_KINDS)
    except ValueError as error:
        return CodecComparison(notes=(f"Other codecs are not compared: {error}",))
    tried = codecs["not_run"].isna()
    lacking = codecs[~tried & codecs["codec"].notna()]
    files = codecs[tried].rename(columns={"codec": "name"})[FILE_COLUMNS]
    files, odd = whole_rows(files, CODECS_FILE)
    files = files.astype({"setting": int, "image": int}).drop_duplicates([*POINT, "image", "region"])
    not_run = dict(zip(lacking["codec"], lacking["not_run"], strict=True))
    whole = files[files["region"] == "full"]
    if not (whole["name"].eq(JPEG) & whole["setting"].eq(run.reference_quality)).any():
        reason = f"{CODECS_FILE} holds no JPEG of quality {run.reference_quality} to compare them with."
        return CodecComparison(not_run=not_run, notes=(*odd, f"Other codecs are not compared: {reason}"))
    codec_names = list(files["name"].unique())
    restored, elsewhere = _restored(run, files, suspects)
    files = pd.concat([files, restored], ignore_index=True)
    restoring, notes = read_restoring(run)
    names = {"name": "trial_id", "setting": "input_quality", "file_bytes": BYTES}
    scores = files.rename(columns=names).assign(split="test")
    cells = average(scores, [JPEG], run.reference_quality, groups=run.images.groups or None)
    points = _points(files, cells, codec_names, restoring)
    ways, difference = _ways(files, cells, points, run)
    verdict = _verdict(ways, difference, run)
    return CodecComparison(points, ways, not_run, (*odd, *notes, *elsewhere), verdict)


def title_of(name: str, kind: str) -> str:
    """Name a way to keep an image."""
    return f"JPEG restored by {name}" if kind == RESTORED else TITLES.get(name, name)


def _restored(run: Run, files: pd.DataFrame, suspects: Collection[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the finalists' rows on the images that the codecs were tried on, and who was tested on others.

    Files of a pack are as Pillow writes them: their times are those of the JPEG restored. Optimised Huffman tables
    change no pixel, so a finalist is compared at the qualities at which such files were tried, by their bytes; where
    these are too few, as Pillow writes them.
    """
    scores = run.scores
    able = [record.trial_id for record in run.finalists if record.trial_id not in suspects]
    of_interest = (scores["split"] == "test") & scores["trial_id"].isin(able)
    rows = scores.loc[of_interest & scores["image"].isin(files["image"])].drop(columns="name")
    rows = rows.rename(columns={"trial_id": "name", "input_quality": "setting", "jpeg_bytes": "file_bytes"})
    rows = rows.astype({"name": str, "region": str, "setting": int, "image": int})
    is_whole = rows.groupby("name")["image"].transform("nunique") == files["image"].nunique()
    elsewhere = sorted({*able} - {*rows.loc[is_whole, "name"]})
    note = f"Not compared with other codecs, being tested on other images than these: {', '.join(elsewhere)}."
    rows = rows[is_whole]
    place = ["setting", "image", "region"]
    times = files.loc[files["name"] == JPEG, [*place, *TIMES]]
    optimised = files.loc[files["name"] == OPTIMISED, [*place, "file_bytes"]].rename(
        columns={"file_bytes": "optimised"}
    )
    rows = rows.merge(times, on=place, how="left").merge(optimised, on=place, how="left")
    of_pack = [record.trial_id for record in run.finalists if record.spec.encoder is None]
    is_of_pack = rows["name"].isin(of_pack)
    known = rows[rows["optimised"].notna() & is_of_pack]
    settings = known.groupby("name")["setting"].agg(set)
    reference = run.reference_quality
    enough = [name for name, tried in settings.items() if len(tried) >= LEAST_SETTINGS and reference in tried]
    rows = rows[~rows["name"].isin(enough) | rows["optimised"].notna()]
    rows["file_bytes"] = rows["optimised"].where(rows["name"].isin(enough), rows["file_bytes"])
    rows[TIMES] = rows[TIMES].where(rows["name"].isin(of_pack))
    return rows[FILE_COLUMNS], (note,) if elsewhere else ()


def _points(
    files: pd.DataFrame, cells: pd.DataFrame, codec_names: Collection[str], restoring: pd.DataFrame
) -> pd.DataFrame:
    cells = cells.rename(columns={"trial_id": "name", "input_quality": "setting"})
    whole = cells[cells["region"] == "full"]
    psnr, ssim = (whole[whole["metric"] == metric].set_index(POINT) for metric in ("psnr_db", "ssim"))
    measured = files[files["region"] == "full"].groupby(POINT)
    points = measured[["file_bytes", *TIMES]].mean().rename(columns={"file_bytes": "mean_bytes"})
    points = points.assign(n_images=measured["image"].nunique(), psnr_db=psnr["mean"], ssim=ssim["mean"])
    points["n_reached"] = cells.groupby(POINT)["reaches"].sum()
    points["reaches_all"] = whole.groupby(POINT)["reaches"].all()
    points = points.reset_index()
    points["kind"] = [JPEG if n == JPEG else CODEC if n in codec_names else RESTORED for n in points["name"]]
    points = points.merge(restoring, left_on="name", right_index=True, how="left")
    for time in TIMES:
        points[time] = points[time].fillna(points[f"own_{time}"].astype(float))
    return points[POINT_COLUMNS]


def _ways(
    files: pd.DataFrame, cells: pd.DataFrame, points: pd.DataFrame, run: Run
) -> tuple[pd.DataFrame, tuple[float, float]]:
    """Return the ways, and the interval of the best codec's bytes at parity minus the best restorer's."""
    reaching = points["mean_bytes"].where(points["reaches_all"]).sort_values(kind="stable")  # others come last
    ways = points.loc[reaching.index].drop_duplicates("name")
    ways = ways.assign(setting=ways["setting"].where(ways["reaches_all"]))
    shares = {term: parity_of(cells, metrics).set_index("trial_id") for term, metrics in TERMS.items()}
    ways = ways.assign(**{f"share_{term}": ways["name"].map(share["share"]) for term, share in shares.items()})
    ways["is_measured"] = ways["name"].map(shares["all"]["is_measured"]).eq(True)
    ways = ways.sort_values(["share_all", "name"], ignore_index=True)
    restorers = ways.loc[ways["kind"] == RESTORED, "name"].head(N_RESTORERS)
    wanted = [*ways.loc[ways["kind"] != RESTORED, "name"], *restorers]
    samples = _resampled(files[files["name"].isin(wanted) & (files["region"] == "full")], run)
    for term in TERMS:
        bounds = {name: np.nanquantile(found[term], (0.025, 0.975)) for name, found in samples.items()}
        of_ways = np.stack([bounds.get(name, np.full(2, np.nan)) for name in ways["name"]])
        ways[f"{term}_low"], ways[f"{term}_high"] = of_ways.T
    best = [next(iter(ways.loc[ways["kind"] == kind, "name"]), None) for kind in (CODEC, RESTORED)]
    gap = (np.nan, np.nan)
    if all(name in samples for name in best):
        low, high = np.nanquantile(samples[str(best[0])]["all"] - samples[str(best[1])]["all"], (0.025, 0.975))
        gap = (float(low), float(high))
    return ways[WAY_COLUMNS], gap


def _resampled(whole: pd.DataFrame, run: Run) -> dict[str, dict[str, Floats]]:
    """Return the bytes at parity of each way, by each of TERMS, over resamples of fields, the same for all: [R].

    Nothing where there are too few fields. Over the images that all of them have.
    """
    wide = whole.pivot(index="image", columns=POINT, values=[*METRICS, "file_bytes"]).dropna()
    fields = run.images.fields_of(pd.Series(wide.index.astype(int)))
    n_fields = fields.nunique()
    if n_fields < LEAST_GROUPS or (JPEG, STEP_QUALITY) not in wide["file_bytes"]:  # without that no unit of margin
        return {}
    weights = np.random.default_rng(0).multinomial(n_fields, np.full(n_fields, 1 / n_fields), N_RESAMPLES)

    def resampled(values: Floats, kept: NDArray[np.bool_]) -> Floats:
        above, below = (sum_groups(part, fields) for part in (np.where(kept, values, 0), kept.astype(np.float64)))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((weights @ above.T) / (weights @ below.T))

    columns = wide["file_bytes"].columns
    levels = (run.reference_quality, STEP_QUALITY)
    means: dict[str, tuple[Floats, ...]] = {}  # of each way, and of JPEG at both levels over the same images
    for metric in METRICS:
        sides = [wide[metric].to_numpy(np.float64).T]
        sides += [np.broadcast_to(wide[metric][(JPEG, level)].to_numpy(np.float64), sides[0].shape) for level in levels]
        kept = np.asarray(np.isfinite(sides).all(axis=0))  # identical to the original on one side: left out of all
        means[metric] = tuple(resampled(side, kept) for side in sides)
    every = np.ones((len(columns), len(wide)), bool)
    sizes = pd.DataFrame(resampled(wide["file_bytes"].to_numpy(np.float64).T, every), columns=columns)
    found: dict[str, dict[str, Floats]] = {}
    for term, metrics in TERMS.items():
        own, reference, unit = ({metric: means[metric][side] for metric in metrics} for side in range(3))
        margin = smallest_margin({metric: values[..., None] for metric, values in own.items()}, reference, unit)
        margins = pd.DataFrame(margin[..., 0], columns=columns)
        for name in columns.unique("name"):
            place = sizes[name].to_numpy(), margins[name].to_numpy(), sizes[(JPEG, run.reference_quality)]
            found.setdefault(str(name), {})[term] = bytes_at_parity(*place)
    return found


def _verdict(ways: pd.DataFrame, difference: tuple[float, float], run: Run) -> str:
    known = ways[ways["share_all"].notna()]
    kinds = {kind: next(iter(known[known["kind"] == kind].to_dict("records")), None) for kind in (CODEC, RESTORED)}
    codec, restored = kinds[CODEC], kinds[RESTORED]
    n_images = int(ways["n_images"].max())
    start = f"On equal terms, all four means of whole images over {n_images} test images, "
    if codec is None or restored is None:
        only = codec or restored
        lacking = "no other codec was tried" if codec is None else "no finalist can be compared"
        return f"{start}{_says(only, run)}; {lacking}." if only else ""
    low, high = difference
    if not np.isfinite(low):
        ends = "too few fields to tell which needs fewer"
    elif low <= 0 <= high:
        ends = "which needs fewer cannot be told"
    else:
        first = codec if high < 0 else restored
        least = f"{100 * min(abs(low), abs(high)):.0f} % of JPEG-{run.reference_quality}'s bytes"
        ends = f"{title_of(first['name'], first['kind'])} needs fewer, by at least {least}"
    return f"{start}{_says(codec, run)}; {_says(restored, run)}: {ends}."


def _says(row: Mapping[Any, Any], run: Run) -> str:
    words = {"encode_ms": "encoded", "decode_ms": "decoded"}
    times = "".join(f", {word} in {row[time]:.1f} ms" for time, word in words.items() if pd.notna(row[time]))
    if row["kind"] == RESTORED and pd.notna(row["restore_ms"]):
        times += f", restored in {row['restore_ms']:.0f} ms on {row['restored_on']}"
    beyond = "" if row["is_measured"] else " (beyond what was measured)"
    return (
        f"{title_of(row['name'], row['kind'])} needs {row['share_all']:.0%} of JPEG-{run.reference_quality}'s bytes"
        f"{beyond}, {row['share_psnr']:.0%} for mean PSNR alone{times}"
    )


def points_of_cells(cells: pd.DataFrame, trial_ids: Collection[str], baseline_id: str, split: str) -> pd.DataFrame:
    """Return points as `CodecComparison` has them of JPEG as it is and of trials, from their cells."""
    rows = cells[(cells["split"] == split) & (cells["region"] == "full") & (cells["system"] == ALL)]
    rows = rows[rows["trial_id"].isin([*trial_ids, baseline_id]) & (rows["metric"] == "psnr_db")]
    names = rows["trial_id"].where(rows["trial_id"] != baseline_id, JPEG)
    points = rows.assign(name=names, kind=np.where(names == JPEG, JPEG, RESTORED), psnr_db=rows["mean"])
    return points.rename(columns={"input_quality": "setting"}).reindex(columns=POINT_COLUMNS)

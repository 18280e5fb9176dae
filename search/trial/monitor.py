"""What is monitored: the bytes at which restored images reach JPEG-75, on fixed validation images, for every trial.

Restored images of the monitored qualities are rounded to 8 bits and scored. Bytes at parity is what trials are ranked
by: the share of JPEG-75's bytes at which the means of all four metrics are those of JPEG-75 (`models.parity`); lower is
better, JPEG as it is has 1. The margin, which earlier versions ranked by, pools qualities 25, 50 and 75: each metric's
mean is compared with its mean for JPEG-75, in units of the distance between JPEG-75 and JPEG-50, and the smallest of
the four counts.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import keras
import numpy as np
from numpy.typing import NDArray

from datasets.batches import centre_window
from datasets.jpeg import Window
from datasets.packed import ByFingerprint, PackedDataset
from models.evaluation import restore, to_8_bits
from models.metrics import measure
from models.names import METRIC_DIRECTIONS, METRICS
from models.parity import bytes_at_parity, smallest_margin
from search.space.scale import MONITORED_QUALITIES, REFERENCE_QUALITY, SCORED_QUALITIES, UNIT_QUALITY, Protocol

N_KEPT = 4  # packs and splits whose monitored images a worker keeps

Scores = dict[int, dict[str, NDArray[np.float64]]]  # quality -> metric -> [N]


@dataclass(frozen=True)
class Reading:
    """What the monitor saw. bytes_at_parity, margin and psnr_gain_db are None where they are not finite.

    bytes_at_parity: as a share of JPEG-75's bytes. psnr_gain_db: the mean over the input's, at qualities 25, 50 and 75.
    largest_change: the largest difference between output and input, in steps of 8 bits.
    n_identical: restored images that are their originals; their PSNR, which is infinite, is in no mean.
    """

    bytes_at_parity: float | None
    margin: float | None
    psnr_gain_db: float | None
    largest_change: int
    n_identical: int = 0


@dataclass(frozen=True)
class Monitor:
    """Fixed validation images: originals float32 [N, H, W, 3], degraded[quality] uint8 the same, and their scores.

    file_bytes: quality -> mean bytes of their files; told_tables: quality -> float32 [8]. reference: the scores of
    JPEG-75 and JPEG-50 as they are stored today, whatever encoder is monitored; reference_bytes: JPEG-75's. images:
    their numbers in the pack.
    """

    originals: NDArray[np.float32]
    degraded: dict[int, NDArray[np.uint8]]
    input_scores: Scores
    file_bytes: dict[int, float]
    told_tables: dict[int, NDArray[np.float32]]
    reference: Scores
    reference_bytes: float
    least_viewable_ssim: float | None = None
    images: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def read(self, model: keras.Model) -> Reading:
        """Restore the monitored images and compare."""
        return self.compare({quality: self.restore(model, quality) for quality in self.degraded})

    def restore(self, model: keras.Model, quality: int) -> NDArray[np.uint8]:
        """Restore the monitored images of a quality: uint8 [N, H, W, 3]."""
        return to_8_bits(restore(model, self.degraded[quality], self.told_tables[quality]))

    def compare(self, restored: dict[int, NDArray[np.uint8]]) -> Reading:
        """Return the reading for restored images, uint8 [N, H, W, 3] for each monitored quality."""
        scores = _score(self.originals, restored)
        changes = [np.abs(restored[quality].astype(int) - images).max() for quality, images in self.degraded.items()]
        with np.errstate(invalid="ignore"):  # inf - inf, where neither input nor output has an error
            gains = [scores[quality]["psnr_db"] - self.input_scores[quality]["psnr_db"] for quality in SCORED_QUALITIES]
        return Reading(
            bytes_at_parity=self._bytes_at_parity(scores),
            margin=self._margin(scores),
            psnr_gain_db=_finite(_mean(np.concatenate(gains))),
            largest_change=int(max(changes)),
            n_identical=sum(int(np.isinf(scores[quality]["psnr_db"]).sum()) for quality in scores),
        )

    def _bytes_at_parity(self, scores: Scores) -> float | None:
        qualities = sorted(scores)
        means = {name: [_mean(scores[quality][name]) for quality in qualities] for name in METRICS}
        reference, unit = (
            {name: _mean(self.reference[quality][name]) for name in METRICS}
            for quality in (REFERENCE_QUALITY, UNIT_QUALITY)
        )
        sizes = [self.file_bytes[quality] for quality in qualities]
        margins = smallest_margin(means, reference, unit)
        if self.least_viewable_ssim is not None:
            viewable = np.array([_mean(self.input_scores[quality]["ssim"]) for quality in qualities])
            spare = (viewable - self.least_viewable_ssim) / abs(reference["ssim"] - unit["ssim"])
            margins = np.minimum(margins, spare)
        return _finite(float(bytes_at_parity(sizes, margins, self.reference_bytes)))

    def viewable_ssim(self, share: float) -> float | None:
        """Return the mean SSIM of files that nobody restores, where they take a share of JPEG-75's bytes."""
        return self._at(share, {quality: _mean(scores["ssim"]) for quality, scores in self.input_scores.items()})

    def quality_at(self, share: float) -> float | None:
        """Return the quality whose files take a share of JPEG-75's bytes, between those that are monitored."""
        return self._at(share, {quality: float(quality) for quality in self.file_bytes})

    def _at(self, share: float, values: Mapping[int, float]) -> float | None:
        """Interpolate values by quality over the logarithm of bytes, to a share of JPEG-75's."""
        qualities = sorted(self.file_bytes, key=lambda quality: self.file_bytes[quality])
        sizes = np.log([self.file_bytes[quality] for quality in qualities])
        known = [values[quality] for quality in qualities]
        return _finite(float(np.interp(np.log(share * self.reference_bytes), sizes, known)))

    def _margin(self, scores: Scores) -> float | None:
        reference, unit = self.reference[REFERENCE_QUALITY], self.reference[UNIT_QUALITY]
        margins = []
        for metric, direction in METRIC_DIRECTIONS.items():
            mean = _mean(np.concatenate([scores[quality][metric] for quality in SCORED_QUALITIES]))
            distance = abs(_mean(reference[metric]) - _mean(unit[metric]))
            margins.append(direction * (mean - _mean(reference[metric])) / distance if distance else math.nan)
        return _finite(min(margins, key=lambda margin: (not math.isnan(margin), margin)))


def read_monitor(pack: PackedDataset, split: str, protocol: Protocol) -> Monitor:
    """Read the images to monitor, of the split's validation subset: centre crops at the qualities that the pack has.

    Then kept in memory for the next trial.
    """
    return _read_monitor(ByFingerprint(pack), split, protocol)


@lru_cache(N_KEPT)
def _read_monitor(key: ByFingerprint, split: str, protocol: Protocol) -> Monitor:
    pack = key.pack
    images = protocol.images_to_monitor(pack, split)
    window = centre_window(pack.size_px, protocol.monitor_px)
    originals = np.divide(pack.originals[images][:, *window], 255, dtype=np.float32)
    qualities = [quality for quality in MONITORED_QUALITIES if quality in pack.qualities]
    degraded, sizes = _read(pack, images, qualities, window)
    scores = _score(originals, degraded)
    stored_sizes, reference = sizes, scores
    if pack.family:
        shown, stored_sizes = _read(pack.written_by(None), images, (REFERENCE_QUALITY, UNIT_QUALITY), window)
        reference = _score(originals, shown)
    return Monitor(
        originals=originals,
        degraded=degraded,
        input_scores=scores,
        file_bytes=sizes,
        told_tables={quality: pack.told_tables(quality) for quality in qualities},
        reference=reference,
        reference_bytes=stored_sizes[REFERENCE_QUALITY],
        least_viewable_ssim=protocol.least_viewable_ssim,
        images=images,
    )


def _read(
    pack: PackedDataset, images: NDArray[np.int64], qualities: Iterable[int], window: Window
) -> tuple[dict[int, NDArray[np.uint8]], dict[int, float]]:
    """Return what a window of the images' files shows at each quality, and the mean bytes of the files."""
    shown, sizes = {}, {}
    for quality in qualities:
        shown[quality] = np.stack([pack.degraded(image, quality, window) for image in images])
        sizes[quality] = float(np.mean([len(pack.file_bytes(image, quality)) for image in images]))
    return shown, sizes


def _score(originals: NDArray[np.float32], images: dict[int, NDArray[np.uint8]]) -> Scores:
    return {
        quality: measure(originals, np.divide(pixels, 255, dtype=np.float32), METRICS)
        for quality, pixels in images.items()
    }


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the finite values: identical images have an infinite PSNR, which no mean can hold."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

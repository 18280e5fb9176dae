"""What is monitored: the bytes at which restored images reach JPEG-75, on fixed validation images, for every trial.

Restored images of the monitored qualities are rounded to 8 bits and scored. Bytes at parity is what trials are ranked
by: the share of JPEG-75's bytes at which the means of all four metrics are those of JPEG-75 (`models.parity`); lower is
better, JPEG as it is has 1. The margin, which earlier versions ranked by, pools qualities 25, 50 and 75: each metric's
mean is compared with its mean for JPEG-75, in units of the distance between JPEG-75 and JPEG-50, and the smallest of
the four counts.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from datasets.batches import centre_window
from datasets.packed import PackedDataset
from datasets.tables import tables_of_quality
from models.evaluation import restore, to_8_bits
from models.metrics import measure
from models.names import METRIC_DIRECTIONS, METRICS
from models.parity import bytes_at_parity, smallest_margin
from search.space.scale import MONITORED_QUALITIES, REFERENCE_QUALITY, SCORED_QUALITIES, UNIT_QUALITY, Protocol

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

    file_bytes: quality -> mean bytes of their files.
    """

    originals: NDArray[np.float32]
    degraded: dict[int, NDArray[np.uint8]]
    input_scores: Scores
    file_bytes: dict[int, float]

    def read(self, model: keras.Model) -> Reading:
        """Restore the monitored images and compare."""
        restored = {
            quality: to_8_bits(restore(model, images, tables_of_quality(quality)))
            for quality, images in self.degraded.items()
        }
        return self.compare(restored)

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
            {name: _mean(self.input_scores[quality][name]) for name in METRICS}
            for quality in (REFERENCE_QUALITY, UNIT_QUALITY)
        )
        sizes = [self.file_bytes[quality] for quality in qualities]
        margins = smallest_margin(means, reference, unit)
        return _finite(float(bytes_at_parity(sizes, margins, self.file_bytes[REFERENCE_QUALITY])))

    def _margin(self, scores: Scores) -> float | None:
        reference, unit = self.input_scores[REFERENCE_QUALITY], self.input_scores[UNIT_QUALITY]
        margins = []
        for metric, direction in METRIC_DIRECTIONS.items():
            mean = _mean(np.concatenate([scores[quality][metric] for quality in SCORED_QUALITIES]))
            distance = abs(_mean(reference[metric]) - _mean(unit[metric]))
            margins.append(direction * (mean - _mean(reference[metric])) / distance if distance else math.nan)
        return _finite(min(margins, key=lambda margin: (not math.isnan(margin), margin)))


def read_monitor(pack: PackedDataset, split: str, protocol: Protocol) -> Monitor:
    """Read the images to monitor, of the split's validation subset: centre crops at the qualities that the pack has."""
    images = protocol.images_to_monitor(pack, split)
    window = centre_window(pack.size_px, protocol.monitor_px)
    originals = np.divide(pack.originals[images][:, *window], 255, dtype=np.float32)
    degraded = {
        quality: np.stack([pack.degraded(image, quality, window) for image in images])
        for quality in MONITORED_QUALITIES
        if quality in pack.qualities
    }
    sizes = {
        quality: float(np.mean([len(pack.jpeg_bytes(image, quality)) for image in images])) for quality in degraded
    }
    return Monitor(originals, degraded, _score(originals, degraded), sizes)


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

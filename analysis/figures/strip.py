"""Comparison strip: one sample image as original, JPEG and restored, and where the two differ from the original."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.canvas import new_figure
from analysis.samples import Samples

# Side of the centre shown: a macroblock of 16 pixels is then a sixth of the panel.
ZOOM_PX = 96
BRIGHT_SHARE = 0.995


@dataclass(frozen=True)
class StripRow:
    """One quality of a strip: uint8 [Z, Z, 3] pictures, and PSNR of the whole image before and after, dB."""

    quality: int
    original: NDArray[np.uint8]
    degraded: NDArray[np.uint8]
    restored: NDArray[np.uint8]
    degraded_psnr_db: float
    restored_psnr_db: float


def comparison_strip(samples: Samples, image: int, qualities: Sequence[int]) -> list[StripRow]:
    """Cut the centre of a sample at the given qualities; those the samples lack are left out."""
    whole = samples.original[image]
    rows = []
    for quality in qualities:
        if quality not in samples.qualities:
            continue
        index = samples.qualities.index(quality)
        degraded, restored = samples.degraded[image, index], samples.restored[image, index]
        rows.append(
            StripRow(
                quality,
                _centre(whole),
                _centre(degraded),
                _centre(restored),
                _psnr_db(whole, degraded),
                _psnr_db(whole, restored),
            )
        )
    return rows


def amplification(rows: Sequence[StripRow]) -> int:
    """Return the whole factor that makes almost all differences of a strip visible and none but the largest white."""
    differences = [_difference(row.original, side) for row in rows for side in (row.degraded, row.restored)]
    bright = float(np.quantile(np.stack(differences), BRIGHT_SHARE))
    return max(1, int(255 / max(bright, 1.0)))


def draw_comparison_strip(rows: Sequence[StripRow], title: str) -> Figure:
    """Draw a `comparison_strip`, a row per quality, both difference columns amplified alike."""
    factor = amplification(rows)
    figure = new_figure(10.5, 2.35 * len(rows) + 0.7)
    grid = figure.subplots(len(rows), 5, squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        jpeg_difference = _amplified(row.original, row.degraded, factor)
        restored_difference = _amplified(row.original, row.restored, factor)
        _show(axes[0], row.original, "original", "")
        _show(axes[1], row.degraded, f"JPEG-{row.quality}", _psnr_text(row.degraded_psnr_db))
        _show(axes[2], row.restored, "restored", _psnr_text(row.restored_psnr_db))
        _show(axes[3], jpeg_difference, f"|JPEG-{row.quality} - original|", f"amplified {factor} times")
        _show(axes[4], restored_difference, "|restored - original|", f"amplified {factor} times")
    figure.suptitle(f"{title}\ndifferences from the original, amplified {factor} times in both columns", fontsize=10)
    return figure


def _centre(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    top, left = ((side - ZOOM_PX) // 2 if side > ZOOM_PX else 0 for side in image.shape[:2])
    return image[top : top + ZOOM_PX, left : left + ZOOM_PX]


def _psnr_db(original: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    mse = float(np.mean((original.astype(np.float64) - other) ** 2)) / 255**2
    return float("inf") if mse == 0 else -10 * float(np.log10(mse))


def _psnr_text(psnr_db: float) -> str:
    return "identical to the original" if np.isinf(psnr_db) else f"{psnr_db:.2f} dB (whole image)"


def _difference(original: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int16]:
    difference: NDArray[np.int16] = np.abs(original.astype(np.int16) - other)
    return difference


def _amplified(original: NDArray[np.uint8], other: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    bright = _difference(original, other).astype(np.int32) * factor
    return np.clip(bright, 0, 255).astype(np.uint8)


def _show(axes: Axes, picture: NDArray[np.uint8], title: str, below: str) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(below, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])

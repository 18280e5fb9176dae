"""Consistency: what was restored is moved onto the images that the JPEG file could have come from.

A stored coefficient says between which two numbers that of the original lay: its cell. Luma is clamped into the cells
block by block in the DCT's domain; chroma, as the encoder averaged it, likewise, and the correction is added to every
pixel that was averaged. Both are orthogonal projections onto convex sets: where the original lies in all cells, no
error of Y, Cb and Cr, summed over squares, can grow. Blocks that the side of the image cuts, that touch black or white
(where decoding clipped what was stored) or whose chroma cannot be read stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.colour import RGB_TO_YCBCR, YCBCR_TO_RGB

Floats = NDArray[np.float32]
Plane = NDArray[np.uint8] | Floats

BLOCK_PX = 8
CENTRE = 128.0
# In units of a DCT coefficient. Encoders round an original's colours, and the mean of chroma, to whole levels, so that
# it lies outside its cell by up to 4 where it is flat, all pixels being rounded alike; elsewhere by at most 1.42 in 6
# synthetic smears at qualities 75, 85 and 95. Wide cells are larger by:
WIDER_FLAT, WIDER = 4.0, 1.5
# Narrow cells are smaller by this, so that what was restored is still in them after it is rounded to 8 bits.
NARROWER = 1.05
# A decoded level, which is rounded too, does not tell the stored coefficient for sure where a step is small, nor where
# what is read off lies so near to the middle between two. The cell is then a step wider.
SURE_FLAT_STEP, SURE_STEP, NEAR_MIDDLE = 8, 3, 1.0
CELLS = ("wide", "narrow")
# By how much an error of RGB can grow where that of Y, Cb and Cr does not: the two norms differ.
WORST_RGB_FACTOR = float(np.linalg.cond(YCBCR_TO_RGB.astype(np.float64)))

_k = np.arange(BLOCK_PX)
COSINES = np.sqrt(np.where(_k == 0, 1, 2) / BLOCK_PX)[:, None] * np.cos((2 * _k[None] + 1) * _k[:, None] * np.pi / 16)
COSINES = COSINES.astype(np.float32)  # the orthonormal DCT of 8 numbers; einsum takes it, as matmul wakes all cores


@dataclass(frozen=True)
class Stored:
    """What a file stores of an image, or of a part that begins at a whole block of every plane.

    planes: Y, or Y, Cb and Cr as they are stored, [h, w] of 0..255; steps: of each, the quantisation table [8, 8];
    factors: rows and columns of pixels for one of chroma. is_known: whether the tables are libjpeg's, whose encoders
    round to the nearest: the cells of others, which may prefer zeros, are made half a step wider.
    """

    planes: Sequence[Plane]
    steps: Sequence[NDArray[np.int64]]
    factors: tuple[int, int]
    is_known: bool = True

    def part(self, rows: slice, columns: slice) -> "Stored":
        """Return the part of some rows and columns of pixels, which begin at whole blocks of every plane."""
        planes = []
        for place, plane in enumerate(self.planes):
            down, across = self.factors if place else (1, 1)
            planes.append(
                plane[rows.start // down : -(-rows.stop // down), columns.start // across : -(-columns.stop // across)]
            )
        return Stored(planes, self.steps, self.factors, self.is_known)


def project(restored: Floats, stored: Stored, cells: str = "wide", shares: Sequence[Floats] | None = None) -> Floats:
    """Move a restored image, float32 [H, W, 3] in [0, 1], onto those that the file could have come from.

    cells: "wide", so that the error of Y, Cb and Cr does not grow, or "narrow", so that compressing it again gives the
    stored coefficients. shares: of each plane [8, 8], how much is kept of what moves each coefficient, before that.
    Returns float32 [H, W, 3], not clipped.
    """
    ycbcr = mixed([restored[..., channel] for channel in range(3)], 255 * RGB_TO_YCBCR)
    for place, (plane, steps) in enumerate(zip(stored.planes, stored.steps, strict=True)):
        factors = stored.factors if place else (1, 1)
        found, read_off = found_and_read_off(ycbcr[place], plane, stored.factors if place else None)
        moved = found if shares is None else read_off + shares[place][:, None, :] * (found - read_off)
        centres, half = _cells(read_off, steps, cells, stored.is_known)
        certain = is_certain(plane[: BLOCK_PX * found.shape[0], : BLOCK_PX * found.shape[2]])[:, None, :, None]
        change = transform_back(np.where(certain, np.clip(moved, centres - half, centres + half), moved) - found)
        height, width = (side * factor for side, factor in zip(change.shape, factors, strict=True))
        ycbcr[place][:height, :width] += np.repeat(np.repeat(change, factors[0], axis=0), factors[1], axis=1)
    return np.stack(mixed(ycbcr, YCBCR_TO_RGB / 255), axis=-1)


def mixed(channels: Sequence[Floats], matrix: NDArray[Any]) -> list[Floats]:
    """Return channels as the rows of a matrix mix them."""
    first, second, third = channels
    return [row[0] * first + row[1] * second + row[2] * third for row in np.asarray(matrix, np.float32)]


def found_and_read_off(plane: Floats, stored: Plane, factors: tuple[int, int] | None) -> tuple[Floats, Floats]:
    """Return the coefficients of a restored plane's whole blocks, and those read off the file's: [rows, 8, columns, 8].

    factors: rows and columns of a plane of chroma, 0 in its middle, for one as it is stored; None of luma.
    """
    averaged = plane - CENTRE if factors is None else _averaged(plane, factors)
    height, width = (
        min(one, other) // BLOCK_PX * BLOCK_PX for one, other in zip(averaged.shape, stored.shape, strict=True)
    )
    return transform(averaged[:height, :width]), _read_off(stored[:height, :width])


def stored_coefficients(plane: Plane, steps: NDArray[np.int64]) -> Floats:
    """Return the coefficients that a file stores, whole numbers [rows, 8, columns, 8], read off a decoded plane."""
    coefficients: Floats = np.rint(_read_off(plane) / _laid_out(steps))
    return coefficients


def _read_off(plane: Plane) -> Floats:
    return transform(np.asarray(_whole(plane), np.float32) - np.float32(CENTRE))


def transform(plane: Floats) -> Floats:
    """Return the DCT of each block of a plane with whole blocks: [H, W] -> [H / 8, 8, W / 8, 8]."""
    height, width = plane.shape
    down = np.einsum("ij,hjw->hiw", COSINES, plane.reshape(height // BLOCK_PX, BLOCK_PX, width))
    blocks = down.reshape(height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX)
    return np.asarray(np.einsum("hiwj,kj->hiwk", blocks, COSINES))


def transform_back(coefficients: Floats) -> Floats:
    """Undo `transform`: [h, 8, w, 8] -> [8 * h, 8 * w]."""
    rows, _, columns, _ = coefficients.shape
    across = np.einsum("hiwk,kj->hiwj", coefficients, COSINES).reshape(rows, BLOCK_PX, columns * BLOCK_PX)
    return np.asarray(np.einsum("ij,hiw->hjw", COSINES, across)).reshape(rows * BLOCK_PX, columns * BLOCK_PX)


def is_certain(plane: Plane) -> NDArray[np.bool_]:
    """Say of each whole block whether decoding clipped none of it: [rows, columns]."""
    whole = _whole(plane)
    blocks = whole.reshape(whole.shape[0] // BLOCK_PX, BLOCK_PX, whole.shape[1] // BLOCK_PX, BLOCK_PX)
    return np.asarray(((blocks > 0) & (blocks < 255)).all(axis=(1, 3)))


def _cells(read_off: Floats, steps: NDArray[np.int64], cells: str, is_known: bool) -> tuple[Floats, Floats]:
    """Return the middle of each coefficient's cell, and half its width."""
    step, half = _laid_out(steps), _half_widths(steps, cells, is_known)
    centres = np.rint(read_off / step) * step
    if cells == "wide":
        half = half + step * (np.abs(read_off - centres) > step / 2 - NEAR_MIDDLE)
    return centres, half


def _half_widths(steps: NDArray[np.int64], cells: str, is_known: bool) -> Floats:
    """Return half the width of each coefficient's cell: [8, 1, 8]."""
    if cells not in CELLS:
        raise ValueError(f"unknown cells {cells!r}; known: {', '.join(CELLS)}")
    half = steps / 2
    if cells == "narrow":
        return _laid_out(np.maximum(half - NARROWER, 0))
    wider, sure = np.full(steps.shape, WIDER), np.full(steps.shape, SURE_STEP)
    wider[0, 0], sure[0, 0] = WIDER_FLAT, SURE_FLAT_STEP
    unsure = np.where(steps < sure, np.maximum(steps, wider), 0)
    return _laid_out(half + wider + unsure + (0 if is_known else half))


def _averaged(plane: Floats, factors: tuple[int, int]) -> Floats:
    """Return the mean of so many rows and columns of pixels; what is left over at the end is left out."""
    (down, across), (height, width) = factors, plane.shape
    cut = plane[: height // down * down, : width // across * across]
    return np.asarray(cut.reshape(height // down, down, width // across, across).mean(axis=(1, 3)), np.float32)


def _whole(plane: Plane) -> Plane:
    height, width = (side // BLOCK_PX * BLOCK_PX for side in plane.shape)
    return plane[:height, :width]


def _laid_out(steps: NDArray[Any]) -> Floats:
    """Return a table [8, 8] so that it goes with [rows, 8, columns, 8]."""
    return steps.astype(np.float32)[:, None, :]

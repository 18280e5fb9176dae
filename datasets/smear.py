"""The built-in smear: stained blood-smear images drawn from random numbers, so that everything runs without a download.

An image is drawn as a microscope sees it: cells are amounts of stain, stain absorbs light (Beer-Lambert), the optics
blur the light, a Bayer sensor adds noise, and bilinear demosaicing spreads that noise over pixels and colours.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.errors import InputError
from datasets.sources.source import SourceImage

Plane = NDArray[np.float32]  # [H, W], or [C, H, W] where said
Points = NDArray[np.complex64]  # [H, W] pixel positions x + iy, relative to a centre
Window = tuple[slice, slice]

SIZE_PX: Final = 360


@dataclass(frozen=True)
class Camera:
    """What a camera system does to the light: background in RGB [0, 1], blur in pixels, noise as a share of white."""

    background: tuple[float, float, float]
    blur_px: float
    noise: float


@dataclass(frozen=True)
class Kind:
    """A kind of white cell; lobes of the nucleus lie on an arc. Lengths in pixels, (low, high) are drawn uniformly."""

    radius_px: tuple[float, float]
    n_lobes: tuple[int, int]
    lobe_px: tuple[float, float]
    arc_px: tuple[float, float]
    link_px: float
    cytoplasm: tuple[float, float, float]
    granule: tuple[float, float, float]


CAMERAS: Final[dict[str, Camera]] = {
    "white": Camera(background=(0.91, 0.885, 0.89), blur_px=1.05, noise=0.0098),
    "yellow": Camera(background=(0.925, 0.88, 0.77), blur_px=1.1, noise=0.0098),
    "green": Camera(background=(0.825, 0.88, 0.81), blur_px=1.15, noise=0.0098),
}
SYSTEMS: Final[tuple[str, ...]] = tuple(CAMERAS)

# Amounts of stain (haemoglobin, azure, eosin): cytoplasm at rest, and how far its granules change it.
KINDS: Final[dict[str, Kind]] = {
    "neutrophil": Kind((68, 80), (3, 5), (15, 20), (26, 33), 5.0, (0.0, 0.07, 0.30), (0.0, 0.030, 0.05)),
    "band": Kind((66, 76), (5, 5), (14, 17), (28, 33), 13.0, (0.0, 0.07, 0.30), (0.0, 0.030, 0.05)),
    "eosinophil": Kind((68, 80), (2, 2), (23, 28), (27, 33), 6.0, (0.0, 0.07, 0.60), (0.0, 0.0, 0.20)),
    "lymphocyte": Kind((46, 60), (1, 1), (36, 44), (0, 6), 0.0, (0.0, 0.24, 0.05), (0.0, 0.02, 0.0)),
    "monocyte": Kind((76, 90), (4, 4), (25, 31), (26, 33), 24.0, (0.0, 0.20, 0.12), (0.0, 0.03, 0.02)),
    "basophil": Kind((62, 72), (2, 3), (26, 32), (16, 22), 20.0, (0.0, 0.26, 0.14), (0.0, 0.16, 0.0)),
}

# Optical density (natural) in R, G, B of a unit of haemoglobin, azure (nuclei, basophilic cytoplasm), eosin (granules).
DENSITIES: Final = np.array([[0.25, 0.60, 0.50], [0.68, 1.60, 0.54], [0.14, 0.46, 0.26]], np.float32)
# Thickness of a resting red cell in micrometres is sqrt(1 - r^2) * (c0 + c1 r^2 + c2 r^4), r in units of its radius:
# Evans and Fung, Microvascular Research 4 (1972), at 300 mOsm.
EVANS_FUNG: Final = (0.81, 7.83, -4.39)
BAYER: Final = (((0, 0),), ((0, 1), (1, 0)), ((1, 1),))  # (row, column) of red, green, blue in a 2 x 2 tile
ROWS, COLUMNS = np.ogrid[0:SIZE_PX, 0:SIZE_PX]


def synthesize(n_images: int, seed: int) -> list[SourceImage]:
    """List n_images smears, camera systems in turn, each drawn when it is read; image i depends on (seed, i) only.

    Images are as draw_smear returns them, the same bytes each time on one machine; another processor or numpy may round
    single values differently. Raises InputError unless n_images >= 1 and seed >= 0.
    """
    if n_images < 1:
        raise InputError(f"n_images must be 1 or more, got n_images={n_images}: ask for at least one image")
    if seed < 0:
        raise InputError(f"seed must be 0 or more, got seed={seed}: choose a non-negative seed")
    systems = [SYSTEMS[index % len(SYSTEMS)] for index in range(n_images)]
    return [
        SourceImage(f"{system}/smear-{index:05d}.png", system, partial(_draw_numbered, system, seed, index))
        for index, system in enumerate(systems)
    ]


def draw_smear(system: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one smear with a white cell near the centre, as camera `system` sees it: uint8 [SIZE_PX, SIZE_PX, 3].

    Raises ValueError when `system` is not in SYSTEMS.
    """
    if system not in CAMERAS:
        raise ValueError(f"system must be one of {', '.join(SYSTEMS)}, got system={system!r}: choose a known one")
    stains = np.zeros((3, SIZE_PX, SIZE_PX), np.float32)
    kind = list(KINDS.values())[rng.integers(len(KINDS))]
    centre = complex(*rng.normal(SIZE_PX / 2, 5, 2))
    radius_px = float(rng.uniform(*kind.radius_px))
    _add_red_cells(stains[0], centre, radius_px, rng)
    _add_platelets(stains[1], rng)
    _add_white_cell(stains, kind, centre, radius_px, rng)
    return _photograph(stains, CAMERAS[system], rng)


def _draw_numbered(system: str, seed: int, index: int) -> NDArray[np.uint8]:
    return draw_smear(system, np.random.default_rng((seed, index)))


def _window(centre: complex, half_px: float) -> tuple[Window, Points]:
    """Return the part of the frame within half_px of the centre, and its pixel positions relative to the centre."""
    x, y = centre.real, centre.imag
    rows = slice(max(0, int(y - half_px)), max(0, min(SIZE_PX, int(y + half_px) + 2)))
    columns = slice(max(0, int(x - half_px)), max(0, min(SIZE_PX, int(x + half_px) + 2)))
    return (rows, columns), ((COLUMNS[:, columns] - x) + 1j * (ROWS[rows] - y)).astype(np.complex64)


def _noise(shape: tuple[int, ...], scale_px: float, rng: np.random.Generator) -> Plane:
    """Draw smooth noise of unit variance whose blobs are about 2 * scale_px wide."""
    white = rng.standard_normal(shape, np.float32)
    smooth: Plane = ndimage.gaussian_filter(white, scale_px, truncate=2.5, mode="wrap")
    return smooth * np.float32(2 * np.sqrt(np.pi) * scale_px)


def _rho(points: Points, radius_px: float, wobble: float, rng: np.random.Generator) -> Plane:
    """Return the distance from the centre in units of an irregular closed outline: below 1 inside, above 1 outside.

    The outline is radius_px * (1 + a short random Fourier series of the angle); amplitudes fall with the harmonic.
    """
    distance = np.abs(points) + np.float32(1e-3)
    direction = points / distance
    amplitudes = wobble * rng.standard_normal(5) * np.array([1.0, 0.5, 0.3, 0.2, 0.12])
    series = np.zeros_like(direction)  # from the second harmonic on: the first only moves the outline
    for amplitude, phase in zip(amplitudes[::-1], rng.uniform(0, 2 * np.pi, 5), strict=True):
        series = (series + np.complex64(amplitude * np.exp(1j * phase))) * direction  # Horner
    outline = np.float32(radius_px) * (1 + (series * direction).real)
    ratio: Plane = distance / outline
    return ratio


def _inside(distance_px: Plane, edge_px: float) -> Plane:
    """Return 1 inside, 0 outside and a smooth step edge_px wide where the signed distance crosses 0."""
    step: Plane = np.clip(0.5 - distance_px / np.float32(edge_px), 0, 1)
    return step * step * (3 - 2 * step)


def _add_red_cells(haemoglobin: Plane, white_centre: complex, white_px: float, rng: np.random.Generator) -> None:
    """Strew red cells around the white cell; how many, how large and how pale they are differs between smears."""
    n_wanted, size_px, pallor = int(rng.integers(7, 34)), rng.uniform(34, 45), rng.uniform(0.5, 1.0)
    wobble = rng.uniform(0.03, 0.07)
    placed: list[complex] = []
    for _ in range(8 * n_wanted):
        centre = complex(*rng.uniform(-0.6 * size_px, SIZE_PX + 0.6 * size_px, 2))
        gap = size_px * rng.uniform(1.25, 2.15)
        if abs(centre - white_centre) < white_px + 0.9 * size_px or any(abs(centre - other) < gap for other in placed):
            continue
        placed.append(centre)
        window, points = _window(centre, 1.45 * size_px)
        cell = _red_cell(points, size_px * rng.normal(1, 0.05), wobble, pallor + rng.normal(0, 0.12), rng)
        below = haemoglobin[window]
        haemoglobin[window] = np.maximum(below, cell) + 0.4 * np.minimum(below, cell)
        if len(placed) == n_wanted:
            break


def _red_cell(points: Points, radius_px: float, wobble: float, pallor: float, rng: np.random.Generator) -> Plane:
    """Return the haemoglobin of a red cell: the resting disc and a flat one mixed by pallor, a rim, a bright fringe."""
    rho = _rho(points, radius_px, wobble * rng.uniform(0.5, 1.6), rng)
    shift = np.complex64(complex(*rng.normal(0, 0.1, 2)) * radius_px)
    pit = np.minimum(np.abs(points - shift) ** 2 / np.float32(radius_px**2), 1)
    c0, c1, c2 = EVANS_FUNG
    mix = min(max(pallor, 0.1), 1)
    thickness = mix * (c0 + c1 * pit + c2 * pit * pit) / sum(EVANS_FUNG) + (1 - mix) * 0.9
    body = (1 - np.minimum(rho, 1) ** 2) ** 0.35 * thickness  # 0.35, not 0.5: a dried cell is flatter
    rim = 0.17 * np.exp(-(((rho - 0.93) / 0.06) ** 2)) - 0.09 * np.exp(-(((rho - 1.06) / 0.06) ** 2))
    cell: Plane = (body + rim) * rng.uniform(0.85, 1.15)
    return cell


def _add_platelets(azure: Plane, rng: np.random.Generator) -> None:
    """Strew a few platelets: small, ragged, granular."""
    for _ in range(int(rng.poisson(1.5))):
        window, points = _window(complex(*rng.uniform(0, SIZE_PX, 2)), 22)
        body = _inside((_rho(points, rng.uniform(6, 12), 0.09, rng) - 1) * 8, 5)
        azure[window] += body * (0.22 + 0.08 * _noise(body.shape, 1.5, rng))


def _add_white_cell(stains: Plane, kind: Kind, centre: complex, radius_px: float, rng: np.random.Generator) -> None:
    """Lay a white cell of one kind over the stains [3, H, W]: cytoplasm with granules, and a nucleus with chromatin."""
    window, points = _window(centre, 1.35 * radius_px)
    shape = points.shape
    body = _inside((_rho(points, radius_px, 0.035, rng) - 1) * radius_px + 1.2 * _noise(shape, 5, rng), 5)
    nucleus = _nucleus(points, kind, radius_px, rng) * body
    cloud, grain = _noise(shape, 9, rng), np.tanh(1.5 * _noise(shape, 1.6, rng))
    stains[(slice(None), *window)] *= 1 - 0.9 * body
    for stain, rest, granule in zip(stains, kind.cytoplasm, kind.granule, strict=True):
        stain[window] += body * np.maximum(rest * (1 + 0.12 * cloud) + granule * grain, 0)
    strands, knots = _noise(shape, 2.2, rng), _noise(shape, 5, rng)
    chromatin = 0.9 + 0.22 * np.tanh(strands) + 0.18 * np.tanh(knots)
    stains[1][window] += nucleus * chromatin * rng.uniform(0.9, 1.15)


def _nucleus(points: Points, kind: Kind, radius_px: float, rng: np.random.Generator) -> Plane:
    """Return how much of each pixel the nucleus covers: lobes along an arc, joined by links, with an uneven edge."""
    n_lobes = int(rng.integers(kind.n_lobes[0], kind.n_lobes[1] + 1))
    scale = radius_px / np.mean(kind.radius_px)
    turn = np.cumsum(rng.uniform(0.8, 1.15, n_lobes) * min(1.9, 4.6 / n_lobes)) + rng.uniform(0, 2 * np.pi)
    lobes = rng.uniform(*kind.arc_px, n_lobes) * scale * np.exp(1j * turn)
    distance = np.full(points.shape, np.inf, np.float32)
    for lobe in lobes:
        lobe_px = float(rng.uniform(*kind.lobe_px) * scale)
        outline = (_rho(points - np.complex64(lobe), lobe_px, 0.06, rng) - 1) * np.float32(lobe_px)
        distance = np.minimum(distance, outline)
    for start, end in pairwise(lobes.astype(np.complex64)):
        along = np.clip(((points - start) / (end - start)).real, 0, 1)
        link = np.abs(points - start - along * (end - start))
        distance = np.minimum(distance, link - np.float32(kind.link_px * scale))
    return _inside(distance + 1.2 * _noise(points.shape, 6, rng), 4)


def _photograph(stains: Plane, camera: Camera, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Turn stains [3, H, W] into what the camera delivers: uint8 [H, W, 3]."""
    staining = rng.normal(1, 0.08, (3, 1)) * rng.normal(1, 0.04, (3, 3))
    # einsum, not a matrix product: BLAS would keep a second core busy waiting for so small a one
    light = np.exp(-np.einsum("sc,shw->chw", (DENSITIES * staining).astype(np.float32), stains))
    light *= np.array(camera.background, np.float32)[:, None, None] * np.float32(rng.uniform(0.96, 1.04)) * _shade(rng)
    blur_px = camera.blur_px * rng.uniform(0.85, 1.2)
    for plane, colour in zip(light, (1.05, 0.95, 1.1), strict=True):  # lenses focus green best
        ndimage.gaussian_filter(plane, blur_px * colour, output=plane, truncate=2.5)
    return np.round(255 * np.clip(_sense(light, camera.noise, rng), 0, 1)).astype(np.uint8)


def _shade(rng: np.random.Generator) -> Plane:
    """Return the illumination [H, W]: a slope and a fall-off from an off-centre lamp, a few per cent over the frame."""
    (dx, dy), (x, y) = rng.normal(0, 0.02, 2), rng.normal(0, 0.2, 2)
    u, v = COLUMNS / SIZE_PX - 0.5, ROWS / SIZE_PX - 0.5
    shade: Plane = (1 + dx * u + dy * v - 0.08 * ((u - x) ** 2 + (v - y) ** 2)).astype(np.float32)
    return shade


def _sense(light: Plane, noise: float, rng: np.random.Generator) -> Plane:
    """Sample light [3, H, W] on an RGGB mosaic with shot noise, and demosaic bilinearly to [H, W, 3]."""
    mosaic = light[1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = light[0, 0::2, 0::2], light[2, 1::2, 1::2]
    mosaic += np.float32(noise) * np.sqrt(mosaic) * rng.standard_normal(mosaic.shape, np.float32)
    image = np.empty((SIZE_PX, SIZE_PX, 3), np.float32)
    for channel, sites in enumerate(BAYER):
        known = np.zeros((SIZE_PX + 2, SIZE_PX + 2), np.float32)
        for row, column in sites:
            known[1 + row : -1 : 2, 1 + column : -1 : 2] = mosaic[row::2, column::2]
        known[[0, -1]] = known[[2, -3]]  # mirrored, so that the mosaic goes on over the border
        known[:, [0, -1]] = known[:, [2, -3]]
        across = known[:, :-2] + known[:, 2:]
        if channel == 1:
            image[..., 1] = known[1:-1, 1:-1] + (across[1:-1] + known[:-2, 1:-1] + known[2:, 1:-1]) / 4
        else:
            across += 2 * known[:, 1:-1]
            image[..., channel] = (across[:-2] + 2 * across[1:-1] + across[2:]) / 4
    return image

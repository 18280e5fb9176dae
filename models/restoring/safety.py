"""The safety card of a restorer: what it may do to what is looked for in an image, always beside JPEG-75.

That restored images can look right and be wrong is known of learnt reconstruction (Antun et al., "On instabilities of
deep learning in image reconstruction", PNAS 117, 2020; Bhadra et al., "On hallucinations in tomographic image
reconstruction", IEEE Transactions on Medical Imaging 40, 2021). Thresholds are proposals, no standard.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from models.backend import value_and_gradient
from models.colour import RGB_TO_YCBCR
from models.restoring.consistency import CENTRE, stored_coefficients, transform
from models.restoring.observer import COLOURS, Image, Spot, look_for

REFERENCE_QUALITY = 75
QUANTUM = 1 / 255
N_STEPS, N_ASCENTS, ASCENT_PX = 6, 4, 160  # of the gradient's ascent, which hardly rises after five; on how much
PROJECTED_QUALITIES = (25, 50, 75)  # at which the result is compared with and without projection
WIDTHS_PX, LEVELS = (2, 4, 6), (5, 10, 20)
WINDOW_PX, PERCENTILE = 32, 99.9
TINY = 1e-6  # in place of nothing, by which nothing can be divided
LEAST_SHARE_OF_STEP = 0.25
FLAT_PX, FLAT_NOISE_LEVELS, N_FLAT = 256, 2.0, 4
FLAT_COLOUR = (225, 215, 220)  # about the background of a smear
SPOT_SIGMA_PX, SPOT_LEVELS = 1.5, 2.5  # what counts as a spot on flat background: half the weakest that is looked for
# Name -> the most (or for "least_" the least) that we propose to accept.
PROPOSED: dict[str, float] = {
    "amplification": 3.0,
    "least_contrast_of_jpeg75": 0.8,
    "least_detectability_of_jpeg75": 0.9,
    "least_right_sign": 0.6,
    "least_slope": 0.5,
    "worse_windows": 0.001,
    "false_spots_above_jpeg75": 0.0,
    "least_reproduced": 0.99,
}


@dataclass(frozen=True)
class Chain:
    """Compression and restoring as functions: image, quality -> file; file -> shown, restored; file -> luma, its steps.

    reference: image -> its file as JPEG-75. reproduce: file -> restored so that compressing it again gives the file.
    free: file -> restored without projection.
    """

    encode: Callable[[Image, int], bytes]
    reference: Callable[[Image], bytes]
    show: Callable[[bytes], Image]
    restore: Callable[[bytes], Image]
    reproduce: Callable[[bytes], Image]
    free: Callable[[bytes], Image]
    luma: Callable[[bytes], tuple[NDArray[Any], NDArray[np.int64]]]


def make_card(
    chain: Chain, model: keras.Model, tables: NDArray[np.float32], images: Sequence[Image], quality: int
) -> dict[str, Any]:
    """Return the safety card of a restorer of files of a quality, on original images uint8 [H, W, 3]."""
    facts: dict[str, Any] = {"quality": quality, "n_images": len(images), "reference_quality": REFERENCE_QUALITY}
    shown = [chain.show(chain.encode(image, quality)) for image in images[:N_ASCENTS]]
    facts["amplification"] = max(worst_amplification(model, tables, image[:ASCENT_PX, :ASCENT_PX]) for image in shown)
    facts["spots"] = spots(chain, images, quality)
    for name, beside in (("jpeg75", "jpeg75"), ("own_jpeg", "jpeg")):
        for seen in ("contrast", "detectability"):
            facts[f"least_{seen}_of_{name}"] = _least_ratio(facts["spots"], seen, beside)
    facts |= invention(chain, images, quality)
    facts |= worst_windows(chain, images, quality)
    facts |= false_spots(chain, quality)
    facts["least_reproduced"] = reproduced(chain, images, quality)
    facts["projection"] = projection(chain, images)
    facts["proposed"] = PROPOSED
    facts["beyond_proposed"] = [
        name
        for name, limit in PROPOSED.items()
        if facts[name] is not None and (facts[name] < limit if name.startswith("least_") else facts[name] > limit)
    ]
    return facts


def worst_amplification(model: keras.Model, tables: NDArray[np.float32], image: Image) -> float:
    """Return by how much a change of every pixel by a level at most can grow, root mean square: by gradient ascent.

    1 for a network that returns its input.
    """
    start = ops.convert_to_tensor(np.divide(image, 255, dtype=np.float32)[None])
    rest = [ops.convert_to_tensor(tables[None])] if len(model.inputs) > 1 else []

    def restored(images: Any) -> Any:
        return model([images, *rest] if rest else images, training=False)

    before = restored(start)
    growth = value_and_gradient(lambda change: ops.mean(ops.square(restored(start + change) - before)))

    rng = np.random.default_rng(0)
    change = ops.convert_to_tensor(QUANTUM * rng.choice([-1, 1], start.shape).astype(np.float32))
    largest = 0.0
    for _ in range(N_STEPS):
        grown, slope = growth(change)
        largest = max(largest, float(grown))
        change = QUANTUM * ops.sign(slope)
    return float(np.sqrt(largest) / QUANTUM)


def spots(chain: Chain, images: Sequence[Image], quality: int) -> list[dict[str, Any]]:
    """Return what is left of spots of each width, height and colour: restored, in the file restored, and in JPEG-75.

    The file's own part ("_jpeg") tells what of a loss is the compression's and what the network's.
    """
    ways = {
        "": lambda image: chain.restore(chain.encode(image, quality)),
        "_jpeg": lambda image: chain.show(chain.encode(image, quality)),
        "_jpeg75": lambda image: chain.show(chain.reference(image)),
    }
    rows = []
    for colour in COLOURS:
        for width_px in WIDTHS_PX:
            for levels in LEVELS:
                row: dict[str, Any] = {"colour": colour, "width_px": width_px, "levels": levels}
                for way, show in ways.items():
                    seen = look_for(Spot(width_px, levels, colour), images, show)
                    row |= {f"{name}{way}": value for name, value in vars(seen).items()}
                rows.append(row)
    return rows


def _least_ratio(rows: Sequence[dict[str, Any]], seen: str, beside: str) -> float:
    """Return the least of what is left of any spot, as a multiple of what another way leaves."""
    return float(min(row[seen] / max(row[f"{seen}_{beside}"], TINY) for row in rows))


def projection(chain: Chain, images: Sequence[Image]) -> dict[str, dict[str, float]]:
    """Return the mean PSNR of images at several qualities: as JPEG, restored without projection, and with it."""
    ways = {"jpeg": chain.show, "off": chain.free, "wide": chain.restore}
    found = {}
    for quality in PROJECTED_QUALITIES:
        files = [chain.encode(image, quality) for image in images]
        found[str(quality)] = {
            f"psnr_db_{way}": float(
                np.mean([_psnr_db(show(data), image) for data, image in zip(files, images, strict=True)])
            )
            for way, show in ways.items()
        }
    return found


def _psnr_db(pixels: Image, original: Image) -> float:
    error = np.square(pixels.astype(np.float64) - original).mean()
    return float(10 * np.log10(255**2 / max(error, TINY)))


def invention(chain: Chain, images: Sequence[Image], quality: int) -> dict[str, float | None]:
    """Of luma's coefficients that a file stores as zero and restoring makes a quarter of a step or more: are they true?

    least_right_sign: the share whose original has the same sign; least_slope: of the original's on what was added, 1
    where it is true in the mean, 0 where it has nothing to do with it. n_invented: the share of all zeros.
    """
    added, truth, n_zeros = [], [], 0
    for image in images:
        data = chain.encode(image, quality)
        plane, steps = chain.luma(data)
        stored = stored_coefficients(plane, steps)
        own, wanted = (_coefficients(pixels, stored.shape) for pixels in (chain.restore(data), image))
        chosen = (stored == 0) & (np.abs(own) >= LEAST_SHARE_OF_STEP * steps[:, None, :])
        n_zeros += int((stored == 0).sum())
        added.append(own[chosen])
        truth.append(wanted[chosen])
    one, other = np.concatenate(added), np.concatenate(truth)
    if not one.size:
        return {"invented_share": 0.0, "least_right_sign": None, "least_slope": None}
    return {
        "invented_share": one.size / n_zeros,
        "least_right_sign": float((np.sign(one) == np.sign(other)).mean()),
        "least_slope": float((one * other).sum() / np.square(one).sum()),
    }


def _coefficients(pixels: Image, shape: tuple[int, ...]) -> NDArray[np.float32]:
    luma = pixels[: shape[0] * 8, : shape[2] * 8].astype(np.float32) @ RGB_TO_YCBCR[0] - np.float32(CENTRE)
    return transform(luma)


def worst_windows(chain: Chain, images: Sequence[Image], quality: int) -> dict[str, float]:
    """Return how windows of 32 x 32 px compare with the worst of JPEG-75, by mean squared error.

    worse_windows: the share above JPEG-75's 99.9th percentile; worst_window: the worst, as a multiple of that.
    """
    own, reference = [], []
    for image in images:
        own.append(_window_errors(chain.restore(chain.encode(image, quality)), image))
        reference.append(_window_errors(chain.show(chain.reference(image)), image))
    limit = float(np.percentile(np.concatenate(reference), PERCENTILE))
    errors = np.concatenate(own)
    return {"worse_windows": float((errors > limit).mean()), "worst_window": float(errors.max() / limit)}


def _window_errors(pixels: Image, original: Image) -> NDArray[np.float64]:
    squares = np.square(pixels.astype(np.float64) - original).mean(axis=2)
    rows, columns = (side // WINDOW_PX for side in squares.shape)
    cut = squares[: rows * WINDOW_PX, : columns * WINDOW_PX].reshape(rows, WINDOW_PX, columns, WINDOW_PX)
    return np.asarray(cut.mean(axis=(1, 3)).ravel())


def false_spots(chain: Chain, quality: int) -> dict[str, float]:
    """Return how many spots a megapixel of noisy flat background gets that were not there, restored and in JPEG-75."""
    rng = np.random.default_rng(0)
    counts = {"false_spots": 0, "false_spots_jpeg75": 0}
    for _ in range(N_FLAT):
        noise = rng.normal(0, FLAT_NOISE_LEVELS, (FLAT_PX, FLAT_PX, 3))
        image = np.rint(np.clip(FLAT_COLOUR + noise, 0, 255)).astype(np.uint8)
        before = count_spots(image)
        counts["false_spots"] += max(0, count_spots(chain.restore(chain.encode(image, quality))) - before)
        reference = chain.show(chain.reference(image))
        counts["false_spots_jpeg75"] += max(0, count_spots(reference) - before)
    per_megapixel = {name: count / (N_FLAT * FLAT_PX**2 / 1e6) for name, count in counts.items()}
    above = per_megapixel["false_spots"] - per_megapixel["false_spots_jpeg75"]
    return {**per_megapixel, "false_spots_above_jpeg75": above}


def count_spots(pixels: Image) -> int:
    """Count the places of a flat image where luma, seen through a Gaussian of 1.5 px, is 2.5 levels off its mean."""
    luma = pixels.astype(np.float64) @ RGB_TO_YCBCR[0]
    # a spot that wide is lower by half when it is seen through a Gaussian of its own width
    seen = 2 * np.abs(gaussian_filter(luma - luma.mean(), SPOT_SIGMA_PX))
    return int(((seen >= SPOT_LEVELS) & (seen == maximum_filter(seen, 5))).sum())


def reproduced(chain: Chain, images: Sequence[Image], quality: int) -> float:
    """Return the share of luma's coefficients that come back when what was restored to that end is compressed again."""
    shares = []
    for image in images:
        data = chain.encode(image, quality)
        again = chain.encode(chain.reproduce(data), quality)
        one, other = (stored_coefficients(*chain.luma(file)) for file in (data, again))
        shares.append(float((one == other).mean()))
    return float(np.mean(shares))

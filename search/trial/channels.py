"""What luma and chroma take and lose: their parts of a file's bytes and of its error, and what restoring removes."""

import numpy as np
from numpy.typing import NDArray

from datasets.encoders.compress import compress
from datasets.encoders.encoder import Encoder
from models.metrics import BT601

LUMA = np.array(BT601, np.float32)


def channel_errors(error: NDArray[np.float32]) -> tuple[float, float]:
    """Return the mean squared error of luma and of chroma, as they show in RGB; error: [N, H, W, 3].

    Luma's is that of all three numbers changed by the error of luma alone, chroma's that of what is left then.
    """
    luma = error @ LUMA
    chroma = error - luma[..., None]
    return float(3 * np.mean(luma**2)), float(np.mean(np.sum(chroma**2, axis=-1)))


def chroma_bytes(images: NDArray[np.uint8], encoder: Encoder) -> float:
    """Return the share of the bytes of images' files that the same images in grey do without; images: [N, H, W, 3]."""
    grey = np.repeat(np.rint(images.astype(np.float32) @ LUMA).astype(np.uint8)[..., None], 3, axis=-1)
    coloured_bytes, grey_bytes = (sum(len(compress(image, encoder)) for image in group) for group in (images, grey))
    return 1 - grey_bytes / coloured_bytes


def channel_shares(
    originals: NDArray[np.float32], shown: NDArray[np.uint8], restored: NDArray[np.uint8]
) -> dict[str, float] | None:
    """Return shares of 0 to 1 for images [N, H, W, 3], originals in [0, 1]; None where luma or chroma has no error.

    chroma_error: of the squared error of what files show. luma_removed, chroma_removed: of each one's squared error,
    what restoring takes away; less than 0 where it adds to it.
    """
    errors = [np.divide(images, 255, dtype=np.float32) - originals for images in (shown, restored)]
    before, after = map(channel_errors, errors)
    if not all(before):
        return None
    return {
        "chroma_error": before[1] / sum(before),
        "luma_removed": 1 - after[0] / before[0],
        "chroma_removed": 1 - after[1] / before[1],
    }

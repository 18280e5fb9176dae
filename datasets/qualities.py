"""JPEG qualities to train on: one, or a range from which each sample draws its own."""

import re

LOWEST, HIGHEST = 1, 100
RANDOM = "random"
RANDOM_RANGE = (25, 100)  # the thesis' section 3.4: uniform, both ends included


def quality_range(quality: int | str) -> tuple[int, int]:
    """Return the lowest and the highest quality, both included, of 1..100, "random" (25 to 100) or "LOW-HIGH".

    Raises ValueError for anything else.
    """
    if quality == RANDOM:
        return RANDOM_RANGE
    bounds = (quality, quality)
    if isinstance(quality, str) and (found := re.fullmatch(r"(\d+)-(\d+)", quality)):
        bounds = (int(found[1]), int(found[2]))
    low, high = bounds
    if isinstance(low, str | bool) or isinstance(high, str) or not LOWEST <= low <= high <= HIGHEST:
        raise ValueError(f"a training quality must be 1..100, 'random' or a range such as '20-80', got {quality!r}")
    return low, high

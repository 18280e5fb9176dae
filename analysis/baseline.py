"""The scores of JPEG as it is, by image and quality: what the scores of every trial are set against."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.moments import Floats, Places
from models.names import METRICS

Labels: TypeAlias = "pd.Index[Any]"


IMAGE = ["split", "region", "image"]


@dataclass(frozen=True)
class Baseline:
    """Every score of JPEG as it is in tables that are looked up by the places of a quality and of an image.

    qualities: those that were scored; images: the values of each column of IMAGE that occur, whose combinations are
    the places of an image. known: bool [qualities + 1, places + 1], whether there is a score; scores: metric -> float,
    of the same shape, NaN where there is none. The last of each axis stands for what is unknown.
    """

    qualities: Labels
    images: Mapping[str, Labels]
    known: NDArray[np.bool_]
    scores: Mapping[str, Floats]

    def place_qualities(self, qualities: "pd.Series[Any]") -> Places:
        """Return the place of each quality."""
        return _places(self.qualities, qualities)

    def place_images(self, rows: pd.DataFrame) -> Places:
        """Return the place of each row's image, split and region."""
        return _place_images(self.images, rows)

    def place_quality(self, quality: int) -> int:
        """Return the place of one quality."""
        return int(self.place_qualities(pd.Series([quality]))[0])


def baseline_of(scores: pd.DataFrame, baseline_ids: Collection[str]) -> Baseline:
    """Take the scores of JPEG as it is from those of a run. baseline_ids: a trial for each split of the run.

    An image that several of them scored counts once: its files are the same.
    """
    rows = scores[scores["trial_id"].isin(list(baseline_ids))][::-1]  # of what is set twice the last stays: the first
    qualities, *parts = (pd.Index(rows[name].unique()) for name in ("input_quality", *IMAGE))
    images = dict(zip(IMAGE, parts, strict=True))
    at = _places(qualities, rows["input_quality"]), _place_images(images, rows)
    shape = len(qualities) + 1, _n_places(images) + 1
    known = np.zeros(shape, np.bool_)
    known[at] = True
    tables = {metric: np.full(shape, np.nan) for metric in METRICS}
    for metric, table in tables.items():
        table[at] = rows[metric].to_numpy(np.float64)
    return Baseline(qualities, images, known, tables)


def _n_places(images: Mapping[str, Labels]) -> int:
    return int(np.prod([len(index) for index in images.values()]))


def _place_images(images: Mapping[str, Labels], rows: pd.DataFrame) -> Places:
    place, is_known = np.zeros(len(rows), np.int64), np.ones(len(rows), np.bool_)
    for name, index in images.items():
        part = _places(index, rows[name])
        place = place * len(index) + part
        is_known &= part >= 0
    return np.where(is_known, place, _n_places(images))


def _places(index: Labels, values: "pd.Series[Any]") -> Places:
    """Return each value's place in an index, -1, which is the last one, where it is not there."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        known = np.append(index.get_indexer(pd.Index(values.cat.categories)), -1)
        return np.asarray(known[values.cat.codes.to_numpy()], np.int64)
    return np.asarray(index.get_indexer(pd.Index(values)), np.int64)

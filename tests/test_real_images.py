"""JPEG as it is on real cells: the scores of the baseline agree with a measurement that shares no code with them."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.sources.source import find_sources
from search.space.scale import Protocol, TrialSetup
from search.space.spec import BASELINE
from search.trial.reporting import Verdict
from search.trial.store import SCORES, LocalStore
from search.trial.trial import run_trial

CELLS = Path(__file__).resolve().parents[2] / "shared" / "data" / "cells"
SIZE_PX, CROP_PX, N_IMAGES = 256, 192, 30
WINDOW_PX = 11

pytestmark = pytest.mark.skipif(not CELLS.is_dir(), reason="the real cell images are not beside this repository")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    folder = tmp_path_factory.mktemp("cells") / "pack"
    images = find_sources(CELLS, SIZE_PX)
    every = images[:: len(images) // N_IMAGES]
    write_pack(every, folder, PackSettings(SIZE_PX))
    return open_pack(folder)


@pytest.fixture(scope="module")
def scores(pack: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    store = LocalStore(tmp_path_factory.mktemp("run"))
    setup = TrialSetup(Protocol(n_monitored=2, monitor_px=64, n_scored=4, crop_px=CROP_PX))
    assert run_trial(BASELINE, pack, store, lambda progress: Verdict.GO_ON, setup)
    return pd.read_parquet(store.path(BASELINE.trial_id, SCORES))


def _centre(image: NDArray[np.generic], size_px: int) -> NDArray[np.generic]:
    top, left = ((side - size_px) // 2 for side in image.shape[:2])
    return image[top : top + size_px, left : left + size_px]


def _measured(name: str, quality: int, region: str) -> tuple[float, float]:
    """Return PSNR in dB and SSIM of a JPEG by Pillow, by scikit-image."""
    original = _centre(np.asarray(Image.open(CELLS / name).convert("RGB")), SIZE_PX)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(original)).save(file, "JPEG", quality=quality)
    pair = [original, np.asarray(Image.open(file))]
    if region == "crop":
        pair = [_centre(image, CROP_PX) for image in pair]
    greys = [image @ np.array([0.299, 0.587, 0.114]) / 255 for image in pair]
    _, ssim = structural_similarity(
        *greys, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, full=True
    )
    inside = slice(WINDOW_PX // 2, -(WINDOW_PX // 2))
    return float(peak_signal_noise_ratio(*pair, data_range=255)), float(ssim[inside, inside].mean())


@pytest.mark.parametrize("region", ["full", "crop"])
@pytest.mark.parametrize("quality", [25, 50, 75])
def test_the_baseline_agrees_with_pillow_and_scikit_image(scores: pd.DataFrame, quality: int, region: str) -> None:
    rows = scores[(scores["input_quality"] == quality) & (scores["region"] == region)]
    assert rows["system"].nunique() == 2
    for row in rows.groupby("system").head(4).itertuples():
        psnr_db, ssim = _measured(str(row.name), quality, region)
        assert row.psnr_db == pytest.approx(psnr_db, abs=0.01)
        assert row.ssim == pytest.approx(ssim, abs=1e-4)

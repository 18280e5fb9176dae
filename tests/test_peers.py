"""Peers of the restoring benchmark: DnCNN-3 from its weights, and what is said of a decoder that is not there."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import N_CONVOLUTIONS, by_dncnn3, find_peers
from datasets.jpeg import decode_jpeg, encode_jpeg
from datasets.smear import synthesize

DATA = encode_jpeg(synthesize(1, seed=21)[0].read()[:64, :80], 50)
WIDTHS = [1, *[64] * (N_CONVOLUTIONS - 1), 1]


def state(last_bias: float) -> dict[str, np.ndarray]:
    """Return weights as the authors name them, every second module being an activation; all zero but the last bias."""
    pairs = enumerate(pairwise(WIDTHS))
    found = {}
    for place, (n_in, n_out) in pairs:
        found[f"model.{2 * place}.weight"] = np.zeros((n_out, n_in, 3, 3), np.float32)
        found[f"model.{2 * place}.bias"] = np.zeros(n_out, np.float32)
    found[f"model.{2 * (N_CONVOLUTIONS - 1)}.bias"][:] = last_bias
    return found


def test_dncnn3_takes_the_error_that_it_predicts_from_luma_alone() -> None:
    shown = decode_jpeg(DATA).astype(int)
    same, darker = (by_dncnn3(state(bias))(DATA).astype(int) for bias in (0, 10 / 255))
    assert np.abs(same - shown).max() <= 2  # colours there and back, rounded
    assert set(np.unique(same - darker)) <= {9, 10, 11}


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="DnCNN-3 has 20 convolutions, the file has 1"):
        by_dncnn3({"model.0.weight": np.zeros((64, 1, 3, 3)), "model.0.bias": np.zeros(64)})


def test_a_decoder_that_is_not_there_is_named_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    _, skipped = find_peers()
    assert {"jpeg-quantsmooth", "jpeg2png", "dncnn-3"} <= set(skipped)
    assert skipped["jpeg2png"] == "no jpeg2png on this machine's PATH"
    np.savez(tmp_path / "weights.npz", **state(0))
    assert "dncnn-3" in find_peers(tmp_path / "weights.npz")[0]

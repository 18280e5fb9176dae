"""The numbers on README's first screen, and in docs/results, are those of the files that they name."""

import csv
import json
import re
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from models.names import METRIC_DIRECTIONS

ROOT = Path(__file__).resolve().parents[1]
CAMERAS: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "encoders.json").read_text())["cameras"]
RESULTS = ROOT / "docs" / "results"
PICK: dict[str, Any] = json.loads((RESULTS / "encoder" / "pick.json").read_text())
RESTORED = "JPEG with tables scaled for native11k, restored by it"
THESIS = "JPEG, restored by the thesis' best network, JJNet"
ROWS = {
    "JPEG-75, as Pillow writes it": ("codecs", "jpeg default", "alone"),
    "JPEG, optimised Huffman tables": ("codecs", "jpeg optimised", "alone"),
    "AVIF": ("codecs", "avif", "alone"),
    RESTORED: ("network", "test"),
    "AVIF, restored by a linear filter": ("codecs", "avif", "with_linear"),
    "AVIF, restored by native11k": ("codecs", "avif", "with_network", "test"),
}


def _row(name: str) -> list[int]:
    """Return the percentages of a row of README's first table."""
    (cells,) = re.findall(rf"^\| {re.escape(name)} \|(.+)\|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return [int(cell.strip().removesuffix(" %")) for cell in cells.split("|")]


def _measured(path: tuple[str, ...]) -> list[float]:
    shares = []
    for camera in CAMERAS.values():
        value = camera
        for key in path:
            value = value[key]
        shares.append(100 * value)
    return shares


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_what_was_measured(name: str) -> None:
    assert _row(name) == [round(share) for share in _measured(ROWS[name])]


def test_the_sentence_above_the_table_says_the_same() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    for name, words in {
        RESTORED: r"restorer needs (\d+) and (\d+) %",
        "AVIF": r"AVIF, not restored, needs (\d+) and (\d+) %",
    }.items():
        (found,) = re.findall(words, text)
        assert [int(number) for number in found] == _row(name)
    trained = "50 minutes of training a camera, 8 more for AVIF"
    (n_images,) = re.findall(rf"encoders.py`, {trained}: (\d+) and (\d+) test images", text)
    assert [int(number) for number in n_images] == [camera["n_test"] for camera in CAMERAS.values()]


@pytest.mark.parametrize("page", [ROOT / "README.md", RESULTS / "README.md"])
def test_the_pick_on_real_cells_is_that_of_the_results(page: Path) -> None:
    text = " ".join(page.read_text().split())
    (encoder, saved), *_ = re.findall(r"`(jpeg-q\S+)` restored by native11k.*?(\d+\.\d) % smaller", text)
    assert encoder == PICK["encoder"]
    assert saved == f"{PICK['saved_percent']:.1f}"
    assert re.findall(r"(\d+) (?:unseen )?images", text[text.index(encoder) - 200 :])[0] == str(PICK["n_images"])


def test_bytes_at_parity_on_real_cells_are_those_of_the_results() -> None:
    text = " ".join((RESULTS / "README.md").read_text().split())
    ways = {row["name"]: row for row in _table("encoder/codecs.csv")}
    best = min((row for row in ways.values() if row["kind"] == "restored"), key=lambda row: float(row["share_all"]))
    for row, words in {
        best["name"]: r"(\d+) % of JPEG-75's \((\d+) to (\d+)\)",
        "jpeg-xl": r"JPEG XL (\d+) % \((\d+) to (\d+)\)",
        "avif": r"AVIF (\d+) % \((\d+) to (\d+)\)",
    }.items():
        told = [round(100 * float(ways[row][name])) for name in ("share_all", "all_low", "all_high")]
        assert [int(number) for number in re.findall(words, text)[0]] == told
    for row, words in {
        "webp": r"WebP (\d+) %",
        "mozjpeg": r"mozjpeg (\d+) %",
        "jpeg-optimised": r"optimised JPEG (\d+) %",
    }.items():
        assert int(re.findall(words, text)[0]) == round(100 * float(ways[row]["share_all"]))
    assert int(re.findall(r"AVIF would need (\d+) %", text)[0]) == round(100 * float(ways["avif"]["share_psnr"]))
    times = re.findall(
        r"AVIF (\S+) ms to encode and (\S+) to decode; ours (\S+) and (\S+), and (\S+) to restore", text
    )[0]
    measured = [float(row[name]) for row in (ways["avif"], best) for name in ("encode_ms", "decode_ms")]
    assert [float(told) for told in times] == pytest.approx([*measured, float(best["restore_ms"])], rel=0.1)
    matrix = _table("encoder/bytes_at_parity_test.csv")
    shares = [_least(matrix, f"Camera system {name}", "native11k") for name in CAMERAS]
    (told_shares,) = re.findall(r"(\d+) % on draaslan, (\d+) % on raabin", text)
    assert [int(number) for number in told_shares] == [round(100 * share) for share in shares]


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((RESULTS / name).read_text().splitlines()))


def _least(matrix: list[dict[str, str]], part: str, network: str) -> float:
    """Return the fewest bytes at parity of a network in a part of a matrix."""
    cells = [row.values() for row in matrix if row["part"] == part and row["network"].startswith(network)]
    return min(float(value) for own in cells for value in own if re.fullmatch(r"\d\.\d+", value))


def test_what_luma_and_chroma_take_is_what_the_table_says() -> None:
    text = " ".join((RESULTS / "README.md").read_text().split())
    own = [row for row in _table("encoder/luma_and_chroma.csv") if row["way"] == "network"]
    names = ("chroma_bytes", "chroma_error", "chroma_removed", "luma_removed")
    told = re.findall(r"colour takes (\d+) %.*? has (\d+) %.*? removes (\d+) % of that and (\d+) % of luma's", text)
    assert told == [tuple(str(round(100 * median(float(row[name]) for row in own))) for name in names)]
    assert len(own) == 4


def test_what_a_camera_that_was_left_out_gets_is_what_was_measured() -> None:
    text = " ".join((RESULTS / "README.md").read_text().split())
    measured = json.loads((ROOT / "benchmarks" / "results" / "cameras.json").read_text())["real"]["results"]
    for name in CAMERAS:
        own = measured[name]["left_out"]["50"]
        ((gain, worst),) = re.findall(rf"\+(\d\.\d+) dB(?: of PSNR)? on {name}, its worst image \+(\d\.\d+)", text)
        assert (gain, worst) == (f"{own['psnr_gain_db']:.2f}", f"{own['worst_psnr_gain_db']:.2f}")
        assert (own["harmed_means"], own["recognised_share"]) == ([], 1)


SHORT = {"encoder": ["mae", "ssim"], "references": ["mae", "mse", "psnr_db"]}


@pytest.mark.parametrize("run", SHORT)
def test_of_raabin_alone_the_pick_is_short_in_the_means_that_are_told(run: str) -> None:
    pick = json.loads((RESULTS / run / "pick.json").read_text())
    rows = _table(f"{run}/quality_test_full.csv")
    (model,) = (name for name in rows[0] if pick["trial_id"].rpartition("-")[2] in name)
    short: dict[str, list[str]] = {}
    for camera in CAMERAS:
        own = [row for row in rows if row["part"] == f"Camera system {camera}"]
        today = {row["metric"]: float(row["JPEG as it is"]) for row in own if row["input_quality"] == "75"}
        restored = {row["metric"]: float(row[model]) for row in own if row["input_quality"] == str(pick["quality"])}
        signs = {name: METRIC_DIRECTIONS[name] for name in today}
        short[camera] = [name for name in today if signs[name] * restored[name] < signs[name] * today[name]]
        if (run, camera) == ("encoder", "raabin"):
            told = f"({restored['mae']:.5f}, where JPEG-75 has {today['mae']:.5f})"
            assert told in " ".join((RESULTS / "README.md").read_text().split())
    assert short == {"draaslan": [], "raabin": SHORT[run]}


NETWORKS = {
    "native11k": "native11k",
    "JJNet": "jjnet",
    "ResNet": "resnet",
    "DenseUnet": "denseunet",
    "MemNet": "memnet",
}


def test_the_thesis_networks_are_those_of_the_results() -> None:
    text = " ".join((RESULTS / "README.md").read_text().split())
    matrix = _table("references/bytes_at_parity_test.csv")
    shares = {
        name: [round(100 * _least(matrix, f"Camera system {camera}", name)) for camera in CAMERAS]
        for name in (*NETWORKS.values(), "linear filter")
    }
    assert _row(THESIS) == shares["jjnet"]
    assert shares["resnet"] == shares["denseunet"]
    for words, name in {
        r"native11k (\d+) % on draaslan and (\d+) % on raabin": "native11k",
        r"JJNet (\d+) % and (\d+) %, ResNet and DenseUnet": "jjnet",
        r"ResNet and DenseUnet (\d+) % and (\d+) %": "resnet",
        r"seconds, (\d+) % and (\d+) %": "linear filter",
    }.items():
        ((draaslan, raabin),) = re.findall(words, text)
        assert [int(draaslan), int(raabin)] == shares[name]
    assert (round(100 * _least(matrix, "Camera system draaslan", "memnet")), shares["memnet"][1] > 100) == (89, True)


def test_the_best_of_the_networks_made_for_jpeg_is_that_of_the_results() -> None:
    text = " ".join((RESULTS / "README.md").read_text().split())
    text = text[text.index("(native)") : text.index("(references)")]
    pick = json.loads((RESULTS / "native" / "pick.json").read_text())
    assert f"quality {pick['quality']} restored by native11k, {pick['saved_percent']:.1f} % smaller" in text
    matrix = _table("native/bytes_at_parity_test.csv")
    parts = ("All camera systems", *(f"Camera system {name}" for name in CAMERAS))
    whole, *cameras = (round(100 * _least(matrix, part, "native11k")) for part in parts)
    assert f"{whole} %, {cameras[0]} % on draaslan and {cameras[1]} % on raabin" in text
    assert f"native10k, not trained to its end, {round(100 * _least(matrix, parts[0], 'native10k'))} %" in text
    (best,) = (row for row in _table("native/codecs.csv") if pick["trial_id"] in row["name"])
    share, low, high = (round(100 * float(best[name])) for name in ("share_all", "all_low", "all_high"))
    assert f"{share} % ({low} to {high})" in text
    trained = {row["trial_id"]: row for row in _table("native/trials.csv") if row["training_quality"] == "20-80"}
    assert trained[pick["trial_id"]]["status"] == "completed"
    assert sum(row["architecture"].startswith("native") for row in trained.values()) == 6


def test_the_seeds_of_the_references_are_those_of_the_results() -> None:
    text = " ".join((RESULTS / "README.md").read_text().split())
    text = text[text.index("**By seed**") :]
    trials = _table("references/trials.csv")
    for title, name in NETWORKS.items():
        shares = [100 * float(row["bytes_at_parity"]) for row in trials if row["architecture"] == name]
        assert len(shares) == 3
        ((low, high), *_) = re.findall(rf"{title} (\d+\.\d) to (\d+\.\d) %", text)
        assert (low, high) == (f"{min(shares):.1f}", f"{max(shares):.1f}")


def test_half_of_the_contrast_of_faint_spots_is_left() -> None:
    for page in (ROOT / "README.md", RESULTS / "README.md"):
        assert re.search(r"faintest spots half of the contrast", " ".join(page.read_text().split()))
    (row,) = (
        row for row in _table("encoder/safety.csv") if row["measure"].startswith("contrast of the worst faint spot")
    )
    shares = [float(value) for trial, value in row.items() if PICK["trial_id"] in trial]
    assert shares == [pytest.approx(0.5, abs=0.05)]


CONCLUSIONS = {
    ("network", "jjnet", "resnet", "psnr_db"): (r"ahead of ResNet by (\S+) dB", 6),
    ("network", "jjnet", "smallxception", "psnr_db"): (r"of SmallXception by (\d\.\d+), in 6 of 6 pairs each", 6),
    ("network", "jjnet", "denseunet", "psnr_db"): (r"of DenseUnet by (\S+) dB", 1),
    ("training quality", "50", "75", "psnr_db"): (r"50 is better than 75 by (\S+) dB", 3),
    ("training quality", "50", "random", "psnr_db"): (r"and than random by (\d\.\d+), for 3 of 3", 3),
    ("loss", "hf", "mse", "psnr_db"): (r"the high-frequency loss is better by (\S+) dB", 3),
    ("loss", "hf", "mse", "ssim"): (r"dB and (\d\.\d+) of SSIM, for 3 of 3", 3),
    ("activation", "tanh", "none", "psnr_db"): (r"It cannot be told: (\S+) dB apart, tanh better for 2 of 3", 2),
    ("activation", "none", "tanh", "ssim"): (r"none by SSIM for (2) of 3", 2),
}
AXES = {"network": "architecture", "training quality": "training_quality", "activation": "output_activation"}


@pytest.mark.parametrize("pair", CONCLUSIONS, ids=" ".join)
def test_what_is_concluded_by_pairs_is_what_the_table_says(pair: tuple[str, str, str, str]) -> None:
    axis, first, second, measure = pair
    words, n_better = CONCLUSIONS[pair]
    ((told,),) = [re.findall(words, " ".join((RESULTS / "README.md").read_text().split()))]
    found = {
        (row["first"], row["second"]): row
        for row in _table("questions/conclusions.csv")
        if row["axis"] == AXES.get(axis, axis)
    }
    row = found.get((first, second)) or found[(second, first)]
    is_turned = (first, second) not in found
    difference, n = float(row[measure]) * (-1 if is_turned else 1), int(float(row[f"{measure}_n"]))
    better = int(float(row[f"{measure}_better"]))
    assert (n - better if is_turned else better) == n_better
    if "." in told:
        assert f"{difference:.{len(told.partition('.')[2])}f}" == told


def test_jjnet_is_ahead_of_every_other_network_and_the_filter_of_all_but_one_trial() -> None:
    rows = [
        row for row in _table("questions/conclusions.csv") if row["axis"] == "architecture" and row["first"] == "jjnet"
    ]
    assert len(rows) == 7
    assert all(float(row["psnr_db"]) > 0 and row["psnr_db_better"] == row["psnr_db_n"] for row in rows)
    first, second, *_ = _table("questions/trials.csv")  # the fewest bytes first
    assert (first["architecture"], first["loss"], second["architecture"]) == ("jjnet", "hf", "linear")
    told = " ".join((RESULTS / "README.md").read_text().split())
    for row in (first, second):
        assert f"{100 * float(row['bytes_at_parity']):.1f} %" in told
    dead = {row["architecture"] for row in _table("questions/trials.csv") if row["status"] == "dead"}
    assert dead == {"jjnet", "resnet"}

"""The page that restores in the browser: what it needs, and in headless Chromium the network's pixels."""

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from datasets.smear import synthesize
from models.cli import main
from models.restore import load, restore
from models.restoring.model_file import write_model_file
from models.restoring.web_page import BINARY, RUNTIME, RuntimeFileError, make_page
from tests.model_fixture import drawn_model_file
from tests.test_page_in_browser import CHROMIUM, DRIVER, FLAGS
from tests.test_restore import jpeg_bytes

PACKAGE = "onnxruntime-web@1.30.0"
WAIT_S = 120
ONNX = pytest.importorskip("onnx", reason="no onnx: pip install 'lowq[export]'")


def package_of(folder: Path, *names: str) -> Path:
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as package:
        for name in names:
            package.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


def test_a_page_holds_what_it_needs_and_escapes_names(tmp_path: Path) -> None:
    drawn = drawn_model_file()
    drawn.facts["training_data"]["description"] = "<b> & co"  # type: ignore[index]
    page = make_page(drawn, b"network", package_of(tmp_path, RUNTIME, BINARY)).decode()
    assert "trained on &lt;b&gt; &amp; co." in page
    assert 'type="text/plain">bmV0d29yaw==</script>' in page
    assert "src=" not in page
    assert "http" not in page


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.tgz").write_text("no package")
    whole = package_of(tmp_path, RUNTIME, BINARY).read_bytes()
    (tmp_path / "torn.tgz").write_bytes(whole[:40] + bytes(20) + whole[60:])
    for path in (tmp_path / "none.tgz", tmp_path / "text.tgz", tmp_path / "torn.tgz"):
        with pytest.raises(
            RuntimeFileError, match="cannot be read as a package of onnxruntime-web: make one with `npm"
        ):
            make_page(drawn_model_file(), b"", path)
    with pytest.raises(RuntimeFileError, match=r"lacks .*threaded\.wasm"):
        make_page(drawn_model_file(), b"", package_of(tmp_path, RUNTIME))


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_model_file(tmp_path / "a.lowq", drawn_model_file())
    assert main(["export", str(tmp_path / "a.lowq"), "-o", str(tmp_path / "a.html")]) == 2
    assert "a page needs --runtime FILE" in capsys.readouterr().err
    assert not (tmp_path / "a.html").exists()


@pytest.fixture(scope="module")
def runtime(chromium: Chrome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of onnxruntime-web, from npm's registry, where there is a browser to run it in."""
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("npm")
    if not npm:
        pytest.skip("no npm: apt-get install npm")
    answer = subprocess.run([npm, "pack", PACKAGE], cwd=folder, capture_output=True, text=True, timeout=300)
    if answer.returncode:
        pytest.skip(f"npm's registry cannot be reached: {answer.stderr.strip().splitlines()[-1:]}")
    (package,) = folder.glob("*.tgz")
    return package


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("no chromium and chromedriver: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service(str(DRIVER)))
    yield driver
    driver.quit()


FILES: list[dict[str, Any]] = [
    {"quality": 40},
    {"quality": 25, "progressive": True, "subsampling": "4:4:4"},
    {"qtables": [list(range(1, 65)), list(range(255, 191, -1))]},
]


@pytest.mark.parametrize("written", FILES)
@pytest.mark.parametrize("told_tables", [False, True])
def test_a_jpeg_is_restored_in_the_browser_as_the_network_does(
    runtime: Path, chromium: Chrome, tmp_path: Path, written: dict[str, Any], told_tables: bool
) -> None:
    drawn = drawn_model_file("native11k", told_tables=told_tables)
    heeded = tuple(100 * weight if weight.ndim == 2 else weight for weight in drawn.weights)  # what tables scale by
    write_model_file(tmp_path / "a.lowq", replace(drawn, weights=heeded))
    page = tmp_path / "page.html"
    assert main(["export", str(tmp_path / "a.lowq"), "-o", str(page), "--runtime", str(runtime)]) == 0
    original = next(iter(synthesize(1, seed=8))).read()[:91, :121]
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg_bytes(original, **written))
    chromium.get(page.as_uri())
    wait = WebDriverWait(chromium, WAIT_S)
    wait.until(lambda driver: driver.find_element(By.ID, "said").text == "ready")
    chromium.find_element(By.ID, "file").send_keys(str(photo))
    wait.until(lambda driver: "restored in" in driver.find_element(By.ID, "said").text)
    pixels = chromium.execute_script(
        "const c = document.getElementById('after');"
        "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data);"
    )
    given = np.array(pixels, np.int64).reshape(91, 121, 4)[..., :3]
    restorer = load(tmp_path / "a.lowq")
    expected = restore(restorer, photo.read_bytes(), "off")
    assert np.abs(given - expected).max() <= 1
    untold = np.clip(np.rint(255 * restorer.network(np.asarray(Image.open(photo)), np.zeros(8, np.float32))), 0, 255)
    assert (np.abs(given - untold).max() > 2) == told_tables
    requests = [
        message["params"]["request"]["url"]
        for message in (json.loads(entry["message"])["message"] for entry in chromium.get_log("performance"))
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert not [url for url in requests if url.startswith("http")]
    (tmp_path / "text.jpg").write_text("no image")
    chromium.find_element(By.ID, "file").send_keys(str(tmp_path / "text.jpg"))
    wait.until(lambda driver: "text.jpg cannot be read as an image" in driver.find_element(By.ID, "said").text)

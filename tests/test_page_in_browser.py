"""The page in headless Chromium: quiet, alone, never wider than its window, and its tables and pictures at work."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from analysis.figures import catalogue
from analysis.findings import find
from analysis.report import report
from analysis.report.report import write_report
from analysis.run import open_run
from tests.run_fixture import plan, write_run

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium and chromedriver: apt-get install chromium chromium-driver"
)
FLAGS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "disable-dev-shm-usage"),
)
WIDTHS, SCREEN_PX = (1400, 600), 900


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 23 trials, one of them without a margin.

    It has few figures: to lay out all of them on paper takes Chromium longer than its driver waits on a busy machine.
    """
    plans = [plan(seed, margin=None if seed == 5 else -0.1 * seed, finalist=seed < 3) for seed in range(23)]
    run = write_run(tmp_path_factory.mktemp("browser") / "run", plans)
    with pytest.MonkeyPatch.context() as patch:
        few = tuple(spec for spec in catalogue.CATALOGUE if spec.title in ("Quality curve", "Search history"))
        for module in (catalogue, report):
            patch.setattr(module, "CATALOGUE", few)
        return write_report(find(open_run(run)), run / "report")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def opened(chromium: Chrome, page: Path) -> Chrome:
    """The page, freshly opened from disk in a wide window."""
    chromium.set_window_size(WIDTHS[0], SCREEN_PX)
    chromium.get(page.as_uri())
    return chromium


def _events(driver: Chrome) -> list[dict[str, Any]]:
    return [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]


def _shown_files(page: Path) -> set[Path]:
    """Return the files that a page shows beside itself."""
    named = re.findall(r'(?:src|href)="([^":#]+\.(?:png|svg|jpg))"', page.read_text())
    return {page.parent / name for name in named}


def test_page_opens_without_an_error_and_asks_for_nothing_but_itself(chromium: Chrome, page: Path) -> None:
    chromium.get("about:blank")
    for kind in ("browser", "performance"):
        chromium.get_log(kind)  # what earlier tests left there
    chromium.get(page.as_uri())
    events = _events(chromium)
    asked = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    assert {url for url in asked if not url.startswith("data:image/")} == {page.as_uri()}
    assert [event for event in events if event["method"] == "Network.loadingFailed"] == []
    assert chromium.get_log("browser") == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(opened: Chrome, width: int, tmp_path: Path) -> None:
    opened.set_window_size(width, 900)
    opened.find_element(By.ID, "unfold").click()
    inner, content = opened.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert inner == width
    assert content <= inner
    wide = "return [...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth).length"
    assert opened.execute_script(wide) == 0 or width < max(WIDTHS)  # on a small screen tables scroll in their boxes
    screenshot = tmp_path / f"page-{width}.png"
    assert opened.save_screenshot(str(screenshot))
    assert screenshot.stat().st_size > 10_000


def test_the_whole_report_of_eight_trials_takes_four_megabytes_and_twelve_screens_folded(
    chromium: Chrome, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", [plan(seed, margin=-0.1 * seed, finalist=seed < 3) for seed in range(8)])
    page = write_report(find(open_run(run)), run / "report")
    assert page.stat().st_size + sum(file.stat().st_size for file in _shown_files(page)) <= 4_000_000
    chromium.set_window_size(WIDTHS[0], SCREEN_PX)
    chromium.get(page.as_uri())
    assert chromium.execute_script("return document.documentElement.scrollHeight") <= 12 * SCREEN_PX


def test_the_answer_stands_on_the_first_screen(opened: Chrome) -> None:
    card = opened.find_element(By.CSS_SELECTOR, ".card .number")
    assert card.text == "Quality 50: 30.0 % fewer bytes"
    bottom = opened.execute_script("return document.querySelector('.card').getBoundingClientRect().bottom")
    assert bottom < 900


def test_the_slider_shows_more_or_less_of_the_restored_image(opened: Chrome) -> None:
    over, slider = (opened.find_element(By.CSS_SELECTOR, f".slider {part}") for part in (".over", "input"))
    assert over.value_of_css_property("clip-path") == "inset(0px 0px 0px 50%)"
    slider.send_keys(Keys.HOME)
    assert over.value_of_css_property("clip-path") == "inset(0px 0px 0px 100%)"
    slider.send_keys(Keys.END)
    assert over.value_of_css_property("clip-path") == "inset(0px 0px 0px 0%)"


def _table(driver: Chrome, title: str) -> WebElement:
    return driver.find_element(By.XPATH, f"//details[summary/h3[text()='{title}']]//table")


def _column(table: WebElement, head: str) -> tuple[WebElement, list[str]]:
    """Return a column's head, and its cells' texts from top to bottom."""
    heads = table.find_elements(By.TAG_NAME, "th")
    place = next(place for place, cell in enumerate(heads) if cell.get_property("textContent") == head)
    cells = table.find_elements(By.CSS_SELECTOR, f"tbody td:nth-child({place + 1})")
    return heads[place], [str(cell.get_property("textContent")) for cell in cells]


def test_a_click_on_a_head_sorts_numbers_as_numbers_with_unknown_ones_last(opened: Chrome) -> None:
    opened.find_element(By.ID, "unfold").click()
    table = _table(opened, "All trials")
    head, before = _column(table, "margin")
    margins = ["-0.000", *(f"{-0.1 * seed:+.3f}" for seed in range(1, 23) if seed != 5)]
    downwards = [*margins, "-3.000", "unknown"]  # JPEG as it is has -3
    upwards = ["-3.000", *reversed(margins), "unknown"]
    for order, expected in (("ascending", upwards), ("descending", downwards), (None, before)):
        head.find_element(By.TAG_NAME, "button").click()
        assert head.get_attribute("aria-sort") == order
        assert _column(table, "margin")[1] == expected


def test_whole_rows_move_and_one_column_at_a_time_is_sorted(opened: Chrome) -> None:
    opened.find_element(By.ID, "unfold").click()
    table = _table(opened, "All trials")
    rows = {row.text for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")}
    for name in ("trial", "epochs"):
        _column(table, name)[0].find_element(By.TAG_NAME, "button").click()
    assert [head.get_attribute("aria-sort") for head in table.find_elements(By.TAG_NAME, "th")].count("ascending") == 1
    assert _column(table, "epochs")[1] == ["0/0", *["3/3"] * 23]
    assert {row.text for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")} == rows


def test_a_table_is_sorted_with_the_keyboard(opened: Chrome) -> None:
    opened.find_element(By.ID, "unfold").click()
    table = _table(opened, "JPEG files by quality")
    head, sizes = _column(table, "mean size, kB")
    button = head.find_element(By.TAG_NAME, "button")
    button.send_keys(Keys.ENTER)
    assert _column(table, "mean size, kB")[1] == sorted(sizes, key=float)
    assert _column(table, "quality")[1] == ["10", "25", "40", "50", "60", "75", "80", "90"]
    button.send_keys(Keys.SPACE)
    assert head.get_attribute("aria-sort") == "descending"


def _dialog(driver: Chrome) -> tuple[bool, float, float]:
    """Tell whether the picture is shown, its width on the screen, and its own."""
    find = "const shown = document.querySelector('dialog'), image = shown.querySelector('img');"
    found = driver.execute_script(find + "return [shown.open, image.width, image.naturalWidth]")
    return (bool(found[0]), float(found[1]), float(found[2]))


@pytest.mark.parametrize("key", [None, Keys.ENTER], ids=["click", "enter"])
def test_a_picture_opens_in_full_size_and_escape_closes_it(opened: Chrome, key: str | None) -> None:
    opened.set_window_size(WIDTHS[1], 900)
    small = opened.find_element(By.CSS_SELECTOR, "button.zoom")
    assert not _dialog(opened)[0]
    small.send_keys(key) if key else small.click()
    is_open, width, natural_width = _dialog(opened)
    assert is_open
    assert width == natural_width > WIDTHS[1]
    large = opened.find_element(By.CSS_SELECTOR, "dialog img")
    assert large.get_attribute("src") == small.find_element(By.TAG_NAME, "img").get_attribute("src")
    opened.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not _dialog(opened)[0]


def test_what_decides_is_open_and_the_rest_is_folded(opened: Chrome) -> None:
    titles = opened.find_elements(By.CSS_SELECTOR, "section > details[open] > summary > h3")
    assert [title.text.split(":")[0].split(",")[0] for title in titles] == [
        *("The pick by means", "Bytes at parity"),
        *("Networks side by side", "Networks side by side", "Networks side by side at each quality"),
    ]
    assert "test" in titles[-1].text  # the split that decides
    folded = opened.find_elements(By.CSS_SELECTOR, "section > details:not([open]) > summary > h3")
    assert {"All trials", "Search history", "JPEG files by quality"} <= {title.text for title in folded}
    opened.find_element(By.ID, "fold").click()
    assert opened.find_elements(By.CSS_SELECTOR, "section details[open]") == []


def test_in_print_no_button_shows(opened: Chrome) -> None:
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        buttons = opened.find_elements(By.CSS_SELECTOR, "button.plain")
        assert buttons
        assert not any(button.is_displayed() for button in buttons)
        assert not opened.find_element(By.CSS_SELECTOR, ".slider label").is_displayed()
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_what_is_folded_is_printed_and_folded_again(opened: Chrome) -> None:
    unfolded = len(opened.find_elements(By.CSS_SELECTOR, "section details[open]"))
    count = "document.querySelectorAll('section details:not([open])').length"
    opened.execute_script(f"window.seen = []; addEventListener('beforeprint', () => window.seen.push({count}))")
    assert base64.b64decode(opened.print_page()).startswith(b"%PDF")
    assert opened.execute_script("return window.seen") == [0]
    assert len(opened.find_elements(By.CSS_SELECTOR, "section details[open]")) == unfolded

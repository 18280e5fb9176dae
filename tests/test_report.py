"""The report folder and the command: complete or absent, readable offline, and clear about mistakes."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.cli import main
from analysis.findings import find
from analysis.report import page as pages
from analysis.report.page import list_blocks, render
from analysis.report.report import write_report
from analysis.run import RunError, open_run
from analysis.tables.spec import Cell, Column, Part
from analysis.tables.write import WRITERS
from search.records import RECORDS
from search.space.spec import BASELINE, TrialStatus
from tests.run_fixture import Plan, plan, run_facts, write_run

pytestmark = pytest.mark.usefixtures("few_pictures")

ROOT = Path(__file__).resolve().parents[1]
VOID_TAGS = {"meta", "img", "br", "input"}


class _Page(HTMLParser):
    """Collects what a page refers to, and checks that its tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.anchors: set[str] = set()
        self.headings: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("href", "src")]
        self.anchors |= {value or "" for name, value in attrs if name == "id"}
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def _page(out: Path) -> _Page:
    return _Page((out / "index.html").read_text(encoding="utf-8"))


def _error(capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lowq: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_report_holds_page_pick_tables_and_figures(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0), plan(1)])
    page = write_report(find(open_run(run)), run / "report")
    assert page == run / "report" / "index.html"
    names = {str(file.relative_to(run / "report")) for file in (run / "report").rglob("*") if file.is_file()}
    assert {"index.html", "pick.json", "tables/sizes.csv", "tables/sizes.md", "figures/quality_curve.svg"} <= names
    assert {name.removesuffix(".csv") for name in names if name.endswith(".csv")} == {
        name.removesuffix(".md") for name in names if name.endswith(".md")
    }
    told = json.loads((run / "report" / "pick.json").read_text())
    assert [told[name] for name in ("quality", "trial_id", "mean_bytes", "reference_bytes")] == [
        *(50, plan(0).spec.trial_id, 700.0, 1000.0)
    ]
    assert (told["strict"]["quality"], told["strict"]["trial_id"]) == (None, None)


def test_page_is_well_formed_labels_a_stopped_trial_and_needs_no_network(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0), plan(1, status=TrialStatus.STOPPED, epochs_run=1)])
    page = _page(write_report(find(open_run(run)), run / "report").parent)
    assert page.open == []
    assert "1/3 epochs" in page.words
    assert "not trained equally long" in page.words
    assert page.headings == ["Decision", "Comparison", "Trials", "Data", "Method and notes"]
    shown = [source for source in page.references if source.startswith("data:image/webp;base64,")]
    assert len(shown) == len(list((run / "report" / "figures").glob("*.png"))) > 0
    links = [source.removeprefix("#") for source in page.references if not source.startswith("data:")]
    assert set(links) <= page.anchors
    text = (run / "report" / "index.html").read_text()
    assert "http:" not in text
    assert "https:" not in text


def test_text_of_the_run_is_escaped(tmp_path: Path) -> None:
    facts = run_facts(4, 1)["dataset"] | {"description": "<script>alert(1)</script>"}
    failed = plan(1, status=TrialStatus.FAILED, scored=False, margin=None)
    run = write_run(tmp_path / "run", [plan(0), failed], dataset=facts, command="<u>&")
    out = write_report(find(open_run(run)), run / "report").parent
    text = (out / "index.html").read_text()
    assert text.count("<script") == 1  # the page's own
    assert "<b>no</b>" not in text
    assert "&lt;b&gt;no&lt;/b&gt; memory" in text
    assert "&lt;u&gt;&amp;" in text


@pytest.mark.parametrize(
    ("division", "kept"),
    [("grouped", "each on one side of a split"), ("random", "divided regardless of groups")],
)
def test_the_report_says_what_grouped_the_images(tmp_path: Path, division: str, kept: str) -> None:
    by = {"near_duplicates": 3, "labels": 2}
    grouping = {"by": by, "n_groups": 12, "n_grouped_images": 9, "largest_group": 4}
    facts = run_facts(4, 1)["dataset"] | {"grouping": grouping, "division": division}
    run = write_run(tmp_path / "run", [plan(0)], dataset=facts)
    text = (write_report(find(open_run(run)), run / "report").parent / "index.html").read_text()
    said = (
        "by near duplicates (3 groups), labels (2 groups): 9 of 16 images share a group with others, the largest has 4;"
    )
    assert f"{said} {kept}" in text


def test_the_report_says_what_optimised_huffman_tables_alone_save(tmp_path: Path) -> None:
    today = {"encoder": "jpeg-q75-plain", "mean_bytes": 8000.0, "mean_optimised_bytes": 7520.0}
    run = write_run(tmp_path / "run", [plan(0)], dataset=run_facts(4, 1)["dataset"] | {"today": today})
    text = (write_report(find(open_run(run)), run / "report").parent / "index.html").read_text()
    assert "(jpeg-q75-plain) take 8.00 kB an image." in text
    assert "the same pixels take 94.0% of that, without any restorer." in text


def test_same_run_gives_the_same_report(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run", [plan(0)])))
    first, second = (write_report(findings, tmp_path / name).parent for name in ("first", "second"))
    for file in (path for path in first.rglob("*") if path.is_file()):
        assert file.read_bytes() == (second / file.relative_to(first)).read_bytes()


def test_earlier_report_is_replaced_whole(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    out = tmp_path / "out"
    write_report(find(open_run(run)), out)
    (out / "stale.txt").write_text("from before")
    write_report(find(open_run(run)), out)
    assert not (out / "stale.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


def test_empty_folder_may_become_the_report(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert write_report(find(open_run(write_run(tmp_path / "run"))), tmp_path / "out").is_file()


def test_interrupted_writing_leaves_the_earlier_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = find(open_run(write_run(tmp_path / "run")))
    out = write_report(findings, tmp_path / "out").parent
    before = (out / "index.html").read_bytes()

    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setitem(WRITERS, "tex", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_report(findings, out)
    assert (out / "index.html").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


def test_folder_that_is_no_report_is_not_replaced(tmp_path: Path) -> None:
    findings = find(open_run(write_run(tmp_path / "run")))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(RunError, match="replaces only an earlier report"):
        write_report(findings, tmp_path / "photos")
    assert (tmp_path / "photos" / "cat.png").exists()


def test_command_prints_table_sizes_pick_and_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", [plan(seed) for seed in range(7)])
    assert main([str(run)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "40.20 0.9860 8/8" in captured.out
    assert "0.70 at 50 (-30 %)" in captured.out
    assert "(further trials, in the report: 2)" in captured.out
    assert "pick: Quality 50 restored by" in captured.out
    assert captured.out.endswith(f"report: {run / 'report' / 'index.html'}\n")
    table = [line for line in captured.out.splitlines() if line.startswith(("quality", "90", "10 ", "--"))]
    assert max(len(line) for line in table) <= 120


def test_command_writes_where_it_is_told(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    assert main([str(run), str(tmp_path / "deep" / "out")]) == 0
    assert (tmp_path / "deep" / "out" / "index.html").is_file()
    assert not (run / "report").exists()


def test_command_refuses_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is no run directory" in _error(capsys, [str(tmp_path)])


def test_command_refuses_a_run_in_which_nothing_ended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", baseline=False)
    assert "a report needs an ended trial" in _error(capsys, [str(run)])
    assert not (run / "report").exists()


def test_command_refuses_to_replace_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run", [plan()])
    assert "replaces only an earlier report" in _error(capsys, [str(run), str(run)])
    assert (run / RECORDS).is_file()


def test_command_says_when_the_disk_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "run")
    (tmp_path / "file").touch()
    assert "file" in _error(capsys, [str(run), str(tmp_path / "file" / "out")])


def test_command_without_a_run_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert "`python -m analysis --help` says more" in _error(capsys, [])


def test_module_runs_as_a_command(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "analysis", str(tmp_path)]
    result = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("lowq: ")
    assert "Traceback" not in result.stderr


INCOMPLETE: dict[str, list[Plan]] = {
    "baseline alone": [],
    "one failed": [plan(0, status=TrialStatus.FAILED, scored=False, margin=None)],
    "one diverged": [plan(0, status=TrialStatus.DIVERGED, scored=False, margin=None)],
    "one not scored": [plan(0, scored=False)],
    "no finalist": [plan(0, finalist=False)],
    "one quality": [plan(0, margins={75: 0.1})],
}


@pytest.mark.parametrize("plans", INCOMPLETE.values(), ids=INCOMPLETE.keys())
@pytest.mark.parametrize("baseline", ["scored", "not scored", "absent"])
def test_incomplete_run_of_one_image_gives_a_whole_report(tmp_path: Path, plans: list[Plan], baseline: str) -> None:
    run = write_run(tmp_path / "run", plans, n_images=1, baseline=baseline != "absent")
    if baseline == "not scored":
        (run / "scores" / f"{BASELINE.trial_id}.parquet").unlink()
    nothing_ended = not plans and baseline == "absent"
    assert main([str(run)]) == (2 if nothing_ended else 0)
    if not nothing_ended:
        page = _page(run / "report")
        assert page.open == []
        assert "nan" not in page.words.lower()
        assert json.loads((run / "report" / "pick.json").read_text())["quality"] is None


def test_what_was_not_run_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left_out = [{"what": "perceptual", "why": "no VGG16 weights", "cause": "no network"}]
    run = write_run(tmp_path / "run", [plan(0), plan(1)], left_out=left_out)
    assert main([str(run)]) == 0
    line = "perceptual: not run, no VGG16 weights"
    assert capsys.readouterr().out.count(line) == 1
    assert _page(run / "report").words.count(line) == 1
    assert line not in (run / "report" / "tables" / "trials.csv").read_text()


def test_the_first_thing_on_the_page_is_the_answer_and_what_it_was_not_shown_for(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [plan(0)])
    text = (write_report(find(open_run(run)), run / "report")).read_text()
    card = text[text.index('class="card"') : text.index("<nav")]
    for words in (
        "Quality 50: 30.0 % fewer bytes",
        f"than JPEG-75 (too few fields for an interval), restored by {plan(0).spec.trial_id}.",
        "by the means of all four metrics, not demonstrated by the strict rule",
        "4 real, as far as the description of the images tells, test images of 2 camera systems",
        "736 fields a camera system",
        "AVIF needs 57% of JPEG-75&#39;s bytes, 20% for mean PSNR alone, encoded in 3.0 ms, decoded in 2.0 ms",
        "Only 4 test images decide",
    ):
        assert words in card, words


def test_a_card_says_that_images_are_synthetic(tmp_path: Path) -> None:
    facts = run_facts(4, 1)["dataset"] | {"description": "built-in synthetic smear"}
    run = write_run(tmp_path / "run", [plan(0)], dataset=facts)
    text = (write_report(find(open_run(run)), run / "report")).read_text()
    assert "4 synthetic test images" in text
    assert "The images are synthetic: nothing here holds of a camera" in text


def test_a_page_lists_its_sections_in_order_and_lets_nothing_be_loaded() -> None:
    sections = {"first": "First & last", "method": "Second"}
    names: dict[str, list[str]] = {name: [] for name in sections}
    shown = {"number": "1", "headline": "h", "facts": [], "warnings": [], "tables": {}, "notes": ["x <y>"]}
    text = render("plain.html", title="T", sections=sections, names=names, **shown)
    assert text.index('<a href="#first">First &amp; last</a>') < text.index('<a href="#method">Second</a>')
    assert "<li>x &lt;y&gt;</li>" in text
    assert "content=\"default-src 'none'; img-src data:;" in text


def test_columns_that_do_not_fit_beside_each_other_are_put_below() -> None:
    heads = tuple((loss, str(quality)) for loss in ("mse", "mae") for quality in (25, 50, 75))
    line = (Cell("net"), *(Cell("x" * 40) for _ in heads))
    first, second = list_blocks(Part("", (Column("network"),), heads, (line,)))
    assert [text for text, _ in first.levels[0]] == ["mse"]
    assert first.levels[0] == [("mse", 3)]
    assert first.levels[1] == [("25", 1), ("50", 1), ("75", 1)]
    assert [len(own) for own in (*first.lines, *second.lines)] == [4, 4]


def test_every_file_of_the_page_is_packaged() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    folder = Path(pages.__file__).parent
    packaged = {path for pattern in patterns["analysis.report"] for path in folder.glob(pattern)}
    assert {path for path in folder.iterdir() if path.suffix in (".html", ".txt", ".css", ".js")} == packaged
    assert [path.name for path in (folder.parent / "figures").glob("*.toml")] == ["captions.toml"]
    assert patterns["analysis.figures"] == ["*.toml"]
    tables = folder.parent / "tables"
    layouts = {path for pattern in patterns["analysis.tables"] for path in tables.glob(pattern)}
    assert {path for path in tables.iterdir() if path.suffix in (".md", ".tex", ".toml")} == layouts


def test_the_report_lists_the_sittings_and_the_versions_that_changed(tmp_path: Path) -> None:
    command = "python search/run.py --resume RUN"
    sitting = {
        "command": command,
        "git_commit": "f00",
        "time": "2026-02-03T04:05:06+00:00",
        "changes": ["keras 3 -> 4"],
    }
    resumed = [sitting, {**sitting, "changes": []}, {"versions": "of an earlier lowq"}]
    run = write_run(tmp_path / "run", [plan()], resumed=resumed)
    text = " ".join(write_report(find(open_run(run)), run / "report").read_text().split())
    said = f"Resumed 2026-02-03T04:05:06+00:00: {command}, git commit f00"
    assert f"{said}. Other versions than at the sitting before: keras 3 -&gt; 4." in text
    assert f"{said}.</p>" in text

"""`python -m analysis RUN [OUT]` and `compare RUN RUN`: write a report, and say the essence of it in the terminal.

RUN may be a CSV file of printed means: then they are rebuilt, examined and decided by the thesis' rule.
"""

from collections.abc import Sequence
from pathlib import Path

from analysis.compare import open_pair
from analysis.findings import Findings, find
from analysis.records import fidelity_sentence
from analysis.report.page import render
from analysis.report.printed_means import report_printed
from analysis.report.report import require_report_place, write_report
from analysis.report.two_runs import pair_tables, summarise_pair, write_pair
from analysis.run import open_run
from analysis.tables.data import sizes_frame
from analysis.tables.models import columns_of, summary_table
from analysis.tables.write import to_text
from datasets.console import OneLineParser, run_command

COMPARE = "compare"  # a run in a folder of this name is told as ./compare
# With JPEG as it is, at up to 17 characters a column, these stay within 120.
N_TRIALS_PRINTED = 5
WHO = {"validation": "the best of all trials", "test": "the finalists"}


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code, 2 with one line on stderr for a user's mistake."""
    return run_command(lambda: print(_compare(arguments[1:]) if arguments[:1] == [COMPARE] else _report(arguments)))


def _report(arguments: Sequence[str]) -> str:
    parser = OneLineParser(prog="python -m analysis", description="Write the report of a run.")
    parser.add_argument("run", type=Path, metavar="RUN", help="the directory of a search, or a CSV file of means")
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT", help="folder of the report (default: RUN/report)")
    options = parser.parse_args(arguments)
    if options.run.is_file():
        essence, page = report_printed(options.run, options.out or options.run.with_suffix(".report"))
        return f"{essence}\nreport: {page}"
    out = options.out or options.run / "report"
    run = open_run(options.run)
    require_report_place(out.resolve())
    findings = find(run)
    page = write_report(findings, out)
    return f"{summarise(findings)}\nreport: {page}"


def _compare(arguments: Sequence[str]) -> str:
    said = "Say what differs between two runs of one pack."
    parser = OneLineParser(prog=f"python -m analysis {COMPARE}", description=said)
    parser.add_argument("runs", type=Path, nargs=2, metavar="RUN", help="a directory that a search wrote")
    parser.add_argument("--out", type=Path, metavar="OUT", help="folder for a page and tables (default: print alone)")
    options = parser.parse_args(arguments)
    if options.out:
        require_report_place(options.out.resolve())
    pair = open_pair(*options.runs)
    tables = pair_tables(pair)
    page = f"\nreport: {write_pair(pair, tables, options.out)}" if options.out else ""
    return summarise_pair(pair, tables) + page


def summarise(findings: Findings) -> str:
    """Say a run's essence in plain text: tables, file sizes, codecs, notes, both decisions."""
    run, parts = findings.run, []
    for split, trials in (("validation", run.trials), ("test", run.tested))[: 2 if run.finalists else 1]:
        table = summary_table(findings, columns_of(findings, split, N_TRIALS_PRINTED), split)
        part = {"split": split, "who": WHO[split], "table": to_text(table) if table else ""}
        shown = trials[:N_TRIALS_PRINTED]
        parts.append({**part, "n_more": len(trials) - len(shown), "unequal": fidelity_sentence(shown)})
    return render("summary.txt", findings=findings, parts=parts, sizes=sizes_frame(findings).to_dict("records"))

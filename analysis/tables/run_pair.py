"""The tables of two runs: what differs, what each spent and picked, how far their trials differ on the same images."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.cell import show_percent, show_signed
from analysis.findings import Findings
from analysis.labels import METRIC_TITLES, fidelity
from analysis.run_pair import Difference, RunPair, deciding_split, difference
from analysis.tables.table import Table
from models.names import METRICS
from search.records import TrialRecord

SIDES = ("A", "B")
ABSENT = "not told"
TAKEN_OVER = "the same record: taken over"
DIGITS = {"mae": "{:+.5f}", "mse": "{:+.1e}", "psnr_db": "{:+.2f}", "ssim": "{:+.4f}"}
SECONDS_PER_HOUR = 3600
READING = (
    "A difference is B minus A over the images that both have, with the 95 % interval of a paired bootstrap over "
    "images; a letter behind it names the better run, where the interval leaves out 0. Each is judged on its own: of "
    "twenty such intervals one leaves out 0 by chance."
)


def run_pair_tables(pair: RunPair) -> dict[str, Table]:
    """Return the tables by the names of their files; one that would be empty is not there."""
    tables = {
        "settings": settings_table(pair),
        "picks": picks_table(pair),
        "effort": effort_table(pair),
        "best_of_each": best_table(pair),
        "trials_in_both": shared_table(pair),
        "trials_in_one": lone_table(pair),
    }
    return {name: table for name, table in tables.items() if not table.numbers.empty}


def settings_table(pair: RunPair) -> Table:
    """Tabulate the facts of run.json that differ."""
    flat = [dict(_flat("", findings.run.facts)) for findings in (pair.a, pair.b)]
    rows = {name: tuple(facts.get(name, ABSENT) for facts in flat) for name in dict.fromkeys([*flat[0], *flat[1]])}
    rows = {name: values for name, values in rows.items() if values[0] != values[1]}
    told = {name for name in rows if rows.get(name.removeprefix("options.")) != rows[name] or "options." not in name}
    numbers = pd.DataFrame(
        [{"setting": name, "A": a, "B": b} for name, (a, b) in rows.items() if name in told],
        columns=["setting", "A", "B"],
    )
    return Table(numbers, numbers.rename(columns={"setting": "in run.json"}), (), "Settings that differ")


def picks_table(pair: RunPair) -> Table:
    """Tabulate the decision of either run."""
    rows = []
    for side, findings in _sides(pair):
        pick = findings.pick
        rows.append(
            {
                **{"run": side, "quality": pick.quality, "trial_id": pick.trial_id},
                **{"saved_percent": pick.saved_percent, "n_images": pick.n_images},
                "answer": " ".join(filter(None, (pick.sentence(), pick.warning))),
            }
        )
    numbers = pd.DataFrame(rows).astype({"quality": "Int64"})
    shown = pd.DataFrame(
        {
            "run": numbers["run"],
            "quality": ["none" if pd.isna(quality) else str(quality) for quality in numbers["quality"]],
            "restored by": numbers["trial_id"].fillna("none"),
            "bytes saved": [
                "none" if pd.isna(saved) else show_percent(float(saved)) for saved in numbers["saved_percent"]
            ],
            "test images": numbers["n_images"].astype(str),
        }
    )
    return Table(numbers, shown, tuple(f"{row['run']}: {row['answer']}" for row in rows), "The two picks")


def effort_table(pair: RunPair) -> Table:
    """Tabulate what either run spent: trials, how they ended, epochs, hours."""
    taken = {own.trial_id for own, other in pair.in_both if own == other}
    rows = [{"run": side, **_effort(findings, taken)} for side, findings in _sides(pair)]
    numbers = pd.DataFrame(rows)
    shown = numbers.assign(hours=numbers["hours"].map("{:.2f}".format)).astype(str)
    shown.columns = [str(name).replace("_", " ") for name in shown.columns]
    note = "Hours of trials are added up over all slots; those of trials taken over count in both runs."
    return Table(numbers, shown, (note,), "What each spent")


def best_table(pair: RunPair) -> Table:
    """Tabulate how far the best trial of either run differs, at every quality that both were scored at."""
    best_a, best_b = pair.a.best, pair.b.best
    if best_a is None or best_b is None:
        return Table(pd.DataFrame(), pd.DataFrame())
    pairs = pair.paired(best_a.trial_id, best_b.trial_id)
    split = deciding_split(pairs)
    pairs = pairs[pairs["split"] == split]
    rows, shown = [], []
    for (quality, region), group in sorted(pairs.groupby(["input_quality", "region"]), key=_best_first):
        cells = [difference(group, metric) for metric in METRICS]
        means = {metric: (group[metric].mean(), group[f"{metric}_b"].mean()) for metric in METRICS}
        place = {"split": split, "region": region, "input_quality": quality}
        for cell in cells:
            mean_a, mean_b = means[cell.metric]
            rows.append({**place, **_numbers(cell), "mean_a": mean_a, "mean_b": mean_b})
        shown.append(
            {
                **{"quality": str(quality), "region": str(region), "images": str(group["image"].nunique())},
                **{METRIC_TITLES[cell.metric]: show_difference(cell) for cell in cells},
            }
        )
    below = [READING] + (
        []
        if split == "test"
        else ["Both were chosen by validation images such as these: the better one may be so by chance."]
    )
    title = f"The best of each on {split} images: {_named('A', best_a)}; {_named('B', best_b)}"
    return Table(pd.DataFrame(rows), pd.DataFrame(shown), tuple(below), title)


def shared_table(pair: RunPair) -> Table:
    """Tabulate how far the trials of both runs differ on whole images, over all qualities that both were scored at."""
    rows, shown = [], []
    for own, other in pair.in_both:
        facts = {"trial_id": own.trial_id, **_facts("a", own), **_facts("b", other)}
        same = own == other
        pairs = pair.paired(own.trial_id, other.trial_id)
        pairs = pairs[pairs["region"] == "full"]
        split = deciding_split(pairs)
        pairs = pairs[pairs["split"] == split]
        cells = [] if same else [difference(pairs, metric) for metric in METRICS]
        place = {"split": split, "same_record": same, "n_qualities": pairs["input_quality"].nunique()}
        rows += [{**facts, **place, **_numbers(cell)} for cell in cells] or [{**facts, **place}]
        shown.append({**_show_shared(own, other, split, pairs), **_show_cells(cells)})
    below = (READING, "Over the images of a split, whole, each with the mean over the qualities that both have.")
    return Table(pd.DataFrame(rows), pd.DataFrame(shown), below, "Trials in both")


def lone_table(pair: RunPair) -> Table:
    """Tabulate the trials that only one of the runs has, best first."""
    rows = [
        {"run": side, "trial_id": record.trial_id, **_facts("", record), "psnr_gain_db": record.psnr_gain_db}
        for side in SIDES
        for record in pair.only_in(side)
    ]
    numbers = pd.DataFrame(rows)
    if numbers.empty:
        return Table(numbers, numbers)
    shown = pd.DataFrame(
        {
            "run": numbers["run"],
            "trial": numbers["trial_id"],
            "status": numbers["status"],
            "epochs": numbers["trained"],
            "margin": numbers["margin"].map(show_signed),
            "PSNR gain, dB": numbers["psnr_gain_db"].map(show_signed),
        }
    )
    return Table(numbers, shown, (), "Trials in one run alone")


def show_difference(cell: Difference) -> str:
    """Write a difference, its interval and the better run where it can be told: "+0.12 (+0.05 to +0.20) B"."""
    if cell.interval is None:
        return "unknown"
    form, interval = DIGITS[cell.metric].format, cell.interval
    left_out = f" (-{cell.n_left_out})" if cell.n_left_out else ""
    if interval.n < 2:
        return f"{form(interval.estimate)} (one image){left_out}"
    return f"{form(interval.estimate)} ({form(interval.low)} to {form(interval.high)}){left_out} {cell.better}".rstrip()


def _sides(pair: RunPair) -> tuple[tuple[str, Findings], ...]:
    return (("A", pair.a), ("B", pair.b))


def _best_first(item: tuple[Any, pd.DataFrame]) -> tuple[bool, int]:
    quality, region = item[0]
    return (region != "full", -int(quality))


def _named(side: str, record: TrialRecord) -> str:
    return f"{side}'s {record.trial_id} ({fidelity(record)})"


def _facts(side: str, record: TrialRecord) -> dict[str, Any]:
    end = f"_{side}" if side else ""
    facts = {"status": record.status.value, "trained": fidelity(record), "margin": record.margin}
    return {f"{name}{end}": value for name, value in facts.items()}


def _effort(findings: Findings, taken: set[str]) -> dict[str, Any]:
    trials = findings.run.trials
    return {
        "planned": int(findings.run.facts["n_trials"]),
        "ended": len(trials),
        "how": ", ".join(f"{count} {status}" for status, count in Counter(r.status.value for r in trials).items()),
        "taken_over": len([record for record in trials if record.trial_id in taken]),
        "epochs": sum(record.epochs_run for record in trials),
        "hours": sum(record.seconds for record in trials) / SECONDS_PER_HOUR,
    }


def _numbers(cell: Difference) -> dict[str, Any]:
    found = cell.interval
    return {
        **{"metric": cell.metric, "difference": found and found.estimate, "low": found and found.low},
        **{"high": found and found.high, "n_images": found.n if found else 0, "n_left_out": cell.n_left_out},
        "better": cell.better,
    }


def _show_shared(own: TrialRecord, other: TrialRecord, split: str, pairs: pd.DataFrame) -> dict[str, str]:
    return {
        "trial": own.trial_id,
        "A": f"{fidelity(own)}, {own.status}, margin {show_signed(own.margin)}",
        "B": TAKEN_OVER if own == other else f"{fidelity(other)}, {other.status}, margin {show_signed(other.margin)}",
        "images": f"{pairs['image'].nunique()} {split}",
    }


def _show_cells(cells: list[Difference]) -> dict[str, str]:
    if not cells:
        return dict.fromkeys((METRIC_TITLES[metric] for metric in METRICS), "taken over")
    return {METRIC_TITLES[cell.metric]: show_difference(cell) for cell in cells}


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    """List what JSON holds by dotted names; a list is one text."""
    if isinstance(value, Mapping) and value:
        return [item for key, inner in value.items() for item in _flat(f"{name}.{key}" if name else str(key), inner)]
    if isinstance(value, list):
        return [(name, "; ".join(", ".join(text for _, text in _flat("", item)) for item in value) or "none")]
    return [(name, "none" if value in (None, {}) else str(value))]

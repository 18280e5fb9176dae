"""The decision by two rules side by side: what the means of the test images say, and what can be shown of them."""

import json
from dataclasses import asdict

import pandas as pd

from analysis import pick as means
from analysis.pick import Pick, finite
from analysis.strict import StrictPick
from analysis.tables.table import Table


def to_json(pick: Pick, strict: StrictPick) -> str:
    """Return both picks as strict JSON: that by means, and under "strict" the other; "in_words" says it."""
    words = " ".join(filter(None, (pick.sentence(), pick.warning, strict.sentence())))
    facts = {"rule": means.RULE, **asdict(pick), "strict": strict.as_facts(), "in_words": words}
    return json.dumps(finite(facts), indent=2, allow_nan=False)


def strict_table(strict: StrictPick) -> dict[str, Table]:
    """Return the steps of the strict rule as a table; none where nothing was judged."""
    if not strict.steps:
        return {}
    numbers = pd.DataFrame([dict(step) for step in strict.steps]).rename(columns={"trial_id": "trial"})
    numbers["images_needed"] = numbers["images_needed"].astype("Int64")
    shown = pd.DataFrame(
        {
            "quality": numbers["input_quality"].astype(str),
            "trial": numbers["trial"],
            "system": numbers["system"],
            "images": numbers["n_images"].astype(str),
            "fields": numbers["n_fields"].astype(str),
            "PSNR gain, dB (at least)": _with_bound(numbers, "psnr_db", "{:+.3f}"),
            "SSIM gain (at least)": _with_bound(numbers, "ssim", "{:+.5f}"),
            "0.5 dB worse": numbers["n_worse"].astype(str),
            "of all at most": (100 * numbers["worse_share_bound"]).map("{:.2f} %".format),
            "shown": numbers["passes"].map({True: "yes", False: "no"}),
            "images needed": [_needed(*row) for row in numbers[["passes", "images_needed"]].itertuples(index=False)],
        }
    )
    return {"strict_steps": Table(numbers, shown, (), "The strict rule, quality after quality until one fails")}


def _with_bound(numbers: pd.DataFrame, name: str, form: str) -> list[str]:
    pairs = numbers[[f"{name}_estimate", f"{name}_low"]].itertuples(index=False, name=None)
    return [f"{_number(mean, form)} ({_number(low, form)})" for mean, low in pairs]


def _number(value: float, form: str) -> str:
    return form.format(value) if pd.notna(value) and abs(value) < float("inf") else "unknown"


def _needed(passes: bool, needed: int | None) -> str:
    if passes:
        return ""
    return "no number" if pd.isna(needed) else f"{needed:,}"

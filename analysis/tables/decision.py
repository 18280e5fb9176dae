"""The tables that a decision rests on, and what the means give away."""

from functools import partial

import pandas as pd

from analysis.codecs import RESTORED, TITLES, title_of
from analysis.decide import METRIC_TITLES, N_REQUIREMENTS, RULE, candidates_of, evidence_of
from analysis.findings import Findings
from analysis.records import fidelity_sentence
from analysis.tables.models import N_TRIALS
from analysis.tables.spec import (
    GAIN_DIGITS,
    IMAGES,
    MEAN,
    METRIC,
    NOT_RUN,
    QUALITY,
    REGION_WORDS,
    SIGNED,
    TOO_FEW,
    TRIAL,
    UNKNOWN,
    Cell,
    Column,
    Row,
    TableSpec,
    is_missing,
    write_bounds,
    write_mean,
    write_value,
)

MARGIN = "The margin is in units of what JPEG loses from the reference to quality 50; 0 is as good as the reference."


def decision_tables(findings: Findings) -> list[TableSpec]:
    """Return the tables of the decisions and of other codecs."""
    reference, pick = f"JPEG-{findings.run.reference_quality}", findings.pick
    whose = f"quality {pick.closest[1]}, {pick.closest[0]}" if pick.closest else ""
    times = (Column("decoding, ms", "decode_ms", ".1f"), Column("restoring, ms", show=_restoring), IMAGES)
    return [
        TableSpec(
            "strict_steps",
            "decision",
            "The strict rule, quality after quality until one fails",
            lambda owner: pd.DataFrame([dict(step) for step in owner.strict.steps]),
            rows=(
                QUALITY,
                TRIAL,
                Column("system", "system"),
                IMAGES,
                Column("fields", "n_fields"),
                Column("PSNR gain, dB (at least)", show=partial(_with_bound, name="psnr_db", form="+.3f")),
                Column("SSIM gain (at least)", show=partial(_with_bound, name="ssim", form="+.5f")),
                Column("fields 0.5 dB worse", "n_worse"),
                Column("of all at most", "worse_share_bound", ".2%"),
                Column("demonstrated", "passes", lambda passes: "yes" if passes else "no"),
                Column("fields needed", show=partial(_needed, name="fields_needed")),
                Column("images needed", show=partial(_needed, name="images_needed")),
            ),
            caption=f"{findings.strict.model}: gains over {reference} in whole test images, in brackets their lower "
            "bound (one-sided 97.5 %). A field is what near-duplicate images show; fields are counted.",
            is_open=True,
        ),
        TableSpec(
            "evidence",
            "decision",
            f"{'The pick by means' if pick.quality else 'What came closest by means'}: {whose}",
            lambda owner: evidence_of(owner.cells, owner.pick),
            rows=(
                Column("region", "region", lambda region: REGION_WORDS[region]),
                METRIC,
                Column("restored", show=_reaching),
                Column("required", show=lambda row: Cell(write_mean(row["metric"], row["reference_mean"]))),
                Column("gain (95 % interval over fields)", show=_gain),
                Column("margin", "margin", SIGNED),
                IMAGES,
            ),
            caption=f"Means over the test images. A gain is positive where restored is better. {MARGIN}",
            is_open=True,
        ),
        TableSpec(
            "codecs",
            "decision",
            f"Bytes at parity: what each way to keep an image needs to be as good as {reference}",
            _codecs_frame,
            rows=(
                Column("kept as", "title", is_wide=True),
                Column("all four means", show=partial(_share, term="all")),
                Column("mean PSNR alone", show=partial(_share, term="psnr")),
                Column("lowest setting with all four", "setting", ".0f"),
                *times,
            ),
            caption=f"The share of {reference}'s bytes at which all four means of whole images reach its means, "
            "between the settings that were tried, and beside it the share at which mean PSNR alone does.",
            below=_codecs_below,
            is_open=True,
        ),
        TableSpec(
            "candidates",
            "decision",
            "Every finalist at every lower quality, by means",
            lambda owner: candidates_of(owner.run, owner.cells, owner.suspects),
            rows=(
                QUALITY,
                TRIAL,
                Column("means reached", show=_reached),
                Column("smallest margin", "smallest_margin", SIGNED),
                Column("where", show=lambda row: Cell(f"{row['region']}: {METRIC_TITLES[row['metric']]}")),
                IMAGES,
            ),
            caption=f"The rule: {RULE}. The smallest of a finalist's eight margins decides; where says which mean that "
            f"is. {fidelity_sentence(findings.run.finalists)}",
        ),
        TableSpec(
            "codec_settings",
            "decision",
            "Every codec and finalist at every setting, over the same test images, whole",
            lambda owner: owner.codecs.points.sort_values(["kind", "name", "setting"], ignore_index=True),
            rows=(
                Column("kept as", show=lambda row: Cell(title_of(row["name"], row["kind"])), is_wide=True),
                Column("setting", "setting"),
                Column("mean bytes", "mean_bytes", ",.0f"),
                Column("PSNR, dB", "psnr_db", ".2f"),
                Column("SSIM", "ssim", ".4f"),
                Column("means reached", show=_reached),
                *times,
            ),
        ),
    ]


def suspects_table() -> TableSpec:
    """Return the table of what means give away, of a run or of a printed source."""

    def frame(owner: Findings) -> pd.DataFrame:
        rows = [(o.kind, " ".join(o.trials), o.where, o.kept_out, o.sentence) for o in owner.oddities]
        return pd.DataFrame(rows, columns=["kind", "trials", "where", "kept_out", "sentence"])

    def below(owner: Findings, frame: pd.DataFrame) -> tuple[str, ...]:
        out = {trial for trials in frame.loc[frame["kept_out"], "trials"] for trial in trials.split()}
        return (f"{len(out)} of {len(owner.study.trials)} trials are kept out of what is best, and of conclusions.",)

    return TableSpec(
        "suspects",
        "trials",
        "Suspects: what the means give away",
        frame,
        rows=(
            Column("what", "kind"),
            Column("in the best", "kept_out", lambda out: "kept out" if out else "stays in"),
            Column("found", "sentence", is_wide=True),
        ),
        caption="Dead, diverged, duplicated or otherwise odd trials, and fields on both sides of a split.",
        below=below,
    )


def _with_bound(row: Row, name: str, form: str) -> Cell:
    low = TOO_FEW if is_missing(row[f"{name}_low"]) else f"{row[f'{name}_low']:{form}}"
    return Cell(f"{write_value(row[f'{name}_estimate'], form)} ({low})", row[f"{name}_low"])


def _needed(row: Row, name: str) -> Cell:
    if row["passes"]:
        return Cell("")
    return Cell("no number") if is_missing(row[name]) else Cell(f"{row[name]:,.0f}", row[name])


def _reaching(row: Row) -> Cell:
    left_out = f" (-{row['n_left_out']})" if row["n_left_out"] else ""
    return Cell(write_mean(row["metric"], row["mean"]) + left_out, row["mean"], reaches=bool(row["reaches"]))


def _gain(row: Row) -> Cell:
    form = GAIN_DIGITS[row["metric"]]
    bounds = write_bounds(row["gain_low"], row["gain_high"], form)
    return Cell(f"{write_value(row['gain'], form)} ({bounds})", row["gain"])


def _reached(row: Row) -> Cell:
    n_reached = int(row["n_reached"])
    return Cell(f"{n_reached} of {N_REQUIREMENTS}", n_reached, reaches=n_reached == N_REQUIREMENTS)


def _codecs_frame(findings: Findings) -> pd.DataFrame:
    ways, pick = findings.codecs.ways, findings.pick
    role = {pick.trial_id: " (the pick)"} if pick.quality else {}
    titles = [title_of(n, k) + role.get(n, "") for n, k in zip(ways["name"], ways["kind"], strict=True)]
    table = ways.assign(title=titles, holds=MEAN)
    table = table.drop(index=table[table["kind"] == RESTORED].index[N_TRIALS:])
    missing = [
        {"name": name, "kind": "codec", "title": TITLES.get(name, name), "holds": f"{NOT_RUN}, {why}"}
        for name, why in findings.codecs.not_run.items()
    ]
    return pd.concat([table, pd.DataFrame(missing)], ignore_index=True) if missing and len(table) else table


def _share(row: Row, term: str) -> Cell:
    if row["holds"] != MEAN:
        return Cell(str(row["holds"]) if term == "all" else "")
    found = row[f"share_{term}"]
    bounds = write_bounds(row[f"{term}_low"], row[f"{term}_high"], ".0%")
    beyond = "≈ " if term == "all" and not row["is_measured"] else ""
    return Cell(UNKNOWN if is_missing(found) else f"{beyond}{found:.0%} ({bounds})", found)


def _restoring(row: Row) -> Cell:
    if row["kind"] != RESTORED:
        return Cell("")
    time_ms = row["restore_ms"]
    return Cell(UNKNOWN) if is_missing(time_ms) else Cell(f"{time_ms:.1f} on {row['restored_on']}", time_ms)


def _codecs_below(findings: Findings, frame: pd.DataFrame) -> tuple[str, ...]:
    points = findings.codecs.points
    tried = points[points["kind"] == "codec"].groupby("name")["setting"].agg(["min", "max"])
    listed = ", ".join(f"{TITLES.get(str(name), name)} {row['min']} to {row['max']}" for name, row in tried.iterrows())
    line = (
        "≈: beyond the settings that were tried, by at most a factor of two. Settings are on the codec's own scale; "
        f"tried: {listed or 'none'}. Everything else is as Pillow saves it. In brackets the 95 % interval of a "
        "bootstrap over fields, of the best three restorers. Decoding: one thread, the median of three an image."
    )
    return tuple(filter(None, (findings.codecs.verdict, line)))

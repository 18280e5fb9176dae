"""The chapters of the report in reading order: decision, evidence, comparison, trials, data, method."""

from collections.abc import Mapping, Sequence

from analysis.display import REACHES
from analysis.figures.album import Picture
from analysis.findings import Findings
from analysis.labels import fidelity_sentence, label
from analysis.page import Section, bullets, paragraph, picture, titled_table
from analysis.pick import RULE
from analysis.tables import columns_of, left_out_lines

# More columns than this are not read but scrolled past; the files hold them all.
N_TRIALS_SHOWN = 8
REGION_TITLES = {"full": "whole image", "crop": "centre crop"}


def write_chapters(findings: Findings, pictures: Sequence[Picture], notes: Sequence[str]) -> list[Section]:
    """Write every section of the report. notes: all of them, those of the figures too."""
    drawn = {item.name: item for item in pictures}
    return [
        Section("decision", "Decision", _decision(findings, notes)),
        Section("evidence", "Evidence", _evidence(findings, drawn)),
        Section("comparison", "Comparison", _comparison(findings, drawn)),
        Section("trials", "Trials", _trials(findings)),
        Section("data", "Data", _data(findings)),
        Section("method", "Method and notes", [*_method(findings), *_notes(findings, notes)]),
    ]


def _decision(findings: Findings, notes: Sequence[str]) -> list[str]:
    pick = findings.pick
    parts = [paragraph(pick.sentence(), "decision")]
    parts += [paragraph(pick.warning, "warning")] if pick.warning else []
    parts.append(paragraph(f"The rule: {RULE}. Here the reference is JPEG-{pick.reference_quality}."))
    if notes:
        parts.append(f"<p>What is missing or unusual in this run: <a href='#notes'>notes ({len(notes)})</a>.</p>\n")
    return parts


def _evidence(findings: Findings, drawn: Mapping[str, Picture]) -> list[str]:
    pick, parts = findings.pick, []
    closest = ("What came closest: quality {input_quality}, {trial_id}".format(**row) for row in pick.evidence)
    whose = f"Quality {pick.quality}, {label(findings.best)}" if pick.quality and findings.best else next(closest, "")
    margin = (
        "The margin is in units of what JPEG loses from the reference to quality 50; 0 is as good as the reference."
    )
    parts += _table(findings, "evidence", whose, f"Means over the test images. {margin}")
    parts += _table(
        findings,
        "candidates",
        "Every finalist at every lower quality",
        "The smallest of a finalist's eight margins decides; where says which mean that is. "
        f"{fidelity_sentence(findings.run.finalists)}",
    )
    parts += [_figure(drawn["quality_curve"])] if "quality_curve" in drawn else []
    return parts or [paragraph("There is no evidence to show: see the reason above.")]


def _comparison(findings: Findings, drawn: Mapping[str, Picture]) -> list[str]:
    parts = [_figure(drawn["psnr_violin"])] if "psnr_violin" in drawn else []
    parts += [_figure(item) for name, item in drawn.items() if name.startswith("strip_")]
    for split in ("test", "validation"):
        for region, title in REGION_TITLES.items():
            parts += _quality(findings, split, region, f"Quality and model, {split} split, {title}")
    return parts or [paragraph("No trial has scores to compare.")]


def _quality(findings: Findings, split: str, region: str, title: str) -> list[str]:
    name = f"quality_{split}_{region}"
    if name not in findings.tables:
        return []
    table = findings.tables[name]
    records = columns_of(findings.run, split)
    trained = [record for record in records if not record.spec.is_baseline]
    n_fixed = table.shown.shape[1] - len(trained)
    n_images = table.numbers.loc[table.numbers["n_images"] > 0, "n_images"]
    counts = f"{n_images.min()}" if n_images.nunique() == 1 else f"{n_images.min()} to {n_images.max()}"
    caption = (
        f"Means over {counts} images; rows are qualities of the JPEG input. {REACHES} marks a mean at least as good as "
        f"that of JPEG-{findings.run.reference_quality} on the same images. {fidelity_sentence(trained)}"
    )
    if len(trained) > N_TRIALS_SHOWN:
        caption += f" The best {N_TRIALS_SHOWN} of {len(trained)} trials are shown, tables/{name}.csv holds all."
    return [titled_table(title, caption, table.shown.iloc[:, : n_fixed + N_TRIALS_SHOWN], table.below)]


def _trials(findings: Findings) -> list[str]:
    caption = (
        "Best monitored margin first. A trial is of use only where its margin is above its input's. "
        f"{fidelity_sentence(findings.run.trials)} The whole of every spec is in tables/trials.csv."
    )
    failed = [f"{record.trial_id}: {record.error}" for record in findings.run.trials if record.error]
    parts = _table(findings, "trials", "All trials", caption)
    return [*parts, paragraph("Errors of trials that failed:"), bullets(failed)] if failed else parts


def _data(findings: Findings) -> list[str]:
    facts = findings.run.facts
    dataset = facts["dataset"]
    systems = ", ".join(f"{name} ({count})" for name, count in dataset["systems"].items())
    subsets = ", ".join(f"{count} {name}" for name, count in dataset["subsets"].items())
    side = dataset["size_px"]
    description = str(dataset.get("description", ""))
    parts = [
        paragraph(description) if description else "",
        paragraph(
            f"{dataset['n_images']} images of {side} x {side} pixels from {dataset['path']} (fingerprint "
            f"{dataset['fingerprint']}). Camera systems: {systems}. Split {dataset['split']}: {subsets} images."
        ),
    ]
    caption = "1 kB is 1000 bytes; raw is three bytes a pixel. Over every image of the dataset."
    parts += _table(findings, "sizes", "JPEG files by quality", caption)
    quality, split = findings.run.reference_quality, findings.run.deciding_split
    title = f"What has to be reached: the means of JPEG-{quality} over the {split} images"
    return [*parts, *_table(findings, "requirements", title, "")]


def _method(findings: Findings) -> list[str]:
    facts = findings.run.facts
    quality = findings.run.reference_quality
    monitored = ", ".join(str(scored) for scored in facts["scored_qualities"])
    is_tiny = facts["dataset"]["split"] == "tiny"
    finalists = [label(record) for record in findings.run.finalists]
    scored = facts["dataset"]["scored"]
    return [
        bullets(
            [
                "Every image is compressed whole and cut afterwards, as it happens in use: a centre crop need not "
                "start on JPEG's grid of blocks.",
                "A restored image is rounded to 8 bits before it is scored, and these scores decide. Those of the "
                "network's unrounded output lie beside them in the run's score files.",
                f"Networks, losses and early stopping are chosen on validation images, of which every trial is "
                f"scored on {scored['validation']}. {scored['test']} test images are read once, at the end, for the "
                "finalists and for JPEG as it is"
                + (": data101's, for tiny has none and never draws from them." if is_tiny else "."),
                f"The finalists: {'; '.join(finalists)}." if finalists else "There are no finalists yet.",
                f"The monitored margin: over a fixed set of validation images at qualities {monitored}, each metric's "
                f"mean is compared with JPEG-{quality}'s mean on the same images, in units of the "
                f"JPEG-{quality}-to-JPEG-50 distance; the margin is the smallest of the four.",
                "An image identical to its original has an infinite PSNR. It is left out of the mean PSNR on both "
                "sides of the comparison, and the cell says how many are.",
            ]
        ),
        paragraph(
            f"Command: {facts['command']}. Space {facts['space']}, scale {facts['scale']}, seed {facts['seed']}, "
            f"begun {facts.get('created', 'at an unknown time')}, git commit {facts.get('git_commit') or 'unknown'}."
        ),
        paragraph(
            "Versions: "
            + (", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items()) or "unknown")
            + "."
        ),
    ]


def _notes(findings: Findings, notes: Sequence[str]) -> list[str]:
    lines = [*notes, *left_out_lines(findings.run)]
    listed = bullets(lines) if lines else paragraph("Nothing is missing and nothing was left out.")
    return ["<h3 id='notes'>Notes</h3>\n", listed]


def _table(findings: Findings, name: str, title: str, caption: str) -> list[str]:
    if name not in findings.tables:
        return []
    table = findings.tables[name]
    return [titled_table(title, caption, table.shown, table.below)]


def _figure(item: Picture) -> str:
    return picture(item.png, item.caption)

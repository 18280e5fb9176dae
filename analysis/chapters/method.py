"""The last chapter: how it was measured, with what, and the notes."""

from collections.abc import Sequence

from analysis.findings import Findings
from analysis.labels import label
from analysis.page import bullets, paragraph
from analysis.tables.left_out import left_out_lines


def method(findings: Findings, notes: Sequence[str]) -> list[str]:
    """Say how it was measured, with what, and what a reader must know besides. notes: those of the figures too."""
    return [*_method(findings), *_notes(findings, notes)]


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

"""The second chapter: what the answer rests on."""

from collections.abc import Mapping

from analysis.chapters.pieces import figures, named_table
from analysis.figures.picture import Picture
from analysis.findings import Findings
from analysis.labels import fidelity_sentence, label
from analysis.page import paragraph


def evidence(findings: Findings, drawn: Mapping[str, Picture]) -> list[str]:
    """Show what the answer rests on: the pick or what came closest, every candidate, the quality curve."""
    pick, parts = findings.pick, []
    closest = ("What came closest: quality {input_quality}, {trial_id}".format(**row) for row in pick.evidence)
    whose = f"Quality {pick.quality}, {label(findings.best)}" if pick.quality and findings.best else next(closest, "")
    gain = "The gain is positive where restored is better; its interval is a paired bootstrap over fields."
    margin = (
        "The margin is in units of what JPEG loses from the reference to quality 50; 0 is as good as the reference."
    )
    parts += named_table(findings, "evidence", whose, f"Means over the test images. {gain} {margin}")
    parts += named_table(
        findings,
        "candidates",
        "Every finalist at every lower quality",
        "The smallest of a finalist's eight margins decides; where says which mean that is. "
        f"{fidelity_sentence(findings.run.finalists)}",
    )
    parts += named_table(
        findings,
        "strict_steps",
        "The strict rule, quality after quality until one fails",
        f"{findings.strict.model}: gains over JPEG-{pick.reference_quality} in whole test images, in brackets their "
        "lower bound (one-sided 97.5 %). A field is what near-duplicate images show; fields are counted, not images.",
    )
    parts += figures(drawn, "quality_curve", "quality_and_bytes")
    return parts or [paragraph("There is no evidence to show: see the reason above.")]

"""The fifth chapter: the images that were searched on."""

from collections.abc import Mapping

from analysis.chapters.pieces import figures, named_table
from analysis.figures.picture import Picture
from analysis.findings import Findings
from analysis.page import paragraph


def data(findings: Findings, drawn: Mapping[str, Picture]) -> list[str]:
    """Describe the images, show some, and give the sizes of their files and what has to be reached."""
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
    parts += figures(drawn, "sample_sheet", "sample_crops", "equalised")
    for name in ("splits", "splits_by_system", "sizes", "sizes_by_system", "requirements", "requirements_by_system"):
        parts += named_table(findings, name, findings.tables[name].title, "") if name in findings.tables else []
    return parts + figures(drawn, "input_violins", "input_violins_by_system")

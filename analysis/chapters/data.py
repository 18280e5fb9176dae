"""The fifth chapter: the images that were searched on."""

from analysis.chapters.pieces import named_table
from analysis.findings import Findings
from analysis.page import paragraph


def data(findings: Findings) -> list[str]:
    """Describe the images, their files and what has to be reached."""
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
    parts += named_table(findings, "sizes", "JPEG files by quality", caption)
    quality, split = findings.run.reference_quality, findings.run.deciding_split
    title = f"What has to be reached: the means of JPEG-{quality} over the {split} images"
    return [*parts, *named_table(findings, "requirements", title, "")]

"""The third chapter: the models beside one another."""

from collections.abc import Mapping

from analysis.cell import REACHES
from analysis.chapters.pieces import figure, figures, folded_tables, named_table
from analysis.figures.picture import Picture
from analysis.findings import Findings
from analysis.labels import REGION_TITLES, fidelity_sentence
from analysis.page import fold, paragraph, titled_table
from analysis.tables.quality import columns_of

# More columns than this are not read but scrolled past; the files hold them all.
N_TRIALS_SHOWN = 8


def comparison(findings: Findings, drawn: Mapping[str, Picture]) -> list[str]:
    """Compare the models at every quality, as figures and as tables."""
    parts = figures(drawn, "model_violins_full", "model_violins_validation", "change_violins_full")
    parts += figures(drawn, "ssim_outliers", "system_violins")
    crops = figures(drawn, "model_violins_crop", "change_violins_crop")
    parts += [fold("The same of the centre crop", crops)] if crops else []
    parts += [figure(item) for name, item in drawn.items() if name.startswith("panel_")]
    parts += figures(drawn, "worst_inputs", "predicted_noise", "channels", "spectra", "histograms", "feature_maps")
    for split in ("test", "validation"):
        for region, title in REGION_TITLES.items():
            heading = f"Quality and model, {split} split, {title}"
            parts += _quality(findings, f"quality_{split}_{region}", split, heading)
            parts += _quality(findings, f"quality_{split}_{region}_by_system", split, f"{heading}, by camera system")
    parts += folded_tables(findings, "What restoring changes of each image", "relative_")
    for name in ("conclusions", "conclusions_by_system"):
        parts += named_table(findings, name, findings.tables[name].title, "") if name in findings.tables else []
    parts += named_table(
        findings, "ties", "The best trials, and who cannot be told from them", "Whole validation images."
    )
    parts += folded_tables(findings, "Losses by network, output activation and training quality", "appendix_")
    parts += folded_tables(findings, "Training qualities by network, loss and output activation", "training_quality_")
    return parts or [paragraph("No trial has scores to compare.")]


def _quality(findings: Findings, name: str, split: str, title: str) -> list[str]:
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

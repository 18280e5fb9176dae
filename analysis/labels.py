"""What a trial is called in tables and figures, so that its fidelity and its end are never out of sight."""

from collections.abc import Sequence

from search.records import TrialRecord

METRIC_TITLES = {"mae": "MAE", "mse": "MSE", "psnr_db": "PSNR, dB", "ssim": "SSIM"}
REGION_TITLES = {"full": "whole image", "crop": "centre crop"}
BASELINE_LABEL = "JPEG as it is"


def fidelity(record: TrialRecord) -> str:
    """Tell how long a trial trained and on what: "3/30 epochs", of how many images where an epoch is not all of them.

    The split is named where it is a large one: a run may compare trials of both.
    """
    images = "" if record.spec.epoch_images is None else f" of {record.spec.epoch_images} images"
    split = "" if record.spec.split == "tiny" else f" of {record.spec.split}"
    return f"{record.epochs_run}/{record.spec.epochs} epochs{images}{split}"


def label(record: TrialRecord) -> str:
    """Name a trial in one line, with its fidelity and status."""
    if record.spec.is_baseline:
        return BASELINE_LABEL
    return f"{record.trial_id} ({fidelity(record)}, {record.status.value})"


def heading(record: TrialRecord) -> str:
    """Name a trial in the few short lines of a table's column head."""
    if record.spec.is_baseline:
        return BASELINE_LABEL.replace(" ", "\n", 1)
    architecture, *losses, quality, seed, tail = record.trial_id.split("-")
    trained = fidelity(record).replace(" of ", "\nof ")
    return "\n".join((architecture, "-".join(losses), f"{quality}-{seed}", tail, trained, record.status.value))


def fidelity_sentence(records: Sequence[TrialRecord]) -> str:
    """Warn where a ranking mixes trials of different training, empty where it does not."""
    ranked = [record for record in records if record.margin is not None]
    if len({fidelity(record) for record in ranked}) < 2:
        return ""
    ends = sorted(ranked, key=lambda record: (record.epochs_run, record.spec.epoch_images or 0, record.spec.epochs))
    return (
        f"These trials were not trained equally long (from {fidelity(ends[0])} to {fidelity(ends[-1])}): a lower rank "
        "may only mean less training."
    )

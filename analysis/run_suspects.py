"""Suspects of a run: its trials examined by their means, its networks beside the filter, its splits by the fields."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from analysis.cells import ALL
from analysis.run import LINEAR, Run
from analysis.suspects import LEAK, MSE_BESIDE_PSNR, UNDER_LINEAR, Oddity, examine
from models.names import METRICS
from search.records import TrialRecord, had_its_chance


def examine_run(run: Run, cells: pd.DataFrame, splits: Collection[str] = ("validation", "test")) -> tuple[Oddity, ...]:
    """Examine the trials of a run by their means on some splits, and its images by the fields that they show."""
    tried = {record.trial_id: record for record in run.trials if not record.spec.returns_input}
    means = _placed(cells[(cells["system"] == ALL) & cells["split"].isin(list(splits))], run.records)
    means = means[means["trial"].isin(list(tried))]
    inputs = means[means["change"].notna() & means["metric"].isin(METRICS)]
    inputs = inputs.assign(mean=inputs["mean"] - inputs["change"])  # of the images that the trial was scored on
    rows = [(trial_id, record.spec.architecture, _origin(record, tried)) for trial_id, record in tried.items()]
    trials = pd.DataFrame(rows, columns=["trial", "network", "origin"])
    statuses = {trial_id: record.status.value for trial_id, record in tried.items()}
    untrained = [trial_id for trial_id, record in tried.items() if record.curve and not had_its_chance(record.curve)]
    found = examine(means, trials, inputs, statuses, untrained)
    return (*found, *_under_linear(run), *split_leaks(run.images.table))


def split_leaks(images: pd.DataFrame) -> tuple[Oddity, ...]:
    """Find near-duplicate images on different sides of a split.

    images: image, group (a number that near-duplicates share) and a column per split with the subset of each image.
    """
    findings = []
    for split in [column for column in images.columns if column not in ("image", "name", "system", "group")]:
        used = images[images[split] != ""]
        across = used[used.groupby("group")[split].transform("nunique") > 1]
        is_trained = across[split] == "train"
        judged = across[~is_trained & across["group"].isin(across.loc[is_trained, "group"])]
        if not across.empty:
            sentence = (
                f"{across['group'].nunique()} groups of near-duplicate images stand on more than one side of {split}; "
                f"{len(judged)} images to validate or test on resemble one that was trained on"
            )
            findings.append(Oddity(LEAK, (), split, sentence))
    return tuple(findings)


def _under_linear(run: Run) -> list[Oddity]:
    """Find networks that are ranked no better than the linear filter of the same images and files.

    That of the quality they were trained at where there is one, else the best.
    """
    ranked = [record for record in run.trials if record.margin is not None]
    oddities = []
    for record in (record for record in ranked if record.spec.is_trained):
        files = record.spec.split, record.spec.encoder
        of_files = [r for r in ranked if r.spec.architecture == LINEAR and (r.spec.split, r.spec.encoder) == files]
        own = [item for item in of_files if item.spec.training_quality == record.spec.training_quality]
        best, merit = next(iter([*own, *of_files]), None), run.ranking.merit(record)
        if best is None or merit is None:
            continue
        least, form = run.ranking.merit(best), ".1%" if run.ranking.by_parity else "+.3f"
        if least is not None and merit <= least:
            sentence = (
                f"{record.trial_id}: its monitored {run.ranking.measure}, {run.ranking.value(record):{form}}, is not "
                f"better than that of the linear filter trained at {best.spec.training_quality}, "
                f"{run.ranking.value(best):{form}}"
            )
            oddities.append(Oddity(UNDER_LINEAR, (record.trial_id,), "monitored images", sentence))
    return oddities


def _placed(cells: pd.DataFrame, records: Sequence[TrialRecord]) -> pd.DataFrame:
    """Return means with the split a trial was made on and its encoder in the name of the split.

    Each split has its own images, and each encoder makes its own inputs of them.
    """
    specs = {record.trial_id: record.spec for record in records}
    means = cells[["trial_id", "split", "region", "input_quality", "metric", "mean", "change"]]
    is_mse = cells["metric"] == "mse"
    beside = means[is_mse].assign(mean=cells.loc[is_mse, "mean_beside_psnr"], metric=MSE_BESIDE_PSNR)
    means = pd.concat([means, beside], ignore_index=True).rename(columns={"trial_id": "trial"})
    several = len({spec.split for spec in specs.values()}) > 1
    before = {trial_id: f"{spec.split} " if several else "" for trial_id, spec in specs.items()}
    behind = {trial_id: f" of {spec.encoder}" if spec.encoder else "" for trial_id, spec in specs.items()}
    trials = means["trial"]
    return means.assign(split=trials.map(before) + means["split"] + trials.map(behind))


def _origin(record: TrialRecord, tried: Mapping[str, TrialRecord]) -> str:
    """Return the oldest trial whose state a trial went on from: itself, mostly."""
    while (parent := tried.get(record.spec.parent or "")) is not None:
        record = parent
    return record.trial_id

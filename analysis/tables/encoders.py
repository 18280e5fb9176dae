"""The tables of encoders: what their files need alone and restored, and what luma and chroma take and lose."""

import pandas as pd
from scipy.stats import spearmanr

from analysis.findings import Findings
from analysis.tables.spec import Layout, Table, lay_out

LEAST_RANKED = 4  # encoders, for a correlation of ranks
CHANNELS = ("chroma_bytes", "chroma_error", "luma_removed", "chroma_removed")
WAYS = {"alone": "alone", "filter": "with the linear filter", "network": "with the best network"}


def encoders_tables(findings: Findings) -> tuple[Table | None, ...]:
    """Return the table of the encoders that a run tried, and that of their luma and chroma."""
    reference = f"JPEG-{findings.run.reference_quality}"
    return (
        lay_out("encoders", encoders_frame(findings), Layout(below=_below), {"reference": reference}),
        lay_out("luma_and_chroma", channels_frame(findings), Layout(below=_below_channels)),
    )


def channels_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate shares of luma and chroma, see `search.trial.channels`, by encoder and way, the best trial of each.

    quality: the one that parity is at, about which they were measured.
    """
    rows = [
        (
            *(r.spec.encoder, "network" if r.spec.is_trained else "filter", r.bytes_at_parity, r.quality_at_parity),
            *(r.channels.get(name) for name in CHANNELS),
        )
        for r in findings.run.records
        if r.channels and r.trial_id not in findings.study.unfit
    ]
    columns = ["encoder", "way", "share", "quality", *CHANNELS]
    tried = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:], float))
    tried["restored"] = tried["way"].map(WAYS)
    return tried.sort_values("share", kind="stable").drop_duplicates(["encoder", "way"]).reset_index(drop=True)


def encoders_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate bytes at parity by encoder, on monitored images: alone, filter, network (the best of those trained).

    The filter is the one that encoders were screened with, fitted to the first of the space's training qualities, not
    one beside a finalist. Also viewable_ssim: of the files that nobody restores, at the fewest bytes of these.
    """
    columns = ["encoder", "way", "alone", "share", "viewable_ssim"]
    axes = (findings.run.facts.get("space_definition") or {}).get("axes") or {}
    fitted_to = next(iter(axes.get("training_quality", ())), None)
    rows = [
        (r.spec.encoder, "network" if r.spec.is_trained else "filter", r.input_bytes_at_parity, share, r.viewable_ssim)
        for r in findings.run.records
        for share in [None if r.spec.returns_input else r.bytes_at_parity]
        if r.spec.encoder is not None and r.trial_id not in findings.study.unfit
        if r.spec.is_trained or r.spec.returns_input or fitted_to in (None, r.spec.training_quality)
    ]
    tried = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:], float))
    best = tried.dropna(subset="share").sort_values("share", kind="stable")
    table = tried.dropna(subset=["alone", "share"], how="all").groupby("encoder", sort=False)[["alone"]].first()
    for way in ("filter", "network"):
        table[way] = best[best["way"] == way].groupby("encoder")["share"].first()
    table["viewable_ssim"] = best.drop_duplicates("encoder").set_index("encoder")["viewable_ssim"]
    return table.reset_index().sort_values(["network", "filter"], ignore_index=True)


def _below(frame: pd.DataFrame) -> tuple[str, ...]:
    lines = []
    for one, other in (("alone", "filter"), ("filter", "network")):
        both = frame[[one, other]].dropna()
        if len(both) >= LEAST_RANKED:
            found = spearmanr(both[one], both[other]).statistic
            lines.append(
                f"Ranks {WAYS[one]} and {WAYS[other]}: Spearman's correlation {found:.2f} over {len(both)} encoders."
            )
    return tuple(lines)


def _below_channels(frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what the middle one of the encoders has that a way was tried with."""
    lines = []
    for way, own in frame.groupby("restored", sort=False):
        middle = own[list(CHANNELS)].median()
        lines.append(
            f"The median of {len(own)} encoders {way}: colour takes {middle['chroma_bytes']:.0%} of the bytes, chroma "
            f"has {middle['chroma_error']:.0%} of the squared error; restoring removes {middle['chroma_removed']:.0%} "
            f"of that and {middle['luma_removed']:.0%} of luma's."
        )
    return tuple(lines)

"""The table of encoders: what their files need alone, with the linear filter, with a network, and how these agree."""

import pandas as pd
from scipy.stats import spearmanr

from analysis.findings import Findings
from analysis.tables.spec import Layout, Table, lay_out

LEAST_RANKED = 4  # encoders, for a correlation of ranks
WAYS = {"alone": "alone", "filter": "with the linear filter", "network": "with the best network"}


def encoders_table(findings: Findings) -> Table | None:
    """Return the table of the encoders that a run tried."""
    reference = f"JPEG-{findings.run.reference_quality}"
    return lay_out("encoders", encoders_frame(findings), Layout(below=_below), {"reference": reference})


def encoders_frame(findings: Findings) -> pd.DataFrame:
    """Tabulate bytes at parity by encoder, on monitored images: alone, filter, network (the best of those trained).

    Also viewable_ssim: of the files that nobody restores, at the fewest bytes of these.
    """
    rows: dict[str, dict[str, float | str | None]] = {}
    for record in findings.run.records:
        spec, share = record.spec, record.bytes_at_parity
        if record.trial_id in findings.study.unfit:
            continue
        if spec.encoder is None or (share is None and record.input_bytes_at_parity is None):
            continue  # of the pack's own files, or failed
        row = rows.setdefault(spec.encoder, {"encoder": spec.encoder, **dict.fromkeys(WAYS), "viewable_ssim": None})
        row["alone"] = row["alone"] or record.input_bytes_at_parity
        way = "network" if spec.is_trained else "filter"
        before = row[way]
        if spec.returns_input or share is None or (isinstance(before, float) and before <= share):
            continue
        row[way] = share
        other = row["filter" if spec.is_trained else "network"]
        if not isinstance(other, float) or share <= other:
            row["viewable_ssim"] = record.viewable_ssim
    columns = ["encoder", *WAYS, "viewable_ssim"]
    table = pd.DataFrame(list(rows.values()), columns=columns).astype(dict.fromkeys(columns[1:], float))
    return table.sort_values(["network", "filter"], ignore_index=True)


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

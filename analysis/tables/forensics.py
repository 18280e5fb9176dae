"""The table of what forensics found, and of whom it keeps out."""

from collections.abc import Sequence

import pandas as pd

from analysis.forensics import Finding, suspects
from analysis.tables.table import Table

TITLE = "What the means give away"


def forensics_tables(findings: Sequence[Finding], n_trials: int) -> dict[str, Table]:
    """Return the table of findings about n_trials trials, by kind; none where nothing was found."""
    if not findings:
        return {}
    numbers = pd.DataFrame(
        {
            "kind": [finding.kind for finding in findings],
            "trials": [" ".join(finding.trials) for finding in findings],
            "where": [finding.where for finding in findings],
            "kept_out": [finding.kept_out for finding in findings],
            "sentence": [finding.sentence for finding in findings],
        }
    )
    shown = pd.DataFrame(
        {
            "what": numbers["kind"],
            "in the best": numbers["kept_out"].map({True: "kept out", False: "stays in"}),
            "found": numbers["sentence"],
        }
    )
    below = (f"{len(suspects(findings))} of {n_trials} trials are kept out of what is best, and of conclusions.",)
    return {"forensics": Table(numbers, shown, below, TITLE)}

"""From a finished or interrupted run directory to tables, figures, one decision and a report."""

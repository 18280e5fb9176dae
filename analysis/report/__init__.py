"""The report of a run: one page that opens from disk, its tables and figures as files, and the decision."""

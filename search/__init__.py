"""The search: what a trial is, which trials there are, how they are run and scored, and the run they leave behind."""

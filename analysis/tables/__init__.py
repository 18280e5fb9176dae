"""The tables of a run as numbers, a file each: what goes into the CSV files."""

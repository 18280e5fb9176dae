"""The chapters of the report, a file each: decision, evidence, comparison, trials, data, method."""

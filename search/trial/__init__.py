"""A trial: trains one spec, watches it, keeps its state."""

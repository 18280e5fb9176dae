"""What is tried: spaces, specs, scales, and what a search starts from."""

"""Encoders: how an image becomes a file, as a value with a readable name, and the files that it writes."""

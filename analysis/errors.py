"""The error of analysis: what was asked for cannot be done, in one line that says what to do."""


class RunError(ValueError):
    """A run directory, or a part of it, that cannot be read; the message says what to do."""

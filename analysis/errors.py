"""The error of analysis: what was asked for cannot be done, in one line that says what to do."""


class RunError(ValueError):
    """A run directory, or a part of it, that cannot be read; the message says what to do."""


def one_line(error: Exception) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]

"""The error of this room: a user's mistake, whose message says the rule, what was found and what to do."""


class InputError(ValueError):
    """Something given by the user cannot be used; shown as one line, without a traceback."""

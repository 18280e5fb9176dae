"""The errors of a user's making, and what the operating system's mean: each is one line that says what to do."""

import errno

ADVICE = {
    errno.EACCES: "change its permissions",
    errno.EPERM: "change its permissions",
    errno.EROFS: "name another folder",
    errno.ENOSPC: "free space or name another folder",
    errno.EDQUOT: "free space or name another folder",
    errno.EFBIG: "free space or name another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "check the name",
    errno.ENOTDIR: "a part of the path is no folder: name another",
    errno.EISDIR: "it is a folder: name a file",
    errno.EEXIST: "it is in the way: name another folder",
    errno.ELOOP: "its symbolic links go in a circle: mend them",
    errno.EMFILE: "raise the limit with `ulimit -n`",
    errno.ENFILE: "end other programs",
    errno.EIO: "the disk or the network share fails: check it",
    errno.ESTALE: "the network share was lost: connect it again",
}


class InputError(ValueError):
    """Something given by the user cannot be used; shown as one line, without a traceback."""


class BusyError(InputError):
    """Another process is making what was asked for."""


def explain(error: OSError) -> str:
    """Return what the operating system complains of, and what to do: "Permission denied; change its permissions"."""
    advice = ADVICE.get(error.errno or 0)
    return f"{error.strerror or error}{f'; {advice}' if advice else ''}"


def last_line(error: BaseException) -> str:
    """Return the last line of what an error says, or of its cause on another machine; its kind where it is mute."""
    cause = getattr(error, "cause", None) or error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[-1]


def printable(text: str) -> str:
    """Return a text as one line: a line break, a control character or a byte that is no UTF-8 becomes its escape."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def printable_lines(text: str) -> str:
    """Return a text with the escapes of printable(), its line breaks kept."""
    return "\n".join(map(printable, text.split("\n")))

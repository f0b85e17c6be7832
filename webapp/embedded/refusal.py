"""The one way `./run` says no: a sentence and an exit code."""

import errno

FAILED = 1  # something on this machine stopped us: port taken, disk full, damaged file
MISCONFIGURED = 2  # what we were told is wrong: an option, an environment variable, an old Python


class Refusal(Exception):
    """Ends the command with one sentence on standard error and `code` as the exit status."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def from_os_error(error: OSError) -> Refusal:
    """The sentence for an operating-system error that nobody nearer handled."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal(f"The disk is full{where}: free some space and run this again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Refusal(f"No permission to write or read a file{where}: run this as the user who set it up.")
    return Refusal(f"The operating system refused{where}: {error.strerror or error}.")

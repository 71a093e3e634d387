"""The command line: `python -m spectcount VERB`, the same functions as the page.

Conventions: results on stdout (one JSON document with --json), progress and messages on stderr.
Exit codes: 0 done, 1 the work failed or was stopped, 2 refused input. A file per group of verbs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings

import typer

from spectcount import interrupts
from spectcount.cli import (
    bench,
    benchmarks,
    carriers,
    comparing,
    listening,
    models,
    output,
    page,
    probing,
    report,
    runs,
    sounds,
    training,
    where,
)
from spectcount.cli.root import app
from spectcount.errors import UserError

FAILED, REFUSED = 1, 2
QUIET = {"HF_HUB_VERBOSITY": "error", "TRANSFORMERS_VERBOSITY": "error"}
"""Settings by which libraries keep to themselves what no user can act on; one that is set stays."""


def main() -> None:
    """Run the command line; refused input is one sentence on stderr and exit code 2, a disk that
    is full or a file that cannot be read or written one sentence and exit code 1, a signal one
    sentence and exit code 128 + its number. A reader that has read enough (`| head`) is no fault
    and ends the command without a word."""
    _quieten()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BaseException as error:
        # A signal may surface as any error: an import or a file that it broke off.
        interrupted = interrupts.exit_code(error)
        if interrupted is not None:
            sys.exit(_say(interrupts.words(), interrupted))
        if isinstance(error, UserError):
            sys.exit(_say(str(error), REFUSED))
        if isinstance(error, OSError):
            sys.exit(_say("" if error.errno == errno.EPIPE else _words_of(error), FAILED))
        raise


def _quieten() -> None:
    """Keep warnings of libraries off the terminal, in workers and the scorer too; PYTHONWARNINGS
    or `python -W` brings them back."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        os.environ.setdefault("PYTHONWARNINGS", "ignore")


def _words_of(error: OSError) -> str:
    """The refusal of the system, its place, and what to do."""
    why = error.strerror or str(error) or type(error).__name__
    remedies = {
        errno.ENOSPC: "free some space on its disk, or give another folder",
        errno.EDQUOT: "free some space on its disk, or give another folder",
        errno.EFBIG: "free some space on its disk, or give another folder",
        errno.EROFS: "give a folder that can be written",
        errno.EACCES: "give a folder that can be written, or change its permissions",
        errno.EPERM: "give a folder that can be written, or change its permissions",
        errno.ENAMETOOLONG: "give a shorter name",
    }
    remedy = remedies.get(error.errno or 0, "mend or remove what is there, or give another path")
    return f"{error.filename or 'the output'}: {why}; {remedy}"


def _say(words: str, code: int) -> int:
    """Print a sentence on stderr, whatever became of the output; the exit code. What the output
    still holds is dropped, for nothing can take it."""
    with contextlib.suppress(OSError):
        if words:
            typer.echo(words, err=True)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        return code
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code

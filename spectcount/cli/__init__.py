"""The command line: `python -m spectcount VERB`, the same functions as the page.

Conventions: results on stdout (one JSON document with --json), progress and messages on stderr.
Exit codes: 0 done, 1 the work failed or was stopped, 2 refused input. A file per group of verbs.
"""

from __future__ import annotations

import sys

import typer

from spectcount.cli import (  # noqa: F401 - each adds its verbs
    bench,
    benchmarks,
    carriers,
    comparing,
    gallery,
    listening,
    models,
    output,
    probing,
    report,
    runs,
    sounds,
    training,
)
from spectcount.cli.root import app
from spectcount.errors import UserError

REFUSED = 2


def main() -> None:
    """Run the command line; refused input is one sentence on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        typer.echo(str(error), err=True)
        sys.exit(REFUSED)

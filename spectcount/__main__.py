"""`python -m spectcount`, and the command `spectcount` of an installed package."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; an interrupted one says so in a word."""
    try:
        from spectcount.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

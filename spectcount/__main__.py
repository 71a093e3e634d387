"""`python -m spectcount`, and the command `spectcount` of an installed package."""

from spectcount import interrupts


def main() -> None:
    """Run the command line; see `interrupts` for what signals do to it."""
    interrupts.at_once()
    from spectcount.cli import main as command_line

    interrupts.gently()
    try:
        command_line()
    finally:
        interrupts.finish()


if __name__ == "__main__":
    main()

"""`python -m spectcount`: the command line."""

import sys

INTERRUPTED = 130

if __name__ == "__main__":
    try:
        from spectcount.cli import main

        main()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)

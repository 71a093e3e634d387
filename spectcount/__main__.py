"""`python -m spectcount`: the command line."""

from spectcount.cli import main

if __name__ == "__main__":
    main()

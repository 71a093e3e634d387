"""Start the page: `python app.py` is `python -m spectcount app`, for a Space and for `make run`."""

from __future__ import annotations

import sys

from spectcount.__main__ import main

if __name__ == "__main__":
    sys.argv.insert(1, "app")
    main()

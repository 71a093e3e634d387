"""`python -m spectcount.listeners.scorer`: the resident scorer of the settings in the environment.

It is started by who first needs it, never by hand.
"""

from spectcount.listeners.scorer.server import main
from spectcount.settings import load_settings

if __name__ == "__main__":
    main(load_settings())

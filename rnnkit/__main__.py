"""`python -m rnnkit` is the console script `rnnkit`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

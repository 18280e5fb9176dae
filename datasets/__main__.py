"""`python -m datasets {pack,inspect,synthesize}`."""

import sys

from datasets.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Entry point of `python -m analysis`."""

import os
import sys

# Before numpy is loaded: the algebra here is many small sums, on which threads only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from analysis.cli import main

sys.exit(main(sys.argv[1:]))

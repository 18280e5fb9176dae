"""Entry point of `python -m analysis`."""

import os
import sys

# Before numpy is loaded: the algebra here is many small sums, on which threads only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from models.namesakes import require_own_packages

require_own_packages()

from analysis.cli import main  # noqa: E402

sys.exit(main(sys.argv[1:]))

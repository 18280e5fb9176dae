"""`python search/run.py`: run a search. Takes its own folder off the import path: it would hide other packages."""

import os
import sys
from pathlib import Path

sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a plugin has TensorFlow loaded here, which has much to say

from search.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())

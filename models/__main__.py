"""Entry point of `python -m models`."""

import os
import sys

# Before numpy is loaded: its products are small here, and files go side by side.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow is loaded later, and has much to say

from models.namesakes import require_own_packages

require_own_packages()

from models.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

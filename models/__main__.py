"""`python -m models COMMAND`."""

import os
import sys

from models.cli import main

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow is loaded later, and has much to say
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy too: its products are small, and files go side by side

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

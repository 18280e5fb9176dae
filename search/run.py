"""`python search/run.py`: run a search with the code of the checkout that this file is in.

Its own folder leaves the import path, where it would hide other packages, and the checkout comes first.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry or ".").resolve() != HERE)]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a plugin has TensorFlow loaded here, which has much to say

try:
    Path.home()  # which Ray asks for when it is imported
except RuntimeError:
    print("lowq: this user has no home folder: set HOME to a folder that it can write", file=sys.stderr)
    sys.exit(2)

from search.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())

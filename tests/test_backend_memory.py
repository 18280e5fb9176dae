"""On a CPU TensorFlow keeps the memory that it has had: operations do not have theirs anew, page by page."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

KEEPS = "TF_CPU_ALLOCATOR_USE_BFC"
PAGES = 40 * 2**20 // 4096  # of a tensor of 40 MiB, which the C library's allocator never keeps
SCRIPT = """
import resource
import tensorflow as tf
from models.backend import prepare_backend

prepare_backend(1)
one = tf.ones([10 * 2**20])

def operate():
    for _ in range(5):
        tf.exp(one)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

first = operate()
print(operate() - first)
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is TensorFlow's alone")
def test_operations_have_no_new_pages() -> None:
    environment = {name: value for name, value in os.environ.items() if name != KEEPS}
    root = Path(__file__).resolve().parents[1]
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert int(told.stdout) < PAGES / 2  # else five times PAGES

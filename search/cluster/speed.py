"""How fast one core of this machine multiplies, measured in half a second, for the plan of a search."""

import os
import subprocess
import sys
from functools import cache

from search.space.plan import CPU_MACS_PER_S

# Of what a product of matrices reaches a training of convolutions has this share: of few feature maps, mostly memory.
# Measured once: by its epochs native11k trained at 1.6e10 a second, beside another trial, where a product had 3.9e10.
SHARE_OF_PRODUCT = 0.4
ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
MEASURE = """
import time, numpy as np
SIDE = 512
one, other, best = np.ones((SIDE, SIDE), np.float32), np.ones((SIDE, SIDE), np.float32), 1e9
end = time.perf_counter() + 0.4
while time.perf_counter() < end:
    began = time.perf_counter()
    np.matmul(one, other)
    best = min(best, time.perf_counter() - began)
print(SIDE**3 / best)
"""


@cache
def core_macs_per_s() -> float:
    """Return the multiply-accumulates a second that a training has of one core here; a usual value if not measured."""
    command, environment = [sys.executable, "-P", "-c", MEASURE], {**os.environ, **ONE_THREAD}
    try:
        said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True).stdout
        return SHARE_OF_PRODUCT * float(said)
    except (OSError, ValueError, subprocess.SubprocessError):
        return CPU_MACS_PER_S

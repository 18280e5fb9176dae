"""How much faster is a packed pair read than the same pair from a BMP and a JPEG file, at equal threads?"""

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import batched
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.batches import Batch, BatchSettings, centre_window, training_batches
from datasets.jpeg import encode_jpeg
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.prefetch import map_ahead
from datasets.smear import SIZE_PX, synthesize

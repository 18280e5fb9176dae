"""The built-in dataset: a pack of synthetic smears, made on first use and kept."""

import time
from pathlib import Path

from datasets.errors import BusyError, InputError
from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.smear import SIZE_PX, synthesize

N_IMAGES = 160
SEED = 0
WAIT_S = 0.5


def open_builtin(folder: Path) -> PackedDataset:
    """Open the built-in pack kept in `folder`, making it first where there is none, or waiting for who makes it."""
    pack = folder / f"smear-{N_IMAGES}-s{SEED}"
    while not pack.exists():
        description = f"built-in synthetic smear, {N_IMAGES} images, seed {SEED}"
        try:
            write_pack(synthesize(N_IMAGES, SEED), pack, PackSettings(SIZE_PX, description=description))
        except BusyError:
            time.sleep(WAIT_S)
        except InputError:
            if not pack.exists():  # or else another process was quicker, and made the same
                raise
    return open_pack(pack)

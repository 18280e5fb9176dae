"""The built-in dataset: a pack of synthetic smears, made on first use and kept."""

from pathlib import Path

from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.smear import SIZE_PX, synthesize

N_IMAGES = 160
SEED = 0


def open_builtin(folder: Path) -> PackedDataset:
    """Open the built-in pack kept in `folder`, making it first where there is none."""
    pack = folder / f"smear-{N_IMAGES}-s{SEED}"
    if not pack.exists():
        description = f"built-in synthetic smear, {N_IMAGES} images, seed {SEED}"
        write_pack(synthesize(N_IMAGES, SEED), pack, PackSettings(SIZE_PX, description=description))
    return open_pack(pack)

"""What several rooms' tests share: a small pack of synthetic smears."""

from pathlib import Path

import pytest

from datasets.pack import PackSettings, write_pack
from datasets.packed import PackedDataset, open_pack
from datasets.smear import synthesize

N_IMAGES, SIZE_PX = 12, 96


@pytest.fixture(scope="session")
def small_pack(tmp_path_factory: pytest.TempPathFactory) -> PackedDataset:
    """A pack of 12 images of 96 px: 8 to train, 2 to validate, 2 to test (tiny: 8 and 2)."""
    folder: Path = tmp_path_factory.mktemp("packs") / "small"
    write_pack(synthesize(N_IMAGES, seed=0), folder, PackSettings(SIZE_PX, description="12 small smears"))
    return open_pack(folder)

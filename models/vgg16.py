"""VGG16's feature maps, for the perceptual loss, and where its ImageNet weights are found or fetched."""

import hashlib
import os
import urllib.request
from pathlib import Path

import h5py

from datasets.whole_file import write_whole

URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
MD5 = "6d6bbae143d832006294945121d1f1fc"  # as Keras 3.15 checks it
N_PARAMETERS = 14_714_688  # of the thirteen convolutions
TIMEOUT_S = 10.0


def cached_weights() -> Path:
    """Return where Keras keeps VGG16's weights on this machine, whether they are there or not."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return home / "models" / URL.rpartition("/")[2]


def fetch_weights(url: str = URL, md5: str = MD5) -> Path:
    """Return Keras' copy of VGG16's ImageNet weights, after downloading it where there is none.

    Raises OSError when it cannot be downloaded, or is not the file it should be.
    """
    path = cached_weights()
    if path.exists():
        return path
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        data = answer.read()
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise OSError(f"{url} gave {len(data)} bytes that are not VGG16's weights")
    write_whole(path, data)
    return path


def check_weights(path: Path) -> None:
    """Raise ValueError when a file does not hold the weights of VGG16's convolutions as Keras saves them."""
    n_parameters = 0

    def count(_: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal n_parameters
        n_parameters += item.size if isinstance(item, h5py.Dataset) else 0

    try:
        with h5py.File(path) as file:
            file.visititems(count)
    except OSError as error:
        raise ValueError(f"{path} is no HDF5 file: name VGG16's weights as Keras saves them") from error
    if n_parameters != N_PARAMETERS:
        raise ValueError(
            f"{path} holds {n_parameters} parameters, VGG16 without its top has {N_PARAMETERS}: "
            "name the file whose name ends in notop.h5"
        )

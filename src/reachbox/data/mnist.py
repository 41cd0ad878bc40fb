"""MNIST: 70,000 handwritten digits, from a folder of the user or by a checked download."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from reachbox.data.dataset import Dataset, range_of
from reachbox.data.download import cache_folder, fetch
from reachbox.data.idx import read_idx
from reachbox.errors import FileError

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
FOLDERS = (".", "mnist", "MNIST/raw")


def load_mnist(data_dir: Path | str | None = None) -> Dataset:
    """MNIST with its own split: images `(samples, 1, 28, 28)` in [0, 1], ten classes.

    The four IDX files, plain or compressed by gzip, are read from `data_dir`, or else from the folder that the
    environment variable `REACHBOX_DATA` names: from the folder itself, its `mnist` or its `MNIST/raw`. Where neither
    is given the original files are downloaded once, checked and kept in the user's cache folder.

    The images are **float32**: in float64 they would fill 376 MB. Take `x.double()` of the samples that are solved;
    ranges and radii are float64.

    Raises `FileError` for files that are not there, damaged, or cannot be downloaded.
    """
    folder = data_dir or os.environ.get("REACHBOX_DATA")
    paths = files_in(Path(folder)) if folder else _downloaded()
    train_images, train_labels, test_images, test_labels = paths
    train, test = _samples(train_images, train_labels), _samples(test_images, test_labels)
    names = [f"pixel {row}, {column}" for row in range(28) for column in range(28)]
    digits = [str(digit) for digit in range(10)]
    span = range_of(train[0]) / 255
    return Dataset.of("mnist", _scaled(train), _scaled(test), digits, feature_names=names, feature_range=span)


def files_in(folder: Path) -> list[Path]:
    """The four files, in the order of `SHA256`, in the first place below `folder` that has any; else `FileError`."""
    places = [folder / below for below in FOLDERS]
    found = [[_plain_or_gzip(place, name) for name in SHA256] for place in places]
    for place, paths in zip(places, found, strict=True):
        present = [path for path in paths if path is not None]
        if len(present) == len(SHA256):
            return present
        if present:
            missing = [name for name, path in zip(SHA256, paths, strict=True) if path is None]
            raise FileError(f"mnist: {', '.join(missing)} not found in {place}, beside {present[0].name}")
    looked = ", ".join(str(place) for place in places)
    hint = "name their folder by --data-dir or REACHBOX_DATA, or neither to download them"
    raise FileError(f"mnist: {', '.join(SHA256)} not found in {looked}; {hint}")


def _plain_or_gzip(place: Path, name: str) -> Path | None:
    candidates = (place / name, place / name.removesuffix(".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _downloaded() -> list[Path]:
    try:
        return [fetch(name, sha256, MIRRORS, cache_folder() / "mnist") for name, sha256 in SHA256.items()]
    except FileError as error:
        hint = "put the four files into a folder and name it by --data-dir or REACHBOX_DATA"
        raise FileError(f"mnist: {error}; {hint}") from None


def _samples(images: Path, labels: Path) -> tuple[Tensor, Tensor]:
    """Pixels, uint8 `(samples, 1, 28, 28)`, and labels, int64."""
    x, y = read_idx(images, dimensions=3), read_idx(labels, dimensions=1)
    if x.shape[1:] != (28, 28):
        raise FileError(f"{images}: images of 28 by 28 pixels are needed, found {tuple(x.shape[1:])}")
    if len(x) != len(y):
        raise FileError(f"{images}: {len(x)} images, but {len(y)} labels in {labels.name}")
    if int(y.max()) > 9:
        raise FileError(f"{labels}: labels from 0 to 9 are allowed, found {int(y.max())}")
    return x.unsqueeze(1), y.long()


def _scaled(samples: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    pixels, labels = samples
    return pixels.to(torch.float32).div_(255), labels

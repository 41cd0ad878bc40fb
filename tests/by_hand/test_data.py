"""Data sets, worked by hand: what is read from small files, which radius follows, what is refused and how."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import pickle
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from reachbox import data
from reachbox.data.dataset import Dataset
from reachbox.data.download import fetch
from reachbox.data.idx import read_idx
from reachbox.data.table import read_table
from reachbox.errors import FileError, InputError, ReachboxError


def refusal(call: Callable[[], object]) -> str:
    """The message that `call` is refused with: one line."""
    with pytest.raises(ReachboxError) as caught:
        call()
    message = str(caught.value)
    assert message
    assert len(message.splitlines()) == 1
    return message


def pair(**changes: object) -> Dataset:
    """Two features, three samples, two classes, some of it changed."""
    x = torch.tensor([[1.0, 10.0], [3.0, 10.0], [5.0, 10.0]], dtype=torch.float64)
    y = torch.tensor([0, 1, 1])
    values: dict[str, object] = {
        "name": "pair",
        "x_train": x,
        "y_train": y,
        "x_test": x[:1],
        "y_test": y[:1],
        "feature_names": ("width", "height"),
        "class_names": ("no", "yes"),
        "feature_range": torch.tensor([4.0, 0.0], dtype=torch.float64),
        "feature_shift": torch.zeros(2, dtype=torch.float64),
        "feature_scale": torch.ones(2, dtype=torch.float64),
    }
    return Dataset(**(values | changes))  # type: ignore[arg-type]


# The radius


def test_radius_is_a_share_of_the_range_or_the_same_everywhere() -> None:
    dataset = pair()
    assert dataset.radius(sigma=0.5).tolist() == [2.0, 0.0]
    assert dataset.radius(eps=0.25).tolist() == [0.25, 0.25]
    assert dataset.radius(eps=[0.25, 1.0]).tolist() == [0.25, 1.0]
    assert dataset.radius(eps=torch.tensor(0)).tolist() == [0.0, 0.0]


def test_radius_of_a_standardised_data_set_is_still_given_in_original_units() -> None:
    dataset = data.standardise(pair())
    deviation = (8 / 3) ** 0.5  # of 1, 3, 5
    torch.testing.assert_close(dataset.x_train[:, 0], torch.tensor([-2.0, 0.0, 2.0]).double() / deviation)
    assert dataset.x_train[:, 1].tolist() == [0.0, 0.0, 0.0]
    assert dataset.feature_shift.tolist() == [3.0, 10.0]
    assert dataset.feature_scale.tolist() == pytest.approx([deviation, 1.0])
    assert dataset.feature_range.tolist() == [4.0, 0.0]
    assert dataset.radius(sigma=0.5).tolist() == pytest.approx([2 / deviation, 0.0])
    assert dataset.radius(eps=[1.0, 2.0]).tolist() == pytest.approx([1 / deviation, 2.0])
    torch.testing.assert_close(dataset.in_original_units(dataset.x_train), pair().x_train)


def test_the_radius_says_which_it_is() -> None:
    dataset = pair()
    assert dataset.describe_radius(sigma=0.1) == "sigma 0.1 of each feature's range (0 for 1 of 2 features)"
    assert dataset.describe_radius(eps=0.1) == "eps 0.1 for every feature"
    assert dataset.describe_radius(eps=[0.1, 0.5]) == "eps 0.1 to 0.5, one per feature"
    assert data.standardise(dataset).describe_radius(eps=1) == "eps 1 for every feature, in units before standardising"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "either eps or sigma"),
        ({"eps": 1, "sigma": 1}, "either eps or sigma"),
        ({"eps": -0.1}, "eps: must not be negative, found -0.1"),
        ({"sigma": -1}, "sigma: must not be negative"),
        ({"sigma": float("nan")}, "sigma: every entry must be finite"),
        ({"eps": float("inf")}, "eps: every entry must be finite"),
        ({"eps": [1, 2, 3]}, "one for each of pair's 2 features"),
        ({"sigma": [1, 2]}, "sigma: one number is allowed"),
        ({"eps": "wide"}, "eps: numbers"),
    ],
)
def test_radius_refuses(given: dict[str, object], words: str) -> None:
    assert words in refusal(lambda: pair().radius(**given))  # type: ignore[arg-type]
    assert words in refusal(lambda: pair().describe_radius(**given))  # type: ignore[arg-type]


def test_a_radius_that_overflows_in_the_networks_units_is_refused() -> None:
    tiny = pair(feature_scale=torch.tensor([5e-324, 1.0], dtype=torch.float64))
    assert "too large" in refusal(lambda: tiny.radius(eps=1.0))


# What does not fit together


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class_names": ("only",)}, "at least two classes"),
        ({"y_train": torch.tensor([0, 2, 1])}, "y_train[1] is 2; labels from 0 to 1"),
        ({"y_test": torch.tensor([-1])}, "y_test[0] is -1"),
        ({"y_train": torch.tensor([0, 1])}, "one label a sample"),
        ({"y_train": torch.tensor([0.0, 1.0, 1.0])}, "labels int64"),
        ({"x_train": torch.zeros(0, 2).double(), "y_train": torch.zeros(0).long()}, "at least one sample"),
        ({"x_test": torch.zeros(0, 2).double(), "y_test": torch.zeros(0).long()}, "x_test needs at least one sample"),
        ({"x_test": torch.zeros(1, 3).double()}, "must have the same shape, found (2,) and (3,)"),
        ({"x_test": torch.tensor([[0.0, torch.nan]])}, "x_test, sample 0, holds NaN"),
        ({"x_train": torch.zeros(3, 2).long()}, "must be floating point"),
        ({"feature_names": ("width",)}, "2 features, but 1 feature names"),
        ({"feature_range": torch.zeros(3).double()}, "feature_range must be float64 of shape (2,)"),
        ({"feature_range": torch.tensor([1.0, torch.inf]).double()}, "feature_range must be finite"),
        ({"feature_range": torch.tensor([1.0, -1.0]).double()}, "must not be negative"),
        ({"feature_scale": torch.zeros(2).double()}, "must be positive"),
        ({"categorical": frozenset({"depth"})}, "no feature"),
        ({"feature_names": ("width", "width")}, "feature names must differ, found 'width'"),
    ],
)
def test_a_data_set_that_does_not_fit_together_is_refused(changes: dict[str, object], words: str) -> None:
    message = refusal(lambda: pair(**changes))
    assert message.startswith("pair: ")
    assert words in message


# Embedded data sets


def test_iris_trains_and_tests_on_all_samples_with_the_papers_range() -> None:
    iris = data.load("iris")
    assert iris.x_train.shape == iris.x_test.shape == (150, 4)
    assert (iris.x_train.dtype, iris.y_train.dtype) == (torch.float64, torch.int64)
    assert iris.class_names == ("setosa", "versicolor", "virginica")
    assert iris.feature_range.tolist() == pytest.approx([3.6, 2.4, 5.9, 2.4])
    assert iris.radius(sigma=0.1).tolist() == pytest.approx([0.36, 0.24, 0.59, 0.24])
    assert iris.y_train.bincount().tolist() == [50, 50, 50]


def test_iris_divided_keeps_the_range_of_all_samples() -> None:
    iris = data.load("iris", split=0.2, seed=3)
    assert iris.y_train.bincount().tolist() == [40, 40, 40]
    assert iris.y_test.bincount().tolist() == [10, 10, 10]
    assert torch.equal(iris.feature_range, data.load("iris").feature_range)
    assert not torch.equal(iris.x_test, data.load("iris", split=0.2, seed=4).x_test)


def test_digits_are_images_between_0_and_1_always_divided_alike() -> None:
    digits = data.load("digits")
    assert digits.input_shape == (1, 8, 8)
    assert (len(digits.x_train), len(digits.x_test)) == (1438, 359)
    assert (float(digits.x_train.min()), float(digits.x_train.max())) == (0.0, 1.0)
    assert digits.classes == 10
    assert torch.equal(digits.x_test, data.load("digits").x_test)


# MNIST


def idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


def write_mnist(folder: Path, *, compressed: bool) -> None:
    """Three images, of which pixel (0, 0) is 0, 51, 255, and two test images."""
    folder.mkdir(parents=True, exist_ok=True)
    images = np.zeros((3, 28, 28))
    images[1, 0, 0], images[2, 0, 0] = 51, 255
    for part, x, y in (("train", images, [7, 0, 9]), ("t10k", images[:2], [1, 2])):
        for name, values in ((f"{part}-images-idx3-ubyte", x), (f"{part}-labels-idx1-ubyte", np.array(y))):
            content = idx(values)
            if compressed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)


@pytest.mark.parametrize("below", [".", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("compressed", [True, False])
def test_mnist_is_read_from_a_folder(tmp_path: Path, below: str, compressed: bool) -> None:
    write_mnist(tmp_path / below, compressed=compressed)
    mnist = data.load("mnist", data_dir=tmp_path)
    assert mnist.x_train.shape == (3, 1, 28, 28)
    assert mnist.x_train.dtype == torch.float32
    assert mnist.x_train[:, 0, 0, 0].tolist() == pytest.approx([0, 0.2, 1])
    assert mnist.y_train.tolist() == [7, 0, 9]
    assert mnist.y_test.tolist() == [1, 2]
    assert mnist.radius(sigma=0.1).sum().item() == pytest.approx(0.1)
    assert mnist.radius(sigma=0.1).dtype == torch.float64


def test_mnist_is_read_from_the_folder_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path, compressed=True)
    monkeypatch.setenv("REACHBOX_DATA", str(tmp_path))
    assert len(data.load("mnist").x_train) == 3


def test_mnist_names_what_is_missing_or_does_not_fit(tmp_path: Path) -> None:
    assert "or neither to download them" in refusal(lambda: data.load("mnist", data_dir=tmp_path))
    write_mnist(tmp_path, compressed=False)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    for content, words in ((np.array([1]), "2 images, but 1 labels"), (np.array([1, 10]), "found 10")):
        labels.write_bytes(idx(content))
        assert words in refusal(lambda: data.load("mnist", data_dir=tmp_path))
    labels.unlink()
    assert "t10k-labels-idx1-ubyte.gz not found" in refusal(lambda: data.load("mnist", data_dir=tmp_path))


def test_an_idx_file_that_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole = idx(np.arange(6).reshape(2, 3))
    path.write_bytes(whole)
    assert read_idx(path, 2).tolist() == [[0, 1, 2], [3, 4, 5]]
    for content, words in (
        (b"", "begins with nothing"),
        (whole[:-1], "found 5"),
        (whole + b"\0", "found more than 6"),
        (whole[:7], "header ends after 7 bytes"),
        (bytes([0, 0, 8, 2]) + b"\xff" * 8, "found 0"),
        (idx(np.arange(6)), "begins with 00000801, not 00000802"),
        (gzip.compress(whole)[:-9], "truncated gzip"),
        (b"\x1f\x8b" + b"junk" * 9, "gzip"),
        (idx(np.zeros((0, 3))), "at least one"),
    ):
        path.write_bytes(content)
        assert words in refusal(lambda: read_idx(path, 2))
    assert "no such file" in refusal(lambda: read_idx(tmp_path / "nothing", 2))
    assert "a folder" in refusal(lambda: read_idx(tmp_path, 2))


def real_mnist() -> Path | None:
    """The folder of the real files, from the environment or beside the checkout."""
    named = os.environ.get("REACHBOX_DATA")
    folder = Path(named) if named else Path(__file__).parents[2].parent / "shared" / "data"
    return folder if (folder / "mnist").is_dir() else None


@pytest.mark.skipif(real_mnist() is None, reason="the files of MNIST are not at hand")
def test_real_mnist_has_67_pixels_that_never_vary() -> None:
    mnist = data.load("mnist", data_dir=real_mnist())
    radius = mnist.radius(sigma=0.05)
    assert (len(mnist.x_train), len(mnist.x_test)) == (60000, 10000)
    assert int((radius > 0).sum()) == 717
    assert int((radius == 0).sum()) == 67
    assert int(((mnist.feature_range > 0) & (mnist.feature_range < 1)).sum()) == 125
    assert round(float(mnist.x_train.mean(dtype=torch.float64)), 4) == 0.1307
    assert mnist.describe_radius(sigma=0.05) == "sigma 0.05 of each feature's range (0 for 67 of 784 features)"


# Downloads, from a server of our own


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a local server that has `file`."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "file").write_bytes(b"content")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(served))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_the_first_mirror_that_has_the_file_gives_it_and_the_cache_keeps_it(mirror: str, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"content").hexdigest()
    cache = tmp_path / "cache"
    path = fetch("file", sha256, (mirror + "elsewhere/", mirror), cache)
    assert path.read_bytes() == b"content"
    (tmp_path / "served" / "file").unlink()
    assert fetch("file", sha256, (mirror,), cache) == path


def test_a_download_with_a_wrong_checksum_is_refused(mirror: str, tmp_path: Path) -> None:
    message = refusal(lambda: fetch("file", "0" * 64, (mirror, mirror + "elsewhere/"), tmp_path / "cache"))
    assert f"{mirror}: wrong checksum; {mirror}elsewhere/: HTTPError" in message
    assert not (tmp_path / "cache" / "file").exists()


def test_mnist_without_files_or_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REACHBOX_DATA", raising=False)
    monkeypatch.setattr("reachbox.data.mnist.MIRRORS", ("http://127.0.0.1:1/",))
    monkeypatch.setattr("reachbox.data.mnist.cache_folder", lambda: tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    message = refusal(lambda: data.load("mnist"))
    assert "ConnectionError" in message
    assert "name it by --data-dir or REACHBOX_DATA" in message


# CSV


def csv(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "wine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


WINE = "alcohol,colour,acid,kind\n11.5,red,1,sour\n12,white,2,fine\n13.5,red,4,fine\n14,white,3,sour\n"


def test_a_csv_becomes_a_data_set(tmp_path: Path) -> None:
    path = csv(tmp_path, WINE.replace("red", "1").replace("white", "2"))
    wine = data.load(path, label="kind", split=0)
    assert wine.name == "wine.csv"
    assert wine.feature_names == ("alcohol", "colour", "acid")
    assert wine.class_names == ("fine", "sour")
    assert wine.y_train.tolist() == [1, 0, 0, 1]
    assert wine.x_train.tolist() == [[11.5, 1, 1], [12, 2, 2], [13.5, 1, 4], [14, 2, 3]]
    assert wine.feature_range.tolist() == [2.5, 1, 3]


def test_the_range_is_that_of_the_training_part(tmp_path: Path) -> None:
    rows = "".join(f"{2**i},{'ab'[i % 2]}\n" for i in range(20))
    part = data.load(csv(tmp_path, "x,label\n" + rows), label="label", split=0.5)
    assert part.feature_range.tolist() == [float(part.x_train.max() - part.x_train.min())]
    assert sorted(part.x_train.flatten().tolist() + part.x_test.flatten().tolist()) == [2.0**i for i in range(20)]


def test_categories_become_columns_that_are_never_perturbed(tmp_path: Path) -> None:
    wine = data.load(csv(tmp_path, WINE), label="kind", one_hot=True, split=0)
    assert wine.feature_names == ("alcohol", "colour=red", "colour=white", "acid")
    assert wine.x_train[:2].tolist() == [[11.5, 1, 0, 1], [12, 0, 1, 2]]
    assert wine.radius(sigma=0.1).tolist() == pytest.approx([0.25, 0, 0, 0.3])
    assert wine.radius(eps=0.5).tolist() == [0.5, 0, 0, 0.5]
    assert wine.radius(eps=[0.5, 1, 1, 0.5]).tolist() == [0.5, 1, 1, 0.5]
    assert wine.describe_radius(eps=0.5) == "eps 0.5 for every feature (0 for 2 of 4 features)"
    standardised = data.standardise(wine)
    assert standardised.x_train[:2, 1:3].tolist() == [[1, 0], [0, 1]]
    assert standardised.radius(eps=0.5)[1:3].tolist() == [0, 0]


@pytest.mark.parametrize(
    "text",
    [
        "a;b;label\n1;2;x\n3;4;y\n",
        "a\tb\tlabel\n1\t2\tx\n3\t4\ty\n",
        "\ufeffa,b,label\r\n1,2,x\r\n\r\n3,4,y\r\n",
        '"a", "b","label"\n"1","2","x"\n 3 ,4, y\n\n',
        "label,a,b\nx,1,2\ny,3,4",
    ],
)
def test_csv_dialects(tmp_path: Path, text: str) -> None:
    dataset = data.load(csv(tmp_path, text), label="label", split=0)
    assert dataset.feature_names == ("a", "b")
    assert dataset.x_train.tolist() == [[1, 2], [3, 4]]
    assert dataset.class_names == ("x", "y")


def test_quoted_fields_keep_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    table = read_table(csv(tmp_path, '"width, cm";label\n1,5;"a ""b"""\n2;"two\nlines"\n3;c\n'))
    assert table.columns == ("width, cm", "label")
    assert table.column("label") == ['a "b"', "two\nlines", "c"]
    assert table.lines == (2, 3, 5)


def test_whole_number_labels_sort_as_numbers(tmp_path: Path) -> None:
    dataset = data.load(csv(tmp_path, "x,label\n1,10\n2,9\n3,9.0\n4,-1\n"), label="label", split=0)
    assert dataset.class_names == ("-1", "9", "10")
    assert dataset.y_train.tolist() == [2, 1, 1, 0]


def test_labels_too_long_for_a_number_stay_apart(tmp_path: Path) -> None:
    text = "x,label\n1,90071992547409930\n2,90071992547409931\n"
    assert data.load(csv(tmp_path, text), label="label", split=0).classes == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        (b"\xff\xfea\0,\0", "line 1: the text must be UTF-8, found byte 0xff"),
        ("a,label\n1,é\n".encode("latin-1"), "line 2: the text must be UTF-8, found byte 0xe9"),
        ("a,label\n", "no data rows"),
        ("a,label\n1,x\n2\n", "line 3: 1 fields, but the header has 2"),
        ("a,label\n1,x\n2,y,z\n", "line 3: 3 fields"),
        ("a,a,label\n1,2,x\n", "line 1: column 'a' appears more than once"),
        (",a,label\n0,1,x\n", "column 1 of the header is empty"),
        ("1,2.5\n3,4\n", "found only numbers"),
        ("a label\n1 x\n", "only one column found"),
        ("a;b,label\n1;2,3\n", "both comma and semicolon split the header"),
        ('a,label\n1,"x\n', "not a valid CSV file"),
        ('"a" ,"label"\n1,x\n', "not a valid CSV file"),
        ('"a\nb",label\n1,x\n', "line break"),
        ("label,other\nx,1\n,2\n", "line 3, column 'label': missing value ''"),
        ("a,label\n1,x\n,y\n", "line 3, column 'a': missing value ''"),
        ("a,label\n1,x\nNA,y\n", "line 3, column 'a': missing value 'NA'"),
        ("a,label\n1,x\n\n\nnan,y\n", "line 5, column 'a': missing value 'nan'"),
        ("a,label\n1,x\n,\n", "line 3, column 'label': missing value ''"),
        ("a,label\nred,x\nred,y\n", "line 2, column 'a': 'red' is a category; remove the column or choose one-hot"),
        ("a,label\n1,x\nred,y\n", "line 3, column 'a': 'red' is not a finite number"),
        ("a,label\n1,x\ninf,y\n", "line 3, column 'a': 'inf' is not a finite number"),
        ("a,label\n1,x\n1_0,y\n", "line 3, column 'a': '1_0' is not a finite number"),
        ("a;label\n1;x\n1,5;y\n", "decimals are written with a point"),
        ("a,label\n1,x\n2,x\n", "at least two classes are needed, found ['x']"),
        ("a,label\n1,1.5\n2,2\n", "column 'label': labels name classes, by words or whole numbers; found '1.5'"),
        ("a,label\n1e308,x\n-1e308,y\n", "feature_range must be finite"),
    ],
)
def test_csv_refuses(tmp_path: Path, text: str | bytes, words: str) -> None:
    path = csv(tmp_path, text)
    message = refusal(lambda: data.load(path, label="label", split=0))
    assert "wine.csv" in message
    assert words in message


def test_csv_refuses_what_one_hot_columns_cannot_mend(tmp_path: Path) -> None:
    path = csv(tmp_path, "id,a,label\nu1,1,x\nu2,2,y\n")
    assert "a category of its own" in refusal(lambda: data.load(path, label="label", one_hot=True))
    path = csv(tmp_path, "c,c=red,label\nred,1,x\nblue,2,y\nred,3,y\n")
    assert "found 'c=red' more than once" in refusal(lambda: data.load(path, label="label", one_hot=True, split=0))
    path = csv(tmp_path, "a,label\n1,x\nred,y\n")
    assert "not a finite number" in refusal(lambda: data.load(path, label="label", one_hot=True))


def test_the_label_column_is_named_and_mistakes_get_a_hint(tmp_path: Path) -> None:
    path = csv(tmp_path, WINE)
    columns = "alcohol, colour, acid, kind"
    assert refusal(lambda: data.load(path)).endswith(columns)
    assert f"did you mean 'kind'? the columns are {columns}" in refusal(lambda: data.load(path, label="king"))
    assert "did you mean" not in refusal(lambda: data.load(path, label="zzz"))


# Arrays


def npz(tmp_path: Path, **arrays: object) -> Path:
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


FOUR = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 6.0], [3.0, 6.0]], dtype=np.float32)


def test_an_npz_that_is_divided(tmp_path: Path) -> None:
    own = data.load(npz(tmp_path, x_train=FOUR, y_train=[0, 1, 0, 1], x_test=FOUR[:1], y_test=np.array([2], np.uint8)))
    assert own.x_train.dtype == torch.float64
    assert own.class_names == ("0", "1", "2")
    assert own.y_test.tolist() == [2]
    assert own.feature_range.tolist() == [3.0, 1.0]


def test_an_npz_that_is_whole_is_split_and_may_carry_names(tmp_path: Path) -> None:
    own = data.load(npz(tmp_path, x=FOUR, y=["b", "a", "b", "a"], feature_names=["u", "v"]), split=0.5)
    assert (own.class_names, own.feature_names) == (("a", "b"), ("u", "v"))
    assert own.y_train.bincount().tolist() == own.y_test.bincount().tolist() == [1, 1]
    own = data.load(npz(tmp_path, x=FOUR, y=["b", "b", "b", "b"], class_names=["z", "b", "a"]), split=0)
    assert own.y_train.tolist() == [1, 1, 1, 1]
    assert own.class_names == ("z", "b", "a")
    own = data.load(npz(tmp_path, x=FOUR, y=[2.0, 2.0, 0.0, 0.0], class_names=["z", "b", "a"]), split=0)
    assert own.y_train.tolist() == [2, 2, 0, 0]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": FOUR}, "no array 'y'; the file holds 'x'"),
        ({"a": FOUR}, "no array 'x', 'y'; the file holds 'a'"),
        ({"x_train": FOUR, "y_train": [0, 1, 0, 1], "x_test": FOUR}, "no array 'y_test'"),
        ({"x_train": FOUR, "x": FOUR, "y": [0, 1, 0, 1]}, "found both kinds"),
        ({"x": FOUR, "y": [0, 1, 0, 3]}, "2 does not occur, but 3 does; give class_names"),
        ({"x": FOUR, "y": [0, 1, 0, 10**12]}, "does not occur"),
        ({"x": FOUR, "y": [0, 1, 0, -1]}, "'y' must hold words or whole numbers from 0, found -1 at index 3"),
        ({"x": FOUR, "y": [0, 1, 0, 0.5]}, "found 0.5 at index 3"),
        ({"x": FOUR, "y": [0, 1, 0]}, "found x (4, 2) and y (3,)"),
        ({"x": FOUR, "y": [[0], [1], [0], [1]]}, "one label a sample"),
        ({"x": FOUR, "y": [0, 0, 0, 0]}, "at least two classes"),
        ({"x": FOUR, "y": [0, 1, 0, 2], "class_names": ["a", "b"]}, "labels from 0 to 1 are allowed"),
        ({"x": FOUR, "y": ["a", "b", "c", "a"], "class_names": ["a", "b"]}, "label 'c' is not among class_names"),
        ({"x": FOUR, "y": [0, 1, 0, 1], "feature_names": ["u"]}, "2 features, but 1 feature names"),
        ({"x": FOUR, "y": [0, 1, 0, 1], "feature_names": [1, 2]}, "'feature_names' must be a list of words"),
        ({"x": FOUR * np.nan, "y": [0, 1, 0, 1]}, "'x' holds nan at index (0, 0)"),
        ({"x": FOUR * 1j, "y": [0, 1, 0, 1]}, "'x' must hold real numbers, found complex64"),
        ({"x": FOUR[:0], "y": []}, "at least one"),
        ({"x": np.array([{}, {}]), "y": [0, 1]}, "array 'x' cannot be read: Object arrays cannot be loaded"),
    ],
)
def test_npz_refuses(tmp_path: Path, arrays: dict[str, object], words: str) -> None:
    path = npz(tmp_path, **arrays)
    message = refusal(lambda: data.load(path))
    assert "own.npz" in message
    assert words in message


def test_a_divided_npz_allows_no_split(tmp_path: Path) -> None:
    path = npz(tmp_path, x_train=FOUR, y_train=[0, 1, 0, 1], x_test=FOUR, y_test=[0, 1, 0, 1])
    assert "split is not allowed" in refusal(lambda: data.load(path, split=0.2))


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.trace,)


def test_a_hostile_pickle_does_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    path = tmp_path / "own.npz"
    np.savez(path, x=np.array([Hostile(trace)], dtype=object))
    for read in (data.load, data.read_input):
        assert "arrays of objects are never read" in refusal(partial(read, path))
    path.write_bytes(pickle.dumps(Hostile(trace)))
    for read in (data.load, data.read_input):
        assert "not an .npz file" in refusal(partial(read, path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", pickle.dumps(Hostile(trace)))
        archive.writestr("data.pkl", pickle.dumps(Hostile(trace)))
    for read in (data.load, data.read_input):
        refusal(partial(read, path))
    assert not trace.exists()
    pickle.loads(pickle.dumps(Hostile(trace)))
    assert trace.exists()


def test_a_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    assert "no such file" in refusal(lambda: data.load(path))
    assert "a folder" in refusal(lambda: data.read_input(tmp_path))
    array = io.BytesIO()
    np.save(array, FOUR)
    for content in (b"", b"text", array.getvalue(), b"PK\x03\x04" + b"\0" * 50):
        path.write_bytes(content)
        assert "not an .npz file" in refusal(lambda: data.load(path))


@pytest.mark.parametrize(
    "shape", ["(4, 2", "(10**12, 2)", "(1000000000000, 2)", "(4, -2)", "(4, 2.0)", "(99999999999999999999,)"]
)
def test_a_damaged_header_in_a_sound_zip_is_refused(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header.encode() + FOUR.tobytes())
    assert "array 'x' cannot be read" in refusal(lambda: data.read_input(path))


# --input FILE.npz


def test_input_boxes_of_every_form(tmp_path: Path) -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    bare = data.read_input(npz(tmp_path, x=x), (2,))
    assert bare.needs_radius
    assert bare.box(0.5).lower.tolist() == [[0.5, 1.5], [2.5, 3.5]]
    assert bare.box(3, within=(0, 5)).lower.tolist() == [[0, 0], [0, 1]]
    assert "a radius is needed" in refusal(bare.box)
    for eps, radius in (
        (np.float32(0.5), [[0.5, 0.5], [0.5, 0.5]]),
        (np.array([0.5, 1]), [[0.5, 1], [0.5, 1]]),
        (np.array([[0, 1], [2, 3]]), [[0, 1], [2, 3]]),
    ):
        inputs = data.read_input(npz(tmp_path, x=x, eps=eps), (2,))
        assert inputs.box().radius.tolist() == radius
        assert not inputs.needs_radius
        assert "another radius is not allowed" in refusal(partial(inputs.box, 1))
    boxes = data.read_input(npz(tmp_path, lower=x - 1, upper=x + 2))
    assert boxes.box().width.tolist() == [[3, 3], [3, 3]]
    assert boxes.box().lower.dtype == torch.float64
    assert "neither a radius nor clipping" in refusal(lambda: boxes.box(1))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "no array 'x'; the file holds nothing"),
        ({"eps": 1}, "no array 'x'; the file holds 'eps'"),
        ({"x": [[1, 2]], "epsilon": 1}, "are allowed; the file holds 'x', 'epsilon'"),
        ({"x": [[1, 2]], "lower": [[1, 2]]}, "either x (and eps), or lower and upper"),
        ({"lower": [[1, 2]]}, "no array 'upper'"),
        ({"lower": [[1, 3]], "upper": [[1, 2]]}, "lower > upper at index (0, 1)"),
        ({"lower": [[1, 3]], "upper": [[1, 3], [1, 3]]}, "they must agree"),
        ({"x": [1, 2]}, "'x' must have shape (samples, 2), found (2,)"),
        ({"x": [[1, 2, 3]]}, "found (1, 3)"),
        ({"x": np.zeros((0, 2))}, "'x' is empty"),
        ({"x": [[1, np.inf]]}, "'x' holds inf at index (0, 1)"),
        ({"x": [[1, 2]], "eps": np.nan}, "'eps' holds nan at index ()"),
        ({"x": [[1, 2]], "eps": -1}, "radius: must not be negative"),
        ({"x": [[1, 2]], "eps": [1, 2, 3]}, "found shape (3,)"),
        ({"x": [["1", "2"]]}, "'x' must hold real numbers"),
    ],
)
def test_input_refuses(tmp_path: Path, arrays: dict[str, object], words: str) -> None:
    path = npz(tmp_path, **arrays)
    message = refusal(lambda: data.read_input(path, (2,)))
    assert message.startswith(f"{path}: ")
    assert words in message


def test_samples_in_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("b,a\n1,2\n3,4.5\n")
    inputs = data.read_input(path, (2,))
    assert inputs.names == ("b", "a")
    assert inputs.needs_radius
    assert inputs.box(0.5).centre.tolist() == [[1, 2], [3, 4.5]]
    assert data.read_input(path, (1, 2, 1)).box(0).shape == (2, 1, 2, 1)
    assert data.read_input(path).box(0).shape == (2, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "2 columns, but the network takes 3 features"),
        ("a,b,kind\n1,2,dog\n", "line 2, column 'kind': 'dog' is a category; numbers alone are allowed here"),
        ("a,b,c\n1,2,\n", "missing value"),
        ("a,b,c\n", "no data rows"),
    ],
)
def test_a_csv_that_is_no_input(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(text)
    message = refusal(lambda: data.read_input(path, (3,)))
    assert message.startswith(str(path))
    assert words in message


# By name


def test_load_lists_what_exists_and_refuses_options_of_others(tmp_path: Path) -> None:
    message = refusal(lambda: data.load("irsi"))
    assert "iris, digits, mnist, FILE.csv or FILE.npz are allowed, found 'irsi'; did you mean 'iris'?" in message
    assert "label does not belong to iris" in refusal(lambda: data.load("iris", label="kind"))
    assert "split does not belong to mnist" in refusal(lambda: data.load("mnist", split=0.1))
    assert "data_dir does not belong to digits" in refusal(lambda: data.load("digits", data_dir=tmp_path))
    assert "below 1 is allowed, found 1" in refusal(lambda: data.load("iris", split=1))
    assert "seed: a whole number" in refusal(lambda: data.load("iris", split=0.2, seed=2**70))
    assert "found nan" in refusal(lambda: data.load("iris", split=float("nan")))
    assert "leaves no test sample" in refusal(lambda: data.load("iris", split=0.001))
    assert isinstance(data.load("iris", standardise=True), Dataset)
    with pytest.raises(FileError):
        data.load(tmp_path / "nothing.csv", label="label")
    with pytest.raises(InputError):
        data.load("nothing.txt")

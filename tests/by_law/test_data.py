"""Laws of data sets: what is divided stays whole, what is rescaled comes back, a damaged file is never believed."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reachbox import data
from reachbox.box import Box
from reachbox.data.dataset import Dataset
from reachbox.data.idx import read_idx
from reachbox.errors import ReachboxError

LABELS = st.lists(st.integers(0, 4), min_size=2, max_size=60)
SHARES = st.floats(0.01, 0.99)


@settings(deadline=None)
@given(LABELS, SHARES, st.integers(0, 2**32), st.booleans())
def test_a_split_is_a_partition(labels: list[int], share: float, seed: int, stratified: bool) -> None:
    y = torch.tensor(labels)
    x = torch.arange(len(y)).double().unsqueeze(1)
    try:
        (x_train, y_train), (x_test, y_test) = data.split(x, y, share, seed, stratified)
    except ReachboxError:
        groups = set(labels) if stratified else {0}
        assert share * len(y) <= 0.5 or len(groups) == len(y)
        return
    assert sorted(x_train.flatten().tolist() + x_test.flatten().tolist()) == x.flatten().tolist()
    assert x_train.flatten().tolist() == sorted(x_train.flatten().tolist())
    assert torch.equal(y[x_train.flatten().long()], y_train)
    assert torch.equal(y[x_test.flatten().long()], y_test)
    assert len(x_train) > 0
    again = data.split(x, y, share, torch.Generator().manual_seed(seed), stratified)
    assert torch.equal(again[1][0], x_test)


@settings(deadline=None)
@given(LABELS, SHARES, st.integers(0, 2**32))
def test_a_stratified_split_takes_the_share_of_every_class(labels: list[int], share: float, seed: int) -> None:
    y = torch.tensor(labels)
    try:
        (_, y_train), (_, y_test) = data.split(y.double().unsqueeze(1), y, share, seed)
    except ReachboxError:
        return
    for label in set(labels):
        members = labels.count(label)
        assert abs(int((y_test == label).sum()) - share * members) < 1 + 1e-9
        assert int((y_train == label).sum()) >= 1
    if all(labels.count(label) > 20 for label in set(labels)):
        assert len(y_test) == round(share * len(y))


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    """Features of very different scales, some of which never vary."""
    samples, features = draw(st.integers(2, 8)), draw(st.integers(1, 4))
    unit = arrays.arrays(np.float64, (samples, features), elements=st.floats(-1, 1, width=16))
    scale = 10.0 ** draw(arrays.arrays(np.int64, (features,), elements=st.integers(-9, 9))).astype(np.float64)
    offset = draw(arrays.arrays(np.float64, (features,), elements=st.floats(-3, 3, width=16)))
    x = torch.from_numpy((draw(unit) + offset) * scale)
    y = torch.arange(samples) % 2
    return Dataset.of("drawn", (x, y), (x[:1], y[:1]), ("a", "b"))


@settings(deadline=None)
@given(datasets())
def test_standardising_is_undone_by_shift_and_scale(dataset: Dataset) -> None:
    standardised = data.standardise(dataset)
    tolerance = 1e-12 * dataset.x_train.abs().amax(0)
    for before, after in ((dataset.x_train, standardised.x_train), (dataset.x_test, standardised.x_test)):
        assert bool(((standardised.in_original_units(after) - before).abs() <= tolerance).all())
    assert torch.equal(standardised.feature_range, dataset.feature_range)


@settings(deadline=None)
@given(datasets())
def test_standardised_features_have_mean_0_and_deviation_1_or_are_constant(dataset: Dataset) -> None:
    """The mean that is subtracted is a float64, and may be an ulp off: that counts where the deviation is small."""
    standardised = data.standardise(dataset)
    x = standardised.x_train
    is_constant = dataset.feature_range == 0
    assert bool((x[:, is_constant] == 0).all())
    varying = x[:, ~is_constant]
    an_ulp = torch.finfo(torch.float64).eps * dataset.x_train.abs().amax(0) / standardised.feature_scale
    assert bool((varying.mean(0).abs() < 1e-9 + an_ulp[~is_constant]).all())
    assert bool(((varying.square().mean(0).sqrt() - 1).abs() < 1e-9).all())


@settings(deadline=None)
@given(datasets(), st.just(0.0) | st.floats(1e-9, 1), st.just(0.0) | st.floats(1e-9, 10))
def test_radii_in_the_networks_units_are_the_original_radii_rescaled(
    dataset: Dataset, sigma: float, eps: float
) -> None:
    standardised = data.standardise(dataset)
    for given_radius in ({"sigma": sigma}, {"eps": eps}):
        radius = standardised.radius(**given_radius) * standardised.feature_scale
        torch.testing.assert_close(radius, dataset.radius(**given_radius), rtol=1e-14, atol=0)


@settings(deadline=None)
@given(datasets(), st.floats(0.001, 1))
def test_a_box_around_standardised_samples_is_the_original_box_rescaled(dataset: Dataset, sigma: float) -> None:
    standardised = data.standardise(dataset)
    box = Box.around(standardised.x_train, standardised.radius(sigma=sigma))
    original = Box.around(dataset.x_train, dataset.radius(sigma=sigma))
    tolerance = 1e-12 * (dataset.x_train.abs().amax(0) + dataset.feature_range)
    assert bool(((standardised.in_original_units(box.lower) - original.lower).abs() <= tolerance).all())
    assert bool(((standardised.in_original_units(box.upper) - original.upper).abs() <= tolerance).all())


# Files


def refusal(call: Callable[[], object]) -> str | None:
    """The message that `call` is refused with, or None."""
    try:
        call()
    except ReachboxError as error:
        return str(error)
    return None


def in_file(content: bytes, suffix: str, read: Callable[[Path], object]) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(content)
        return read(path)


WORDS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8).map(lambda word: f"w{word}")


@settings(deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda features: st.tuples(
            st.lists(WORDS, min_size=features + 1, max_size=features + 1, unique=True),
            st.lists(
                st.tuples(
                    st.lists(st.floats(-1e300, 1e300), min_size=features, max_size=features), st.sampled_from("αβ,")
                ),
                min_size=3,
                max_size=20,
            ).filter(lambda rows: len({label for _, label in rows}) > 1),
        )
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_as_csv_is_read_back_to_the_last_bit(
    table: tuple[list[str], list[tuple[list[float], str]]], line_end: str
) -> None:
    header, rows = table
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows([*(repr(value) for value in values), label] for values, label in rows)
    read = in_file(text.getvalue().encode(), ".csv", lambda path: data.load(path, label=header[-1], split=0))
    assert isinstance(read, Dataset)
    assert read.feature_names == tuple(header[:-1])
    assert read.x_train.tolist() == [values for values, _ in rows]
    assert [read.class_names[label] for label in read.y_train.tolist()] == [label for _, label in rows]


@settings(deadline=None)
@given(st.sampled_from([",", ";", "\t"]), arrays.arrays(np.float64, (3, 2), elements=st.floats(-1e9, 1e9)))
def test_the_delimiter_makes_no_difference(delimiter: str, x: np.ndarray) -> None:
    rows = ["a,b,label", *(f"{u!r},{v!r},{label}" for (u, v), label in zip(x.tolist(), "pqp", strict=True))]
    content = "\n".join(rows).replace(",", delimiter).encode()
    read = in_file(content, ".csv", lambda path: data.load(path, label="label", split=0))
    assert isinstance(read, Dataset)
    assert read.x_train.tolist() == x.tolist()


def test_every_truncation_of_an_idx_file_is_refused() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    whole = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + values.tobytes()
    for content in (whole, gzip.compress(whole)):
        read = in_file(content, "", lambda path: read_idx(path, 3))
        assert isinstance(read, torch.Tensor)
        assert np.array_equal(read.numpy(), values)
        for length in range(len(content)):
            with pytest.raises(ReachboxError):
                in_file(content[:length], "", lambda path: read_idx(path, 3))


def small_npz() -> bytes:
    content = io.BytesIO()
    x = np.arange(8.0).reshape(4, 2)
    np.savez_compressed(content, x=x, y=np.array([0, 1, 0, 1]))
    return content.getvalue()


def test_every_truncation_of_an_npz_is_refused() -> None:
    whole = small_npz()
    assert isinstance(in_file(whole, ".npz", data.load), Dataset)
    for length in range(len(whole)):
        with pytest.raises(ReachboxError):
            in_file(whole[:length], ".npz", data.load)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_flipped_byte_in_an_npz_is_refused_or_harmless(draw: st.DataObject) -> None:
    damaged = bytearray(small_npz())
    position = draw.draw(st.integers(0, len(damaged) - 1))
    damaged[position] = draw.draw(st.integers(0, 255))
    expected = in_file(small_npz(), ".npz", data.load)
    assert isinstance(expected, Dataset)
    message = refusal(lambda: in_file(bytes(damaged), ".npz", data.load))
    if message is not None:
        assert len(message.splitlines()) == 1
        return
    read = in_file(bytes(damaged), ".npz", data.load)
    assert isinstance(read, Dataset)
    assert torch.equal(read.x_train, expected.x_train)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet='a1,;"\n\r\t \0é', max_size=60).map(str.encode))
def test_no_content_gets_past_the_readers_but_by_one_line(content: bytes) -> None:
    readers: dict[str, Callable[[Path], object]] = {
        ".csv": lambda path: data.load(path, label="a"),
        ".npz": data.load,
        "": lambda path: read_idx(path, 1),
    }
    for suffix, read in readers.items():
        message = refusal(partial(in_file, content, suffix, read))
        assert message is None or len(message.splitlines()) == 1

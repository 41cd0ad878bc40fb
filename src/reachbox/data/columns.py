"""A user's CSV: the columns of a table as features and labels."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from reachbox.data.dataset import Dataset
from reachbox.data.labels import encode_labels
from reachbox.data.prepare import split
from reachbox.data.table import Table, as_number, read_table
from reachbox.errors import InputError

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null"})
ONE_HOT = "remove the column or choose one-hot columns (one_hot=True, --one-hot)"


@dataclass(frozen=True)
class Feature:
    """One column as numbers: `values` is `(samples, len(names))`; a one-hot column has a name for each category."""

    names: tuple[str, ...]
    values: Tensor
    is_category: bool = False


def load_csv(
    path: Path | str, label: str | None, *, one_hot: bool = False, test_share: float = 0.2, seed: int = 0
) -> Dataset:
    """The data set in a CSV file with a header row; `label` names the column with the classes.

    Every other column is a feature, float64. Columns of words are refused, or with `one_hot` become one 0/1 column
    for each category of the whole file, named `column=category`. Such a column has range 0: no perturbation turns
    one category a little into another, so its radius is 0 under `sigma` and under an `eps` for every feature.
    Class names are the sorted labels. The split is stratified; ranges are those of its training part.

    Raises `FileError` for what is not a proper CSV file, and `InputError`, naming line and column, for a missing
    value (empty, NA, NaN, null or ?), a column that mixes numbers and words, or an unknown label column.
    """
    table = read_table(Path(path))
    label = _label_column(table, label)
    y, class_names = encode_labels(_complete_column(table, label), f"{path}, column {label!r}")
    features = [_feature(table, name, one_hot) for name in table.columns if name != label]
    if not features:
        raise InputError(f"{path}: no column is left for the features beside the label {label!r}")
    train, test = split(torch.cat([feature.values for feature in features], 1), y, test_share, seed)
    return Dataset.of(
        table.path.name,
        train,
        test,
        class_names,
        feature_names=[name for feature in features for name in feature.names],
        categorical=frozenset(name for feature in features if feature.is_category for name in feature.names),
    )


def load_features(path: Path | str) -> Feature:
    """All columns of a CSV file with a header row as features, float64: samples without classes.

    Raises what `load_csv` does; columns of words are refused.
    """
    table = read_table(Path(path))
    columns = [_feature(table, name, one_hot=False, hint="numbers alone are allowed here") for name in table.columns]
    return Feature(table.columns, torch.cat([column.values for column in columns], 1))


def _label_column(table: Table, label: str | None) -> str:
    listing = ", ".join(table.columns)
    if label is None:
        raise InputError(f"{table.path}: say which column holds the classes (label, --label): {listing}")
    if label not in table.columns:
        close = difflib.get_close_matches(label, table.columns, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(f"{table.path}: no column {label!r}; {hint}the columns are {listing}")
    return label


def _complete_column(table: Table, name: str) -> list[str]:
    cells = table.column(name)
    for line, cell in zip(table.lines, cells, strict=True):
        if cell.lower() in MISSING:
            hint = "fill it in or remove the row"
            raise InputError(f"{table.path}, line {line}, column {name!r}: missing value {cell!r}; {hint}")
    return cells


def _feature(table: Table, name: str, one_hot: bool, hint: str = ONE_HOT) -> Feature:
    cells = _complete_column(table, name)
    numbers = [as_number(cell) for cell in cells]
    values = [number for number in numbers if number is not None]
    if len(values) == len(cells):
        return Feature((name,), torch.tensor(values, dtype=torch.float64).unsqueeze(1))
    first = numbers.index(None)
    where = f"{table.path}, line {table.lines[first]}, column {name!r}: {cells[first]!r}"
    if values:
        point = "; decimals are written with a point" if as_number(cells[first].replace(",", ".")) is not None else ""
        raise InputError(f"{where} is not a finite number, but other cells of the column are{point}")
    if not one_hot:
        raise InputError(f"{where} is a category; {hint}")
    return _one_hot(name, cells, where)


def _one_hot(name: str, cells: list[str], where: str) -> Feature:
    categories = sorted(set(cells))
    if len(categories) == len(cells):
        raise InputError(f"{where} and every other row has a category of its own; remove the column")
    columns = [[float(cell == category) for cell in cells] for category in categories]
    names = tuple(f"{name}={category}" for category in categories)
    return Feature(names, torch.tensor(columns, dtype=torch.float64).T.contiguous(), is_category=True)

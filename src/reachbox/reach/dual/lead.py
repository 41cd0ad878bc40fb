"""Which rows are carried, how they are laid out in a tensor, and what each of them sees of a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from torch import Tensor
from torch.nn import functional

from reachbox.reach.dual.overlap import Chosen
from reachbox.reach.dual.windows import Windows

EVERYTHING = slice(None)


@dataclass(frozen=True)
class Lead:
    """Which rows there are: `count` at each place of `grid`, for each sample of a batch.

    All of them, in dimensions `(batch, *grid, count)`; or those `chosen`, int64 `(2, rows)`: each one's sample and
    place as one number, and which one of its place it is.
    """

    batch: int
    grid: tuple[int, ...]
    count: int
    chosen: Tensor | None = None

    def place_along(self, dimension: int) -> Tensor:
        """The place of each chosen row along a dimension of the grid."""
        assert self.chosen is not None
        behind = prod(self.grid[dimension + 1 :])
        return self.chosen[0] // behind % self.grid[dimension]

    def seen(self, values: Tensor, windows: Windows) -> Tensor:
        """What every place sees of `values` `(batch or 1, channels, *sizes)`, `(channels, *window, *lead)`."""
        count, places = len(windows), self.places(windows)
        pads = [
            (-window.start, window.end(number) - size)
            for window, number, size in zip(windows, places, values.shape[2:], strict=True)
        ]
        if any(pad != (0, 0) for pad in pads):
            values = functional.pad(values, [end for pad in reversed(pads) for end in pad])
        for dimension, window in enumerate(windows, start=2):
            values = values.unfold(dimension, window.size, window.step or 1)
        if count != len(self.grid):  # every place sees the same
            values = values.reshape(*values.shape[:2], *(1 for _ in self.grid), *values.shape[2 + count :])
        grid = range(2, 2 + len(self.grid))
        return values.permute(1, *range(grid.stop, values.ndim), 0, *grid).unsqueeze(-1)

    def of_rows(self, seen: Tensor) -> Tensor:
        """What `seen` gave, to be multiplied with rows one by one."""
        if self.chosen is None:
            return seen
        entries = seen.shape[: seen.ndim - len(self.grid) - 2]
        table = seen.expand(*entries, self.batch, *self.grid, 1).reshape(prod(entries), -1)
        return Chosen.apply(table, self.chosen[0]).reshape(*entries, -1)  # type: ignore[no-untyped-call, no-any-return]

    def split(self, limit: int) -> list[list[tuple[slice, slice]]]:
        """The rows in parts of about `limit`: for each part of the samples, the parts of the rows."""
        if self.chosen is not None:
            return [[(EVERYTHING, part) for part in _slices(self.chosen.shape[1], limit)]]
        places = prod(self.grid)
        numbers = _slices(self.count, max(1, limit // places))
        samples = _slices(self.batch, max(1, limit // (places * self.count)))
        return [[(some, part) for part in numbers] for some in samples]

    def part(self, samples: slice, rows: slice) -> Lead:
        """One of the parts that `split` gives."""
        if self.chosen is not None:
            return replace(self, chosen=self.chosen[:, rows])
        batch, count = (len(range(size)[part]) for size, part in ((self.batch, samples), (self.count, rows)))
        return Lead(batch, self.grid, count)

    def zeros(self, like: Tensor) -> Tensor:
        """A zero for each row."""
        shape = (self.batch, *self.grid, self.count) if self.chosen is None else (self.chosen.shape[1],)
        return like.new_zeros(shape)

    def places(self, windows: Windows) -> list[int]:
        """How many different windows there are along each dimension."""
        if len(windows) != len(self.grid):
            return [1] * len(windows)
        return [number if window.step else 1 for window, number in zip(windows, self.grid, strict=True)]


def _slices(count: int, step: int) -> list[slice]:
    if step >= count:
        return [EVERYTHING]
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]

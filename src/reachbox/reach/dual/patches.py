"""Rows carried backwards as patches: of each value only the window that a row can depend on, all rows side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from reachbox.network.operators import (
    Add,
    Affine,
    Concatenate,
    Convolution,
    Linear,
    MaxPool,
    Operator,
    Reshape,
    Scale,
    Shape,
    resolve,
)
from reachbox.reach.dual.overlap import AbsoluteSum, Chosen, Overlap
from reachbox.reach.dual.windows import Sliding, Window, Windows, slidings, whole
from reachbox.reach.relaxation import Line

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

    @property
    def dimensions(self) -> int:
        """How many dimensions of a tensor the rows take."""
        return 1 if self.chosen is not None else len(self.grid) + 2

    def place(self, dimension: int) -> Tensor:
        """The place of each chosen row along a dimension of the grid."""
        assert self.chosen is not None
        behind = prod(self.grid[dimension + 1 :])
        return self.chosen[0] // behind % self.grid[dimension]

    def seen(self, values: Tensor, windows: Windows) -> Tensor:
        """What every place sees of `values` `(batch or 1, channels, *sizes)`, `(channels, *window, *lead)`."""
        count, places = len(windows), self._places(windows)
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

    def _places(self, windows: Windows) -> list[int]:
        if len(windows) != len(self.grid):
            return [1] * len(windows)
        return [number if window.step else 1 for window, number in zip(windows, self.grid, strict=True)]


@dataclass(frozen=True)
class Patches:
    """Linear functions of one value: `coefficients` `(channels, *window, *lead)`, zero outside the windows.

    Dimensions of the lead may have size 1, where the rows do not differ. `trimmed` says that coefficients of elements
    outside the value are zero too; otherwise they mean nothing.
    """

    coefficients: Tensor
    windows: Windows
    lead: Lead
    shape: Shape
    trimmed: bool = True

    @property
    def is_shared(self) -> bool:
        """Whether the rows differ neither by sample nor by place."""
        return self._has_lead_dimensions and prod(self.coefficients.shape[1 + len(self.windows) : -1]) == 1

    @property
    def _has_lead_dimensions(self) -> bool:
        return self.coefficients.ndim == 1 + len(self.windows) + len(self.lead.grid) + 2

    def part(self, samples: slice, rows: slice) -> Patches:
        """Some of the rows, as `Lead.split` divides them."""
        coefficients, lead = self.coefficients, self.lead.part(samples, rows)
        if self.lead.chosen is None:
            coefficients = coefficients[..., rows]
            batch = 1 + len(self.windows)
            if coefficients.shape[batch] > 1:
                coefficients = coefficients[(*(EVERYTHING,) * batch, samples)]
        return replace(self, coefficients=coefficients, lead=lead)

    def weighted(self, values: Tensor) -> Patches:
        """Each coefficient times the element of `values` `(batch or 1, *shape)` that it belongs to."""
        factor = self.lead.of_rows(self.lead.seen(values, self.windows))
        return replace(self, coefficients=self._one_by_one() * factor, trimmed=True)

    def swing(self, radius: Tensor) -> Tensor:
        """`sum |coefficients| * radius` of each row for `radius` `(batch, *shape)`, over all of the lead."""
        seen = self.lead.seen(radius, self.windows)
        summed = 1 + len(self.windows)
        if self.is_shared:
            places = seen.shape[summed:-1]
            matrix = self.coefficients.abs().reshape(-1, self.lead.count)
            found = (seen.reshape(len(matrix), -1).T @ matrix).reshape(*places, self.lead.count)
            return self._of_lead(found)
        total: Tensor = AbsoluteSum.apply(self._one_by_one(), self.lead.of_rows(seen), summed)  # type: ignore[no-untyped-call]
        return total

    def plus(self, other: Patches) -> Patches:
        """The sum of two with the same windows."""
        one, two = self, other
        if self._has_lead_dimensions != other._has_lead_dimensions:
            one, two = (replace(part, coefficients=part._one_by_one()) for part in (self, other))
        return replace(self, coefficients=one.coefficients + two.coefficients, trimmed=self.trimmed and other.trimmed)

    def within(self, windows: Windows) -> Patches:
        """The same rows in windows that hold the present ones."""
        if windows == self.windows:
            return self
        changed = self
        for dimension, window in enumerate(windows):
            if window.step == 0 and changed.windows[dimension].step > 0:
                changed = changed._spread(dimension)
        pads = [
            (old.start - new.start, new.start + new.size - old.start - old.size)
            for old, new in zip(changed.windows, windows, strict=True)
        ]
        if all(pad == (0, 0) for pad in pads):
            return replace(changed, windows=windows)
        behind = [0] * 2 * (changed.coefficients.ndim - 1 - len(windows))
        padded = functional.pad(changed.coefficients, [*behind, *(end for pad in reversed(pads) for end in pad)])
        return replace(changed, coefficients=padded, windows=windows)

    def through(self, operator: Affine, before: tuple[Shape, ...]) -> tuple[Patches, ...]:
        """The rows over an affine operator's result as rows over each of its inputs, whose shapes are `before`."""
        rows = self._trim()
        if isinstance(operator, Add):
            return (rows,) * operator.terms
        if isinstance(operator, Convolution):
            return (rows._through_convolution(operator, before[0]),)
        if isinstance(operator, Linear) and len(self.shape) == 1:
            flat = rows.coefficients.reshape(len(rows.coefficients), -1)
            found = (resolve(operator.weight).T @ flat).reshape(-1, *rows.coefficients.shape[1:])
            return (replace(rows, coefficients=found, shape=before[0]),)
        if isinstance(operator, Scale):
            return (rows._scaled(operator),)
        if isinstance(operator, Concatenate) and operator.axis == 0:
            parts = torch.split(rows.coefficients, list(operator.sizes))
            return tuple(replace(rows, coefficients=part, shape=s) for part, s in zip(parts, before, strict=True))
        return rows.within(whole(self.shape))._through_any(operator, before)

    def through_line(self, line: Line, operator: Operator, before: Shape) -> Patches:
        """The rows over a relaxed operator's line as rows over its input."""
        rows = self.weighted(line.slope)
        if line.source is None:
            return rows
        assert isinstance(operator, MaxPool)
        windows = operator.windows_on(line.source.device).flatten(0, -2)
        is_source = (windows.T.unsqueeze(0) == line.source.flatten(1).unsqueeze(1)).to(line.slope.dtype)
        taps = is_source.reshape(-1, windows.shape[1], *line.source.shape[1:]).unbind(1)
        columns = torch.stack([rows.weighted(tap).coefficients for tap in taps], 1)
        return rows._overlapped(columns, slidings(operator), before)

    def _through_convolution(self, operator: Convolution, before: Shape) -> Patches:
        weight = resolve(operator.weight)
        groups, rest = operator.groups, self.coefficients.shape[1:]
        matrices = weight.reshape(groups, len(weight) // groups, -1).mT
        rows = self.coefficients.reshape(groups, len(weight) // groups, -1)
        columns = (matrices[0] @ rows[0] if groups == 1 else matrices @ rows).reshape(before[0], -1, *rest)
        return self._overlapped(columns, slidings(operator), before)

    def _overlapped(self, columns: Tensor, sliding: tuple[Sliding, ...], before: Shape) -> Patches:
        """`columns` `(channels, taps, *window, *lead)` added up where they belong in the input."""
        taps = (step.kernel for step in sliding)
        columns = columns.reshape(len(columns), *taps, *columns.shape[2:])
        total: Tensor = Overlap.apply(columns, sliding)  # type: ignore[no-untyped-call]
        reached = [window.through(step) for window, step in zip(self.windows, sliding, strict=True)]
        for dimension, (window, size) in enumerate(zip(reached, before[1:], strict=True), start=1):
            if window.step == 0:  # all places see the same: what lies outside is cut off
                first, end = max(0, window.start), min(size, window.start + window.size)
                total = total.narrow(dimension, first - window.start, end - first)
                reached[dimension - 1] = Window(first, 0, end - first)
        trimmed = not _sticks_out(tuple(reached), before, self.lead)
        return Patches(total, tuple(reached), self.lead, before, trimmed)

    def _scaled(self, operator: Scale) -> Patches:
        if operator.scale is None:
            return self
        scale = resolve(operator.scale)
        scale = scale.reshape(*(1,) * (len(self.shape) - scale.ndim), *scale.shape)
        if prod(scale.shape[1:]) == 1:
            lead = self.coefficients.ndim - 1
            return replace(self, coefficients=self.coefficients * scale.reshape(-1, *(1,) * lead))
        return self.weighted(scale.expand(self.shape).unsqueeze(0))

    def _through_any(self, operator: Affine, before: tuple[Shape, ...]) -> tuple[Patches, ...]:
        """Rows over whole values, one by one through any operator."""
        lead = self.coefficients.shape[len(self.shape) :]
        if isinstance(operator, Reshape):
            moved = self.coefficients.reshape(*before[0], *lead)
            return (Patches(moved, whole(before[0]), self.lead, before[0]),)
        found = operator.transposed(self.coefficients.reshape(*self.shape, -1).movedim(-1, 0))
        return tuple(
            Patches(part.movedim(0, -1).reshape(*shape, *lead), whole(shape), self.lead, shape)
            for part, shape in zip(found, before, strict=True)
        )

    def _one_by_one(self) -> Tensor:
        """Coefficients with the lead's dimensions."""
        if self.lead.chosen is None or not self._has_lead_dimensions:
            return self.coefficients
        shape = self.coefficients.shape[: 1 + len(self.windows)]
        found: Tensor = Chosen.apply(self.coefficients.reshape(prod(shape), -1), self.lead.chosen[1])  # type: ignore[no-untyped-call]
        return found.reshape(*shape, -1)

    def _of_lead(self, found: Tensor) -> Tensor:
        """Numbers `(batch, *places, count)` for the lead's rows."""
        full = found.expand(self.lead.batch, *self.lead.grid, self.lead.count)
        if self.lead.chosen is None:
            return full
        place, number = self.lead.chosen
        return full.reshape(-1)[place * self.lead.count + number]

    def _trim(self) -> Patches:
        """Zeros outside the value."""
        if self.trimmed:
            return self
        return self.weighted(self.coefficients.new_ones(1, 1, *self.shape[1:]))

    def _spread(self, dimension: int) -> Patches:
        """The whole of a spatial dimension instead of each place's window."""
        rows, window, size = self._trim(), self.windows[dimension], self.shape[1 + dimension]
        axis, lead = 1 + dimension, 1 + len(self.windows)
        coefficients = rows._one_by_one()
        if self.lead.chosen is None:
            places = lead + 1 + dimension
            wanted = list(coefficients.shape)
            wanted[places] = self.lead.grid[dimension]
            coefficients = coefficients.expand(wanted)
            start = torch.arange(self.lead.grid[dimension], device=coefficients.device) * window.step
        else:
            places, start = lead, self.lead.place(dimension) * window.step
        seen_at = torch.arange(size, device=start.device).unsqueeze(1) - start - window.start
        inside = (seen_at >= 0) & (seen_at < window.size)
        shape = [1] * coefficients.ndim
        shape[axis], shape[places] = seen_at.shape
        wanted = list(coefficients.shape)
        wanted[axis] = size
        index = seen_at.clamp(0, window.size - 1).reshape(shape).expand(wanted)
        spread = coefficients.gather(axis, index) * inside.to(coefficients.dtype).reshape(shape)
        windows = (*self.windows[:dimension], Window(0, 0, size), *self.windows[axis:])
        return replace(rows, coefficients=spread, windows=windows)


def _sticks_out(windows: Windows, shape: Shape, lead: Lead) -> bool:
    places = lead._places(windows)
    ends = (window.end(number) for window, number in zip(windows, places, strict=True))
    return any(window.start < 0 or end > size for window, end, size in zip(windows, ends, shape[1:], strict=True))


def _slices(count: int, step: int) -> list[slice]:
    if step >= count:
        return [EVERYTHING]
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]

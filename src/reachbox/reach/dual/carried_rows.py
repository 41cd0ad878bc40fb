"""Rows of a matrix as vectors of lanes: brought to where each unit's vector lies, and given back, as vector code."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

from reachbox.reach.dual.lanes import INDEX
from reachbox.reach.dual.vectors import INT, Code


@intrinsic
def take_rows(
    typing: Any, values: Any, place: Any, places: Any, source: Any, base: Any, row: Any, numbers: Any, first: Any,
    count: Any,
) -> Any:  # fmt: skip
    """`values[place + p_n:] = source[base + row k_n:]` for `count` entries of two lists `p`, `k` from `first` on."""

    def generate(*given: Any) -> Any:
        code = Code(*given)

        def step(n: Any) -> None:
            at = code.builder.add(code.args[7], n)
            taken = code.load(3, code.moved(code.args[4], code.index(6, at), code.args[5]))
            code.store(taken, 0, code.builder.add(code.args[1], code.index(2, at)))

        code.each(code.args[8], step)
        return code.done

    return types.void(values, INDEX, places, source, INDEX, INDEX, numbers, INDEX, INDEX), generate


@intrinsic
def add_rows(
    typing: Any, sums: Any, base: Any, row: Any, numbers: Any, values: Any, place: Any, places: Any, first: Any,
    count: Any,
) -> Any:  # fmt: skip
    """`sums[base + row k_n:] += values[place + p_n:]`: what `take_rows` took, given back."""

    def generate(*given: Any) -> Any:
        code = Code(*given)

        def step(n: Any) -> None:
            at = code.builder.add(code.args[7], n)
            target = code.moved(code.args[1], code.index(3, at), code.args[2])
            value = code.load(4, code.builder.add(code.args[5], code.index(6, at)))
            code.store(code.builder.fadd(code.load(0, target), value), 0, target)

        code.each(code.args[8], step)
        return code.done

    return types.void(sums, INDEX, INDEX, numbers, values, INDEX, places, INDEX, INDEX), generate


def _offsets(code: Code, units: int, first: int, count: int) -> list[Any]:
    """Units of the lanes, as many as there are lanes: those beyond `count` repeat the last."""
    last = code.builder.sub(code.args[count], INT(1))
    lanes = [INT(lane) for lane in range(code.vector.count)]
    within = [code.builder.select(code.builder.icmp_signed("<", lane, last), lane, last) for lane in lanes]
    return [code.number(units, code.builder.add(code.args[first], lane)) for lane in within]


@intrinsic
def take_units(
    typing: Any, values: Any, place: Any, places: Any, source: Any, base: Any, row: Any, numbers: Any, first: Any,
    count: Any, units: Any, unit: Any, lanes: Any,
) -> Any:  # fmt: skip
    """The same as `take_rows` where lane `l` is `source[base + row k_n + units[unit + l]]`: lanes are no neighbours.

    There are `lanes` of them; further lanes repeat the last.
    """

    def generate(*given: Any) -> Any:
        code = Code(*given)
        offsets = _offsets(code, 9, 10, 11)

        def step(n: Any) -> None:
            at = code.builder.add(code.args[7], n)
            source = code.moved(code.args[4], code.index(6, at), code.args[5])
            taken = code.undefined
            for lane, offset in enumerate(offsets):
                number = code.number(3, code.builder.add(source, offset))
                taken = code.with_lane(taken, lane, number)
            code.store(taken, 0, code.builder.add(code.args[1], code.index(2, at)))

        code.each(code.args[8], step)
        return code.done

    return types.void(values, INDEX, places, source, INDEX, INDEX, numbers, INDEX, INDEX, units, INDEX, INDEX), generate


@intrinsic
def add_units(
    typing: Any, sums: Any, base: Any, row: Any, numbers: Any, values: Any, place: Any, places: Any, first: Any,
    count: Any, units: Any, unit: Any, lanes: Any,
) -> Any:  # fmt: skip
    """What `take_units` took, given back; lanes beyond the last are to hold 0."""

    def generate(*given: Any) -> Any:
        code = Code(*given)
        offsets = _offsets(code, 9, 10, 11)

        def step(n: Any) -> None:
            at = code.builder.add(code.args[7], n)
            target = code.moved(code.args[1], code.index(3, at), code.args[2])
            value = code.load(4, code.builder.add(code.args[5], code.index(6, at)))
            for lane, offset in enumerate(offsets):
                number = code.lane(value, lane)
                code.add_number(number, 0, code.builder.add(target, offset))

        code.each(code.args[8], step)
        return code.done

    return types.void(sums, INDEX, INDEX, numbers, values, INDEX, places, INDEX, INDEX, units, INDEX, INDEX), generate

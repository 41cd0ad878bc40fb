"""What happens to all lanes of a vector, or of each vector in a list of active channels, as vector code.

The units of a row of positions are `count` entries of `active` from `first` on. Unit `c` has its vector at `place` plus
`c` vectors, and its slope and radius at `begin + c`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from reachbox.reach.dual.vectors import INT, Code

INDEX = types.intp


def _channel(code: Code, n: Any, active: int, place: int) -> tuple[Any, Any]:
    """The `n`-th active unit, and where its vector lies; `first` follows `active` among the arguments."""
    channel = code.index(active, code.builder.add(code.args[active + 1], n))
    return channel, code.builder.add(code.args[place], code.lanes(channel))


@intrinsic
def clear(typing: Any, values: Any, i: Any) -> Any:
    """`values[i:] = 0`."""

    def generate(*given: Any) -> Any:
        code = Code(*given)
        code.store(code.zero, 0, code.args[1])
        return code.done

    return types.void(values, INDEX), generate


@intrinsic
def clear_channels(typing: Any, values: Any, place: Any, active: Any, first: Any, count: Any) -> Any:
    """`values_c = 0` for each channel."""

    def generate(*given: Any) -> Any:
        code = Code(*given)

        def step(n: Any) -> None:
            code.store(code.zero, 0, _channel(code, n, 2, 1)[1])

        code.each(code.args[4], step)
        return code.done

    return types.void(values, INDEX, active, INDEX, INDEX), generate


@intrinsic
def list_channels(
    typing: Any, places: Any, numbers: Any, found: Any, active: Any, first: Any, count: Any, place: Any, lanes: Any,
    shift: Any,
) -> Any:  # fmt: skip
    """Appends `(place + c) lanes` to `places` and `shift + c` to `numbers`, from `found` on, for each channel `c`."""

    def generate(*given: Any) -> Any:
        code = Code(*given)

        def step(n: Any) -> None:
            channel = code.index(3, code.builder.add(code.args[4], n))
            at = code.builder.add(code.args[2], n)
            place = code.builder.mul(code.builder.add(code.args[6], channel), code.args[7])
            for array, value in ((0, place), (1, code.builder.add(code.args[8], channel))):
                code.builder.store(code.builder.trunc(value, ir.IntType(32)), code.address(array, at))

        code.each(code.args[5], step)
        return code.done

    return types.void(places, numbers, INDEX, active, INDEX, INDEX, INDEX, INDEX, INDEX), generate


@intrinsic
def turn_channels(
    typing: Any, turned: Any, begin: Any, step: Any, values: Any, place: Any, active: Any, first: Any, count: Any
) -> Any:  # fmt: skip
    """`turned[begin + c + step l] = values_c[l]` for each channel `c` and lane `l`."""

    def generate(*given: Any) -> Any:
        code = Code(*given)

        def put(n: Any) -> None:
            channel, here = _channel(code, n, 5, 4)
            first, value = code.builder.add(code.args[1], channel), code.load(3, here)
            for lane in range(code.vector.count):
                number = code.lane(value, lane)
                code.builder.store(number, code.address(0, code.moved(first, INT(lane), code.args[2])))

        code.each(code.args[7], put)
        return code.done

    return types.void(turned, INDEX, INDEX, values, INDEX, active, INDEX, INDEX), generate


def _descent(scales: bool) -> Any:
    @intrinsic
    def through(
        typing: Any, sums: Any, values: Any, place: Any, slopes: Any, radii: Any, begin: Any, active: Any, first: Any,
        count: Any,
    ) -> Any:  # fmt: skip
        def generate(*given: Any) -> Any:
            code = Code(*given)

            def step(n: Any, carried: list[Any]) -> list[Any]:
                channel, here = _channel(code, n, 6, 2)
                unit = code.builder.add(code.args[5], channel)
                value = code.load(1, here)
                if scales:
                    code.store(code.times(value, code.spread(code.number(3, unit))), 1, here)
                return [code.plus_product(carried[0], code.absolute(value), code.spread(code.number(4, unit)))]

            (total,) = code.loop(code.args[8], [code.load(0, INT(0))], step)
            code.store(total, 0, INT(0))
            return code.done

        return types.void(sums, values, INDEX, slopes, radii, INDEX, active, INDEX, INDEX), generate

    return through


add_radii = _descent(scales=False)  # `sums += |values_c| r_c` for each channel
through_activation = _descent(scales=True)  # and `values_c *= d_c`


def _ascent(starts: bool) -> Any:
    @intrinsic
    def through(
        typing: Any, gradient: Any, values: Any, place: Any, of_rows: Any, slopes: Any, radii: Any, begin: Any,
        active: Any, first: Any, count: Any, of_slopes: Any, of_radii: Any,
    ) -> Any:  # fmt: skip
        def generate(*given: Any) -> Any:
            code = Code(*given)
            of_lanes = code.load(3, INT(0))

            def step(n: Any) -> None:
                channel, here = _channel(code, n, 7, 2)
                unit = code.builder.add(code.args[6], channel)
                value = code.load(1, here)
                signed = code.signed(value, of_lanes)
                code.add_number(code.over_lanes(code.times(signed, value)), 11, unit)
                pushed = code.times(signed, code.spread(code.number(5, unit)))
                if starts:
                    code.store(pushed, 0, here)
                    return
                slope, moved = code.spread(code.number(4, unit)), code.load(0, here)
                code.add_number(code.over_lanes(code.times(moved, value)), 10, unit)
                code.store(code.plus_product(pushed, moved, slope), 0, here)

            code.each(code.args[9], step)
            return code.done

        return types.void(
            gradient, values, INDEX, of_rows, slopes, radii, INDEX, active, INDEX, INDEX, of_slopes, of_radii
        ), generate

    return through


start_gradient = _ascent(starts=True)
"""`g_c = sign(v_c) r_c of_rows` for each unit of the input; `of_radii_c += |v_c| of_rows`."""
through_gradient = _ascent(starts=False)
"""`g_c = d_c g_c + sign(v_c) r_c of_rows`; `of_radii_c += |v_c| of_rows`, `of_slopes_c += v_c g_c`, where `v = d a`.

So `of_slopes` and `of_radii` are still to be divided by `d_c`.
"""

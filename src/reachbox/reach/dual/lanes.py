"""What happens to all lanes of a vector, or of each vector in a list of active channels, as vector code.

The channels of a position are `count` entries of `active` from `first` on. Channel `c` has its vector at `place` plus
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
    """The `n`-th active channel, and where its vector lies; `first` follows `active` among the arguments."""
    channel = code.number(active, code.builder.add(code.args[active + 1], n))
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

        def step(n: Any, carried: list[Any]) -> list[Any]:
            code.store(code.zero, 0, _channel(code, n, 2, 1)[1])
            return []

        code.loop(code.args[4], [], step)
        return code.done

    return types.void(values, INDEX, active, INDEX, INDEX), generate


@intrinsic
def take_rows(
    typing: Any, values: Any, place: Any, source: Any, base: Any, row: Any, active: Any, first: Any, count: Any
) -> Any:
    """`values_c = source[base + c row:]` for each channel."""

    def generate(*given: Any) -> Any:
        code = Code(*given)

        def step(n: Any, carried: list[Any]) -> list[Any]:
            channel, here = _channel(code, n, 5, 1)
            code.store(code.load(2, code.moved(code.args[3], channel, code.args[4])), 0, here)
            return []

        code.loop(code.args[7], [], step)
        return code.done

    return types.void(values, INDEX, source, INDEX, INDEX, active, INDEX, INDEX), generate


@intrinsic
def add_rows(
    typing: Any, sums: Any, base: Any, row: Any, values: Any, place: Any, active: Any, first: Any, count: Any
) -> Any:
    """`sums[base + c row:] += values_c` for each channel."""

    def generate(*given: Any) -> Any:
        code = Code(*given)

        def step(n: Any, carried: list[Any]) -> list[Any]:
            channel, here = _channel(code, n, 5, 4)
            target = code.moved(code.args[1], channel, code.args[2])
            code.store(code.builder.fadd(code.load(0, target), code.load(3, here)), 0, target)
            return []

        code.loop(code.args[7], [], step)
        return code.done

    return types.void(sums, INDEX, INDEX, values, INDEX, active, INDEX, INDEX), generate


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
            builder = code.builder
            of_lanes = code.load(3, INT(0))

            def step(n: Any, carried: list[Any]) -> list[Any]:
                channel, here = _channel(code, n, 7, 2)
                unit = builder.add(code.args[6], channel)
                value, own = code.load(1, here), code.lanes(unit)
                signed = code.signed(value, of_lanes)
                code.store(code.plus_product(code.load(11, own), signed, value), 11, own)
                pushed = code.times(signed, code.spread(code.number(5, unit)))
                if starts:
                    code.store(pushed, 0, here)
                    return []
                slope, moved = code.spread(code.number(4, unit)), code.load(0, here)
                code.store(code.plus_product(code.load(10, own), moved, value), 10, own)
                code.store(code.plus_product(pushed, moved, slope), 0, here)
                return []

            code.loop(code.args[9], [], step)
            return code.done

        return types.void(
            gradient, values, INDEX, of_rows, slopes, radii, INDEX, active, INDEX, INDEX, of_slopes, of_radii
        ), generate

    return through


start_gradient = _ascent(starts=True)
"""`g_c = sign(v_c) r_c of_rows` for each channel of the input; `of_radii_c += |v_c| of_rows`."""
through_gradient = _ascent(starts=False)
"""`g_c = d_c g_c + sign(v_c) r_c of_rows`; `of_radii_c += |v_c| of_rows`, `of_slopes_c += v_c g_c`, where `v = d a`.

`of_slopes` and `of_radii` have a vector for each unit, to be summed over its lanes and divided by `d_c`.
"""


@intrinsic
def lane_sum(typing: Any, values: Any, i: Any) -> Any:
    """The sum over lanes of `values[i:]`."""

    def generate(*given: Any) -> Any:
        code = Code(*given)
        name = f"llvm.vector.reduce.fadd.v{code.vector.count}f{code.bits}"
        kind = ir.FunctionType(code.element, [code.element, code.vector])
        function = code.builder.module.declare_intrinsic(name, (), kind)
        start = ir.Constant(code.element, 0.0)
        return code.builder.call(function, [start, code.load(0, code.args[1])], fastmath=("reassoc",))

    return values.dtype(values, INDEX), generate

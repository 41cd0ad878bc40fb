"""Products on vector registers, where nearly all arithmetic of the compiled rows is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from reachbox.reach.dual.vectors import HAS_WIDE_REGISTERS, INT, Code

TILES = (8, 4, 2, 1) if HAS_WIDE_REGISTERS else (6, 4, 2, 1)
"""Vectors that are summed up side by side: as many as stay in registers, then what is left over."""
(
    SUMS, S, SUM_STEP, ROWS_S, FACTORS, F, ROW_STEP, ROWS_F, R0, ROWS, VECTORS, V, INNER_F, INNER_V, VECTOR_STEP, N0,
    COUNT,
) = range(17)  # fmt: skip


def _product(adds: bool) -> Any:
    """`sums[s + S i_r] (+)= sum_n factors[f + R k_r + j_n] * vectors[v + V m_n]` for each row `r`.

    `i_r`, `k_r` are `rows` entries of the lists `rows_s`, `rows_f` from `r0` on; `j_n`, `m_n` are `count` entries of
    `inner_f`, `inner_v` from `n0` on. Sums and vectors are as many neighbouring numbers as there are lanes.
    """

    @intrinsic
    def product(
        typing: Any, sums: Any, s: Any, sum_step: Any, rows_s: Any, factors: Any, f: Any, row_step: Any, rows_f: Any,
        r0: Any, rows: Any, vectors: Any, v: Any, inner_f: Any, inner_v: Any, vector_step: Any, n0: Any, count: Any,
    ) -> tuple[Any, Callable[..., Any]]:  # fmt: skip
        index = types.intp
        signature = types.void(
            sums, index, index, rows_s, factors, index, index, rows_f, index, index, vectors, index, inner_f, inner_v,
            index, index, index,
        )  # fmt: skip
        return signature, lambda *given: _code_of_product(Code(*given), adds)

    return product


def _code_of_product(code: Code, adds: bool) -> Any:
    def tile(size: int, r: Any) -> None:
        _tile(code, size, code.builder.add(code.args[R0], r), adds)

    _in_tiles(code, code.args[ROWS], tile)
    return code.done


def _in_tiles(code: Code, count: Any, tile: Callable[[int, Any], None]) -> None:
    """`tile(size, first)` for all of `count` rows, in tiles as large as possible."""
    done = INT(0)
    for size in TILES:
        turns = code.builder.udiv(code.builder.sub(count, done), INT(size))

        def step(turn: Any, size: int = size, begin: Any = done) -> None:
            tile(size, code.moved(begin, turn, INT(size)))

        code.each(turns, step)
        done = code.moved(done, turns, INT(size))


def _tile(code: Code, size: int, first: Any, adds: bool) -> None:
    """Rows `first` to `first + size`: their sums stay in registers over the whole inner loop."""
    builder, args = code.builder, code.args
    places = [builder.add(first, INT(r)) for r in range(size)]
    targets = [code.moved(args[S], code.index(ROWS_S, r), args[SUM_STEP]) for r in places]
    bases = [code.moved(args[F], code.index(ROWS_F, r), args[ROW_STEP]) for r in places]

    def products(n: Any, totals: list[Any]) -> list[Any]:
        at = builder.add(args[N0], n)
        vector = code.load(VECTORS, code.moved(args[V], code.index(INNER_V, at), args[VECTOR_STEP]))
        shift = code.index(INNER_F, at)
        factors = [code.number(FACTORS, builder.add(base, shift)) for base in bases]
        return [
            code.plus_product(total, code.spread(factor), vector) for total, factor in zip(totals, factors, strict=True)
        ]

    starts = [code.load(SUMS, target) if adds else code.zero for target in targets]
    for final, target in zip(code.loop(args[COUNT], starts, products), targets, strict=True):
        code.store(final, SUMS, target)


add_product, set_product = _product(adds=True), _product(adds=False)


@intrinsic
def add_pairs(
    typing: Any, sums: Any, s: Any, step: Any, rows: Any, values: Any, places: Any, others: Any, other_places: Any,
    shift: Any, count: Any,
) -> tuple[Any, Callable[..., Any]]:  # fmt: skip
    """`sums[s + S r:] += sum_n values[v_n + L r:] others[o_n + shift:]` for each of `rows` rows, vector times vector.

    `v_n`, `o_n` are the first `count` entries of two lists; `L` is a vector, and `S` is `step` vectors.
    """
    index = types.intp
    signature = types.void(sums, index, index, index, values, places, others, other_places, index, index)
    return signature, lambda *given: _code_of_pairs(Code(*given))


def _code_of_pairs(code: Code) -> Any:
    builder, args = code.builder, code.args

    def tile(size: int, first: Any) -> None:
        targets = [
            builder.add(args[1], code.lanes(builder.mul(builder.add(first, INT(r)), args[2]))) for r in range(size)
        ]
        begin = code.lanes(first)

        def products(n: Any, totals: list[Any]) -> list[Any]:
            other = code.load(6, builder.add(code.index(7, n), args[8]))
            here = builder.add(code.index(5, n), begin)
            values = [code.load(4, builder.add(here, code.lanes(INT(r)))) for r in range(size)]
            return [code.plus_product(total, value, other) for total, value in zip(totals, values, strict=True)]

        finals = code.loop(args[9], [code.load(0, target) for target in targets], products)
        for final, target in zip(finals, targets, strict=True):
            code.store(final, 0, target)

    _in_tiles(code, args[3], tile)
    return code.done

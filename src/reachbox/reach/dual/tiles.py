"""Products of small tiles on vector registers, where nearly all arithmetic of the compiled rows is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from reachbox.reach.dual.vectors import INT, Code

REGISTERS = 8  # accumulators of one tile
(
    SUMS, S, SUM_STEP, FACTORS, F, ROW_STEP, INNER_STEP, VECTORS, V, VECTOR_STEP, ROWS_S, ROWS_F, R0, INNER_F, INNER_V,
    N0, COUNT,
) = range(17)  # fmt: skip


def _tile(registers: int) -> Any:
    """`sums[s + S i_r] += sum_n factors[f + R k_r + N j_n] * vectors[v + V m_n]` for `registers` rows `r`.

    `i_r`, `k_r` are entries `r0, r0 + 1, ...` of the lists `rows_s`, `rows_f`; `j_n`, `m_n` are `count` entries of
    `inner_f`, `inner_v` from `n0` on. A vector is as many neighbouring numbers as there are lanes.
    """

    @intrinsic
    def tile(
        typing: Any, sums: Any, s: Any, sum_step: Any, factors: Any, f: Any, row_step: Any, inner_step: Any,
        vectors: Any, v: Any, vector_step: Any, rows_s: Any, rows_f: Any, r0: Any, inner_f: Any, inner_v: Any, n0: Any,
        count: Any,
    ) -> tuple[Any, Callable[..., Any]]:  # fmt: skip
        index = types.intp
        signature = types.void(
            sums, index, index, factors, index, index, index, vectors, index, index, rows_s, rows_f, index, inner_f,
            inner_v, index, index,
        )  # fmt: skip
        return signature, lambda *given: _code_of_tile(Code(*given), registers)

    return tile


def _code_of_tile(code: Code, registers: int) -> Any:
    """Accumulators stay in registers over the whole inner loop."""
    builder, args = code.builder, code.args
    places = [args[R0] if not r else builder.add(args[R0], INT(r)) for r in range(registers)]
    targets = [code.moved(args[S], code.number(ROWS_S, r), args[SUM_STEP]) for r in places]
    bases = [code.moved(args[F], code.number(ROWS_F, r), args[ROW_STEP]) for r in places]

    def products(n: Any, totals: list[Any]) -> list[Any]:
        at = builder.add(args[N0], n)
        vector = code.load(VECTORS, code.moved(args[V], code.number(INNER_V, at), args[VECTOR_STEP]))
        shift = builder.mul(code.number(INNER_F, at), args[INNER_STEP])
        factors = [code.number(FACTORS, builder.add(base, shift)) for base in bases]
        return [
            code.plus_product(total, code.spread(factor), vector) for total, factor in zip(totals, factors, strict=True)
        ]

    finals = code.loop(args[COUNT], [code.load(SUMS, target) for target in targets], products)
    for final, target in zip(finals, targets, strict=True):
        code.store(final, SUMS, target)
    return code.done


def _pairs(registers: int) -> Any:
    """`sums[s + S r:] += sum_n values[v_n + L r:] others[o_n:]` for `registers` rows `r`, vector times vector.

    `v_n`, `o_n` are the first `count` entries of two lists; `L` is a vector, and `S` is `step` vectors.
    """

    @intrinsic
    def pairs(
        typing: Any, sums: Any, s: Any, step: Any, values: Any, places: Any, shift: Any, others: Any,
        other_places: Any, count: Any,
    ) -> tuple[Any, Callable[..., Any]]:  # fmt: skip
        index = types.intp
        signature = types.void(sums, index, index, values, places, index, others, other_places, index)
        return signature, lambda *given: _code_of_pairs(Code(*given), registers)

    return pairs


def _code_of_pairs(code: Code, registers: int) -> Any:
    builder, args = code.builder, code.args
    targets = [code.moved(args[1], INT(r), code.lanes(args[2])) for r in range(registers)]

    def products(n: Any, totals: list[Any]) -> list[Any]:
        other = code.load(6, code.number(7, n))
        first = builder.add(code.number(4, n), args[5])
        values = [code.load(3, builder.add(first, code.lanes(INT(r)))) for r in range(registers)]
        return [code.plus_product(total, value, other) for total, value in zip(totals, values, strict=True)]

    finals = code.loop(args[8], [code.load(0, target) for target in targets], products)
    for final, target in zip(finals, targets, strict=True):
        code.store(final, 0, target)
    return code.done


tile_of_many = _tile(REGISTERS)
tile_of_one = _tile(1)
pairs_of_many = _pairs(REGISTERS)
pairs_of_one = _pairs(1)

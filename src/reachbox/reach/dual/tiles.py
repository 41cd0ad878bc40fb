"""Products of small tiles on vector registers, the arithmetic of the compiled rows.

A *lane* is one row; `LANES` of them travel together through a network and fill one vector register. Numba alone does
not keep such vectors in registers, so these few operations are given to LLVM as vector code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

REGISTERS = 8  # accumulators of one tile
INT = ir.IntType(64)


def lanes_of(bits: int) -> int:
    """How many numbers of this size one 512-bit register holds."""
    return 512 // bits


def _vector(element: Any, bits: int) -> Any:
    return ir.VectorType(element, lanes_of(bits))


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = cgutils.create_struct_proxy(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _load(builder: Any, address: Any, vector: Any, bits: int) -> Any:
    loaded = builder.load(builder.bitcast(address, vector.as_pointer()))
    loaded.align = bits // 8
    return loaded


def _store(builder: Any, value: Any, address: Any, bits: int) -> None:
    stored = builder.store(value, builder.bitcast(address, value.type.as_pointer()))
    stored.align = bits // 8


def _spread(builder: Any, scalar: Any, vector: Any) -> Any:
    """A vector with the scalar in every lane."""
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


def _add_product(builder: Any, total: Any, one: Any, other: Any) -> Any:
    return builder.fadd(total, builder.fmul(one, other, flags=["contract"]), flags=["contract"])


def _absolute(builder: Any, value: Any, bits: int) -> Any:
    name = f"llvm.fabs.v{value.type.count}f{bits}"
    function = builder.module.declare_intrinsic(name, (), ir.FunctionType(value.type, [value.type]))
    return builder.call(function, [value])


def _tile(registers: int) -> Any:
    """`sums[s + S i_r] += sum_n factors[f + R k_r + N j_n] * vectors[v + V m_n]` for `registers` rows `r`.

    `i_r`, `k_r` are entries `r0, r0 + 1, ...` of the lists `rows_s`, `rows_f`; `j_n`, `m_n` are `count` entries of
    `inner_f`, `inner_v` from `n0` on. A vector is `LANES` neighbouring numbers.
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
        return signature, lambda *given: _Tile(registers, sums.dtype.bitwidth, *given).generate()

    return tile


class _Tile:
    """The code of one tile: accumulators stay in registers over the whole inner loop."""

    def __init__(self, registers: int, bits: int, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.registers, self.bits, self.context, self.builder = registers, bits, context, builder
        self.kinds, self.args = signature.args, args
        self.vector = _vector(context.get_data_type(self.kinds[0].dtype), bits)

    def generate(self) -> Any:
        builder = self.builder
        places = [self.args[12] if not r else builder.add(self.args[12], INT(r)) for r in range(self.registers)]
        targets = [self._address(0, self._moved(1, self._number(10, r), 2)) for r in places]
        bases = [self._moved(4, self._number(11, r), 5) for r in places]
        starts = [_load(builder, target, self.vector, self.bits) for target in targets]
        before = builder.basic_block
        loop, after = (builder.append_basic_block(name) for name in ("tile.loop", "tile.after"))
        builder.cbranch(builder.icmp_signed(">", self.args[16], INT(0)), loop, after)
        builder.position_at_end(loop)
        n = builder.phi(INT)
        totals = [builder.phi(self.vector) for _ in targets]
        results = self._products(n, bases, totals)
        following = builder.add(n, INT(1))
        last = builder.basic_block
        for phi, start, now in zip([n, *totals], [INT(0), *starts], [following, *results], strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(now, last)
        builder.cbranch(builder.icmp_signed("<", following, self.args[16]), loop, after)
        builder.position_at_end(after)
        finals = [builder.phi(self.vector) for _ in targets]
        for final, start, now in zip(finals, starts, results, strict=True):
            final.add_incoming(start, before)
            final.add_incoming(now, last)
        for final, target in zip(finals, targets, strict=True):
            _store(builder, final, target, self.bits)
        return self.context.get_dummy_value()

    def _products(self, n: Any, bases: list[Any], totals: list[Any]) -> list[Any]:
        """The accumulators after one more step of the inner loop."""
        builder = self.builder
        at = builder.add(self.args[15], n)
        moved = self._address(7, self._moved(8, self._number(14, at), 9))
        vector = _load(builder, moved, self.vector, self.bits)
        shift = builder.mul(self._number(13, at), self.args[6])
        factors = [builder.load(self._address(3, builder.add(base, shift))) for base in bases]
        return [
            _add_product(builder, total, _spread(builder, factor, self.vector), vector)
            for total, factor in zip(totals, factors, strict=True)
        ]

    def _address(self, array: int, position: Any) -> Any:
        return _address(self.context, self.builder, self.kinds[array], self.args[array], position)

    def _number(self, array: int, position: Any) -> Any:
        return self.builder.load(self._address(array, position))

    def _moved(self, start: int, number: Any, step: int) -> Any:
        return self.builder.add(self.args[start], self.builder.mul(number, self.args[step]))


tile_of_many = _tile(REGISTERS)
tile_of_one = _tile(1)


@intrinsic
def add_product(typing: Any, sums: Any, s: Any, one: Any, i: Any, other: Any, j: Any) -> Any:
    """`sums[s:] += one[i:] * other[j:]`, lane by lane."""
    index = types.intp
    bits = sums.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _vector(context.get_data_type(sums.dtype), bits)
        kinds = signature.args
        target, first, second = (_address(context, builder, kinds[k], args[k], args[k + 1]) for k in (0, 2, 4))
        total, left, right = (_load(builder, place, vector, bits) for place in (target, first, second))
        _store(builder, _add_product(builder, total, left, right), target, bits)
        return context.get_dummy_value()

    return types.void(sums, index, one, index, other, index), generate


@intrinsic
def add_absolute(typing: Any, sums: Any, s: Any, values: Any, i: Any, factor: Any) -> Any:
    """`sums[s:] += factor * |values[i:]|`, lane by lane."""
    index = types.intp
    bits = sums.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _vector(context.get_data_type(sums.dtype), bits)
        kinds = signature.args
        target = _address(context, builder, kinds[0], args[0], args[1])
        value = _load(builder, _address(context, builder, kinds[2], args[2], args[3]), vector, bits)
        total = _load(builder, target, vector, bits)
        spread = _spread(builder, args[4], vector)
        _store(builder, _add_product(builder, total, _absolute(builder, value, bits), spread), target, bits)
        return context.get_dummy_value()

    return types.void(sums, index, values, index, sums.dtype), generate


@intrinsic
def scale(typing: Any, values: Any, i: Any, factor: Any) -> Any:
    """`values[i:] *= factor`, lane by lane."""
    bits = values.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _vector(context.get_data_type(values.dtype), bits)
        place = _address(context, builder, signature.args[0], args[0], args[1])
        value = _load(builder, place, vector, bits)
        _store(builder, builder.fmul(value, _spread(builder, args[2], vector), flags=["contract"]), place, bits)
        return context.get_dummy_value()

    return types.void(values, types.intp, values.dtype), generate


@intrinsic
def clear(typing: Any, values: Any, i: Any) -> Any:
    """`values[i:] = 0`, all lanes."""
    bits = values.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _vector(context.get_data_type(values.dtype), bits)
        place = _address(context, builder, signature.args[0], args[0], args[1])
        _store(builder, ir.Constant(vector, None), place, bits)
        return context.get_dummy_value()

    return types.void(values, types.intp), generate


def _reduced(absolute: bool) -> Any:
    @intrinsic
    def reduced(typing: Any, one: Any, i: Any, other: Any, j: Any) -> Any:
        bits = one.dtype.bitwidth

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            element = context.get_data_type(one.dtype)
            vector = _vector(element, bits)
            kinds = signature.args
            left, right = (
                _load(builder, _address(context, builder, kinds[k], args[k], args[k + 1]), vector, bits) for k in (0, 2)
            )
            left = _absolute(builder, left, bits) if absolute else left
            name = f"llvm.vector.reduce.fadd.v{vector.count}f{bits}"
            function = builder.module.declare_intrinsic(name, (), ir.FunctionType(element, [element, vector]))
            product = builder.fmul(left, right)
            return builder.call(function, [ir.Constant(element, 0.0), product], fastmath=("reassoc",))

        return one.dtype(one, types.intp, other, types.intp), generate

    return reduced


dot = _reduced(absolute=False)  # the sum over lanes of `one[i:] * other[j:]`
absolute_dot = _reduced(absolute=True)  # the sum over lanes of `|one[i:]| * other[j:]`


@intrinsic
def add_signed(typing: Any, sums: Any, s: Any, signs: Any, i: Any, other: Any, j: Any, factor: Any) -> Any:
    """`sums[s:] += factor * sign(signs[i:]) * other[j:]`, lane by lane."""
    index = types.intp
    bits = sums.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = _vector(context.get_data_type(sums.dtype), bits)
        kinds = signature.args
        target, sign, value = (_address(context, builder, kinds[k], args[k], args[k + 1]) for k in (0, 2, 4))
        total, side, moved = (_load(builder, place, vector, bits) for place in (target, sign, value))
        zero = ir.Constant(vector, None)
        above = builder.select(builder.fcmp_ordered(">", side, zero), moved, zero)
        signed = builder.select(builder.fcmp_ordered("<", side, zero), builder.fsub(zero, moved), above)
        _store(builder, _add_product(builder, total, signed, _spread(builder, args[6], vector)), target, bits)
        return context.get_dummy_value()

    return types.void(sums, index, signs, index, other, index, sums.dtype), generate

"""Vector code for LLVM: what the compiled rows are made of.

A *lane* is one row; the lanes of one vector travel together through a network and fill one register. Numba alone does
not keep such vectors in registers, so a few operations are given to LLVM as vector code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba.core import cgutils

INT = ir.IntType(64)
BITS = 512  # of one vector
HAS_WIDE_REGISTERS = get_host_cpu_features().get("avx512f", False)


class Code:
    """The arguments of an intrinsic, and vector code over them. An argument is named by its number."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any, array: int = 0) -> None:
        """`array` is the number of an argument that holds the numbers computed with."""
        self.context, self.builder, self.kinds, self.args = context, builder, signature.args, args
        self.bits = self.kinds[array].dtype.bitwidth
        self.element = context.get_data_type(self.kinds[array].dtype)
        self.vector = ir.VectorType(self.element, BITS // self.bits)
        self.zero, self.undefined = ir.Constant(self.vector, None), ir.Constant(self.vector, ir.Undefined)
        self.done = context.get_dummy_value()

    def address(self, array: int, position: Any) -> Any:
        """Where an array's element lies."""
        assert self.kinds[array].layout == "C"  # no stride is read
        data = cgutils.create_struct_proxy(self.kinds[array])(self.context, self.builder, self.args[array]).data
        return self.builder.gep(data, [position])

    def number(self, array: int, position: Any) -> Any:
        """One element of an array."""
        return self.builder.load(self.address(array, position))

    def index(self, array: int, position: Any) -> Any:
        """One element of a list of places or channels, which are kept as 32 bits."""
        return self.builder.sext(self.number(array, position), INT)

    def load(self, array: int, position: Any) -> Any:
        """Neighbouring elements, as many as there are lanes."""
        loaded = self.builder.load(self.builder.bitcast(self.address(array, position), self.vector.as_pointer()))
        loaded.align = self.bits // 8
        return loaded

    def store(self, value: Any, array: int, position: Any) -> None:
        """Writes a vector over neighbouring elements."""
        stored = self.builder.store(
            value, self.builder.bitcast(self.address(array, position), self.vector.as_pointer())
        )
        stored.align = self.bits // 8

    def moved(self, start: Any, number: Any, step: Any) -> Any:
        """`start + number step`."""
        return self.builder.add(start, self.builder.mul(number, step))

    def lanes(self, number: Any) -> Any:
        """`number` vectors, counted in elements."""
        return self.builder.mul(number, INT(self.vector.count))

    def spread(self, scalar: Any) -> Any:
        """A vector with the scalar in every lane."""
        same = ir.Constant(ir.VectorType(ir.IntType(32), self.vector.count), None)
        return self.builder.shuffle_vector(self.with_lane(self.undefined, 0, scalar), self.undefined, same)

    def lane(self, value: Any, number: int) -> Any:
        """One lane of a vector."""
        return self.builder.extract_element(value, ir.Constant(ir.IntType(32), number))

    def with_lane(self, value: Any, number: int, scalar: Any) -> Any:
        """A vector with one lane set."""
        return self.builder.insert_element(value, scalar, ir.Constant(ir.IntType(32), number))

    def times(self, one: Any, other: Any) -> Any:
        """The product of two vectors."""
        return self.builder.fmul(one, other, flags=["contract"])

    def plus_product(self, total: Any, one: Any, other: Any) -> Any:
        """`total + one other`, rounded once where the machine can."""
        return self.builder.fadd(total, self.times(one, other), flags=["contract"])

    def absolute(self, value: Any) -> Any:
        """`|value|`."""
        name = f"llvm.fabs.v{self.vector.count}f{self.bits}"
        function = self.builder.module.declare_intrinsic(name, (), ir.FunctionType(self.vector, [self.vector]))
        return self.builder.call(function, [value])

    def over_lanes(self, value: Any) -> Any:
        """The sum of a vector's lanes."""
        name = f"llvm.vector.reduce.fadd.v{self.vector.count}f{self.bits}"
        kind = ir.FunctionType(self.element, [self.element, self.vector])
        function = self.builder.module.declare_intrinsic(name, (), kind)
        return self.builder.call(function, [ir.Constant(self.element, 0.0), value], fastmath=("reassoc",))

    def add_number(self, value: Any, array: int, position: Any) -> None:
        """Adds to one element of an array."""
        address = self.address(array, position)
        self.builder.store(self.builder.fadd(self.builder.load(address), value), address)

    def signed(self, side: Any, value: Any) -> Any:
        """`sign(side) value`, 0 where `side` is 0."""
        builder = self.builder
        above = builder.select(builder.fcmp_ordered(">", side, self.zero), value, self.zero)
        return builder.select(builder.fcmp_ordered("<", side, self.zero), builder.fsub(self.zero, value), above)

    def each(self, count: Any, step: Callable[[Any], None]) -> None:
        """Runs `step(n)` for `n` from 0 to `count`."""

        def carrying_nothing(n: Any, carried: list[Any]) -> list[Any]:
            step(n)
            return carried

        self.loop(count, [], carrying_nothing)

    def loop(self, count: Any, starts: list[Any], step: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
        """Runs `step(n, carried)` for `n` from 0 to `count`; what it carries stays in registers."""
        builder = self.builder
        before = builder.basic_block
        body, after = (builder.append_basic_block(name) for name in ("loop", "after"))
        builder.cbranch(builder.icmp_signed(">", count, INT(0)), body, after)
        builder.position_at_end(body)
        n = builder.phi(INT)
        carried = [builder.phi(start.type) for start in starts]
        results = step(n, list(carried))
        following = builder.add(n, INT(1))
        last = builder.basic_block
        for phi, start, now in zip([n, *carried], [INT(0), *starts], [following, *results], strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(now, last)
        builder.cbranch(builder.icmp_signed("<", following, count), body, after)
        builder.position_at_end(after)
        finals = [builder.phi(start.type) for start in starts]
        for final, start, now in zip(finals, starts, results, strict=True):
            final.add_incoming(start, before)
            final.add_incoming(now, last)
        return finals

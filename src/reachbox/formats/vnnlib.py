"""Specifications in VNN-LIB 1, the language of the verification competitions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import chain, product
from math import inf, isfinite, prod
from pathlib import Path
from typing import NoReturn, TypeAlias

import numpy as np

from reachbox.errors import FileError, InputError, ReachboxError
from reachbox.file_access import content_of
from reachbox.verify.specification import Disjunct, Floats, HalfSpaces, Specification

TOKEN = re.compile(r"\s+|;[^\n]*|([()])|([^\s();]+)")
VARIABLE = re.compile(r"([XY])_(0|[1-9][0-9]*)\Z")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
COMPARISONS = {"<=": (False, False), "<": (True, False), ">=": (False, True), ">": (True, True)}  # strict, reversed
MOST_DISJUNCTS = 1_000_000
MOST_NESTED = 200


@dataclass(frozen=True)
class Word:
    """A name, a number or an operator, and where it stands."""

    text: str
    place: int


@dataclass(frozen=True)
class Brackets:
    """What stands between two brackets, and where."""

    items: list[Expression]
    place: int


Expression: TypeAlias = "Word | Brackets"
Linear: TypeAlias = dict[str, float]  # the coefficient of each variable; the constant under ""


@dataclass(frozen=True)
class Inequality:
    """`term <= 0`, or `term < 0` where strict."""

    term: Linear
    strict: bool
    place: int


Conjunction: TypeAlias = tuple[Inequality, ...]


def read_vnnlib(path: str | os.PathLike[str]) -> Specification:
    """The specification in a `.vnnlib` file, or a `.vnnlib.gz` one.

    Inputs are `X_0`, `X_1`, ..., outputs `Y_0`, ...: all that are declared. Assertions are inequalities (`<=`, `>=`,
    `<`, `>`, `=`) between linear terms (`+`, `-`, `*` by numbers) under `and` and `or`, nested at will. Each inequality
    is about outputs, or bounds one input by a number.
    Raises `FileError` for a file that is missing or damaged and for errors of syntax, with line and column;
    `InputError` for inputs that are unbounded or contradictory.
    """
    file = Path(path)
    try:
        text = content_of(file).decode()
    except UnicodeDecodeError:
        raise FileError(f"{file}: not a text file") from None
    try:
        return parse_vnnlib(text)
    except ReachboxError as error:
        joint = ":" if str(error)[:1].isdigit() else ": "
        raise type(error)(f"{file}{joint}{error}") from None


def parse_vnnlib(text: str) -> Specification:
    """The specification in a text; see `read_vnnlib`."""
    return _Reader(text).specification()


@dataclass
class _Reader:
    text: str
    variables: set[str] = field(default_factory=set)

    def specification(self) -> Specification:
        """The whole text."""
        asserted: list[list[Conjunction]] = []
        for command in self.commands():
            match command.items:
                case [Word("declare-const"), Word() as name, Word("Real")]:
                    self.declare(name)
                case [Word("assert"), formula]:
                    asserted.append(self.alternatives(formula))
                case [Word("declare-const" | "assert"), *_]:
                    self.fail(command, "(declare-const NAME Real) or (assert FORMULA) is needed")
                case [Word(other), *_]:
                    self.fail(command, f"declare-const and assert are allowed, found {other!r}")
                case _:
                    self.fail(command, "declare-const or assert is needed")
        inputs, outputs = self.count("X"), self.count("Y")
        number = prod(len(alternatives) for alternatives in asserted)
        if number > MOST_DISJUNCTS:
            raise InputError(f"at most {MOST_DISJUNCTS} alternatives are allowed, found {number}")
        fixed = _all_of(alternatives[0] for alternatives in asserted if len(alternatives) == 1)
        chosen = product(*(alternatives for alternatives in asserted if len(alternatives) != 1))
        return Specification(inputs, outputs, tuple(self.disjunct(inputs, outputs, fixed, _all_of(c)) for c in chosen))

    def commands(self) -> Iterator[Brackets]:
        """The brackets of the outermost level."""
        nested: list[Brackets] = []
        for match in TOKEN.finditer(self.text):
            bracket, word = match.groups()
            if bracket == "(":
                nested.append(Brackets([], match.start()))
                if len(nested) > MOST_NESTED:
                    self.fail(nested[-1], f"at most {MOST_NESTED} brackets may be nested")
            elif bracket == ")":
                if not nested:
                    self.fail(Word(")", match.start()), "')' closes nothing")
                closed = nested.pop()
                if not nested:
                    yield closed
                else:
                    nested[-1].items.append(closed)
            elif word:
                found = Word(word, match.start())
                if not nested:
                    self.fail(found, f"a command in brackets is needed, found {word!r}")
                nested[-1].items.append(found)
        if nested:
            self.fail(nested[-1], "'(' is never closed")

    def declare(self, name: Word) -> None:
        """Takes in a variable."""
        if not VARIABLE.match(name.text):
            self.fail(name, f"X_0, X_1, ... and Y_0, Y_1, ... are allowed as names, found {name.text!r}")
        if name.text in self.variables:
            self.fail(name, f"{name.text} is declared twice")
        self.variables.add(name.text)

    def count(self, letter: str) -> int:
        """How many inputs or outputs there are; their numbers must leave no gap."""
        numbers = {int(name[2:]) for name in self.variables if name[0] == letter}
        missing = next((number for number in range(len(numbers) + 1) if number not in numbers), 0)
        if not numbers or missing < len(numbers):
            raise InputError(f"{letter}_{missing} is not declared; inputs are X_0, X_1, ..., outputs Y_0, Y_1, ...")
        return len(numbers)

    def alternatives(self, formula: Expression) -> list[Conjunction]:
        """The formula as an or of ands."""
        match formula:
            case Brackets([Word("and"), *parts]):
                each = [self.alternatives(part) for part in parts]
                self.check_number(prod(map(len, each)), formula)
                return [_all_of(chosen) for chosen in product(*each)]
            case Brackets([Word("or"), *parts]):
                found = [chosen for part in parts for chosen in self.alternatives(part)]
                self.check_number(len(found), formula)
                return found
            case Brackets([Word("="), left, right]):
                return [(self.inequality(formula, left, right), self.inequality(formula, right, left))]
            case Brackets([Word(operator), left, right]) if operator in COMPARISONS:
                strict, reverse = COMPARISONS[operator]
                pair = (right, left) if reverse else (left, right)
                return [(self.inequality(formula, *pair, strict=strict),)]
            case Brackets([Word(operator), *_]) if operator in COMPARISONS or operator == "=":
                self.fail(formula, f"{operator} takes two terms")
            case Brackets([Word(operator), *_]):
                self.fail(formula, f"and, or, <=, >=, <, > and = are allowed, found {operator!r}")
            case Word(name):
                self.fail(formula, f"a formula in brackets is needed, found {name!r}")
        self.fail(formula, "a formula is needed")

    def check_number(self, number: int, place: Brackets) -> None:
        """Raises `FileError` for a formula with too many alternatives."""
        if number > MOST_DISJUNCTS:
            self.fail(place, f"at most {MOST_DISJUNCTS} alternatives are allowed, found {number}")

    def inequality(self, place: Brackets, left: Expression, right: Expression, strict: bool = False) -> Inequality:
        """`left <= right`."""
        return Inequality(_plus(self.linear(left), _times(-1.0, self.linear(right))), strict, place.place)

    def linear(self, term: Expression) -> Linear:
        """A linear term."""
        match term:
            case Word(text) if text in self.variables:
                return {text: 1.0}
            case Word(text) if NUMBER.match(text) and isfinite(float(text)):
                return {"": float(text)}
            case Word(text):
                kind = "an undeclared variable" if VARIABLE.match(text) else "no number and no variable"
                self.fail(term, f"{text!r} is {kind}")
            case Brackets([Word("+"), first, *others]):
                return reduce(_plus, map(self.linear, others), self.linear(first))
            case Brackets([Word("-"), only]):
                return _times(-1.0, self.linear(only))
            case Brackets([Word("-"), first, *others]):
                return reduce(_plus, (_times(-1.0, self.linear(other)) for other in others), self.linear(first))
            case Brackets([Word("*"), first, *others]):
                return reduce(partial(self.scaled, term), map(self.linear, others), self.linear(first))
        self.fail(term, "a number, a variable, or +, - and * of terms is needed")

    def scaled(self, place: Brackets, left: Linear, right: Linear) -> Linear:
        """The product of two terms, one of which must be a number."""
        if right.keys() - {""}:
            left, right = right, left
        if right.keys() - {""}:
            self.fail(place, "a product of two variables is not linear")
        return _times(right.get("", 0.0), left)

    def disjunct(self, inputs: int, outputs: int, fixed: Conjunction, chosen: Conjunction) -> Disjunct:
        """An alternative of the whole text: what is asserted in any case, and what was chosen of each `or`."""
        lower, upper = np.full(inputs, -inf), np.full(inputs, inf)
        rows: list[Inequality] = []
        for inequality in fixed + chosen:
            names = [name for name, weight in inequality.term.items() if name and weight]
            if not any(name[0] == "X" for name in names):
                rows.append(inequality)
            elif len(names) > 1:
                self.fail(inequality, "an inequality is about outputs, or bounds one input by a number")
            elif inequality.strict:
                self.fail(inequality, f"the bounds of an input are <= or >=, found < or > for {names[0]}")
            else:
                _tighten(lower, upper, names[0], inequality.term)
        matrix, bounds = np.zeros((len(rows), outputs)), np.zeros(len(rows))
        for number, row in enumerate(rows):
            for name, weight in row.term.items():
                if name:
                    matrix[number, int(name[2:])] = weight
            bounds[number] = -row.term.get("", 0.0)
        strict = np.array([row.strict for row in rows], dtype=np.bool_)
        return Disjunct(lower, upper, HalfSpaces(matrix, bounds, strict))

    def fail(self, place: Word | Brackets | Inequality, reason: str) -> NoReturn:
        """Raises `FileError` with line and column."""
        line = self.text.count("\n", 0, place.place) + 1
        column = place.place - self.text.rfind("\n", 0, place.place)
        raise FileError(f"{line}:{column}: {reason}")


def _all_of(conjunctions: Iterable[Conjunction]) -> Conjunction:
    return tuple(chain.from_iterable(conjunctions))


def _plus(left: Linear, right: Linear) -> Linear:
    return {name: left.get(name, 0.0) + right.get(name, 0.0) for name in left | right}


def _times(factor: float, term: Linear) -> Linear:
    return {name: factor * weight for name, weight in term.items()}


def _tighten(lower: Floats, upper: Floats, name: str, term: Linear) -> None:
    """Takes in `weight X + constant <= 0`."""
    number, weight = int(name[2:]), term[name]
    bound = -term.get("", 0.0) / weight + 0.0  # no minus zero
    if weight > 0:
        upper[number] = min(upper[number], bound)
    else:
        lower[number] = max(lower[number], bound)

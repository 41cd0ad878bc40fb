"""Marabou (Katz et al. 2019), the successor of Reluplex by its authors: is there an input that reaches a value?"""

from __future__ import annotations

import warnings
from math import ceil

import numpy as np

from reachbox.solvers.problem import Counterexample, Ended, Floats, ReluSystem

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from maraboupy import MarabouCore

LONGEST = 10**6  # seconds; Marabou takes 0 for no limit


class Marabou:
    """A network whose objective and threshold may change from call to call."""

    def __init__(self, system: ReluSystem) -> None:
        self.system = system

    def reaches(self, row: Floats, threshold: float, time_limit: float) -> Counterexample:
        """An input with `row @ outputs >= threshold` as Marabou sees it, or the news that there is none."""
        query = self._query()
        values, outputs = len(self.system.lower), self.system.layers[-1]
        at_least = MarabouCore.Equation(MarabouCore.Equation.EquationType.GE)
        for output, weight in enumerate(row):
            if weight:
                at_least.addAddend(float(weight), outputs.begin + output)
        at_least.setScalar(threshold)
        query.addEquation(at_least)
        options = MarabouCore.Options()
        options._verbosity, options._timeoutInSeconds = 0, min(LONGEST, ceil(time_limit))
        word, found, _ = MarabouCore.solve(query, options, "")
        if word == "unsat":
            return Counterexample(Ended.SOLVED)
        if word != "sat":
            return Counterexample(Ended.TIMEOUT if word == "TIMEOUT" else Ended.FAILED)
        inputs = self.system.layers[0].begin
        return Counterexample(Ended.SOLVED, np.array([found[value] for value in range(min(values, inputs))]))

    def _query(self) -> MarabouCore.InputQuery:
        """The network: a variable for each value after its ReLU, further ones for hidden units before it."""
        system = self.system
        values, inputs, outputs = len(system.lower), system.layers[0].begin, system.layers[-1].begin
        query = MarabouCore.InputQuery()
        query.setNumberOfVariables(values + outputs - inputs)
        for value in range(values):
            before = value + values - inputs if inputs <= value < outputs else value
            query.setLowerBound(before, float(system.lower[value]))
            query.setUpperBound(before, float(system.upper[value]))
        for value in range(inputs):
            query.markInputVariable(value, value)
        for layer in system.layers:
            for unit, (weights, bias) in enumerate(zip(layer.weight, layer.bias, strict=True)):
                after = layer.begin + unit
                before = after + values - inputs if after < outputs else after
                _add_affine(query, before, weights, layer.first, bias)
                if after < outputs:
                    _add_gate(query, before, after, layer.slope)
        return query


def _add_affine(query: MarabouCore.InputQuery, unit: int, weights: Floats, first: int, bias: float) -> None:
    equation = MarabouCore.Equation(MarabouCore.Equation.EquationType.EQ)
    for source in np.flatnonzero(weights):
        equation.addAddend(float(weights[source]), first + int(source))
    equation.addAddend(-1.0, unit)
    equation.setScalar(-float(bias))
    query.addEquation(equation)


def _add_gate(query: MarabouCore.InputQuery, before: int, after: int, slope: float) -> None:
    if slope == 0.0:
        MarabouCore.addReluConstraint(query, before, after)
    elif slope == 1.0:
        equation = MarabouCore.Equation(MarabouCore.Equation.EquationType.EQ)
        equation.addAddend(1.0, before)
        equation.addAddend(-1.0, after)
        query.addEquation(equation)
    else:
        MarabouCore.addLeakyReluConstraint(query, before, after, slope)

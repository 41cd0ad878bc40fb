"""The search for small values of the goals: random points, and gradient steps from the best of them."""

from __future__ import annotations

import numpy as np

from reachbox.machine_code import compiled
from reachbox.reach.exact.enumeration import Limits
from reachbox.reach.exact.splitting.problem import Backward, Problem
from reachbox.reach.exact.splitting.search import Incumbent, Rules, see
from reachbox.reach.program import Floats

FIRST_STEP, LAST_STEP = 0.3, 0.003  # as shares of the box


@compiled
def descend(
    problem: Problem, lower: Floats, upper: Floats, points: Floats, starts: int, steps: int, incumbent: Incumbent,
    rules: Rules, limits: Limits,
) -> bool:  # fmt: skip
    """Evaluates the goals at `points`, and on a descent of each goal from its `starts` best points.

    Rows are weighed against each other by how much they vary over the points. Gives whether a new value of at most
    the rules' aim was seen; returns at once then, if the rules say so, and whenever the limits' stop flag is set.
    """
    values, infinite = np.empty(problem.backward.begin[-1]), np.full(problem.backward.begin[-1], np.inf)
    found, reached = False, np.empty((len(points), len(problem.rows)))
    if len(points) == 0:
        return False
    for number in range(len(points)):
        found |= see(problem, incumbent, rules, points[number], values, infinite)
        if (found and rules.stops) or limits.stop[0]:
            return found
        _fill_rows(problem, values, reached[number])
    spread = np.empty(len(problem.rows))
    for row in range(len(problem.rows)):
        spread[row] = max(reached[:, row].max() - reached[:, row].min(), 1e-300)
    for goal in range(len(problem.goal) - 1):
        first, end = problem.goal[goal], problem.goal[goal + 1]
        largest = np.empty(len(points))
        for number in range(len(points)):
            largest[number] = (reached[number, first:end] / spread[first:end]).max()
        for start in np.argsort(largest)[:starts]:
            point = points[start].copy()
            found |= _descend_from(problem, lower, upper, point, steps, spread, goal, incumbent, rules)
            if (found and rules.stops) or limits.stop[0]:
                return found
    return found


@compiled
def _descend_from(
    problem: Problem, lower: Floats, upper: Floats, point: Floats, steps: int, spread: Floats, goal: int,
    incumbent: Incumbent, rules: Rules,
) -> bool:  # fmt: skip
    """Steps down the largest row of a goal, each of a smaller share of the box; `point` moves."""
    values, infinite = np.empty(problem.backward.begin[-1]), np.full(problem.backward.begin[-1], np.inf)
    coefficients, reached = np.empty(problem.backward.begin[-1]), np.empty(len(problem.rows))
    first, found = problem.goal[goal], False
    for step in range(steps + 1):
        found |= see(problem, incumbent, rules, point, values, infinite)
        if found and rules.stops:
            return True
        _fill_rows(problem, values, reached)
        row = first + np.argmax(reached[first : problem.goal[goal + 1]] / spread[first : problem.goal[goal + 1]])
        _fill_gradient(problem.backward, values, problem.rows[row], coefficients)
        steepest = 0.0
        for value in range(len(point)):
            steepest = max(steepest, abs(coefficients[value]) * (upper[value] - lower[value]))
        if steepest == 0.0:
            return found
        length = FIRST_STEP * (LAST_STEP / FIRST_STEP) ** (step / max(1, steps - 1))
        for value in range(len(point)):
            side = upper[value] - lower[value]
            moved = point[value] - length * side * (coefficients[value] * side / steepest)
            point[value] = min(max(moved, lower[value]), upper[value])
    return found


@compiled
def _fill_rows(problem: Problem, values: Floats, reached: Floats) -> None:
    """All rows from the values that the last evaluation left."""
    outputs = values[problem.backward.begin[-2] :]
    for row in range(len(problem.rows)):
        reached[row] = -problem.shifts[row]
        for output in range(len(outputs)):
            reached[row] += problem.rows[row, output] * outputs[output]


@compiled
def _fill_gradient(backward: Backward, values: Floats, row: Floats, coefficients: Floats) -> None:
    """The gradient of a row of the outputs with respect to all values, the inputs first."""
    coefficients[: backward.begin[-2]] = 0.0
    coefficients[backward.begin[-2] :] = row
    for block in range(len(backward.first) - 1, -1, -1):
        first, begin, end = backward.first[block], backward.begin[block], backward.begin[block + 1]
        onto = coefficients[first:begin]
        for unit in range(begin, end):
            coefficient = coefficients[unit] * (1.0 if values[unit] > 0.0 else backward.slope[unit])
            if coefficient != 0.0:
                start = backward.offset[block] + (unit - begin) * (begin - first)
                weights = backward.weights[start : start + begin - first]
                for source in range(begin - first):
                    onto[source] += coefficient * weights[source]

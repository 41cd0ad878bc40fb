"""Branch and bound by bisecting the input: nodes are boxes, taken depth first, bounded, and enumerated or split."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reachbox.machine_code import compiled
from reachbox.reach.exact.enumeration import SOLVED, STOPPED, Limits
from reachbox.reach.exact.rounding import fill_values
from reachbox.reach.exact.splitting.bounds import Scratch, bound_goal, bound_units, contract, corner, room_for
from reachbox.reach.exact.splitting.leaf import enumerate_leaf
from reachbox.reach.exact.splitting.problem import Problem
from reachbox.reach.program import Floats, Integers


class Nodes(NamedTuple):
    """Boxes still to be searched, the next one last: proven ranges of their values, and bounds of the goals."""

    low: Floats  # (room, values): of the inputs, the box itself
    high: Floats  # (room, values)
    bounds: Floats  # (room, goals)
    leaf_units: Integers  # (room,): a node with so few unstable units is enumerated

    def part(self, chunk: slice) -> Nodes:
        """Some of the nodes."""
        return Nodes(self.low[chunk], self.high[chunk], self.bounds[chunk], self.leaf_units[chunk])


class Incumbent(NamedTuple):
    """The least value of each goal that was seen, where, and the least bound of nodes that no splitting can improve."""

    value: Floats  # (goals,)
    point: Floats  # (goals, inputs)
    stuck: Floats  # (goals,)


class Rules(NamedTuple):
    """When a goal is closed, and how nodes are searched."""

    aim: float  # a goal whose bound is above this needs no search
    tolerance: float  # nor one whose bound is so little below the least value seen
    stops: bool  # whether a value of at most `aim` ends the search


class Work(NamedTuple):
    """Room for one node at a time."""

    low: Floats  # (values,)
    high: Floats  # (values,)
    values: Floats  # (values,)
    infinite: Floats  # (values,)
    point: Floats  # (inputs,)
    scratch: Scratch


DONE, FOUND_AT_LEAF, OPEN, FOUND, INTERRUPTED = range(5)


@compiled
def search(
    problem: Problem, size: Floats, nodes: Nodes, count: int, budget: int, incumbent: Incumbent, rules: Rules,
    limits: Limits,
) -> tuple[int, int]:  # fmt: skip
    """Searches `count` nodes, and those that they split into, until `budget` nodes are done.

    `nodes` has room for `count + budget`. Gives how many nodes are left and how many were done. Returns early on the
    stop flag and, if the rules say so, when a goal's least value seen falls to the aim.
    """
    values, inputs = problem.backward.begin[-1], problem.backward.begin[0]
    work = Work(
        np.empty(values), np.empty(values), np.empty(values), np.full(values, np.inf), np.empty(inputs),
        room_for(problem),
    )  # fmt: skip
    done = 0
    while count > 0 and done < budget and not limits.stop[0]:
        count -= 1
        done += 1
        work.low[:], work.high[:] = nodes.low[count], nodes.high[count]
        ended = _visit(problem, size, nodes, count, incumbent, rules, limits, work)
        if ended == INTERRUPTED:
            return count + 1, done
        if ended in (OPEN, FOUND):
            count = _split(problem, nodes, count, incumbent, rules, work)
        if rules.stops and ended in (FOUND_AT_LEAF, FOUND):
            break
    return count, done


@compiled
def _visit(
    problem: Problem, size: Floats, nodes: Nodes, node: int, incumbent: Incumbent, rules: Rules, limits: Limits,
    work: Work,
) -> int:  # fmt: skip
    """Bounds the node at work; enumerates it where it has few unstable units left."""
    unstable = bound_units(problem.backward, size, work.low, work.high, work.scratch)
    work.scratch.open_importance[:] = 0.0
    found, bounds = False, nodes.bounds[node]
    for goal in range(len(bounds)):
        enough = threshold(incumbent, rules, goal)
        if bounds[goal] <= enough:
            bound = bound_goal(problem, size, work.low, work.high, goal, enough, work.scratch)
            bounds[goal] = max(bounds[goal], bound)
        if bounds[goal] <= enough:
            inputs = len(work.point)
            work.scratch.open_importance[:] += work.scratch.importance
            corner(work.scratch, work.low[:inputs], work.high[:inputs], work.point)
            found |= see(problem, incumbent, rules, work.point, work.values, work.infinite)
    goals = open_goals(bounds, incumbent, rules)
    if len(goals) == 0:
        return DONE
    if unstable <= nodes.leaf_units[node] and not (found and rules.stops):
        ended, least, points = enumerate_leaf(problem, size, work.low, work.high, goals, limits)
        for number in range(len(goals)):
            found |= see(problem, incumbent, rules, points[number], work.values, work.infinite)
        if ended == STOPPED:
            return INTERRUPTED
        if ended == SOLVED:
            for number, goal in enumerate(goals):
                if least[number] <= threshold(incumbent, rules, goal):
                    incumbent.stuck[goal] = min(incumbent.stuck[goal], least[number])
            return FOUND_AT_LEAF if found else DONE
        nodes.leaf_units[node] = unstable // 2  # too many regions: not again before there are far fewer units
    return FOUND if found else OPEN


@compiled
def threshold(incumbent: Incumbent, rules: Rules, goal: int) -> float:
    """What a bound of a goal must exceed to close it."""
    return rules.aim if rules.stops else min(rules.aim, float(incumbent.value[goal]) - rules.tolerance)


@compiled
def open_goals(bounds: Floats, incumbent: Incumbent, rules: Rules) -> Integers:
    """The goals of a node that need more search."""
    goals, count = np.empty(len(bounds), dtype=np.int64), 0
    for goal in range(len(bounds)):
        if bounds[goal] <= threshold(incumbent, rules, goal):
            goals[count] = goal
            count += 1
    return goals[:count]


@compiled
def see(problem: Problem, incumbent: Incumbent, rules: Rules, point: Floats, values: Floats, infinite: Floats) -> bool:
    """Evaluates all goals at a point, keeps the least; gives whether one that is new is at most the aim."""
    values[: len(point)] = point
    outputs = fill_values(problem.program, 0, infinite, values)
    found = False
    for goal in range(len(incumbent.value)):
        largest = -np.inf
        for row in range(problem.goal[goal], problem.goal[goal + 1]):
            value = -problem.shifts[row]
            for output in range(len(outputs)):
                value += problem.rows[row, output] * outputs[output]
            largest = max(largest, value)
        if largest < incumbent.value[goal]:
            incumbent.value[goal] = largest
            incumbent.point[goal] = point
            found |= largest <= rules.aim
    return found


@compiled
def _split(problem: Problem, nodes: Nodes, count: int, incumbent: Incumbent, rules: Rules, work: Work) -> int:
    """Replaces node `count` by the halves of what is left of it; gives the number of nodes then."""
    goals, inputs = open_goals(nodes.bounds[count], incumbent, rules), len(work.point)
    if not _contract(problem, goals, incumbent, rules, work):
        return count
    lower, upper = work.low[:inputs], work.high[:inputs]
    best, chosen = -1.0, -1
    for value in range(inputs):
        middle = lower[value] + 0.5 * (upper[value] - lower[value])
        if lower[value] < middle < upper[value]:
            score = _gain(problem, work, value)
            if score > best:
                best, chosen = score, value
    if chosen < 0:
        for goal in goals:
            incumbent.stuck[goal] = min(incumbent.stuck[goal], nodes.bounds[count, goal])
        return count
    middle = lower[chosen] + 0.5 * (upper[chosen] - lower[chosen])
    upper_first = work.point[chosen] <= middle  # the half with the promising corner is searched first, so stands last
    nodes.bounds[count + 1], nodes.leaf_units[count + 1] = nodes.bounds[count], nodes.leaf_units[count]
    for child in range(2):
        nodes.low[count + child], nodes.high[count + child] = work.low, work.high
        if (child == 0) == upper_first:
            nodes.low[count + child, chosen] = middle
        else:
            nodes.high[count + child, chosen] = middle
    return count + 2


@compiled
def _gain(problem: Problem, work: Work, value: int) -> float:
    """How much of what relaxations cost a halving of this input may save: the rule that decides the search's size."""
    side, score = work.high[value] - work.low[value], 0.0
    for unit in range(len(work.point), problem.backward.begin[-2]):
        if work.scratch.open_importance[unit] > 0.0:
            width = work.high[unit] - work.low[unit]
            score += work.scratch.open_importance[unit] * work.scratch.slopes[unit, value] * side / width
    return score


@compiled
def _contract(problem: Problem, goals: Integers, incumbent: Incumbent, rules: Rules, work: Work) -> bool:
    """Shrinks the node to the hull of what its open goals need; gives whether anything is left."""
    inputs = len(work.point)
    lower, upper = work.low[:inputs], work.high[:inputs]
    least, most = np.full(inputs, np.inf), np.full(inputs, -np.inf)
    for goal in goals:
        low, high = lower.copy(), upper.copy()
        if contract(problem, work.scratch, goal, threshold(incumbent, rules, goal), low, high):
            for value in range(inputs):
                least[value], most[value] = min(least[value], low[value]), max(most[value], high[value])
    if least[0] > most[0]:
        return False
    lower[:], upper[:] = least, most
    return True

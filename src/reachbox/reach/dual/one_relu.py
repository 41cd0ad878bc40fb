"""What a ReLU does to one unit, compiled: `ReluBand` for a single number."""

from __future__ import annotations

from typing import Any

from reachbox.machine_code import compiled_in_place


@compiled_in_place
def lines_around(centre: Any, radius: Any, below: Any) -> tuple[Any, Any]:
    """Slope and slack of the parallel lines; `below` is the slope below zero."""
    if abs(centre) < radius:
        slack = (1 - below) / 4 * (radius - centre) * ((radius + centre) / radius)
        return below + (1 - below) * ((centre + radius) / (2 * radius)), slack
    return below + (1 - below) * (centre >= radius), 0 * centre


@compiled_in_place
def gradient_of_lines(centre: Any, radius: Any, below: Any, of_slope: Any, of_slack: Any) -> tuple[Any, Any]:
    """The gradients of slope and slack to those of centre and radius."""
    if abs(centre) < radius:
        bend, ratio, steepening = (1 - below) / 2, centre / radius, of_slope / radius
        to_radius = bend * ((1 + ratio * ratio) / 2 * of_slack - ratio * steepening)
        return bend * (steepening - ratio * of_slack), to_radius
    return 0 * centre, 0 * centre

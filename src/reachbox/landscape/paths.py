"""Where the two downhill sides of a transition state lead."""

from __future__ import annotations

import numpy as np

from reachbox.landscape.descent.minimise import Minimiser, Quench, minimise
from reachbox.landscape.energy import Array, Energy


def downhill_ends(
    energy: Energy, states: Array, modes: Array, push: float = 0.05, options: Minimiser | None = None
) -> tuple[Quench, Quench]:
    """Both ends of each state's path: pushed by `push` along plus and minus its mode, and minimised.

    `states` and `modes`, the unit vectors of negative curvature, are `(replicas, dimension)`. Small steps stay close to
    the path of steepest descent without being it.
    """
    starts = np.concatenate([states + push * modes, states - push * modes])
    both = minimise(energy, starts, options or Minimiser(max_step=0.1))
    forth = np.arange(len(starts)) < len(states)
    return both.rows(forth), both.rows(~forth)

"""The chapter of the paper's Fig. 4: what every method adds to the true sensitivity, at minima of Iris."""

from __future__ import annotations

from reachbox.data import load
from reachbox.studies.chapter import Chapter, Request
from reachbox.studies.overestimate import L2, NETWORK, SAME_ENERGY, SIGMA, SMOOTHING, minima, volumes_of
from reachbox.studies.sections.overestimate import over_radius_section, overestimate_section
from reachbox.studies.wording import share_of_range

NETWORKS, QUICK_NETWORKS = 200, 8
SHARE_OF_SEARCH = 0.4


def fig4(request: Request) -> Chapter:
    """Networks at minima of the Iris landscape: the sensitivity by every method over the true one."""
    iris = load("iris", seed=request.seed)
    wanted = QUICK_NETWORKS if request.quick else NETWORKS
    request.folder.mkdir(parents=True, exist_ok=True)

    def searching(doing: str, share: float) -> None:
        request.progress(doing, SHARE_OF_SEARCH * share)

    def bounding(doing: str, share: float) -> None:
        request.progress(doing, SHARE_OF_SEARCH + (1 - SHARE_OF_SEARCH) * share)

    energies, points, starts = minima(iris, wanted, request.seed, request.folder, searching)
    found = volumes_of(iris, energies, points, starts, request.folder, bounding)
    return Chapter(
        (overestimate_section(found[SIGMA], share_of_range(SIGMA)), over_radius_section(found)),
        (
            ("networks of Fig. 4", f"all {len(iris.x_train)} samples of iris; network {NETWORK}; minima of the mean "
             f"cross-entropy + {L2:g} times the squared weights, biases included, distinct in energy by "
             f"{SAME_ENERGY:g}, of the loss with kinks bent over {SMOOTHING.widths[-1]:g}; {starts} descents from "
             f"random weights, seed {request.seed}"),
            ("boxes of Fig. 4", f"{iris.describe_radius(sigma=SIGMA)}; float64"),
        ),
    )  # fmt: skip

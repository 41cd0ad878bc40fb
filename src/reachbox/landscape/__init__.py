"""The landscape of an energy: its minima, the transition states between them, and how they connect."""

from reachbox.landscape.basin_hopping import Hopping, basin_hopping
from reachbox.landscape.curvature import Inertia, Modes, eigenvalues, hessian, inertia, lowest_modes
from reachbox.landscape.database import Database, Minimum, Outcome, TransitionState
from reachbox.landscape.disconnectivity import Basin, barrier, disconnectivity
from reachbox.landscape.drawing import draw_disconnectivity, draw_energy_histogram
from reachbox.landscape.elastic_band import Band, ElasticBand, elastic_bands
from reachbox.landscape.energy import (
    Activation,
    Camelback,
    Energy,
    LennardJones,
    ModuleEnergy,
    MuellerBrown,
    PerceptronEnergy,
    ReLU,
    SmoothedReLU,
    Tanh,
)
from reachbox.landscape.explore import Progress, explore
from reachbox.landscape.export import write_graphml, write_minima_csv, write_transition_states_csv
from reachbox.landscape.jobs import Exploration
from reachbox.landscape.minimise import Minimiser, Quench, Status, minimise
from reachbox.landscape.paths import downhill_ends
from reachbox.landscape.search import Crossing, Searching
from reachbox.landscape.settle import Settled, Settling, settle
from reachbox.landscape.smoothing import Followed, Smoothing, follow_minima, smoothed
from reachbox.landscape.stationary_point import StationaryPoint, Tolerance, chao1, distinct_count
from reachbox.landscape.transition_states import Climb, EigenvectorFollowing, climb, is_transition_state

__all__ = [
    "Activation",
    "Band",
    "Basin",
    "Camelback",
    "Climb",
    "Crossing",
    "Database",
    "EigenvectorFollowing",
    "ElasticBand",
    "Energy",
    "Exploration",
    "Followed",
    "Hopping",
    "Inertia",
    "LennardJones",
    "Minimiser",
    "Minimum",
    "Modes",
    "ModuleEnergy",
    "MuellerBrown",
    "Outcome",
    "PerceptronEnergy",
    "Progress",
    "Quench",
    "ReLU",
    "Searching",
    "Settled",
    "Settling",
    "SmoothedReLU",
    "Smoothing",
    "StationaryPoint",
    "Status",
    "Tanh",
    "Tolerance",
    "TransitionState",
    "barrier",
    "basin_hopping",
    "chao1",
    "climb",
    "disconnectivity",
    "distinct_count",
    "downhill_ends",
    "draw_disconnectivity",
    "draw_energy_histogram",
    "eigenvalues",
    "elastic_bands",
    "explore",
    "follow_minima",
    "hessian",
    "inertia",
    "is_transition_state",
    "lowest_modes",
    "minimise",
    "settle",
    "smoothed",
    "write_graphml",
    "write_minima_csv",
    "write_transition_states_csv",
]

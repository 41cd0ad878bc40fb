"""The landscape of an energy: its minima, the transition states between them, and how they connect."""

from reachbox.landscape.basin_hopping import Hopping, basin_hopping
from reachbox.landscape.condense import Condensed, condense
from reachbox.landscape.condensed_search import follow_state
from reachbox.landscape.curvature import (
    Certificate,
    Inertia,
    Modes,
    certificate,
    eigenvalues,
    hessian,
    inertia,
    lowest_modes,
)
from reachbox.landscape.database import Database
from reachbox.landscape.disconnectivity import Basin, barrier, disconnectivity
from reachbox.landscape.drawing import draw_disconnectivity, draw_energy_histogram, draw_network
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
    Softplus,
    Tanh,
)
from reachbox.landscape.explore import Progress, explore
from reachbox.landscape.export import write_graphml, write_minima_csv, write_transition_states_csv
from reachbox.landscape.jobs import Exploration
from reachbox.landscape.minimise import Minimiser, Quench, Status, minimise
from reachbox.landscape.modes import Landscape, Mode, default_mode, landscape_of
from reachbox.landscape.newton import Newton, newton_climb, newton_descent
from reachbox.landscape.paths import downhill_ends
from reachbox.landscape.pele import write_pele
from reachbox.landscape.search import Crossing, Searching
from reachbox.landscape.settle import Settled, Settling, settle
from reachbox.landscape.smoothing import Followed, Smoothing, follow_minima, smoothed
from reachbox.landscape.stationary_point import StationaryPoint, Tolerance, chao1, distinct_count
from reachbox.landscape.stored import Attempt, Minimum, Outcome, TransitionState
from reachbox.landscape.transition_states import Climb, EigenvectorFollowing, climb, is_transition_state
from reachbox.landscape.workers import DaskWorkers, LocalWorkers, Workers

__all__ = [
    "Activation",
    "Attempt",
    "Band",
    "Basin",
    "Camelback",
    "Certificate",
    "Climb",
    "Condensed",
    "Crossing",
    "DaskWorkers",
    "Database",
    "EigenvectorFollowing",
    "ElasticBand",
    "Energy",
    "Exploration",
    "Followed",
    "Hopping",
    "Inertia",
    "Landscape",
    "LennardJones",
    "LocalWorkers",
    "Minimiser",
    "Minimum",
    "Mode",
    "Modes",
    "ModuleEnergy",
    "MuellerBrown",
    "Newton",
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
    "Softplus",
    "StationaryPoint",
    "Status",
    "Tanh",
    "Tolerance",
    "TransitionState",
    "Workers",
    "barrier",
    "basin_hopping",
    "certificate",
    "chao1",
    "climb",
    "condense",
    "default_mode",
    "disconnectivity",
    "distinct_count",
    "downhill_ends",
    "draw_disconnectivity",
    "draw_energy_histogram",
    "draw_network",
    "eigenvalues",
    "elastic_bands",
    "explore",
    "follow_minima",
    "follow_state",
    "hessian",
    "inertia",
    "is_transition_state",
    "landscape_of",
    "lowest_modes",
    "minimise",
    "newton_climb",
    "newton_descent",
    "settle",
    "smoothed",
    "write_graphml",
    "write_minima_csv",
    "write_pele",
    "write_transition_states_csv",
]

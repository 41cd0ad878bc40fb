"""The landscape of an energy: its minima, the transition states between them, and how they connect."""

from reachbox.landscape.condensed.condense import Condensed, condense
from reachbox.landscape.condensed.condensed_search import Condensing
from reachbox.landscape.condensed.smoothing import Followed, Smoothing, follow_minima, follow_state, smoothed
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
from reachbox.landscape.descent.basin_hopping import Hopping, basin_hopping
from reachbox.landscape.descent.minimise import Minimiser, Quench, Status, minimise
from reachbox.landscape.descent.newton import Newton, newton_climb, newton_descent
from reachbox.landscape.disconnectivity import Basin, barrier, disconnectivity
from reachbox.landscape.drawing import draw_disconnectivity, draw_energy_histogram, draw_network
from reachbox.landscape.elastic_band import Band, ElasticBand, elastic_bands
from reachbox.landscape.energy import (
    Activation,
    Camelback,
    Energy,
    LennardJones,
    LossOfNetwork,
    ModuleEnergy,
    MuellerBrown,
    PerceptronEnergy,
    ReLU,
    SmoothedReLU,
    Softplus,
    Tanh,
    loss_of_network,
)
from reachbox.landscape.exploring.explore import Progress, explore
from reachbox.landscape.exploring.jobs import Exploration
from reachbox.landscape.exploring.modes import Landscape, Mode, default_mode, landscape_of
from reachbox.landscape.exploring.search import Searching
from reachbox.landscape.exploring.workers import DaskWorkers, LocalWorkers, Workers
from reachbox.landscape.paths import downhill_ends
from reachbox.landscape.settle import Settled, Settling, settle
from reachbox.landscape.stationary_point import StationaryPoint, Tolerance, chao1, distinct_count
from reachbox.landscape.storage.database import Database
from reachbox.landscape.storage.export import write_graphml, write_minima_csv, write_transition_states_csv
from reachbox.landscape.storage.pele import write_pele
from reachbox.landscape.storage.stored import Attempt, Crossing, Minimum, Outcome, TransitionState
from reachbox.landscape.transition_states import Climb, EigenvectorFollowing, climb, is_transition_state

__all__ = [
    "Activation",
    "Attempt",
    "Band",
    "Basin",
    "Camelback",
    "Certificate",
    "Climb",
    "Condensed",
    "Condensing",
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
    "LossOfNetwork",
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
    "loss_of_network",
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

"""Surfaces: functions of many variables that can be explored."""

from reachbox.landscape.energy.activation import Activation, ReLU, SmoothedReLU, Softplus, Tanh
from reachbox.landscape.energy.analytic import Camelback, MuellerBrown
from reachbox.landscape.energy.energy import Array, Energy, perturb
from reachbox.landscape.energy.lennard_jones import LennardJones
from reachbox.landscape.energy.module import ModuleEnergy
from reachbox.landscape.energy.of_network import LossOfNetwork, loss_of_network
from reachbox.landscape.energy.perceptron import PerceptronEnergy

__all__ = [
    "Activation",
    "Array",
    "Camelback",
    "Energy",
    "LennardJones",
    "LossOfNetwork",
    "ModuleEnergy",
    "MuellerBrown",
    "PerceptronEnergy",
    "ReLU",
    "SmoothedReLU",
    "Softplus",
    "Tanh",
    "loss_of_network",
    "perturb",
]

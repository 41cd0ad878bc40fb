"""The few operators that every network is made of; one class each."""

from reachbox.network.operators.activation import Relu, Sigmoid, Sigmoidal, Tanh
from reachbox.network.operators.arrangement import Concatenate, Rearrange, Reshape
from reachbox.network.operators.convolution import Convolution
from reachbox.network.operators.elementwise import Add, Scale
from reachbox.network.operators.linear import Linear
from reachbox.network.operators.max_pool import MaxPool
from reachbox.network.operators.operator import Activation, Affine, Operator, Shape, Source, resolve

OPERATORS: tuple[type[Operator], ...] = (
    Linear, Convolution, Scale, Add, Reshape, Rearrange, Concatenate, Relu, Sigmoid, Tanh, MaxPool,
)  # fmt: skip

__all__ = [
    "OPERATORS",
    "Activation",
    "Add",
    "Affine",
    "Concatenate",
    "Convolution",
    "Linear",
    "MaxPool",
    "Operator",
    "Rearrange",
    "Relu",
    "Reshape",
    "Scale",
    "Shape",
    "Sigmoid",
    "Sigmoidal",
    "Source",
    "Tanh",
    "resolve",
]

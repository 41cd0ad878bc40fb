"""What the readers of torch and ONNX share: common layers as combinations of the few operators."""

from reachbox.network.lowering.arrangement import place, rearrange, trace_index
from reachbox.network.lowering.elementwise import (
    Statistics,
    batch_norm,
    clamp,
    combine,
    extreme,
    scale_and_shift,
    sloped,
)
from reachbox.network.lowering.reductions import Reduction, reduce
from reachbox.network.lowering.resampling import resample, transposed_convolution
from reachbox.network.lowering.windows import Pads, Window, average_pool, max_pool

__all__ = [
    "Pads",
    "Reduction",
    "Statistics",
    "Window",
    "average_pool",
    "batch_norm",
    "clamp",
    "combine",
    "extreme",
    "max_pool",
    "place",
    "rearrange",
    "reduce",
    "resample",
    "scale_and_shift",
    "sloped",
    "trace_index",
    "transposed_convolution",
]

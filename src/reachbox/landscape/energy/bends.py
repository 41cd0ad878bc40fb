"""Machine code of the activations: value and first two derivatives, whole arrays at a time in the processor's lanes."""

from __future__ import annotations

import numpy as np

from reachbox.landscape.energy.energy import Array
from reachbox.machine_code import compiled

TANH, SOFTPLUS, RELU, SMOOTHED_RELU = 0, 1, 2, 3

# exp(x) = 2^n exp(r) with n = round(x / ln 2): adding and taking away MAGIC rounds, and leaves n in the low bits.
MAGIC = 6755399441055744.0  # 1.5 * 2^52
LOG2_E = 1.4426950408889634
LN_2_HIGH, LN_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
LARGEST = 700.0


@compiled
def exponential_less_one(x: float) -> float:
    """`exp(x) - 1` to a few units in the last place, for |x| up to 700; what lies beyond is cut there."""
    x = min(max(x, -LARGEST), LARGEST)
    shifted = x * LOG2_E + MAGIC
    n = shifted - MAGIC
    r = (x - n * LN_2_HIGH) - n * LN_2_LOW
    # Taylor's series of exp(r) - 1, |r| <= ln(2) / 2: the first term left out is below 1e-17 r
    p = 1.0 + r * (1.0 / 15.0)
    p = 1.0 + r * (1.0 / 14.0) * p
    p = 1.0 + r * (1.0 / 13.0) * p
    p = 1.0 + r * (1.0 / 12.0) * p
    p = 1.0 + r * (1.0 / 11.0) * p
    p = 1.0 + r * (1.0 / 10.0) * p
    p = 1.0 + r * (1.0 / 9.0) * p
    p = 1.0 + r * (1.0 / 8.0) * p
    p = 1.0 + r * (1.0 / 7.0) * p
    p = 1.0 + r * (1.0 / 6.0) * p
    p = 1.0 + r * (1.0 / 5.0) * p
    p = 1.0 + r * (1.0 / 4.0) * p
    p = 1.0 + r * (1.0 / 3.0) * p
    p = r * (1.0 + r * (1.0 / 2.0) * p)
    power: float = np.int64((np.float64(shifted).view(np.int64) << 52) + 4607182418800017408).view(np.float64)
    return power * p + (power - 1.0)


@compiled
def bend(kind: int, width: float, z: Array, value: Array, slope: Array, curvature: Array) -> None:
    """Fill `value`, `slope` and `curvature` with those of an activation at `z`; all are 2-dimensional."""
    rows, columns = z.shape
    for i in range(rows):
        if kind == TANH:
            for s in range(columns):
                grown = exponential_less_one(2.0 * abs(z[i, s]))
                size = grown / (grown + 2.0)
                value[i, s] = size if z[i, s] >= 0.0 else -size
                slope[i, s] = 1.0 - size * size
                curvature[i, s] = -2.0 * value[i, s] * slope[i, s]
        elif kind == SOFTPLUS:
            for s in range(columns):
                shrunk = exponential_less_one(-abs(z[i, s])) + 1.0
                value[i, s] = max(z[i, s], 0.0) + np.log1p(shrunk)
                slope[i, s] = (1.0 if z[i, s] >= 0.0 else shrunk) / (1.0 + shrunk)
                curvature[i, s] = shrunk / ((1.0 + shrunk) * (1.0 + shrunk))
        elif kind == RELU:
            for s in range(columns):
                value[i, s] = max(z[i, s], 0.0)
                slope[i, s] = 1.0 if z[i, s] > 0.0 else 0.0
                curvature[i, s] = 0.0
        else:
            for s in range(columns):
                t = min(max(z[i, s] / width, 0.0), 1.0)
                value[i, s] = width * t * t * t * (1.0 - 0.5 * t) + max(z[i, s] - width, 0.0)
                slope[i, s] = t * t * (3.0 - 2.0 * t)
                curvature[i, s] = 6.0 / width * t * (1.0 - t)

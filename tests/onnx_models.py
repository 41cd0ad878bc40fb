"""Small ONNX models made by hand: every operator and setting that the reader knows, with the opsets it exists in."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Step = tuple[str, list[Any], dict[str, Any]]


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + sum(shape)).normal(size=shape).astype(np.float32)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def floats(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=np.float32)


def number(value: float) -> np.ndarray:
    return np.array(value, dtype=np.float32)


def make_model(shape: list[Any], steps: list[Step], opset: int, dtype: Any = np.float32) -> onnx.ModelProto:
    """A graph on input `x`; arrays among the operands become initialisers, step `i` gives `v{i}`."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes, constants = [], []
    for i, (operator, operands, attributes) in enumerate(steps):
        names = []
        for j, operand in enumerate(operands):
            if not isinstance(operand, str):
                array = operand.astype(dtype) if operand.dtype == np.float32 else operand
                constants.append(numpy_helper.from_array(array, f"c{i}_{j}"))
                operand = f"c{i}_{j}"
            names.append(operand)
        given = dict(attributes)
        outputs = given.pop("outputs", [f"v{i}"])
        nodes.append(helper.make_node(operator, names, outputs, **given))
    result = nodes[-1].output[0]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(result, kind, None)], constants,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=max(helper.find_min_ir_version_for(opsets), 4))


CASES: dict[str, tuple[tuple[int, ...], list[Step], tuple[int, ...]]] = {
    "gemm": ((4,), [("Gemm", ["x", weights(4, 3), weights(3)], {})], (7, 9, 11, 13, 22)),
    "gemm scaled": (
        (4,),
        [("Gemm", ["x", weights(3, 4), weights(1, 3)], {"transB": 1, "alpha": 0.3, "beta": -2.0})],
        (7, 13),
    ),
    "gemm scalar": ((4,), [("Gemm", ["x", weights(4, 3), weights(1)], {"beta": 0.5})], (9, 13)),
    "gemm bare": ((4,), [("Gemm", ["x", weights(4, 3)], {})], (11, 13)),
    "matmul": ((2, 4), [("MatMul", ["x", weights(4, 3)], {})], (7, 13)),
    "matmul batch of one": ((2, 4), [("MatMul", ["x", weights(1, 4, 3)], {})], (9, 13)),
    "matmul vector": ((2, 4), [("MatMul", ["x", weights(4)], {})], (9, 13)),
    "matmul left": ((4, 3), [("MatMul", [weights(2, 4), "x"], {})], (9, 13)),
    "vector matmul": ((4, 3), [("MatMul", [weights(4), "x"], {})], (9, 13)),
    "add": ((2, 3), [("Add", ["x", weights(3)], {}), ("Add", [weights(1, 2, 1), "v0"], {})], (7, 13, 14)),
    "add wider": ((1, 3), [("Add", ["x", weights(1, 4, 1)], {})], (7, 14)),
    "subtract": ((3,), [("Sub", ["x", weights(3)], {}), ("Sub", [number(0.5), "v0"], {})], (7, 14)),
    "subtract values": (
        (2, 3),
        [("Relu", ["x"], {}), ("ReduceMean", ["x"], {"axes": [1]}), ("Sub", ["v1", "v0"], {})],
        (7, 13),
    ),
    "multiply": ((2, 3), [("Mul", [weights(2, 1), "x"], {}), ("Mul", ["v0", number(-2.0)], {})], (7, 14)),
    "divide": ((3,), [("Div", ["x", weights(3)], {})], (7, 14)),
    "add values": (
        (2, 3),
        [("Relu", ["x"], {}), ("ReduceSum", ["x"], {"axes": [2]}), ("Add", ["v0", "v1"], {})],
        (7, 11),
    ),
    "sum": ((3,), [("Relu", ["x"], {}), ("Sum", ["x", "v0", "x", weights(3)], {})], (8, 13)),
    "negative and absolute": ((3,), [("Neg", ["x"], {}), ("Abs", ["v0"], {})], (7, 13)),
    "activations": (
        (3,),
        [("LeakyRelu", ["x"], {"alpha": 0.2}), ("Sigmoid", ["v0"], {}), ("Tanh", ["v1"], {})],
        (7, 16),
    ),
    "leaky default": ((3,), [("LeakyRelu", ["x"], {})], (7, 16)),
    "prelu": ((3,), [("PRelu", ["x", number(0.3).reshape(1)], {})], (9, 16)),
    "prelu slopes": ((3, 2), [("PRelu", ["x", weights(3, 1)], {})], (9, 16)),
    "prelu batch of slopes": ((3, 2), [("PRelu", ["x", weights(1, 3, 2)], {})], (9, 16)),
    "hard sigmoid": (
        (3,),
        [("HardSigmoid", ["x"], {}), ("HardSigmoid", ["v0"], {"alpha": 2.0, "beta": -0.9})],
        (7, 22),
    ),
    "clip attributes": ((3,), [("Clip", ["x"], {"min": -0.5, "max": 0.5}), ("Clip", ["v0"], {"min": -0.2})], (7,)),
    "clip": ((3,), [("Clip", ["x", number(-0.5), number(0.7)], {}), ("Clip", ["v0", "", number(0.6)], {})], (11, 13)),
    "clip crossed": ((3,), [("Clip", ["x", number(0.5), number(-0.5)], {})], (13,)),
    "max and min": ((3,), [("Max", ["x", number(-0.1)], {}), ("Min", [number(0.4), "v0"], {})], (8, 13)),
    "max and min of values": (
        (2, 3),
        [
            ("Neg", ["x"], {}),
            ("ReduceMean", ["x"], {"axes": [1]}),
            ("Max", ["x", "v0", weights(3), "v1"], {}),
            ("Min", [weights(2, 1), "v2", number(0.9), "x"], {}),
        ],
        (8, 13),
    ),
    "flatten": ((2, 3, 2), [("Flatten", ["x"], {"axis": 1})], (7, 9, 13, 21)),
    "flatten after two": (
        (2, 3, 2),
        [("Reshape", ["x", ints(0, -1)], {}), ("Flatten", ["v0"], {"axis": -1})],
        (11, 13),
    ),
    "reshape": (
        (2, 6),
        [("Reshape", ["x", ints(0, 3, -1)], {}), ("Reshape", ["v0", ints(-1, 12)], {})],
        (7, 13, 14, 19),
    ),
    "reshape zeros": ((2, 6), [("Reshape", ["x", ints(-1, 2, 6)], {"allowzero": 1})], (14,)),
    "transpose": ((2, 3, 4), [("Transpose", ["x"], {"perm": [0, 3, 1, 2]})], (7, 13, 21)),
    "slice attributes": ((4, 5), [("Slice", ["x"], {"axes": [1, 2], "starts": [1, 0], "ends": [3, -1]})], (7,)),
    "slice": ((4, 5), [("Slice", ["x", ints(3, 1), ints(-99, 5), ints(1, -1), ints(-1, 2)], {})], (10, 13)),
    "slice keeps batch": ((5,), [("Slice", ["x", ints(0, 1), ints(2**62, 4)], {})], (10, 13)),
    "squeeze attributes": ((1, 3), [("Squeeze", ["x"], {"axes": [1]}), ("Unsqueeze", ["v0"], {"axes": [2]})], (7, 11)),
    "squeeze": ((1, 3), [("Squeeze", ["x", ints(1)], {}), ("Unsqueeze", ["v0", ints(-1)], {})], (13, 21)),
    "gather": ((4, 2), [("Gather", ["x", np.array([[3, 0], [-1, 1]])], {"axis": 1})], (7, 13)),
    "expand": ((1, 3), [("Expand", ["x", ints(1, 4, 3)], {})], (8, 13)),
    "tile": ((2, 3), [("Tile", ["x", ints(1, 2, 1)], {})], (7, 13)),
    "depth to space": (
        (4, 2, 2),
        [("DepthToSpace", ["x"], {"blocksize": 2}), ("SpaceToDepth", ["v0"], {"blocksize": 2})],
        (11, 13),
    ),
    "concatenate": ((2, 3), [("Relu", ["x"], {}), ("Concat", ["x", "v0", "x"], {"axis": -1})], (7, 13)),
    "identity and cast": ((3,), [("Identity", ["x"], {}), ("Cast", ["v0"], {"to": TensorProto.FLOAT})], (7, 13)),
    "dropout": ((3,), [("Dropout", ["x"], {"ratio": 0.4})], (7, 10)),
    "dropout operands": ((3,), [("Dropout", ["x", number(0.4), np.array(False)], {})], (12, 13)),
    "pad attributes": ((2, 3), [("Pad", ["x"], {"pads": [0, 1, 0, 0, 0, 2], "value": 0.5})], (7,)),
    "pad": ((2, 3), [("Pad", ["x", ints(0, 1, -1, 0, 0, 2), number(-0.5)], {})], (11, 13)),
    "pad zeros": ((2, 3), [("Pad", ["x", ints(0, 1, 0, 0, 0, 2)], {})], (11, 18)),
    "pad axes": ((2, 3), [("Pad", ["x", ints(1, 2), number(2.0), ints(-1)], {})], (18, 21)),
    "pad reflect": ((2, 4), [("Pad", ["x", ints(0, 0, 2, 0, 1, 1)], {"mode": "reflect"})], (11, 18)),
    "pad edge": ((2, 4), [("Pad", ["x", ints(0, 0, 2, 0, 1, 1)], {"mode": "edge"})], (11, 18)),
    "mean attributes": ((2, 3, 4), [("ReduceMean", ["x"], {"axes": [1, -1], "keepdims": 0})], (7, 11, 13)),
    "mean": ((2, 3, 4), [("ReduceMean", ["x", ints(2)], {})], (18,)),
    "max attributes": ((2, 3, 4), [("ReduceMax", ["x"], {"axes": [1, -1], "keepdims": 0})], (7, 11, 13)),
    "max operand": ((2, 3, 4), [("ReduceMax", ["x", ints(2)], {})], (18, 20)),
    "min operand": ((2, 3, 4), [("ReduceMin", ["x", ints(2, 3)], {"keepdims": 0})], (18, 20)),
    "sum operand": ((2, 3, 4), [("ReduceSum", ["x", ints(1, 3)], {"keepdims": 0})], (13,)),
    "sum of nothing": ((2, 3), [("ReduceSum", ["x"], {"noop_with_empty_axes": 1})], (13,)),
    "batch norm": (
        (3, 2),
        [
            (
                "BatchNormalization",
                ["x", weights(3), weights(3, seed=1), weights(3, seed=2), weights(3) ** 2],
                {"epsilon": 1e-3},
            )
        ],
        (7, 9, 14, 15),
    ),
    "batch norm flat": (
        (3,),
        [("BatchNormalization", ["x", weights(3), weights(3), weights(3), weights(3) ** 2], {})],
        (9, 15),
    ),
    "convolution": (
        (2, 5, 6),
        [
            (
                "Conv",
                ["x", weights(3, 2, 2, 3), weights(3)],
                {"strides": [2, 1], "pads": [1, 0, 2, 3], "dilations": [1, 2]},
            )
        ],
        (7, 11, 22),
    ),
    "convolution 1d": ((4, 7), [("Conv", ["x", weights(6, 2, 3)], {"group": 2, "pads": [0, 2]})], (7, 11)),
    "convolution 3d": ((1, 3, 4, 3), [("Conv", ["x", weights(2, 1, 2, 2, 2), weights(2)], {})], (11,)),
    "convolution same upper": (
        (2, 6, 5),
        [("Conv", ["x", weights(3, 2, 3, 2)], {"auto_pad": "SAME_UPPER", "strides": [2, 3]})],
        (11,),
    ),
    "convolution same lower": (
        (2, 6, 5),
        [("Conv", ["x", weights(3, 2, 2, 4)], {"auto_pad": "SAME_LOWER", "strides": [2, 1]})],
        (11,),
    ),
    "convolution valid": ((2, 6, 5), [("Conv", ["x", weights(3, 2, 2, 4)], {"auto_pad": "VALID"})], (11,)),
    "transposed": (
        (2, 3, 4),
        [
            (
                "ConvTranspose",
                ["x", weights(2, 3, 3, 2), weights(3)],
                {"strides": [2, 3], "pads": [1, 0, 2, 1], "dilations": [2, 1], "output_padding": [1, 2]},
            )
        ],
        (7, 11, 22),
    ),
    "transposed groups": ((4, 5), [("ConvTranspose", ["x", weights(4, 3, 3)], {"group": 2, "pads": [3, 2]})], (11,)),
    "transposed 3d": ((1, 2, 2, 3), [("ConvTranspose", ["x", weights(1, 2, 2, 1, 2)], {"strides": [1, 2, 2]})], (11,)),
    "transposed same": (
        (2, 4, 5),
        [("ConvTranspose", ["x", weights(2, 1, 3, 4)], {"auto_pad": "SAME_UPPER", "strides": [2, 3]})],
        (11, 22),
    ),
    "transposed same lower": (
        (2, 4, 5),
        [("ConvTranspose", ["x", weights(2, 1, 4, 4)], {"auto_pad": "SAME_LOWER", "strides": [3, 1]})],
        (11, 22),
    ),
    "transposed to a shape": (
        (2, 4, 5),
        [("ConvTranspose", ["x", weights(2, 1, 3, 4)], {"output_shape": [8, 14], "strides": [2, 3]})],
        (11, 22),
    ),
    "upsample": ((2, 3), [("Upsample", ["x"], {"scales": [1.0, 1.0, 2.5]})], (7,)),
    "upsample operand": ((1, 2, 3), [("Upsample", ["x", floats(1, 1, 2, 3)], {"mode": "linear"})], (9,)),
    "resize old": ((1, 2, 3), [("Resize", ["x", floats(1, 1, 3, 1.5)], {"mode": "linear"})], (10,)),
    "resize": ((2, 3, 4), [("Resize", ["x", "", floats(1, 1, 2, 2)], {})], (13, 19)),
    "resize linear": ((2, 3, 4), [("Resize", ["x", "", floats(1, 1, 2, 0.5)], {"mode": "linear"})], (13, 19)),
    "resize axes": ((2, 3, 4), [("Resize", ["x", "", "", ints(7, 5)], {"mode": "linear", "axes": [-1, 2]})], (18, 19)),
    "max pool": (
        (2, 7, 6),
        [("MaxPool", ["x"], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 2, 1]})],
        (7, 8, 12),
    ),
    "max pool defaults": ((2, 5), [("MaxPool", ["x"], {"kernel_shape": [2]})], (8, 12)),
    "max pool ceiling": (
        (2, 6, 6),
        [("MaxPool", ["x"], {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1})],
        (10, 12, 22),
    ),
    "max pool dilated": (
        (1, 7, 7),
        [("MaxPool", ["x"], {"kernel_shape": [2, 3], "dilations": [3, 2], "pads": [1, 1, 0, 2]})],
        (10, 12),
    ),
    "max pool same": (
        (1, 5, 6),
        [("MaxPool", ["x"], {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"})],
        (8, 12),
    ),
    "average pool": (
        (2, 7, 6),
        [("AveragePool", ["x"], {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 2, 1]})],
        (7, 10, 11),
    ),
    "average pool padding": (
        (2, 7, 6),
        [
            (
                "AveragePool",
                ["x"],
                {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 2, 1], "count_include_pad": 1},
            )
        ],
        (7, 11, 19),
    ),
    "average pool ceiling": (
        (2, 6, 6),
        [("AveragePool", ["x"], {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1})],
        (10, 19),
    ),
    "average pool ceiling padding": (
        (2, 6, 5),
        [
            (
                "AveragePool",
                ["x"],
                {
                    "kernel_shape": [3, 3],
                    "strides": [2, 2],
                    "pads": [1, 1, 1, 1],
                    "ceil_mode": 1,
                    "count_include_pad": 1,
                },
            )
        ],
        (19, 22),
    ),
    "average pool dilated": (
        (1, 7, 7),
        [("AveragePool", ["x"], {"kernel_shape": [2, 3], "dilations": [2, 2], "pads": [1, 1, 1, 2]})],
        (19, 22),
    ),
    "average pool same": (
        (1, 5, 6),
        [("AveragePool", ["x"], {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"})],
        (11,),
    ),
    "global pools": (
        (2, 4, 3),
        [("GlobalAveragePool", ["x"], {}), ("GlobalMaxPool", ["x"], {}), ("Add", ["v0", "v1"], {})],
        (7, 22),
    ),
    "split attributes": (
        (5, 2),
        [("Split", ["x"], {"axis": 1, "split": [2, 3], "outputs": ["a", "b"]}), ("Relu", ["b"], {})],
        (7, 11),
    ),
    "split": (
        (5, 2),
        [("Split", ["x", ints(1, 4)], {"axis": -2, "outputs": ["a", "b"]}), ("Relu", ["b"], {})],
        (13, 18),
    ),
    "split even": ((4, 2), [("Split", ["x"], {"axis": 1, "outputs": ["a", "b"]}), ("Add", ["a", "b"], {})], (7, 13)),
    "split number": (
        (5, 2),
        [("Split", ["x"], {"axis": 1, "num_outputs": 2, "outputs": ["a", "b"]}), ("Relu", ["b"], {})],
        (18, 22),
    ),
    "shape of the batch": (
        (2, 3),
        [
            ("Shape", ["x"], {}),
            ("Gather", ["v0", np.array(0)], {}),
            ("Unsqueeze", ["v1"], {"axes": [0]}),
            ("Concat", ["v2", ints(-1)], {"axis": 0}),
            ("Reshape", ["x", "v3"], {}),
        ],
        (7, 11),
    ),
    "shape sliced and multiplied": (
        (2, 3),
        [
            ("Shape", ["x"], {"start": 0, "end": 1}),
            ("Shape", ["x"], {"start": 1}),
            ("ReduceProd", ["v1"], {"keepdims": 1}),
            ("Concat", ["v0", "v2"], {"axis": 0}),
            ("Reshape", ["x", "v3"], {}),
        ],
        (15, 18),
    ),
    "constants for the batch": (
        (2, 3),
        [
            ("Shape", ["x"], {}),
            ("Slice", ["v0", ints(0), ints(1)], {}),
            ("Concat", ["v1", ints(1, 3)], {"axis": 0}),
            ("ConstantOfShape", ["v2"], {"value": numpy_helper.from_array(np.array([0.5], np.float32))}),
            ("Expand", [weights(1, 1, 3), "v2"], {}),
            ("Add", ["v3", "v4"], {}),
            ("Concat", ["v5", "x"], {"axis": 1}),
        ],
        (11, 13),
    ),
    "weights computed": (
        (4,),
        [
            ("Transpose", [weights(3, 4)], {}),
            ("Mul", ["v0", number(0.5)], {}),
            ("Identity", ["v1"], {}),
            ("MatMul", ["x", "v2"], {}),
            ("Constant", [], {"value": numpy_helper.from_array(weights(3))}),
            ("Add", ["v3", "v4"], {}),
        ],
        (7, 13),
    ),
}

UNBATCHED: dict[str, tuple[list[int], list[Step]]] = {
    "vector": ([4], [("MatMul", ["x", weights(4, 3)], {}), ("Add", ["v0", weights(3)], {})]),
    "one number": ([1], [("MatMul", ["x", weights(1, 3)], {}), ("MatMul", ["v0", weights(3, 1)], {})]),
    "matrix times vector": ([4], [("MatMul", [weights(3, 4), "x"], {}), ("Relu", ["v0"], {})]),
    "column": ([4, 1], [("MatMul", [weights(3, 4), "x"], {}), ("Add", ["v0", weights(3, 1)], {})]),
    "column by gemm": ([4, 1], [("Gemm", [weights(4, 3), "x", weights(3, 1)], {"transA": 1})]),
    "row turned": ([1, 4], [("Gemm", [weights(3, 4), "x"], {"transB": 1}), ("Transpose", ["v0"], {"perm": [1, 0]})]),
    "transposed operand": ([4, 1], [("Gemm", ["x", weights(4, 3), weights(3)], {"transA": 1})]),
    "image": ([2, 4, 5], [("Unsqueeze", ["x"], {"axes": [0]}), ("Conv", ["v0", weights(3, 2, 2, 2)], {})]),
    "batch dropped": ([1, 4], [("Squeeze", ["x"], {"axes": [0]}), ("MatMul", ["v0", weights(4, 2)], {})]),
    "rows joined": ([1, 4], [("Relu", ["x"], {}), ("Concat", ["x", "v0", weights(3, 4)], {"axis": 0})]),
    "rows summed": ([3, 4], [("ReduceSum", ["x"], {"axes": [0]}), ("Add", ["v0", "x"], {})]),
    "rows summed away": (
        [3, 4],
        [("ReduceMean", ["x"], {"axes": [0], "keepdims": 0}), ("Mul", ["v0", weights(3, 4)], {})],
    ),
    "all summed": ([1, 4], [("ReduceSum", ["x"], {}), ("Add", ["v0", "x"], {})]),
    "growing rank": ([1, 4], [("Add", ["x", weights(2, 1, 4)], {}), ("Flatten", ["v0"], {"axis": 0})]),
    "acas": (
        [1, 1, 1, 5],
        [("Sub", ["x", weights(1, 1, 1, 5)], {}), ("Flatten", ["v0"], {}), ("MatMul", ["v1", weights(5, 2)], {})],
    ),
    "flattened to one row": ([1, 2, 3], [("Reshape", ["x", ints(1, -1)], {}), ("MatMul", ["v0", weights(6, 2)], {})]),
}

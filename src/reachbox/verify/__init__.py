"""Verification: whether a network's output can be unsafe for some input of a specification."""

from reachbox.verify.decision import verify
from reachbox.verify.judge import onnx_judge
from reachbox.verify.specification import Disjunct, HalfSpaces, Specification
from reachbox.verify.verdict import Counterexample, Verdict, Verification

__all__ = [
    "Counterexample", "Disjunct", "HalfSpaces", "Specification", "Verdict", "Verification", "onnx_judge", "verify",
]  # fmt: skip

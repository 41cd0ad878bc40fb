"""reachbox: how far a neural network's output can move when its input does."""

__version__ = "0.1.0"

from reachbox.box import Box
from reachbox.certify import Certificate, certify
from reachbox.errors import FileError, InputError, ReachboxError, UnsupportedError
from reachbox.network import Network
from reachbox.reach import Alpha, Crown, Dual, Interval, Kind, Reach, Sampled, reach
from reachbox.sensitivity import Summary, sensitivity, summarise

__all__ = [
    "Alpha", "Box", "Certificate", "Crown", "Dual", "FileError", "InputError", "Interval", "Kind", "Network", "Reach",
    "ReachboxError", "Sampled", "Summary", "UnsupportedError", "__version__", "certify", "reach", "sensitivity",
    "summarise",
]  # fmt: skip

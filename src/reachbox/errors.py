"""What reachbox raises: one family, each message one line that says what was found, where, and what is allowed."""

from __future__ import annotations


class ReachboxError(Exception):
    """Any misuse or unreadable input. The command line prints its message and exits with code 2."""


class InputError(ReachboxError, ValueError):
    """A value is not allowed: a shape, a radius, a weight, an option."""


class FileError(ReachboxError):
    """A file is missing, damaged, of the wrong kind, or not safe to read."""


class UnsupportedError(ReachboxError):
    """A network contains an operator that the method, or reachbox, cannot bound, or a solver is not installed."""


class SolverError(ReachboxError):
    """A solver of others could not be run: its licence, its installation, or a fault of its own."""

"""`reachbox study`: the sensitivity of every minimum of a landscape, a stored one or one around a network."""

from reachbox.cli.study.command import study

__all__ = ["study"]

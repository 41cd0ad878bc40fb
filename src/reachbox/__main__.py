"""`python -m reachbox`: the command line."""

from reachbox.cli import main

main()

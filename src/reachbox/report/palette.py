"""Colours: the eight of Okabe and Ito, which colour-blind readers tell apart, each with a form for a dark page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """A colour in light and in dark; drawings use `light`, and the page turns it into the CSS variable `--name`."""

    name: str
    light: str
    dark: str


INK = Colour("ink", "#1b1f24", "#e6e8eb")
MUTED = Colour("muted", "#5b646e", "#9aa4af")
RULE = Colour("rule", "#d9dee3", "#343b43")
PAPER = Colour("paper", "#fdfdfc", "#14171a")

# Okabe and Ito, "Color Universal Design" (2008); yellow is darkened in light, black is the ink.
SERIES = (
    Colour("vermillion", "#d55e00", "#f07f2e"),
    Colour("blue", "#0072b2", "#4aa3dc"),
    Colour("green", "#009e73", "#2fc296"),
    Colour("purple", "#cc79a7", "#dd95bd"),
    Colour("orange", "#e69f00", "#f0b52b"),
    Colour("sky", "#56b4e9", "#86ccf3"),
    Colour("black", "#1b1f25", "#e6e8ec"),
    Colour("yellow", "#b8a900", "#f0e442"),
)
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.5)))
ALL = (INK, MUTED, RULE, PAPER, *SERIES)
_CSS = {colour.light: f"var(--{colour.name}, {colour.light})" for colour in ALL}


def series_colour(index: int) -> str:
    """The colour of the `index`-th series; after eight they begin again, with another dash."""
    return SERIES[index % len(SERIES)].light


def series_dash(index: int) -> object:
    """The line style of the `index`-th series, as matplotlib takes it."""
    return DASHES[index // len(SERIES) % len(DASHES)]


def as_css(colour: str) -> str:
    """The CSS variable of a palette colour, with the colour to fall back on; any other colour as it is."""
    return _CSS.get(colour, colour)


def as_colours(drawing: str) -> str:
    """A drawing with every CSS variable of the palette replaced by its colour."""
    for colour, variable in _CSS.items():
        drawing = drawing.replace(variable, colour)
    return drawing

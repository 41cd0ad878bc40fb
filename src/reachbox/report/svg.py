"""Matplotlib's SVG made fit for a page: no addresses, no fixed fonts, ids of its own, colours that follow the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from reachbox.report.palette import as_colours, as_css

MARGIN = 12  # pixels around a drawing that stands alone

_NAMESPACE = re.compile(r"\{[^}]*\}")
_FONT_FAMILY = re.compile(r"font-family:[^;]*;?\s*")
_FONT_SHORTHAND = re.compile(r"font:\s*(?P<rest>[^;]*?)(?P<size>[\d.]+px)[^;]*")
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
_HEX = re.compile(r"#[0-9a-f]{6}\b")


def inline(svg: str, name: str, label: str) -> str:
    """The SVG file `svg` as an element for a page, described by `label`; its ids begin with `name`.

    Colours of the palette become CSS variables, so that one drawing serves light and dark. Text stays text, in the
    page's font. Metadata, style sheets and namespaces are dropped: nothing in it refers to the network.
    """
    root = ElementTree.fromstring(svg)
    _drop_foreign(root)
    used = _references(root)
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(key): value for key, value in element.attrib.items()}
        element.attrib.clear()
        element.attrib.update(_rewritten(attributes, name, used))
        element.tail = None
        element.text = element.text if element.tag in ("text", "tspan") else None
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib.update({"role": "img", "aria-label": label})
    return ElementTree.tostring(root, encoding="unicode")


def as_file(drawing: str) -> str:
    """An inline drawing as a file of its own, for any program that reads SVG: plain colours on white, with a margin."""
    root = ElementTree.fromstring(as_colours(drawing))
    for element in root.iter():
        if "href" in element.attrib:
            element.attrib["xlink:href"] = element.attrib.pop("href")
    x, y, width, height = map(float, root.attrib["viewBox"].split())
    frame = {"width": f"{width + 2 * MARGIN:g}", "height": f"{height + 2 * MARGIN:g}"}
    corner = {"x": f"{x - MARGIN:g}", "y": f"{y - MARGIN:g}"}
    root.attrib.update({
        "xmlns": "http://www.w3.org/2000/svg", "xmlns:xlink": "http://www.w3.org/1999/xlink", **frame,
        "viewBox": " ".join([*corner.values(), *frame.values()]), "font-family": "DejaVu Sans, Verdana, sans-serif",
    })  # fmt: skip
    root.insert(0, ElementTree.Element("rect", {**corner, **frame, "fill": "#ffffff"}))
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _local(name: str) -> str:
    return _NAMESPACE.sub("", name)


def _drop_foreign(root: ElementTree.Element) -> None:
    """Removes metadata and style sheets, which would reach beyond the drawing."""
    for parent in root.iter():
        for child in [child for child in parent if _local(child.tag) in ("metadata", "style")]:
            parent.remove(child)


def _references(root: ElementTree.Element) -> set[str]:
    """Every id that something in the drawing refers to."""
    used: set[str] = set()
    for element in root.iter():
        for key, value in element.attrib.items():
            used.update(_REFERENCE.findall(value))
            if _local(key) == "href":
                used.add(value.removeprefix("#"))
    return used


def _rewritten(attributes: dict[str, str], name: str, used: set[str]) -> dict[str, str]:
    """The attributes with ids under `name`, ids that nothing needs left out, styles in the page's fonts and colours."""
    kept = {key: value for key, value in attributes.items() if key != "id" or value in used}
    for key, value in kept.items():
        match key:
            case "id":
                kept[key] = f"{name}-{value}"
            case "href":
                kept[key] = f"#{name}-{value.removeprefix('#')}"
            case "d":
                kept[key] = _shortened(value)
            case "style":
                kept[key] = _style(value)
        kept[key] = _REFERENCE.sub(rf"url(#{name}-\1)", kept[key])
    return kept


def _style(style: str) -> str:
    style = _FONT_FAMILY.sub("", style)
    style = _FONT_SHORTHAND.sub(lambda found: f"font-size: {found['size']}", style)
    return _HEX.sub(lambda found: as_css(found[0]), style)


def _shortened(path: str) -> str:
    """A path's coordinates to a hundredth of a pixel."""
    return " ".join(re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.2f}", path).split())

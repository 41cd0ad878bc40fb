"""For the site: the doctests of docstrings as blocks of code."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

DOCTEST = re.compile(r"(?:^|\n\n)(>>> .*?)(?=\n\n|\Z)", flags=re.DOTALL)


class DoctestBlocks(Extension):
    """Fences every paragraph that begins with a prompt."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called with each documented object."""
        if obj.docstring:
            obj.docstring.value = DOCTEST.sub(r"\n\n```pycon\n\1\n```", obj.docstring.value)

"""A strict reader of HTML: what is opened is closed, every id stands once, every reference finds its target."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input"}
ADDRESSES = {"href", "src", "xlink:href", "action", "srcset", "data"}
UNSEEN = {"style", "script", "title"}


@dataclass
class Document(HTMLParser):
    """What a page contains; reading raises `AssertionError` where it is not well formed."""

    open: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, html: str) -> Document:
        document = cls()
        HTMLParser.__init__(document, convert_charrefs=True)
        document.feed(html)
        document.close()
        assert document.open == []
        assert len(set(document.ids)) == len(document.ids)
        return document

    @property
    def text(self) -> str:
        """All that a reader sees, drawings included."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        assert len({name for name, _ in attrs}) == len(attrs)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.addresses += [value or "" for name, value in attrs if name in ADDRESSES]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not UNSEEN & set(self.open):
            self.words.append(data)

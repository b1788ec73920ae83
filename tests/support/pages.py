"""What a page of HTML is made of, for tests of reports."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Tags(HTMLParser):
    """Counts tags and collects what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, and what it would fetch."""
        self.open.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]


def tags_of(page: bytes) -> Tags:
    """The tags of a page."""
    tags = Tags()
    tags.feed(page.decode())
    return tags


def stands_alone(page: bytes) -> bool:
    """No script, and nothing that a browser would fetch."""
    tags = tags_of(page)
    outside = [link for link in tags.loads if not link.startswith("#")]
    return "script" not in tags.open and not outside and not re.search(rb"url\(|@import", page)

"""Reading rendered pages: strict parse, allow-lists, text."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element

import html5lib

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"

TAGS = frozenset(
    """html head meta title style body a svg symbol path circle use rect line text polyline div nav p ol ul li
    i main header section span h1 h2 h3 h4 b em code samp small pre dl dt dd details summary table thead tbody
    tfoot tr th td fieldset legend input label figure figcaption script""".split()
)
ATTRIBUTES = frozenset(
    """data-v lang charset http-equiv content name id class href rel aria-hidden aria-label aria-labelledby
    role scope open type autocomplete checked for width height viewBox preserveAspectRatio d fill stroke
    stroke-width stroke-linecap stroke-linejoin stroke-dasharray cx cy r x y x1 y1 x2 y2 points text-anchor
    font-size""".split()
)


def parsed(page: str) -> Element:
    """Parse a page as HTML5, refusing any parse error."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), strict=True)
    tree: Element = parser.parse(page)
    return tree


def elements(tree: Element) -> list[Element]:
    """Return all elements, comments left out."""
    return [node for node in tree.iter() if isinstance(node.tag, str)]


def name(node: Element) -> str:
    """Return an element's tag without its namespace."""
    return str(node.tag).rpartition("}")[2]


def attributes(node: Element) -> dict[str, str]:
    """Return an element's attributes without namespaces."""
    return {str(key).rpartition("}")[2]: str(value) for key, value in node.attrib.items()}


def text(node: Element) -> str:
    """Return the text in an element, whitespace joined."""
    return " ".join("".join(node.itertext()).split())


def by_id(tree: Element, identity: str) -> Element:
    """Return the element with this id."""
    return next(node for node in elements(tree) if node.get("id") == identity)


def has_class(node: Element, wanted: str) -> bool:
    """Return whether an element has a class."""
    return wanted in (node.get("class") or "").split()


def embedded(page: str) -> str:
    """Return the text of the page's data element."""
    found = re.search(
        r'<script type="application/json" id="deploycheck-data">(.*?)</script>', page, re.DOTALL
    )
    assert found is not None, "the page holds no data"
    return found[1]


def leaves(value: Any) -> list[str]:
    """Return all strings in a JSON value, keys too."""
    if isinstance(value, dict):
        return [*value, *(leaf for entry in value.values() for leaf in leaves(entry))]
    if isinstance(value, list):
        return [leaf for entry in value for leaf in leaves(entry)]
    return [value] if isinstance(value, str) else []

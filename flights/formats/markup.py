"""XML from strangers: a tree without document types, entities or requests, of bounded depth and size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# The types of a tree and what writes one; every byte from outside goes through defusedxml.
from xml.etree.ElementTree import Element, ParseError, SubElement, TreeBuilder, tostring  # noqa: TID251

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from schemas.limits import limit
from schemas.refusals import Kind, invalid, violation

__all__ = [
    "Element",
    "add",
    "child",
    "children",
    "is_xml",
    "local",
    "namespace",
    "parse",
    "plain",
    "text",
    "wpml_version",
    "written",
]

_CHUNK = 1 << 16
_STARTS = (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<", b"\xfe\xff\x00<")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]{0,60}?encoding\s*=\s*["']([\w.-]{1,40})""")
_WPML = re.compile(r"http://www\.dji\.com/(?:wpmz|uav)/(\d+\.\d+\.\d+)")


def is_xml(data: bytes) -> bool:
    """Whether a file begins as XML does."""
    return data.startswith(_STARTS) or data[:200].lstrip().startswith(_STARTS)


def parse(data: bytes) -> Element:
    """The root of a document.

    Raises RuleViolation: 400 `kml.syntax`, 422 `kml.dtd` before anything is expanded, 422 `kml.depth` and
    `kml.elements` before more is built.
    """
    parser: Any = DefusedXMLParser(target=_Bounded(), forbid_dtd=True)
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise invalid("kml.dtd") from error
    except ParseError as error:
        line, column = error.position
        raise violation(Kind.SYNTAX, "kml.syntax", line=line, column=column + 1) from error
    except (LookupError, ValueError) as error:
        raise violation(Kind.SYNTAX, "kml.encoding", measured=_encoding(data)) from error
    return root


def _encoding(data: bytes) -> str:
    """The encoding that a document names; only for one whose encoding could not be read."""
    named = _ENCODING.match(data)
    return named[1].decode() if named else "UTF-16"


class _Bounded(TreeBuilder):
    """Builds no tree that is deeper or larger than a plan may be."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def start(self, tag: str, attrs: dict[Any, Any], /) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > limit("xml.depth"):
            raise invalid("kml.depth", measured=self._depth, required=limit("xml.depth"))
        if self._count > limit("xml.elements"):
            raise invalid("kml.elements", measured=self._count, required=limit("xml.elements"))
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def local(element: Element) -> str:
    """The name of an element without its namespace; '' for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def namespace(element: Element) -> str:
    """The namespace of an element, '' where it has none."""
    return element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""


def wpml_version(element: Element) -> str | None:
    """The version of DJI's language that an element belongs to, None for any other language."""
    found = _WPML.fullmatch(namespace(element))
    return found[1] if found else None


def children(element: Element, name: str) -> Iterator[Element]:
    """The children of that local name, in order."""
    return (child for child in element if local(child) == name)


def child(element: Element | None, *names: str) -> Element | None:
    """The first child of the first name, of that the first child of the second, and so on."""
    for name in names:
        element = None if element is None else next(children(element, name), None)
    return element


def text(element: Element | None, *names: str) -> str | None:
    """The text of such a child without blanks around it, None where there is none."""
    found = child(element, *names)
    return None if found is None else (found.text or "").strip() or None


def add(parent: Element, tag: str, content: str | float | None = None, **attributes: str) -> Element:
    """A new last child of `parent` with that text."""
    made = SubElement(parent, tag, attributes)
    if content is not None:
        made.text = content if isinstance(content, str) else plain(content)
    return made


def plain(number: float) -> str:
    """A number without exponent, exact to 1e-10."""
    return f"{number:.10f}".rstrip("0").rstrip(".")


def written(root: Element) -> bytes:
    """A document as UTF-8 with its declaration."""
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"

"""Pages that stand by themselves: closed to everything outside, and the same on paper as PDF."""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
from typing import NoReturn

from flask import Response

# Setting a report is seconds of computing: a process sets one after the other.
_ONE_AT_A_TIME = threading.Lock()


def as_page(document: str, name: str) -> Response:
    """A document for a browser, which may fetch nothing for it; its one style is told by its hash."""
    response = Response(document, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy(document)
    return _kept_private(response, f"{name}.html", "inline")


def as_pdf(document: str, name: str) -> Response:
    """The same document on paper."""
    return _kept_private(Response(pdf_of(document), mimetype="application/pdf"), f"{name}.pdf", "attachment")


def as_file(content: str, media_type: str, name: str) -> Response:
    """A file to take away."""
    return _kept_private(Response(content, mimetype=media_type), name, "attachment")


def policy(document: str) -> str:
    """Nothing but the document itself: the style that stands in it, and no script."""
    style = document[document.index("<style>") + len("<style>") : document.index("</style>")]
    told = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{told}'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def pdf_of(document: str) -> bytes:
    """A document as PDF, with its fonts inside; whatever it would fetch is refused.

    Raises FatalURLFetchingError where something in it would be asked of anybody else.
    """
    # It is large, and few requests of a process print.
    from PIL import ImageFile
    from weasyprint import HTML
    from weasyprint.urls import FatalURLFetchingError, URLFetcher

    class Refusing(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: object = None) -> NoReturn:
            raise FatalURLFetchingError(f"a report fetches nothing: {url[:80]}")

    # Imported, it lets this whole process take half a picture for a whole one; no snapshot of a camera is.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    # It warns of what browsers know and paper does not; what matters raises.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    with _ONE_AT_A_TIME:
        made: bytes = HTML(string=document, url_fetcher=Refusing()).write_pdf()
    return made


def _kept_private(response: Response, name: str, disposition: str) -> Response:
    response.headers["Content-Disposition"] = f'{disposition}; filename="{name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response

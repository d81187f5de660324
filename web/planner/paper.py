"""Touches the machine: sets one document on paper, in a process of its own: the document comes in, the PDF goes out.

Setting takes seconds of one core, and more memory than a page; the process that serves pages has both for others.
"""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

from weasyprint import HTML
from weasyprint.urls import FatalURLFetchingError, URLFetcher

REFUSED = 3


class Refusing(URLFetcher):  # type: ignore[misc]
    """Fetches nothing, from nobody."""

    def fetch(self, url: str, headers: object = None) -> NoReturn:
        """Raises FatalURLFetchingError, which ends the setting."""
        raise FatalURLFetchingError(f"a report fetches nothing: {url[:80]}")


def main() -> int:
    """Sets what comes in; its fonts stand inside of what goes out."""
    # It warns of what browsers know and paper does not; what matters raises.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    document = sys.stdin.buffer.read().decode()
    try:
        made: bytes = HTML(string=document, url_fetcher=Refusing()).write_pdf()
    except FatalURLFetchingError as error:
        sys.stderr.write(str(error))
        return REFUSED
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Answers that are the same for everybody: what is done to every answer is done to them once, not for each reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response
from werkzeug.datastructures import Headers


class Lasting(Response):
    """An answer that may be given again, by any thread, to whoever asks the same in the same manner.

    `keep` is called once, when all that is done to answers was done to this one; nobody changes it from there on.
    """

    def __init__(self, *args: Any, keep: Callable[[Lasting], None], **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._keep = keep
        self.is_whole = False
        """Whether all that is done to answers was done to it."""

    def complete(self, environ: dict[str, Any]) -> None:
        """Says that nothing more is done to it; what sets a cookie is one reader's, and is not kept."""
        if "Set-Cookie" in self.headers:
            return
        self.headers = super().get_wsgi_headers(environ)
        self.is_whole = True
        self._keep(self)

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        """The headers as they are sent."""
        return self.headers if self.is_whole else super().get_wsgi_headers(environ)

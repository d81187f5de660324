"""The least that a Flask application can do: `gunicorn "bench.bare_server:application('FOLDER')"` hands out files.

The folder holds `index.json`, which names for each path its tag and the file with its bytes. They are read once.
"""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask, Response, request

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


def application(folder: str) -> Flask:
    """The application: a dictionary behind one route."""
    index = json.loads((Path(folder) / "index.json").read_text(encoding="utf-8"))
    answers = {path: (tag, (Path(folder) / name).read_bytes()) for path, (tag, name) in index.items()}
    app = Flask(__name__, static_folder=None)

    @app.get("/tiles/<path:_name>")
    def tile(_name: str) -> Response:
        tag, body = answers[request.path]
        if request.headers.get("If-None-Match") == tag:
            return Response(status=304, headers={"ETag": tag})
        return Response(body, mimetype=MEDIA_TYPE, headers={"ETag": tag, "Content-Encoding": "gzip"})

    return app

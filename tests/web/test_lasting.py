"""An answer that lasts is one that is the same for everybody."""

import pytest
from flask import Flask
from werkzeug.test import create_environ

from web.lasting import Lasting


@pytest.fixture
def environ():
    return create_environ("/tiles")


def test_lasting__that_is_whole__is_kept_once_with_the_headers_as_they_are_sent(environ):
    kept = []
    with Flask(__name__).test_request_context():
        answer = Lasting(b"tile", keep=kept.append)
        answer.complete(environ)
    assert kept == [answer]
    assert answer.get_wsgi_headers(environ) is answer.get_wsgi_headers(environ)
    assert answer.headers["Content-Length"] == "4"


def test_lasting__that_sets_a_cookie__is_given_to_its_reader_alone(environ):
    kept = []
    with Flask(__name__).test_request_context():
        answer = Lasting(b"tile", keep=kept.append)
        answer.set_cookie("session", "of one reader")
        answer.complete(environ)
    assert kept == []
    assert "of one reader" in answer.get_wsgi_headers(environ)["Set-Cookie"]

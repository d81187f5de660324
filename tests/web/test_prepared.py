"""Statements past the driver: values by name, one row as it is sent, and the driver's own errors."""

import os
import socket
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from web.public.prepared import moment, one_row, statement

TYPES = {"word": "text", "count": "int4", "on": "date"}


def test_statement__its_values__are_numbered_and_its_types_left():
    asked = statement("SELECT :word::text, :count + 1, :word || :word", TYPES)
    assert asked.sql == b"SELECT $1::text, $2 + 1, $1 || $1"
    assert asked.names == ("word", "count")


def test_row__of_values_of_each_type__is_what_the_server_sends(services):
    asked = statement("SELECT :word, :count + 1, :on::text, '\\x00ff'::bytea", TYPES)
    with services.public_engine.connect() as public:
        for word, on, sent in (("it's 水", "2025-06-01", b"2025-06-01"), ("", None, None)):
            found = one_row(public, asked, {"word": word, "count": 2**31 - 2, "on": on, "more": 1})
            assert found == [word.encode(), b"\x7f\xff\xff\xff", sent, b"\x00\xff"]
        names = public.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'kept%%'").scalar()
    assert names == 1


def test_moment__as_it_is_sent__is_that_moment(services):
    told = "2026-02-28 23:59:59.654321+00"
    with services.public_engine.connect() as public:
        (sent,) = one_row(public, statement("SELECT :word::timestamptz", TYPES), {"word": told})
    assert moment(sent) == datetime(2026, 2, 28, 23, 59, 59, 654321, UTC)
    assert moment(None) is None


def test_row__that_takes_too_long__is_told_as_by_the_driver(services):
    with services.public_engine.connect() as public:
        public.exec_driver_sql("SET statement_timeout = 20")
        try:
            with pytest.raises(OperationalError) as away:
                one_row(public, statement("SELECT pg_sleep(60), :count", TYPES), {"count": 1})
            assert isinstance(away.value.orig, psycopg.errors.QueryCanceled)
        finally:
            public.exec_driver_sql("RESET statement_timeout")
        assert one_row(public, statement("SELECT :count", TYPES), {"count": 1}) == [b"\x00\x00\x00\x01"]


def test_row__of_a_mistake__is_told_as_by_the_driver(services):
    with services.public_engine.connect() as public:
        with pytest.raises(psycopg.errors.DivisionByZero):
            one_row(public, statement("SELECT 1 / :count", TYPES), {"count": 0})
        with pytest.raises(psycopg.errors.UndefinedColumn):
            one_row(public, statement("SELECT nothing, :count", TYPES), {"count": 0})
        assert one_row(public, statement("SELECT :count", TYPES), {"count": 0}) == [b"\x00\x00\x00\x00"]


def test_row__whose_connection_breaks__is_told_as_by_the_driver_and_the_next_one_has_another(services):
    asked = statement("SELECT :count", TYPES)
    with services.public_engine.connect() as public:
        one_row(public, asked, {"count": 1})
        # No word of the server says why.
        with socket.socket(fileno=os.dup(public.connection.driver_connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)
        with pytest.raises(OperationalError) as away:
            one_row(public, asked, {"count": 1})
        assert isinstance(away.value.orig, psycopg.OperationalError)
        assert public.invalidated
    with services.public_engine.connect() as public:
        assert one_row(public, asked, {"count": 1}) == [b"\x00\x00\x00\x01"]

"""What the public map shows is made beforehand; here it is made anew where other rules have begun since."""

from __future__ import annotations

from sqlalchemy import Engine, text

_RENEW = text("SELECT core.renew_where_due()")


def renew_where_due(engine: Engine) -> int:
    """Has the days of every notice counted by the rules of today; returns for how many subjects they were others'.

    The public views never wait for this: until then they count those days for every reader.
    """
    with engine.begin() as connection:
        return int(connection.execute(_RENEW).scalar_one())

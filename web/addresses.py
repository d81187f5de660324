"""E-mail addresses that a mail can be written to: plain ASCII, one line, nothing that a server could misread."""

from __future__ import annotations

import re

_LONGEST, _LONGEST_NAME = 254, 64
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")


def is_address(said: str) -> bool:
    """Whether it is the address of a mailbox on the internet, in the plain form of RFC 5321."""
    if len(said) > _LONGEST or said.find("@") > _LONGEST_NAME:
        return False
    return _ADDRESS.fullmatch(said) is not None

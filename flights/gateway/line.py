"""How a gateway reaches its aircraft: opened anew for each flight, or through the one relay that calls in."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator

from flights.link.errors import VehicleRefused
from flights.link.transport import RELAY, Pipe, open_pipe, parse_url
from flights.record import House
from flights.relay.credentials import listen

OpenLine = Callable[[], Pipe]


@contextlib.contextmanager
def line_to(house: House, drone_id: uuid.UUID, url: str) -> Iterator[OpenLine]:
    """Gives the way to open the line at `url`, for one flight after the other.

    Where a relay calls in, the port is listened on for as long as the block runs: a relay stays connected between two
    flights, and one that was lost in the middle of a flight comes back to the same one. Raises RuleViolation
    `link.url`; VehicleRefused `link.unreachable` where nobody can listen there.
    """
    if parse_url(url).scheme != RELAY:
        yield lambda: open_pipe(url)
        return
    try:
        pipe = listen(house, drone_id, url)
    except OSError as error:
        raise VehicleRefused.because(
            "link.unreachable", text="link.cannot_listen", url=url, measured=error.strerror or str(error)
        ) from error
    with contextlib.closing(pipe):
        yield pipe.lend

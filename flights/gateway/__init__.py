"""One flight from clearance to landing, led outside the web process (docs/adr/0006): `fly`, and the `Gateway`."""

from flights.gateway.desk import Desk
from flights.gateway.leading import Lead, fly
from flights.gateway.process import Gateway
from flights.gateway.told import Flown, Outcome, Step, Stop, Tell

__all__ = ["Desk", "Flown", "Gateway", "Lead", "Outcome", "Step", "Stop", "Tell", "fly"]

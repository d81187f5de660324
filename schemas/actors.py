"""Actors: who asks for a change of state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from schemas.roles import Role


class ActorKind(StrEnum):
    """Persons decide; the system does what the tables mark so; the host administers and decides nothing."""

    PERSON = "person"
    SYSTEM = "system"
    HOST = "host"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class Grant:
    """A role held in one authority."""

    role: Role
    authority_id: UUID


@dataclass(frozen=True)
class Actor:
    """Whoever acts, with the roles held at this moment."""

    kind: ActorKind
    person_id: UUID | None = None
    code: str = ""
    name: str = ""
    grants: frozenset[Grant] = frozenset()

    def has(self, role: Role, authority_id: UUID | None = None) -> bool:
        """Whether the actor holds `role`, in `authority_id` when that is given."""
        return any(g.role == role and authority_id in (None, g.authority_id) for g in self.grants)

    @property
    def roles(self) -> frozenset[Role]:
        """The roles held in any authority."""
        return frozenset(grant.role for grant in self.grants)

    @property
    def label(self) -> str:
        """How the ledger names the actor: an id, never a personal name."""
        return f"person:{self.person_id}" if self.person_id else self.kind.value


SYSTEM = Actor(ActorKind.SYSTEM, code="SYSTEM", name="SYSTEM")
HOST = Actor(ActorKind.HOST, code="HOST", name="host administration")
ANONYMOUS = Actor(ActorKind.ANONYMOUS, code="ANONYMOUS", name="anonymous")

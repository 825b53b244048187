"""What points at one thing of the catalog, by id or by slug, from the contract."""

from __future__ import annotations

from typing import Any, Protocol

from candela_server.kernel.read_fields import slug, typed_id

from .refs import ById, BySlug, Ref


class WireRef(Protocol):
    """A message that points at one thing by id or by slug."""

    id: str
    slug: str

    def WhichOneof(self, oneof_group: Any) -> Any:
        """Which of the two is set."""
        ...


def ref_from_proto(prefix: str, ref: WireRef) -> Ref:
    """Which thing is meant. Raises ValueError when nothing is set or the id is another kind's."""
    match ref.WhichOneof("ref"):
        case "id":
            return ById(typed_id(prefix)(ref.id))
        case "slug":
            return BySlug(slug(ref.slug))
        case _:
            raise ValueError("must be named by id or slug")

"""The endpoints of the admin listener, a line each; all of them want the admin token."""

import attrs

from cortexd.domain.secret import Secret
from cortexd.http.admin.authentication import AdminOnly
from cortexd.http.admin.documents import AdminDocuments
from cortexd.http.doors.door import Door
from cortexd.http.doors.json_door import JsonDoor
from cortexd.http.quart_app import Route


@attrs.frozen(kw_only=True)
class AdminParts:
    """What the admin doors need: a field for each resource."""

    documents: AdminDocuments


def admin_routes(parts: AdminParts, token: Secret) -> tuple[Route, ...]:
    """What operators can ask for."""
    documents = parts.documents

    def guarded(method: str, path: str, door: Door) -> Route:
        return Route(method=method, path=path, door=AdminOnly(door, token))

    return (
        guarded("GET", "/admin/dashboard", JsonDoor(documents.dashboard)),
        guarded("GET", "/admin/breakers", JsonDoor(documents.breakers)),
        guarded("GET", "/admin/tree", JsonDoor(documents.tree)),
    )

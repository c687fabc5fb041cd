"""The endpoints of the admin listener, a line each; all of them want the admin token."""

from cortexd.domain.secret import Secret
from cortexd.http.admin.authentication import AdminOnly
from cortexd.http.admin.documents import AdminDocuments
from cortexd.http.doors.json_door import Document, JsonDoor
from cortexd.http.quart_app import Route


def admin_routes(documents: AdminDocuments, token: Secret) -> tuple[Route, ...]:
    """What operators can ask for."""

    def guarded(path: str, document: Document) -> Route:
        return Route(method="GET", path=path, door=AdminOnly(JsonDoor(document), token))

    return (
        guarded("/admin/dashboard", documents.dashboard),
        guarded("/admin/breakers", documents.breakers),
        guarded("/admin/tree", documents.tree),
    )

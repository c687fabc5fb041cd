"""The OpenAPI document of the admin listener."""

from typing import Any, Final

from cortexd.http.openapi.admin_answers import MATTER_SCHEMAS, STATE_SCHEMAS
from cortexd.http.openapi.admin_cluster import CLUSTER_SCHEMAS
from cortexd.http.openapi.admin_fleet import FLEET_SCHEMAS
from cortexd.http.openapi.admin_load_monitor import LOAD_MONITOR_SCHEMAS
from cortexd.http.openapi.admin_operations import ADMIN_PARTS
from cortexd.http.openapi.admin_worker_answers import WORKER_SCHEMAS

_ABOUT: Final = """\
What operators can see and do. Times are UTC in ISO 8601 and named `..._at`; durations are named \
`..._seconds`, `..._s` or `..._ms`.

Documents may get more members with later versions. Requests are read strictly: a member or a \
parameter that is not known is an error that names it.

Every request carries the admin token. Instead of it, the dashboard has a session: the cookie of \
`/admin/login`, and for whatever changes something the header `x-csrf-token`.
"""

_UNGUARDED: Final = frozenset({"login"})


def admin_openapi_document(version: str) -> dict[str, Any]:
    """The whole document. `version`: that of cortexd."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "cortexd admin",
            "version": version,
            "summary": "Operating a gateway to language models.",
            "description": _ABOUT,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"adminToken": []}, {"session": []}],
        "tags": [{"name": name, "description": about} for name, (about, _) in ADMIN_PARTS.items()],
        "paths": {
            path: {method: _tagged(name, operation) for method, operation in item.items()}
            for name, (_, paths) in ADMIN_PARTS.items()
            for path, item in paths.items()
        },
        "components": {
            "securitySchemes": {
                "adminToken": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "cortexd-session"},
            },
            "schemas": {
                **WORKER_SCHEMAS,
                **STATE_SCHEMAS,
                **MATTER_SCHEMAS,
                **LOAD_MONITOR_SCHEMAS,
                **CLUSTER_SCHEMAS,
                **FLEET_SCHEMAS,
            },
        },
    }


def _tagged(tag: str, operation: dict[str, Any]) -> dict[str, Any]:
    if operation["operationId"] in _UNGUARDED:
        return {"tags": [tag], "security": [], **operation}
    return {"tags": [tag], **operation}

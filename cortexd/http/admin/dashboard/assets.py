"""The dashboard's scripts, styles and icons. They hold no data, so that anybody may have them."""

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final

import attrs

from cortexd.domain.errors import RequestRefused
from cortexd.http.admin.dashboard.browser_answers import answer_browser
from cortexd.http.doors.door import Door, DoorRequest, Responder
from cortexd.http.error_responses import send_error

CONTENT_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, by the ending of its name."""

_NOT_FOUND: Final = RequestRefused("the dashboard has no such file", code="not_found", status=404)


@attrs.frozen(kw_only=True)
class Asset:
    """One file. `etag` stands for its content."""

    content_type: str
    body: bytes
    etag: str


class AssetDoor(Door):
    """Serves the files below a folder, as they were when it was made."""

    def __init__(self, folder: Traversable) -> None:
        self._assets = dict(_read(folder, PurePosixPath()))

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Send the file, unless the browser has it already."""
        asset = self._assets.get(request.params["name"])
        if asset is None:
            await send_error(respond, _NOT_FOUND)
            return
        # Asked for anew each time, so that a new version of the node never meets old scripts.
        headers = [("etag", asset.etag), ("cache-control", "no-cache")]
        known = request.headers.get("if-none-match", "")
        if asset.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            await answer_browser(respond, 304, headers)
        else:
            headers.append(("content-type", asset.content_type))
            await answer_browser(respond, 200, headers, asset.body)


def _read(folder: Traversable, below: PurePosixPath) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        path = below / entry.name
        if entry.is_dir():
            yield from _read(entry, path)
        elif content_type := CONTENT_TYPES.get(path.suffix):
            body = entry.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            yield str(path), Asset(content_type=content_type, body=body, etag=etag)

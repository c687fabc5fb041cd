"""A door that tells what the node knows without asking anyone: models, version."""

from collections.abc import Callable

import attrs

from cortexd.http.doors.door import DoorRequest, Responder
from cortexd.http.doors.request_headers import read_request_id
from cortexd.wire.strict_json import dumps


@attrs.frozen
class ListingDoor:
    """Answers with the document that `describe` gives at that moment."""

    describe: Callable[[], object]
    new_id: Callable[[], str]

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Send the document."""
        body = dumps(self.describe())
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("x-request-id", read_request_id(request.headers, self.new_id)),
        ]
        await respond.start(200, headers)
        await respond.send(body)
        await respond.finish()

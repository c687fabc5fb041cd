"""Who may look: the bearer of the admin token."""

import hmac

from cortexd.domain.secret import Secret
from cortexd.http.doors.door import Door, DoorRequest, Responder
from cortexd.http.doors.json_door import answer_json

_SCHEME = "bearer "


class AdminOnly(Door):
    """A door that opens for the admin token alone."""

    def __init__(self, inner: Door, token: Secret) -> None:
        self._inner = inner
        self._token = token

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Check the token before the inner door sees anything of the request."""
        if self._is_admin(request.headers.get("authorization", "")):
            await self._inner.answer(request, respond)
            return
        message = "this needs the admin token: send 'Authorization: Bearer TOKEN'"
        error = {"type": "authentication_error", "param": None, "code": "invalid_admin_token"}
        await answer_json(respond, 401, {"error": {"message": message, **error}})

    def _is_admin(self, header: str) -> bool:
        if not header.lower().startswith(_SCHEME):
            return False
        given = header[len(_SCHEME) :].strip()
        # Constant time, and on bytes because str comparison refuses anything but ASCII.
        return hmac.compare_digest(given.encode(), self._token.reveal().encode())

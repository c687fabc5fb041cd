"""POST /admin/login and /admin/logout, GET /admin/session: how the dashboard gets in."""

import attrs
import trio

from cortexd.domain.errors import CortexError, RequestRefused
from cortexd.http.admin.authentication import NO_TOKEN, AdminCredentials
from cortexd.http.admin.operation import read_fields
from cortexd.http.admin.sessions import drop_cookie, set_cookie
from cortexd.http.doors.door import Door, DoorRequest, Responder
from cortexd.http.doors.json_door import answer_json
from cortexd.http.error_responses import send_error
from cortexd.wire.fields import MISSING, refuse

TOKEN_CHARACTERS_MAX = 4096


@attrs.frozen
class LoginDoor(Door):
    """Opens a session for the bearer of the admin token. No gate stands before it."""

    credentials: AdminCredentials

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Set the cookie, and give the token that its requests have to carry."""
        try:
            token = _token(request)
        except RequestRefused as error:
            await send_error(respond, error)
            return
        if not self.credentials.is_token(token):
            turned = self.credentials.wrong_token(request.client, request.headers)
            await trio.sleep(turned.held_s)
            await send_error(respond, turned.error)
            return
        cookie, session = self.credentials.sessions.open(self.credentials.clock())
        header = ("set-cookie", set_cookie(cookie, secure=_is_secure(request)))
        await answer_json(respond, 200, {"csrf_token": session.csrf_token}, (header,))


@attrs.frozen
class LogoutDoor(Door):
    """Ends the session that the request comes with, if it comes with one."""

    credentials: AdminCredentials

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Forget the session, here and in the browser."""
        if request.caller.session is not None:
            self.credentials.sessions.close(request.caller.session)
        header = ("set-cookie", drop_cookie(secure=_is_secure(request)))
        await answer_json(respond, 200, {"logged_out": True}, (header,))


@attrs.frozen
class SessionDoor(Door):
    """Gives a page that has been loaded anew the token of its session."""

    credentials: AdminCredentials

    async def answer(self, request: DoorRequest, respond: Responder) -> None:
        """Send the token; whoever has come without a session has none."""
        error: CortexError = NO_TOKEN
        if request.caller.session is not None:
            now = self.credentials.clock()
            session = self.credentials.sessions.use(request.caller.session, now)
            if session is not None:
                await answer_json(respond, 200, {"csrf_token": session.csrf_token})
                return
        await send_error(respond, error)


def _token(request: DoorRequest) -> str:
    fields = read_fields(request)
    fields.only({"token"}, {})
    token = fields.text("token", characters_max=TOKEN_CHARACTERS_MAX)
    if token is None:
        refuse("token", "is missing", MISSING)
    return token


def _is_secure(request: DoorRequest) -> bool:
    """Whether the browser speaks HTTPS, to a proxy in front: its page's origin says so."""
    return request.headers.get("origin", "").lower().startswith("https://")

"""The address of a server that the node leans on, with who the node is to it."""

import attrs

from cortexd.domain.secret import Secret


@attrs.frozen(kw_only=True)
class ServerUrl:
    """`scheme://user:password@host:port/path`, taken apart; as a text it hides the password.

    `port` `None`: the usual one of the scheme. `path` has no slash in front of it.
    """

    scheme: str
    host: str
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    path: str = ""

    def __str__(self) -> str:
        user = self.username or ""
        if self.password is not None:
            user += ":***"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        path = f"/{self.path}" if self.path else ""
        return f"{self.scheme}://{user}{'@' if user else ''}{host}{port}{path}"

"""Where credentials come from: a variable, a file, or a credential of the service manager.

Rule of this file: no error shows a credential, nor what may be one. A text that is no reference is
never quoted, a variable's name only if it looks like one: some write `env:` before the key itself.
"""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import attrs

from cortexd.config.server_url import parse_server_url
from cortexd.domain.secret import Secret
from cortexd.domain.server_url import ServerUrl

SECRET_BYTES_MAX = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SCHEMES = frozenset({"env", "file", "credential"})
_VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


class WrongSecret(ValueError):
    """The reference leads to no usable credential; the text says why and what to do."""


@attrs.frozen(kw_only=True)
class SecretSource:
    """Resolves references. Like all paths, relative ones begin where the node was started."""

    environ: Mapping[str, str]
    inline_allowed: bool = False

    def resolve(self, reference: str) -> Secret:
        """The credential behind `env:NAME`, `file:PATH` or `credential:NAME`.

        Errors: `WrongSecret`.
        """
        scheme, colon, rest = reference.partition(":")
        match scheme if colon else "":
            case "env":
                return self._from_variable(rest)
            case "file":
                return self._from_named_file(rest)
            case "credential":
                return self._from_credential(rest)
        if self.inline_allowed:
            return wrap(reference)
        raise WrongSecret(
            "a credential does not belong into this file: write env:NAME, file:PATH or"
            " credential:NAME (or allow_inline_secrets = true at the top of the file)"
        )

    def resolve_url(self, text: str) -> ServerUrl:
        """The address that stands here, or behind a reference if it has a password in it.

        Errors: `ValueError`.
        """
        if text.partition(":")[0] in _SCHEMES:
            return parse_server_url(self.resolve(text).reveal())
        url = parse_server_url(text)
        if url.password is not None and not self.inline_allowed:
            raise WrongSecret(
                "a password does not belong into this file: write env:NAME, file:PATH or"
                " credential:NAME for the whole URL"
            )
        return url

    def _from_variable(self, name: str) -> Secret:
        if not name:
            _nothing_named("env:NAME")
        value = self.environ.get(name)
        if value is None:
            shown = name if _VARIABLE_NAME.fullmatch(name) else "named here"
            raise WrongSecret(f"the environment variable {shown} is not set")
        return wrap(value)

    def _from_named_file(self, name: str) -> Secret:
        if not name:
            _nothing_named("file:PATH")
        return self._from_file(Path(name))

    def _from_credential(self, name: str) -> Secret:
        if not name or "/" in name or name in {".", ".."}:
            _nothing_named("credential:NAME")
        folder = self.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise WrongSecret(
                "there are no credentials: $CREDENTIALS_DIRECTORY is set by systemd for units with"
                f" LoadCredential={name}:PATH"
            )
        # systemd guards these with an ACL, whose mask looks like a group permission in the mode.
        return self._from_file(Path(folder, name), guarded=True)

    def _from_file(self, path: Path, *, guarded: bool = False) -> Secret:
        # The whole path, because a relative one that is not found leaves everybody guessing.
        path = path.absolute()
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise WrongSecret(f"{path} is not a file")
            if status.st_mode & _OTHERS and not guarded:
                raise WrongSecret(f"others may read {path}: run chmod 600 on it")
            with path.open("rb") as file:
                content = file.read(SECRET_BYTES_MAX + 1)
        except OSError as error:
            raise WrongSecret(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            if isinstance(error, WrongSecret):
                raise
            raise WrongSecret("the path contains a NUL character") from error
        if len(content) > SECRET_BYTES_MAX:
            raise WrongSecret(f"{path} is too big for a credential")
        return wrap(content.decode("utf-8", errors="replace"))


def wrap(text: str) -> Secret:
    """The credential without the white space around it.

    Errors: `WrongSecret` for what could not stand in an HTTP header.
    """
    value = text.strip()
    if not value:
        raise WrongSecret("the credential is empty")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise WrongSecret(
            "the credential must be one word of ASCII characters: it goes into an HTTP header"
        )
    return Secret(value)


def _nothing_named(form: str) -> NoReturn:
    raise WrongSecret(f"the reference names nothing that can be there: write {form}")

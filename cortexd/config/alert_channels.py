"""Reading `[alerts]` with its `[[alerts.channels]]`, and what does not go together in a channel."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from cattrs import Converter

from cortexd.config.addresses import TcpAddress
from cortexd.config.sections import Complaint, Draft, read_section, taken_names
from cortexd.domain.alert_channel import ChannelSettings, ChannelType, MailTls
from cortexd.domain.secret import Secret
from cortexd.policy.alert_settings import AlertSettings

_KEYS: Final[Mapping[ChannelType, frozenset[str]]] = {
    ChannelType.LOG: frozenset(),
    ChannelType.WEBHOOK: frozenset({"url"}),
    ChannelType.EMAIL: frozenset({"host", "port", "tls", "username", "password", "sender", "to"}),
}
"""Which keys belong to which type of channel alone."""

_NEEDED: Final[Mapping[ChannelType, tuple[str, ...]]] = {
    ChannelType.LOG: (),
    ChannelType.WEBHOOK: ("url",),
    ChannelType.EMAIL: ("host", "sender", "to"),
}

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAIL_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:]+")
_USER_NAME: Final = re.compile(r"[!-~]+")


def read_alerts(table: Any, *, converter: Converter) -> tuple[Draft, list[Complaint]]:
    """The section with its channels, and all that is wrong with any of them."""
    is_table = isinstance(table, dict)
    own = {key: value for key, value in table.items() if key != "channels"} if is_table else table
    draft, complaints = read_section(
        AlertSettings, own, ("alerts",), converter=converter, defaults={}
    )
    if not is_table or "channels" not in table:
        return draft, complaints
    channels, wrong = _read_channels(table["channels"], converter)
    values = dict(draft.values)
    if not wrong:
        values["channels"] = tuple(ChannelSettings(**channel.values) for channel in channels)
    set_here = draft.set_here | {"channels"}
    return Draft(path=draft.path, values=values, set_here=set_here), [*complaints, *wrong]


def _read_channels(tables: Any, converter: Converter) -> tuple[list[Draft], list[Complaint]]:
    path = ("alerts", "channels")
    if not isinstance(tables, list):
        text = "must be a list of tables: [[alerts.channels]] (two pairs of brackets)"
        return [], [(path, text)]
    drafts: list[Draft] = []
    complaints: list[Complaint] = []
    for index, table in enumerate(tables):
        draft, wrong = read_section(
            ChannelSettings,
            table,
            (*path, index),
            converter=converter,
            defaults=_default_name(table, index),
        )
        drafts.append(draft)
        complaints += wrong
        badly_set = {where[len(draft.path)] for where, _ in wrong if len(where) > len(draft.path)}
        complaints += [((*draft.path, *key), text) for key, text in _inconsistent(draft, badly_set)]
    complaints += taken_names(drafts)
    return drafts, complaints


def _default_name(table: Any, index: int) -> dict[str, Any]:
    kind = table.get("type") if isinstance(table, dict) else None
    names = [known.value for known in ChannelType if known.value == kind]
    return {"name": f"{names[0] if names else 'channel'}-{index}"}


def _inconsistent(draft: Draft, badly_set: set[str | int]) -> Iterator[Complaint]:
    """What is right by itself, but not for a channel of this type."""
    name, kind = draft.get("name"), draft.get("type")
    if name is not None and not _NAME.fullmatch(name):
        yield ("name",), "must be 1 to 64 letters, digits, dots, dashes or underscores"
    if kind is None:
        return
    for owner, keys in _KEYS.items():
        if owner is not kind:
            for key in sorted(keys & draft.set_here):
                text = f'is only for a channel of type "{owner.value}", not for "{kind.value}"'
                yield (key,), text
    for key in _NEEDED[kind]:
        if not draft.get(key) and key not in badly_set:
            yield (key,), f'is missing: a channel of type "{kind.value}" needs it'
    if kind is ChannelType.WEBHOOK:
        yield from _bad_url(draft.get("url"))
    elif kind is ChannelType.EMAIL:
        yield from _bad_mail(draft)


def _bad_url(url: Secret | None) -> Iterator[Complaint]:
    """The address itself is not quoted: it is a secret."""
    if url is None:
        return
    try:
        parts = urlsplit(url.reveal())
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        yield ("url",), "must lead to an address like https://hooks.example.org/services/..."


def _bad_mail(draft: Draft) -> Iterator[Complaint]:
    host, tls = draft.get("host"), draft.get("tls")
    if host and not _HOST.fullmatch(host):
        yield ("host",), "must be the name or the IP address of a mail server, without a port"
    for key in ("username", "password"):
        other = "password" if key == "username" else "username"
        if key in draft.set_here and other not in draft.set_here:
            yield (other,), f"is missing: {key} is of no use without it"
    username = draft.get("username")
    if username is not None and not _USER_NAME.fullmatch(username):
        yield ("username",), "must be one word of ASCII characters"
    if tls is MailTls.OFF and "password" in draft.set_here and not _is_here(host):
        yield ("tls",), 'must not be "off" where a password is sent beyond this machine'
    sender = draft.get("sender")
    if sender and not _MAIL_ADDRESS.fullmatch(sender):
        yield ("sender",), "must be an address like cortexd@example.org"
    for index, address in enumerate(draft.get("to") or ()):
        if not _MAIL_ADDRESS.fullmatch(address):
            yield ("to", index), "must be an address like ops@example.org"


def _is_here(host: str | None) -> bool:
    return host is not None and TcpAddress(host.lower(), 0).is_loopback

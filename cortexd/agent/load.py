"""From agent.toml to a checked `AgentConfig`, or to the list of all that is wrong."""

import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from cortexd.agent.settings import AgentConfig, AgentSettings, OfferSettings
from cortexd.config.addresses import WrongAddress, check_worker_url
from cortexd.config.document import Document, read_document
from cortexd.config.environment import state_dir
from cortexd.config.fleet import check_line
from cortexd.config.problems import ConfigInvalid
from cortexd.config.secrets import SecretSource
from cortexd.config.sections import Complaint, Draft, read_section, taken_names, unknown_keys
from cortexd.config.values import strict_converter, structure
from cortexd.domain.fleet import NAME_FORM, WORKERS_MAX, FleetWorker
from cortexd.domain.worker import WorkerType
from cortexd.fleet.envelope import BODY_BYTES_MAX

_NAME: Final = re.compile(NAME_FORM)
_NAME_RULE: Final = (
    "must be 1 to 32 letters, digits, dashes or underscores, the first a letter or digit"
)
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")
_NAME_CHARACTERS_MAX: Final = 32

OFFERS_BYTES_MAX: Final = BODY_BYTES_MAX - 32 * 1024
"""So much may all offers take in the one message that tells of them; the rest of it is reports."""

_SERVERLESS: Final = frozenset({WorkerType.EMBEDDED, WorkerType.SCRIPTED})


def load(path: Path, environ: Mapping[str, str]) -> AgentConfig:
    """Read, complete and check everything. Errors: `ConfigInvalid` with every problem there is."""
    # The variables that override keys are those of a node on the same host.
    document, _ = read_document(path, {})
    reader = _Reader(document, environ)
    agent, workers = reader.agent(), reader.workers()
    if reader.complaints:
        raise ConfigInvalid([document.problem(where, text) for where, text in reader.complaints])
    offers = tuple(OfferSettings(**worker.values) for worker in workers)
    size = sum(len(msgspec.json.encode(each.offer())) for each in offers)
    if size > OFFERS_BYTES_MAX:
        text = f"take {size} bytes as nodes are told of them, more than {OFFERS_BYTES_MAX}"
        raise ConfigInvalid([document.problem(("workers",), f"{text}: name fewer models")])
    return AgentConfig(agent=AgentSettings(**agent.values), workers=offers)


class _Reader:
    """One pass over one document."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._tables = document.tables
        self._environ = environ
        self.complaints: list[Complaint] = list(
            unknown_keys(self._tables, ("allow_inline_secrets", "agent", "workers"), ())
        )
        plain = strict_converter(SecretSource(environ=environ))
        raw = self._tables.get("allow_inline_secrets", False)
        allowed, wrong = structure(plain, raw, bool)
        self.complaints += [(("allow_inline_secrets",), text) for _, text in wrong]
        self._converter = strict_converter(
            SecretSource(environ=environ, inline_allowed=allowed is True)
        )

    def agent(self) -> Draft:
        """The agent itself."""
        draft, wrong = read_section(
            AgentSettings,
            self._tables.get("agent", {}),
            ("agent",),
            converter=self._converter,
            defaults={"name": _host_name(), "state_dir": state_dir(self._environ)},
        )
        self.complaints += wrong
        name, url, key = (draft.get(each) for each in ("name", "amqp_url", "signing_key"))
        if name is not None and not _NAME.fullmatch(name):
            self.complaints.append((("agent", "name"), _NAME_RULE))
        if url is not None and key is not None:
            self.complaints += check_line(draft, url, key)
        return draft

    def workers(self) -> list[Draft]:
        """What it offers."""
        tables: Any = self._tables.get("workers", ())
        path = ("workers",)
        if not isinstance(tables, list) or not tables:
            text = "is missing: name each model server in a table [[workers]]"
            self.complaints.append((path, text))
            return []
        if len(tables) > WORKERS_MAX:
            self.complaints.append((path, f"must be at most {WORKERS_MAX}"))
        drafts: list[Draft] = []
        for index, table in enumerate(tables):
            draft, wrong = read_section(
                OfferSettings, table, (*path, index), converter=self._converter, defaults={}
            )
            drafts.append(draft)
            self.complaints += wrong or _unfit(draft)
        self.complaints += taken_names(drafts)
        return drafts


def _unfit(draft: Draft) -> Iterator[Complaint]:
    """What is right by itself, but not for a worker of an agent."""
    before = tuple(_misplaced(draft))
    yield from before
    if before:
        return
    offer = OfferSettings(**draft.values).offer()
    try:
        # Nodes have limits of their own for what comes over the broker.
        msgspec.convert(msgspec.to_builtins(offer), FleetWorker)
    except msgspec.ValidationError as error:
        yield draft.path, str(error)


def _misplaced(draft: Draft) -> Iterator[Complaint]:
    name, kind = draft.get("name"), draft.get("type")
    if name is not None and not _NAME.fullmatch(name):
        yield (*draft.path, "name"), _NAME_RULE
    if kind in _SERVERLESS:
        yield (*draft.path, "type"), f'cannot be "{kind.value}": there is no server beside us'
    for key in ("base_url", "local_url"):
        url = draft.get(key)
        if url is not None:
            try:
                check_worker_url(url)
            except WrongAddress as error:
                yield (*draft.path, key), str(error)


def _host_name() -> str:
    """The name of the host, as far as it can be one of an agent."""
    name = _NO_NAME.sub("-", socket.gethostname()).strip("-_")
    return name[:_NAME_CHARACTERS_MAX] or "agent"

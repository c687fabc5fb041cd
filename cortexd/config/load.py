"""From a file and an environment to a checked `Config`, or to the list of all that is wrong."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from cortexd.config.alert_channels import read_alerts
from cortexd.config.checks import (
    check_aliases,
    check_degradation,
    check_embedded,
    check_health,
    check_listeners,
)
from cortexd.config.client_keys import build_keys, read_keys, register_key_hooks
from cortexd.config.cluster import check_cluster
from cortexd.config.document import Document, read_document
from cortexd.config.environment import state_dir
from cortexd.config.fleet import check_fleet
from cortexd.config.problems import ConfigInvalid, Problem
from cortexd.config.schema import Config
from cortexd.config.secrets import SecretSource, WrongSecret, wrap
from cortexd.config.sections import Complaint, Draft, read_section, unknown_keys
from cortexd.config.values import strict_converter, structure
from cortexd.config.workers import DEFAULT_WORKERS, KEY_VARIABLES, build_workers, read_workers
from cortexd.domain.client_key import KeyScope
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerType

SECTIONS: Mapping[str, type] = {
    field.name: field.type
    for field in attrs.fields(Config)
    if isinstance(field.type, type) and attrs.has(field.type)
}
"""The `[tables]` of the file. `[[workers]]` and `[[keys]]` are the lists of tables beside them."""


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read, complete and check everything.

    `environ` is where `CORTEXD__SECTION__KEY`, secrets and the service manager's directories are
    looked up. Errors: `ConfigInvalid` with every problem there is.
    """
    document, problems = read_document(path, environ)
    keys, key_problems = environment_keys(environ)
    reader = _Reader(document, environ)
    sections, workers = reader.sections(), reader.workers(keys)
    client_keys = reader.client_keys()
    reader.check(sections, workers, client_keys)
    problems = [*problems, *key_problems, *reader.problems()]
    if problems:
        raise ConfigInvalid(problems)
    built = {name: SECTIONS[name](**draft.values) for name, draft in sections.items()}
    return Config(
        allow_inline_secrets=reader.inline_allowed,
        workers=build_workers(workers),
        keys=build_keys(client_keys),
        **built,
    )


class _Reader:
    """One pass over one document; complaints pile up until the end."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._complaints: list[Complaint] = []
        names = [field.name for field in attrs.fields(Config)]
        self._complaints += unknown_keys(document.tables, names, ())
        self.inline_allowed = self._inline_allowed()
        self._converter = strict_converter(
            SecretSource(environ=environ, inline_allowed=self.inline_allowed)
        )
        register_key_hooks(self._converter)

    def _inline_allowed(self) -> bool:
        """Read before all else: it decides what a secret may look like."""
        converter = strict_converter(SecretSource(environ=self._environ))
        raw = self._document.tables.get("allow_inline_secrets", False)
        allowed, wrong = structure(converter, raw, bool)
        self._complaints += [(("allow_inline_secrets",), text) for _, text in wrong]
        return allowed is True

    def sections(self) -> dict[str, Draft]:
        """A draft for each table, also for those that are not in the file."""
        drafts: dict[str, Draft] = {}
        for name, settings in SECTIONS.items():
            if name == "alerts":
                table = self._document.tables.get(name, {})
                drafts[name], wrong = read_alerts(table, converter=self._converter)
                self._complaints += wrong
                continue
            drafts[name], wrong = read_section(
                settings,
                self._document.tables.get(name, {}),
                (name,),
                converter=self._converter,
                defaults=self._node_defaults() if name == "node" else {},
            )
            self._complaints += wrong
        return drafts

    def _node_defaults(self) -> dict[str, Any]:
        return {"name": socket.gethostname(), "state_dir": state_dir(self._environ)}

    def workers(self, keys: Mapping[WorkerType, tuple[Secret, ...]]) -> list[Draft]:
        """Those of the file; without any `workers` in it, the two that need no configuration."""
        tables = self._document.tables.get("workers", DEFAULT_WORKERS)
        drafts, wrong = read_workers(tables, converter=self._converter, keys=keys)
        self._complaints += wrong
        return drafts

    def client_keys(self) -> list[Draft]:
        """The keys that the file names."""
        drafts, wrong = read_keys(self._document.tables.get("keys", ()), converter=self._converter)
        self._complaints += wrong
        return drafts

    def check(
        self, sections: Mapping[str, Draft], workers: list[Draft], client_keys: list[Draft]
    ) -> None:
        """What has to fit together."""
        embedded = sections["embedded"]
        has_keys = any(key.get("scope") is not KeyScope.METRICS for key in client_keys)
        self._complaints += check_listeners(sections["data"], sections["admin"], has_keys=has_keys)
        self._complaints += check_health(sections["health"])
        self._complaints += check_degradation(sections["degradation"])
        self._complaints += check_embedded(embedded)
        self._complaints += check_cluster(sections["cluster"], sections["node"])
        self._complaints += check_fleet(sections["fleet"], sections["node"])
        self._complaints += check_aliases(
            sections["routing"], workers, embedded_model=embedded.get("model")
        )

    def problems(self) -> Iterator[Problem]:
        """All complaints, with the places they are about."""
        for path, text in self._complaints:
            yield self._document.problem(path, text)


def environment_keys(
    environ: Mapping[str, str],
) -> tuple[dict[WorkerType, tuple[Secret, ...]], list[Problem]]:
    """The keys that workers use which name none."""
    keys: dict[WorkerType, tuple[Secret, ...]] = {}
    problems: list[Problem] = []
    for kind, variable in KEY_VARIABLES.items():
        words = [word for word in environ.get(variable, "").split(",") if word.strip()]
        try:
            keys[kind] = tuple(wrap(word) for word in words)
        except WrongSecret as error:
            problems.append(Problem(None, "", str(error), source=variable))
    return keys, problems

"""Writes docs/reference/errors.md: every code that an answer can carry, and what to do about it.

`python -m cortexd.http.error_reference` prints the page. Tests hold the checked-in one against it,
and the codes against those in the sources.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Final

from cortexd.domain.failure import FailureKind

_HEAD: Final = """\
# Errors

<!-- Written by `python -m cortexd.http.error_reference`; do not edit by hand. -->

Every refusal has a status, a sentence that says what to do, and a code. Doors of OpenAI's dialect
have the code in `error.code`, as the admin API does. Anthropic's clients go by `error.type`, which
follows from the status, and Ollama's by the status alone; see [Doors](doors.md).

A 429 or 503 says in `retry-after` when to come again. `x-should-retry: false` means that the node
has tried what can be tried. In a stream that has begun, the same error comes as an event, and the
sign of a whole answer does not.
"""

CLIENT: Final[Mapping[str, str]] = {
    "body_too_large": "The request is longer than may be kept; nothing is wrong with it.",
    "context_length_exceeded": "The prompt is too long for the model: shorten it.",
    "duplicate_key": "A JSON object names a member twice: say it once.",
    "empty_body": "Send a JSON object.",
    "http_version_not_supported": "Speak HTTP/1.1.",
    "idempotency_key_reused": "The key was used for another request: take a new one for each.",
    "invalid_json": "The body is not JSON; the message names the byte.",
    "invalid_type": "A field has the wrong type; `param` names it.",
    "invalid_value": "A field or header has a value that is not allowed; `param` names it.",
    "json_too_deep": "Nest less deeply.",
    "json_too_large": "Send fewer values.",
    "method_not_allowed": "The `allow` header lists the methods.",
    "missing_required_parameter": "A field is missing; `param` names it.",
    "model_not_found": "No worker lists the model; the message names those that are known.",
    "not_found": "There is nothing at this path, or nothing of this name.",
    "number_out_of_range": "A number is larger than readers agree on.",
    "request_too_large": "Send less; `data.max_body_bytes` is the limit.",
    "request_timeout": "The body did not come in time: send it again.",
    "unknown_parameter": "There is no such parameter; the message lists those there are.",
    "unsupported_media_type": "Send `content-type: application/json`, uncompressed.",
    "unsupported_parameter": "Nothing that could serve it has this feature: leave it out.",
}
"""What a client can mend in its request."""

CREDENTIALS: Final[Mapping[str, str]] = {
    "invalid_api_key": "Send a key that is known, not revoked and not expired.",
    "insufficient_scope": "The key opens something else.",
    "invalid_admin_token": "Send `Authorization: Bearer TOKEN` with the admin token.",
    "csrf_failed": "Send the session's token in `x-csrf-token`.",
    "foreign_origin": "Another page has sent this; it may not.",
    "too_many_failed_attempts": "Wait, then send the right key.",
    "rate_limit_exceeded": "The key, or the provider's, has used up its share: wait.",
}
"""What has to do with who asks."""

NODE: Final[Mapping[str, str]] = {
    "busy": "The part of the node that is asked has too much to do: try again.",
    "deadline_exceeded": "No whole answer in time: allow more with `x-request-timeout`.",
    "request_shed": "The node takes only some requests while it is short of workers: wait.",
    "internal_error": "A bug, and the log has it.",
    "no_worker_available": "Nobody who could serve it can be asked now: wait.",
    "node_stopping": "Ask another node.",
    "too_many_connections": "Reuse connections.",
    "too_many_readers": "Too many follow the events already.",
    "unavailable": "The part of the node that is asked is being restarted: try again.",
}
"""What is up to the node."""

OPERATIONS: Final[Mapping[str, str]] = {
    "alert_not_firing": "Only what fires can be acknowledged.",
    "already_running": "Stop the load monitor before you start it anew.",
    "broker_unavailable": "The fleet's broker takes no commands now: see its alert.",
    "being_retried": "Wait for the retry to end.",
    "check_timed_out": "The worker gave no verdict; look at it later.",
    "command_failed": "The agent has answered why; the message has it.",
    "command_timed_out": "The agent has not answered; see whether it is there.",
    "cluster_unreachable": "Try again, or ask a node that is a member.",
    "invalid_worker": "`error.problems` has what is wrong with the table.",
    "keys_unavailable": "Keys cannot be kept now: see the alert on their database.",
    "name_taken": "Choose another name, or remove its owner.",
    "never_started": "Start the load monitor first.",
    "no_body": "The request was not kept, so it cannot be asked again.",
    "storage_unavailable": "The database cannot be used now: see its alert.",
    "too_many_keys": "Revoke some.",
    "too_many_retries": "Wait for those in progress.",
}
"""What the admin API has to say besides."""


def page() -> str:
    """The whole reference, in Markdown."""
    return (
        "\n".join(
            [
                _HEAD,
                *_codes("Requests", CLIENT),
                *_codes("Credentials", CREDENTIALS),
                *_codes("The node", NODE),
                *_failures(),
                *_codes("The admin API", OPERATIONS),
            ]
        ).rstrip()
        + "\n"
    )


def _codes(heading: str, meanings: Mapping[str, str]) -> Iterator[str]:
    yield f"## {heading}\n"
    yield "| code | what to do |"
    yield "|---|---|"
    yield from (f"| `{code}` | {meaning} |" for code, meaning in sorted(meanings.items()))
    yield ""


def _failures() -> Iterator[str]:
    yield "## Workers\n"
    yield "When none of those that were asked gave an answer, the failure that says most is told.\n"
    yield "| failure | status | code | another worker is asked | counts against the worker |"
    yield "|---|---|---|---|---|"
    for kind in FailureKind:
        row = kind.value
        others, blame = _yes(row.next_worker), _yes(row.blames_worker)
        yield f"| {row.words} | {row.status} | `{row.code}` | {others} | {blame} |"
    yield ""


def _yes(value: bool) -> str:  # noqa: FBT001  a word for it
    return "yes" if value else "no"


if __name__ == "__main__":
    sys.stdout.write(page())

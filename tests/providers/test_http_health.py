"""Health checks of workers behind HTTP."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import KeyIndex
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerType
from cortexd.ports import ChatProvider
from cortexd.providers.transport.client import DOCUMENT_BYTES_MAX

if TYPE_CHECKING:
    from tests.providers.conftest import Bench, Upstream

pytestmark = pytest.mark.real_time

REFUSAL = b'{"error": {"message": "no such key", "code": "invalid_api_key"}}'


async def test_discovered_models(bench: "Bench") -> None:
    """A worker that declares no models serves those of its server."""
    assert await bench.worker.health_check() == ("m1", "m2")
    assert bench.worker.info().models == ()


async def test_declared_models_win(
    bench: "Bench", make_worker: Callable[..., ChatProvider]
) -> None:
    """A worker that declares models serves those; the server is asked all the same."""
    worker = make_worker(bench.dialect.type, base_url=bench.upstream.base_url, models=("declared",))

    assert await worker.health_check() == ("declared",)
    assert bench.upstream.received
    assert worker.info().models == ("declared",)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>", FailureKind.SERVER_ERROR),
        (200, b"{}", FailureKind.SERVER_ERROR),
        (200, b" " * (DOCUMENT_BYTES_MAX + 1), FailureKind.SERVER_ERROR),
        (401, b"", FailureKind.BAD_KEY),
        (503, b"", FailureKind.OVERLOADED),
    ],
    ids=["html", "other-json", "huge", "401", "503"],
)
async def test_unhealthy(bench: "Bench", status: int, body: bytes, kind: FailureKind) -> None:
    """A list of models that is none makes the worker unhealthy."""
    for path in ("/v1/models", "/api/tags"):
        bench.upstream.respond(path, status, body)

    with pytest.raises(WorkerFailed) as caught:
        await bench.worker.health_check()

    assert caught.value.kind is kind


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_openai_base_url_with_and_without_version(
    upstream: "Upstream", make_worker: Callable[..., ChatProvider], suffix: str
) -> None:
    """The version may stand in the base URL or be left out."""
    worker = make_worker(WorkerType.OPENAI, base_url=upstream.base_url + suffix)

    with pytest.raises(WorkerFailed):
        await worker.health_check()

    assert [request.path for request in upstream.received] == ["/v1/models"]


async def test_a_request_carries_the_key_that_is_asked_for(
    bench: "Bench", make_worker: Callable[..., ChatProvider]
) -> None:
    """Which key is used is the caller's choice, request by request."""
    keys = (Secret("sk-1"), Secret("sk-2"))
    worker = make_worker(bench.dialect.type, base_url=bench.upstream.base_url, api_keys=keys)
    bench.serve_good()

    for key in (1, 0, 1):
        async with worker.open_chat(bench.question, model="m1", key=KeyIndex(key)) as stream:
            assert [batch async for batch in stream]

    sent = [request.authorization for request in bench.upstream.received]
    assert sent == ["Bearer sk-2", "Bearer sk-1", "Bearer sk-2"]


async def test_a_worker_without_keys_sends_none(
    bench: "Bench", make_worker: Callable[..., ChatProvider]
) -> None:
    """Whichever key is asked for."""
    worker = make_worker(bench.dialect.type, base_url=bench.upstream.base_url)
    bench.serve_good()

    async with worker.open_chat(bench.question, model="m1", key=KeyIndex(1)) as stream:
        assert [batch async for batch in stream]

    assert not bench.upstream.received[0].authorization


async def test_one_good_key_is_health(
    upstream: "Upstream", make_worker: Callable[..., ChatProvider]
) -> None:
    """All keys are tried before a server that refuses them is called unhealthy."""
    keys = (Secret("sk-1"), Secret("sk-2"))
    worker = make_worker(WorkerType.OPENAI, base_url=upstream.base_url, api_keys=keys)
    upstream.respond("/v1/models", 200, json.dumps({"data": [{"id": "m"}]}).encode())
    upstream.refused_keys["Bearer sk-1"] = REFUSAL

    for _ in range(2):
        assert await worker.health_check() == ("m",)
    # The one that was good is asked first from then on.
    sent = [request.authorization for request in upstream.received]
    assert sent == ["Bearer sk-1", "Bearer sk-2", "Bearer sk-2"]

    upstream.refused_keys["Bearer sk-2"] = REFUSAL
    with pytest.raises(WorkerFailed) as caught:
        await worker.health_check()
    assert caught.value.kind is FailureKind.BAD_KEY
    assert "sk-" not in str(caught.value) + caught.value.detail

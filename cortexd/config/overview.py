"""What a configuration would run, for the eyes of whoever checks it. Secrets are only counted."""

from collections.abc import Iterator, Sequence

from cortexd.config.schema import Config
from cortexd.domain.worker import WorkerSettings, WorkerType

_HEADINGS = ("name", "type", "priority", "slots", "queue", "keys", "models", "base_url")


def overview(config: Config) -> str:
    """A few lines of plain text: listeners, state, links, strategy, then the workers as a table."""
    return "\n".join(_lines(config))


def _lines(config: Config) -> Iterator[str]:
    token = "*** (configured)" if config.admin.token else "in the state directory"
    yield f"node      {config.node.name}"
    keys = f"  keys {len(config.keys)} x ***" if config.keys else ""
    yield f"data      {', '.join(config.data.bind)}{keys}"
    yield f"admin     {', '.join(config.admin.bind)}  token {token}"
    yield f"state     {config.node.state_dir.absolute()}"
    if config.cluster.redis_url is not None:
        yield f"cluster   {config.cluster.name}  over {config.cluster.redis_url}"
    if config.fleet.amqp_url is not None:
        yield f"fleet     over {config.fleet.amqp_url}"
    yield f"strategy  {config.pool.strategy.value}"
    for alias, targets in config.routing.aliases.items():
        yield f"alias     {alias} = {', '.join(targets)}"
    yield ""
    if not config.workers:
        yield "no workers: nothing can be answered until one is added"
        return
    # In the order they would be tried; equals stay in the order of the file.
    ranked = sorted(config.workers, key=lambda worker: worker.priority)
    rows = [_HEADINGS, *(_row(worker, config.embedded.model) for worker in ranked)]
    yield from _columns(rows)


def _row(worker: WorkerSettings, embedded_model: str) -> tuple[str, ...]:
    models = (embedded_model,) if worker.type is WorkerType.EMBEDDED else worker.models
    return (
        worker.name,
        worker.type.value,
        str(worker.priority),
        str(worker.max_concurrency),
        str(worker.queue_max),
        f"{len(worker.api_keys)} x ***" if worker.api_keys else "-",
        ",".join(models) or "(asked from the worker)",
        worker.base_url or "-",
    )


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()

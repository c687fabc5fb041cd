"""The workers of this node, as the registry publishes them."""

from typing import TypeAlias

import attrs

from cortexd.actors.published import Published
from cortexd.actors.worker_slots import WorkerSlots
from cortexd.domain.ids import WorkerName
from cortexd.domain.worker import WorkerSettings
from cortexd.ports import ChatProvider


@attrs.frozen(eq=False)
class RegisteredWorker:
    """A worker with everything needed to use it."""

    settings: WorkerSettings
    provider: ChatProvider
    slots: WorkerSlots

    @property
    def name(self) -> WorkerName:
        """The worker's name."""
        return self.settings.name


Roster: TypeAlias = Published[tuple[RegisteredWorker, ...]]
"""All registered workers, in the order they were registered."""


def registered(settings: WorkerSettings, provider: ChatProvider) -> RegisteredWorker:
    """A worker ready to be registered, with slots of its own."""
    slots = WorkerSlots(settings.name, slots=settings.max_concurrency, queue_max=settings.queue_max)
    return RegisteredWorker(settings, provider, slots)

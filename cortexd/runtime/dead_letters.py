"""The dead letters of this node: their file, and what is published of them."""

from typing import Any, Final

import attrs

from cortexd.actors.published import Published
from cortexd.config.schema import Config
from cortexd.domain.dead_letter import DeadLetterStats
from cortexd.http.admin.dead_letter_documents import queue_document
from cortexd.http.admin.dead_letters import DeadLettersAdmin
from cortexd.http.data_routes import DoorParts, model_doors
from cortexd.http.dead_letter_retry import DeadLetterRunner
from cortexd.pipeline.dead_letters import DeadLetterParts
from cortexd.ports import DeadLetterStore
from cortexd.runtime.surroundings import Surroundings
from cortexd.storage.database import Database
from cortexd.storage.database_file import FileLimits
from cortexd.storage.dead_letters import MIGRATIONS, SqliteDeadLetters

FILE_NAME: Final = "dead_letters.db"

BALLAST_BYTES: Final = 16 * 1024 * 1024
"""Held back so that an operator can still delete letters when the disk is full."""


@attrs.frozen(kw_only=True)
class NodeDeadLetters:
    """What outlives the actor that looks after them."""

    database: Database
    store: DeadLetterStore
    stats: Published[DeadLetterStats]
    around: Surroundings

    def parts(self, config: Config) -> DeadLetterParts | None:
        """What the pipeline needs; `None` where nothing is to be kept."""
        if not config.dlq.enabled:
            return None
        return DeadLetterParts(
            store=self.store,
            store_body=config.dlq.store_body,
            wall_clock=self.around.wall_clock,
            chance=self.around.chance,
            emit=self.around.emit,
        )

    def document(self) -> dict[str, Any]:
        """The queue at a glance, for the dashboard."""
        return queue_document(self.stats.value, self.store.trouble)

    def admin(self, doors: DoorParts) -> DeadLettersAdmin:
        """What operators can do with them."""
        emit, wall_clock = self.around.emit, self.around.wall_clock
        runner = DeadLetterRunner(doors=model_doors(doors), wall_clock=wall_clock)
        return DeadLettersAdmin(self.store, self.stats, runner, emit, wall_clock)


def node_dead_letters(config: Config, around: Surroundings) -> NodeDeadLetters:
    """Make it all; nothing is opened yet."""
    database = around.open_database(
        config.node.state_dir / FILE_NAME,
        MIGRATIONS,
        emit=around.emit,
        limits=FileLimits(ballast_bytes=BALLAST_BYTES),
    )
    return NodeDeadLetters(
        database=database,
        store=SqliteDeadLetters(database, config.dlq.limits),
        stats=Published(DeadLetterStats()),
        around=around,
    )

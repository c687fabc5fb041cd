"""What those who look at a whole node are shown of it."""

from pathlib import Path
from typing import Final

from cortexd.config.load import load
from cortexd.runtime.application import Application, build_application
from cortexd.runtime.surroundings import Surroundings
from tests.inline_database import InlineDatabase

TROUBLE: Final = "there is no room on the disk"


class FullDisk(InlineDatabase):
    """A database that says what is wrong with it."""

    @property
    def trouble(self) -> str:
        """Always the same."""
        return TROUBLE


def _application(folder: Path, *, settings: str = "") -> Application:
    path = folder / "cortexd.toml"
    path.write_text(f'[node]\nstate_dir = "{folder}"\n{settings}', encoding="utf-8")
    return build_application(load(path, {}), Surroundings(open_database=FullDisk))


async def test_alerts_hear_of_trouble_with_every_database(tmp_path: Path) -> None:
    """Those that are there; metrics that are switched off have none."""
    names = {"dead_letters.db", "keys.db", "metrics.db"}
    app = _application(tmp_path)
    assert app.watch.alerts.parts.read().troubles == dict.fromkeys(names, TROUBLE)
    app = _application(tmp_path, settings="[metrics]\nenabled = false\n")
    troubles = app.watch.alerts.parts.read().troubles
    assert troubles == dict.fromkeys(names - {"metrics.db"}, TROUBLE)

"""docs/reference/configuration.md."""

from pathlib import Path

import attrs

from cortexd.config.load import SECTIONS
from cortexd.config.meanings import COMPUTED_DEFAULTS, KEY_MEANINGS, SECTION_MEANINGS
from cortexd.config.reference import page
from cortexd.config.schema import Config
from cortexd.config.sections import key_of
from cortexd.domain.alert_channel import ChannelSettings
from cortexd.domain.client_key import ClientKeySettings
from cortexd.domain.worker import WorkerSettings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    """The page is what the classes say; `python -m cortexd.config.reference` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_key_has_a_meaning() -> None:
    """No key of any settings class is without words, and no words are without a key."""
    classes = {
        **SECTIONS,
        "workers": WorkerSettings,
        "keys": ClientKeySettings,
        "alerts.channels": ChannelSettings,
    }
    keys = {
        f"{section}.{key_of(field)}"
        for section, settings in classes.items()
        for field in attrs.fields(settings)
    }
    keys |= {field.name for field in attrs.fields(Config)} - classes.keys()
    assert keys == KEY_MEANINGS.keys()
    assert classes.keys() == SECTION_MEANINGS.keys()
    assert COMPUTED_DEFAULTS.keys() <= keys

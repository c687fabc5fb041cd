"""docs/reference/circuit-breaker.md."""

from pathlib import Path

from cortexd.config.breaker_reference import page
from cortexd.policy.breaker_states import TRANSITIONS, Trigger
from cortexd.policy.circuit_breaker_diagram import diagram

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "circuit-breaker.md"


def test_the_page_is_up_to_date() -> None:
    """The page is what the table says; `python -m cortexd.config.breaker_reference` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_diagram_has_an_arrow_for_each_row() -> None:
    """And one more for where it begins."""
    arrows = [line.strip() for line in diagram().splitlines() if "-->" in line]

    assert arrows == [
        "[*] --> closed",
        *(f"{a.value} --> {b.value} : {trigger.value}" for (a, trigger), b in TRANSITIONS.items()),
    ]


def test_no_trigger_upsets_the_diagram() -> None:
    """A label ends at a line's end or a semicolon, and a colon begins one."""
    assert [trigger for trigger in Trigger if set(trigger.value) & set(":;#\n")] == []

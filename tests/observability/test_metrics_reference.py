"""docs/reference/metrics.md."""

from pathlib import Path

from cortexd.observability.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def test_the_page_of_metrics_is_up_to_date() -> None:
    """It is what the catalogue says; `python -m cortexd.observability.reference` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()

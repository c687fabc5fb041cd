"""[degradation]: thresholds that fit together."""

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("lines", "key", "text"),
    [
        ("minor_below = 0.4", "minor_below", "major_below must be at most minor_below"),
        ("major_below = 0.1", "major_below", "critical_below must be at most major_below"),
        ("minor_recovery = 0.5", "minor_recovery", "minor_below must be at most minor_recovery"),
        (
            "critical_below = 0.45",
            "critical_below",
            "critical_below must be at most critical_recov",
        ),
        (
            "pressure_minor = 0.93",
            "pressure_minor",
            "pressure_minor must be at most pressure_major",
        ),
        ("minor_below = 1.5", "minor_below", "must be at least 0.0 and at most 1.0"),
        ("timeouts_factor = 0", "timeouts_factor", "must be more than 0.0 and at most 1.0"),
        ("concurrent_requests_max = 0", "concurrent_requests_max", "must be at least 1"),
        ("cache_ttl_factor = 0.5", "cache_ttl_factor", "must be at least 1.0"),
        ("major = 0.5", "major", "unknown key"),
    ],
)
def test_what_does_not_fit_is_named(problems_of: Any, lines: str, key: str, text: str) -> None:
    """With the key that was written, once."""
    (problem,) = problems_of(f"[degradation]\n{lines}\n")
    assert f"degradation.{key}" in str(problem)
    assert text in str(problem)


def test_thresholds_may_be_moved_together(load_text: Any) -> None:
    """A node of two workers may want to be healthy with one of them."""
    settings = load_text("[degradation]\nminor_below = 0.5\nminor_recovery = 0.5\n").degradation
    assert (settings.minor_below, settings.minor_recovery, settings.major_below) == (0.5, 0.5, 0.5)

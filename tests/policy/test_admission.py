"""Who is let in when the node has fallen low."""

import pytest

from cortexd.domain.criticality import Criticality
from cortexd.domain.ids import Tenant
from cortexd.policy.admission import WINDOW_S, is_admitted, retry_after_s
from cortexd.policy.degradation import DegradationLevel

TENANTS = [Tenant(f"tenant-{number}") for number in range(2_000)]


@pytest.mark.parametrize(
    ("level", "criticality", "share"),
    [
        (DegradationLevel.HEALTHY, Criticality.NORMAL, 1.0),
        (DegradationLevel.MINOR_ISSUES, Criticality.NORMAL, 1.0),
        (DegradationLevel.MAJOR_ISSUES, Criticality.NORMAL, 0.7),
        (DegradationLevel.CRITICAL, Criticality.NORMAL, 0.3),
        (DegradationLevel.EMERGENCY, Criticality.NORMAL, 0.0),
        (DegradationLevel.MAJOR_ISSUES, Criticality.PREMIUM, 1.0),
        (DegradationLevel.CRITICAL, Criticality.PREMIUM, 1.0),
        (DegradationLevel.EMERGENCY, Criticality.PREMIUM, 0.5),
    ],
)
def test_the_share_of_tenants_let_in(
    level: DegradationLevel, criticality: Criticality, share: float
) -> None:
    """About as many as the table says, and exactly all or none where it says that."""
    admitted = sum(is_admitted(level, tenant, criticality, now=5.0) for tenant in TENANTS)
    assert admitted == pytest.approx(share * len(TENANTS), abs=80 if 0 < share < 1 else 0)


def test_a_tenant_is_in_or_out_for_a_whole_window() -> None:
    """Nobody is half served; in the next window it may be somebody else's turn."""
    changed = 0
    for tenant in TENANTS[:200]:
        verdicts = [
            {
                is_admitted(
                    DegradationLevel.CRITICAL,
                    tenant,
                    Criticality.NORMAL,
                    now=window * WINDOW_S + at,
                )
                for at in (0.0, 3.3, WINDOW_S - 0.001)
            }
            for window in range(5)
        ]
        assert all(len(verdict) == 1 for verdict in verdicts)
        changed += any(verdict != verdicts[0] for verdict in verdicts)
    assert changed > 100


@pytest.mark.parametrize(("now", "expected"), [(0.0, WINDOW_S), (7.5, 2.5), (20.0, WINDOW_S)])
def test_the_time_to_come_back_is_that_of_the_next_window(now: float, expected: float) -> None:
    """Sooner there would be no other answer."""
    assert retry_after_s(now) == pytest.approx(expected)

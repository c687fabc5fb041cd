"""Who is let in when the node has fallen low: more of the better class, and nobody half served."""

import zlib
from collections.abc import Mapping
from typing import Final

from cortexd.domain.criticality import Criticality
from cortexd.domain.ids import Tenant
from cortexd.policy.degradation import DegradationLevel

WINDOW_S: Final = 10.0
"""For so long a tenant is in or out: by chance anew for each request, all would be half served."""


_SHARES: Final[Mapping[DegradationLevel, Mapping[Criticality, float]]] = {
    DegradationLevel.MAJOR_ISSUES: {Criticality.PREMIUM: 1.0, Criticality.NORMAL: 0.7},
    DegradationLevel.CRITICAL: {Criticality.PREMIUM: 1.0, Criticality.NORMAL: 0.3},
    DegradationLevel.EMERGENCY: {Criticality.PREMIUM: 0.5, Criticality.NORMAL: 0.0},
}


def is_admitted(
    level: DegradationLevel, tenant: Tenant, criticality: Criticality, *, now: float
) -> bool:
    """Whether requests of this tenant are taken in the current window.

    Which tenants are out changes from window to window, so that nobody is out for long.
    """
    shares = _SHARES.get(level)
    if shares is None:
        return True
    lot = zlib.crc32(f"{int(now // WINDOW_S)}:{tenant}".encode()) / 2**32
    return lot < shares[criticality]


def retry_after_s(now: float) -> float:
    """How long until the next window."""
    return WINDOW_S - now % WINDOW_S

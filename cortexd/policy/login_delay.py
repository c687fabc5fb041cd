"""Slows down who keeps presenting credentials that open nothing.

Only failing requests are slowed: a right credential always opens, whatever others at its address
have done. Nobody can guess 256 random bits, so what this guards is the log and the processor, and a
client that knocks without end learns from it when to come again.
Rules of this file: `now` is on the monotonic clock, and what is remembered has a bound, however
many addresses and ids there are.
"""

import ipaddress
from collections import OrderedDict
from typing import Final

import attrs

ADDRESS_FAILURES_MAX: Final = 10
KEY_FAILURES_MAX: Final = 20
ALL_FAILURES_MAX: Final = 100
"""How many failures a minute pass without consequences."""

MINUTE_S: Final = 60.0
DELAY_S_FIRST: Final = 1.0
DELAY_S_MAX: Final = 300.0
HELD_S: Final = 1.0
"""How long a failing request is held up while too many fail on the whole node."""

REMEMBERED_MAX: Final = 10_000
_IPV6_NETWORK_BITS: Final = 64


@attrs.frozen
class Slowdown:
    """What a failed attempt has earned.

    `retry_after_s`: `None` if it is just refused, else it came too often. `held_s`: how long its
    answer has to wait.
    """

    retry_after_s: float | None = None
    held_s: float = 0.0


@attrs.define
class _Record:
    """The failures of one origin in the current minute, and the delay they have led to."""

    since: float
    failures: int = 0
    delay_s: float = 0.0
    forgotten_at: float = 0.0


class LoginDelays:
    """Counts failures by address, by key, and altogether."""

    def __init__(self) -> None:
        self._addresses: OrderedDict[str, _Record] = OrderedDict()
        self._keys: OrderedDict[str, _Record] = OrderedDict()
        self._all = _Record(since=0.0)

    def fail(self, address: str, key_id: str | None, now: float) -> Slowdown:
        """Count a failure. `key_id`: the key it claims to be, where it names one."""
        delay_s = _count(self._addresses, _network(address), ADDRESS_FAILURES_MAX, now)
        if key_id is not None:
            delay_s = max(delay_s, _count(self._keys, key_id, KEY_FAILURES_MAX, now))
        if now - self._all.since > MINUTE_S:
            self._all = _Record(since=now)
        self._all.failures += 1
        return Slowdown(
            retry_after_s=delay_s or None,
            held_s=HELD_S if self._all.failures > ALL_FAILURES_MAX else 0.0,
        )

    @property
    def remembered(self) -> int:
        """How many addresses and keys it has in mind."""
        return len(self._addresses) + len(self._keys)


def _count(records: OrderedDict[str, _Record], origin: str, failures_max: int, now: float) -> float:
    """Count a failure of `origin`; gives the delay that it has come to, 0 for none."""
    record = records.get(origin)
    if record is None or now >= record.forgotten_at:
        record = records[origin] = _Record(since=now)
    elif now - record.since > MINUTE_S and not record.delay_s:
        record.since, record.failures = now, 0
    records.move_to_end(origin)
    if len(records) > REMEMBERED_MAX:
        records.popitem(last=False)
    record.failures += 1
    if record.failures > failures_max:
        record.delay_s = min(DELAY_S_MAX, record.delay_s * 2 or DELAY_S_FIRST)
    record.forgotten_at = now + max(MINUTE_S, record.delay_s)
    return record.delay_s


def _network(address: str) -> str:
    """Whom an address stands for: in IPv6, one client has billions of them."""
    if ":" not in address:
        return address
    try:
        network = ipaddress.IPv6Network((address, _IPV6_NETWORK_BITS), strict=False)
    except ValueError:
        return address
    return str(network)

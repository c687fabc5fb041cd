"""The words of a message about alerts: the same for mail and chat."""

from typing import Final

from cortexd.domain.alert import AlertDigest, Notice, Occasion

LATE_S: Final = 30.0
"""A notice that is older than this when it is sent says so."""

_OCCASIONS: Final = {
    Occasion.FIRED: "",
    Occasion.ESCALATED: "worse: ",
    Occasion.REPEATED: "still: ",
    Occasion.RESOLVED: "resolved: ",
}

_UNITS: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def headline(digest: AlertDigest, node: str) -> str:
    """The message in one line."""
    first = digest.notices[0]
    more = f" and {len(digest.notices) - 1} more" if len(digest.notices) > 1 else ""
    return f"cortexd {node}: {title(first)}{more}"


def title(notice: Notice) -> str:
    """The notice in a few words."""
    about = f" ({notice.target})" if notice.target else ""
    if notice.occasion is Occasion.RESOLVED:
        return f"resolved: {notice.rule.value}{about}"
    return f"{notice.severity.value}: {notice.rule.value}{about}"


def sentence(notice: Notice, age_s: float) -> str:
    """The notice in a sentence or two, with its times where they matter."""
    times = []
    if notice.occasion is not Occasion.FIRED:
        times.append(f"began {duration(notice.at - notice.since)} before")
    if age_s >= LATE_S:
        times.append(f"noticed {duration(age_s)} ago, told late")
    behind = f" ({'; '.join(times)})" if times else ""
    return f"{_OCCASIONS[notice.occasion]}{notice.message}{behind}"


def losses(digest: AlertDigest) -> str:
    """How many notices before these nobody will be told; empty if there are none."""
    if not digest.lost:
        return ""
    were = "notice before these was" if digest.lost == 1 else "notices before these were"
    return f"{digest.lost} {were} lost, as this channel did not work: see `cortexctl alerts list`"


def duration(seconds: float) -> str:
    """The time in the one unit that fits it."""
    for unit_s, unit in _UNITS:
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"

"""What a validator of a settings class allows, in words.

The attrs validators say "'x' must be >= 1: 0"; users of a file are better served by "at least 1",
without the value. The same words go into the reference.
"""

from typing import Any

_COMPARISONS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


def allowed(validator: Any) -> str:
    """What the validator asks for, such as `at least 1`; empty if it asks for nothing.

    Errors: `TypeError` for a kind of validator that has no words here yet.
    """
    if validator is None:
        return ""
    if hasattr(validator, "_validators"):
        return " and ".join(allowed(part) for part in validator._validators)  # noqa: SLF001  # attrs has no public way in
    if hasattr(validator, "validator"):
        return allowed(validator.validator)
    if hasattr(validator, "compare_op"):
        return f"{_COMPARISONS[validator.compare_op]} {validator.bound}"
    if hasattr(validator, "min_length"):
        return "non-empty" if validator.min_length == 1 else f"at least {validator.min_length} long"
    raise TypeError(f"no words for {validator!r}")

"""What all actors of the node have in common."""

from typing import Final

HANDLER_S_MAX: Final = 4.0
"""No message keeps an actor for longer; one that does has hung, and the actor is restarted.

What waits for somebody else is done in helper tasks, which have limits of their own.
"""

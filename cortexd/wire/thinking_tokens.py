"""What an effort is in tokens, for providers who know numbers alone.

Source: Google's guide to its OpenAI-compatible endpoint, which gives numbers for OpenAI's words.
"""

from collections.abc import Mapping
from typing import Final

from cortexd.domain.chat import Effort

THINKING_TOKENS: Final[Mapping[Effort, int]] = {
    Effort.NONE: 0,
    Effort.MINIMAL: 1024,
    Effort.LOW: 1024,
    Effort.MEDIUM: 8192,
    # The most that all of Google's thinking models take.
    Effort.HIGH: 24_576,
    Effort.XHIGH: 24_576,
    Effort.MAX: 24_576,
}

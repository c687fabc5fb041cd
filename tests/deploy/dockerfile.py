"""The Dockerfile, taken apart into its instructions. Pure, but for reading it."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs

REPOSITORY: Final = Path(__file__).parents[2]
DOCKERFILE: Final = REPOSITORY / "deploy" / "docker" / "Dockerfile"

Stage: TypeAlias = "tuple[Instruction, ...]"


@attrs.frozen
class Instruction:
    """One instruction: `RUN`, and all that stands behind it."""

    word: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The commands of a `RUN`, each as its words."""
        return [shlex.split(each) for each in self.text.split("&&")]

    @property
    def listed(self) -> list[str]:
        """The words of a `CMD` that starts no shell."""
        words: list[str] = json.loads(self.text[self.text.index("[") :])
        return words


def read_dockerfile() -> tuple[Instruction, ...]:
    """All instructions, those before the first `FROM` included."""
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return tuple(Instruction(*line.split(maxsplit=1)) for line in found if line)


def stages(instructions: Sequence[Instruction]) -> list[Stage]:
    """The instructions of each stage, from its `FROM` on."""
    starts = [at for at, each in enumerate(instructions) if each.word == "FROM"]
    ends = [*starts[1:], len(instructions)]
    return [tuple(instructions[start:end]) for start, end in zip(starts, ends, strict=True)]


def of(stage: Sequence[Instruction], word: str) -> list[Instruction]:
    """The instructions of a stage that begin with this word."""
    return [each for each in stage if each.word == word]


def copied_from_here(instructions: Sequence[Instruction]) -> list[str]:
    """What is copied out of the repository."""
    copies = [each.text.split() for each in of(instructions, "COPY")]
    return [
        source for words in copies if not words[0].startswith("--from") for source in words[:-1]
    ]

"""What the README tells its readers to do works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cortexd.config.load import load

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
FIRST_SCREEN_LINES = 20


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_both_commands_stand_in_the_first_screen() -> None:
    """Nobody has to look for how to begin."""
    first_screen = "\n".join(README.splitlines()[:FIRST_SCREEN_LINES])

    assert re.search(r"^make run\b", first_screen, re.MULTILINE)
    assert re.search(r"^make test\b", first_screen, re.MULTILINE)


@pytest.mark.real_time
@pytest.mark.slow
@pytest.mark.parametrize("program", _blocks("python"), ids=["openai", "ollama"])
def test_a_program_of_the_readme_prints_an_answer(start_daemon: Any, program: str) -> None:
    """Run as it stands, but for the port."""
    daemon = start_daemon('[[workers]]\nname = "embedded"\ntype = "embedded"\n')
    assert "http://127.0.0.1:4000" in program

    ran = subprocess.run(
        [sys.executable, "-c", program.replace("http://127.0.0.1:4000", daemon.url)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.split()) > 1


def test_the_configuration_of_the_readme_is_valid(tmp_path: Path) -> None:
    """It loads, and means the three workers it shows."""
    (shown,) = _blocks("toml")
    path = tmp_path / "cortexd.toml"
    path.write_text(shown, encoding="utf-8")

    config = load(path, {"VLLM_API_KEY": "k"})

    assert [worker.name for worker in config.workers] == ["gpu-box", "vllm", "embedded"]


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """All of them are files of this repository."""
    root = Path(__file__).parents[2]
    targets = re.findall(r"\]\(([^)#]+)\)", README)

    assert targets
    assert [target for target in targets if not (root / target).exists()] == []

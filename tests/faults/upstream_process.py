"""An upstream as a process, to be stopped and continued: run it with `python -m`.

It writes its base address, and serves until its standard input is closed.
"""

import sys

from tests.fakes.openai import OpenAi
from tests.fakes.provider import running
from tests.fakes.scene import Scene

if __name__ == "__main__":
    with running(OpenAi()) as fake:
        fake.play(Scene.text("from the process"))
        sys.stdout.write(f"{fake.base_url}\n")
        sys.stdout.flush()
        sys.stdin.read()

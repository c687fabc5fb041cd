"""The command `cortexctl`, and a node to speak with."""

import threading
from collections.abc import Callable, Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import TypeAlias

import pytest
from click.testing import CliRunner, Result

from cortexd.ctl import main
from tests.cli.admin_node import FakeNode, UnixServer, handler

Invoke: TypeAlias = Callable[..., Result]


@pytest.fixture(params=["tcp", "unix"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeNode]:
    """A node's admin listener, on either kind of address."""
    fake = FakeNode()
    if request.param == "tcp":
        server = HTTPServer(("127.0.0.1", 0), handler(fake))
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    else:
        path = str(tmp_path / "admin.sock")
        server = UnixServer(path, handler(fake))  # type: ignore[arg-type]  # typed for TCP alone
        fake.url = f"unix:{path}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command where a node has left its admin token."""
    monkeypatch.chdir(tmp_path)
    Path("state").mkdir()
    Path("state/admin-token").write_text("right\n", encoding="ascii")
    return lambda *arguments, **variables: CliRunner().invoke(main, arguments, env=variables)

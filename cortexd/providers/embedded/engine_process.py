"""The engine's own process: llama.cpp with its HTTP server on a Unix socket.

Rules of this file: it is run by its path, so it imports nothing of the gateway. Its one argument is
a JSON object; its standard input is a pipe that nobody writes to, and whose end is the order to
die. One line of JSON on standard output says that it is ready.
"""

import fcntl
import json
import os
import select
import signal
import sys
from typing import Any

STDIN = 0
STDOUT = 1


def die_with_stdin() -> None:
    """Have the kernel kill this process when the other end of the pipe is closed.

    The gateway may be killed in a way that leaves it no time to tell. A thread that waits for the
    end of the pipe would not do: while the model loads, llama.cpp holds the interpreter's lock.
    """
    if sys.platform == "linux":
        fcntl.fcntl(STDIN, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(STDIN, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(STDIN, fcntl.F_SETFL, fcntl.fcntl(STDIN, fcntl.F_GETFL) | os.O_ASYNC)
    # It may have been closed before there was anyone to signal.
    readable, _, _ = select.select([STDIN], [], [], 0)
    if readable:
        os._exit(0)


def start_server(parameters: dict[str, Any]) -> object:
    """Load the model and listen; the server lives as long as the object.

    Errors: `RuntimeError`; the reason is in llama.cpp's log on standard error.
    """
    # Not at the top: importing takes a while, and nothing may come before `die_with_stdin`.
    import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415

    settings = xllamacpp.CommonParams()
    settings.model.path = parameters["weights"]
    settings.model_alias = {parameters["model"]}
    settings.hostnames = [parameters["socket"]]
    settings.n_ctx = parameters["context_tokens"]
    if parameters["threads"] is not None:
        settings.cpuparams.n_threads = parameters["threads"]
    settings.n_parallel = 1
    # It looks for a client that has left after each batch of the prompt: at its default of 2048
    # tokens that is many seconds on a small machine.
    settings.n_batch = parameters["batch_tokens"]
    settings.n_ubatch = parameters["batch_tokens"]
    # By default it keeps old prompts in up to 8 GiB of memory.
    settings.cache_ram_mib = 0
    # Errors only: what it says else is a dozen lines a request.
    settings.verbosity = 1
    settings.offline = True
    settings.ui = False
    settings.endpoint_slots = False
    return xllamacpp.Server(settings)


def main() -> None:
    """Serve until standard input ends."""
    die_with_stdin()
    # A Ctrl-C or a stop of the service reaches this process, too, but answers must go on until
    # the gateway has drained.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        _server = start_server(json.loads(sys.argv[1]))
    except (ImportError, RuntimeError) as exc:
        sys.exit(str(exc))
    os.write(STDOUT, b'{"ready": true}\n')
    # Nobody reads on from here.
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    while os.read(STDIN, 1):
        pass
    # Not through the interpreter's own end: llama.cpp takes two seconds to tidy up.
    os._exit(0)


if __name__ == "__main__":
    main()

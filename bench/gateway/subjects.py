"""The gateways that are compared, each set up as for production and pinned to one process.

Sources of the settings: docs/reference/configuration.md; "Production Best Practices" of LiteLLM's
documentation; the reference of nginx's modules `http_proxy` and `http_upstream`.
"""

import json
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from bench.gateway.script import MODEL

CHECKOUT: Final = Path(__file__).parents[2]
LITELLM: Final = Path(sys.prefix) / "litellm" / "bin" / "litellm"
NGINX_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

STREAMS_MAX: Final = 1024
"""How many requests each of them is allowed to serve at once."""


class NotInstalled(Exception):
    """The program is not on this machine; the text says what would put it there."""


@attrs.frozen(kw_only=True)
class Subject:
    """A gateway in front of the upstream: how it is started, and the port it listens on."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int


SetUp: TypeAlias = Callable[[Path, int], Subject]
"""Writes the configuration into a folder, for an upstream at a port. Errors: `NotInstalled`."""


def set_up_cortexd(folder: Path, upstream_port: int) -> Subject:
    """One node with one worker; it logs its line for each request, which has no switch."""
    port = _free_port()
    config = folder / "cortexd.toml"
    config.write_text(
        f"""
        [node]
        name = "bench"
        state_dir = "{folder}/state"
        [data]
        bind = ["127.0.0.1:{port}"]
        [admin]
        bind = ["unix:{folder}/admin.sock"]
        [[workers]]
        name = "upstream"
        type = "openai"
        base_url = "http://127.0.0.1:{upstream_port}/v1"
        models = ["{MODEL}"]
        api_keys = []
        max_concurrency = {STREAMS_MAX}
        """,
        encoding="utf-8",
    )
    command = (sys.executable, "-m", "cortexd", "--config", str(config), "--log-format", "json")
    environment = {"PYTHONPATH": str(CHECKOUT)}
    return Subject(name="cortexd", command=command, environment=environment, port=port)


def set_up_litellm(folder: Path, upstream_port: int) -> Subject:
    """One worker without database and keys, and with nothing logged but errors."""
    if not LITELLM.exists():
        raise NotInstalled(f"no {LITELLM}: `make bench` installs it")
    port = _free_port()
    deployment = {
        "model": f"openai/{MODEL}",
        "api_base": f"http://127.0.0.1:{upstream_port}/v1",
        "api_key": "none",
    }
    config = folder / "litellm.yaml"
    config.write_text(  # JSON is YAML, too
        json.dumps(
            {
                "model_list": [{"model_name": MODEL, "litellm_params": deployment}],
                "litellm_settings": {
                    "set_verbose": False,
                    "json_logs": True,
                    "telemetry": False,
                    "request_timeout": 600,
                },
                "general_settings": {
                    "disable_spend_logs": True,
                    "disable_error_logs": True,
                    # Nor does cortexd ask anybody for a key here.
                    "dangerously_permit_weak_or_unset_master_key": True,
                },
            }
        ),
        encoding="utf-8",
    )
    place = ("--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    return Subject(
        name="LiteLLM",
        command=(str(LITELLM), "--config", str(config), *place),
        environment={
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            # Otherwise it asks the internet for prices when it starts.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        port=port,
    )


def set_up_nginx(folder: Path, upstream_port: int) -> Subject:
    """One worker that passes bytes on as they come: the least that a gateway can cost."""
    executable = shutil.which("nginx") or shutil.which("nginx", path=NGINX_PATH)
    if executable is None:
        raise NotInstalled("no nginx: it is in the Debian package of that name")
    port = _free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"""
        daemon off;
        worker_processes 1;
        pid {folder}/nginx.pid;
        error_log stderr error;
        events {{ worker_connections {4 * STREAMS_MAX}; }}
        http {{
            access_log off;
            client_body_temp_path {folder}/nginx-body;
            proxy_temp_path {folder}/nginx-proxy;
            fastcgi_temp_path {folder}/nginx-fastcgi;
            uwsgi_temp_path {folder}/nginx-uwsgi;
            scgi_temp_path {folder}/nginx-scgi;
            keepalive_requests 1000000;
            upstream model {{
                server 127.0.0.1:{upstream_port};
                keepalive {STREAMS_MAX};
                keepalive_requests 1000000;
            }}
            server {{
                listen 127.0.0.1:{port};
                location / {{
                    proxy_pass http://model;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_buffering off;
                }}
            }}
        }}
        """,
        encoding="utf-8",
    )
    command = (executable, "-e", "stderr", "-p", str(folder), "-c", str(config))
    return Subject(name="nginx", command=command, environment={}, port=port)


SET_UPS: Final[tuple[SetUp, ...]] = (set_up_cortexd, set_up_litellm, set_up_nginx)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port

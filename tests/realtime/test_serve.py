"""`manage.py serve`: what it tells Uvicorn, and what it refuses."""

import socket
import sys
from typing import Any

import pytest
import uvicorn
from django.core.management import CommandError, call_command

from realtime.management.commands import serve

IN_MEMORY = "The channel layer is in memory"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what Uvicorn is told, instead of running it."""
    told: dict[str, Any] = {}

    def run(app: str, **config: Any) -> None:
        told.update(config, app=app)

    monkeypatch.setattr(uvicorn, "run", run)
    monkeypatch.setattr(serve, "check_port", lambda *_: None)  # it may be in use here
    return told


def test_it_serves_the_application_of_the_settings(told: dict[str, Any]) -> None:
    call_command("serve")
    assert told["app"] == "django_project.asgi:application"


def test_uvicorn_does_not_ping(told: dict[str, Any]) -> None:
    call_command("serve")
    assert told["ws_ping_interval"] is None


def test_uvicorn_bounds_what_it_reads_of_a_message(told: dict[str, Any], settings: Any) -> None:
    settings.REALTIME = {"MAX_MESSAGE_SIZE": 100}
    call_command("serve")
    assert told["ws_max_size"] == 1600


def test_no_proxy_is_believed_unless_it_is_named(told: dict[str, Any]) -> None:
    call_command("serve")
    assert (told["proxy_headers"], told["forwarded_allow_ips"]) == (False, "")


@pytest.mark.parametrize("option", ["--workers", "--port", "--graceful-timeout"])
@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5"])
def test_a_number_must_be_one(option: str, value: str, told: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="is no number from 1 on"):
        call_command("serve", f"{option}={value}")


def test_a_port_must_be_one(told: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match="'70000' is no port: they end at 65535"):
        call_command("serve", "--port=70000")


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"Port {port} is in use: choose another"):
            call_command("serve", f"--port={port}")


def test_a_project_without_an_application_is_told(told: dict[str, Any], settings: Any) -> None:
    settings.ASGI_APPLICATION = None
    with pytest.raises(CommandError, match="Set ASGI_APPLICATION"):
        call_command("serve")


@pytest.mark.parametrize("name", ["uvicorn", "websockets"])
def test_missing_package_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CommandError, match=rf"needs {name}: install clew\[serve\]"):
        call_command("serve")


@pytest.mark.parametrize(
    ("backend", "workers", "warns"),
    [
        ("channels.layers.InMemoryChannelLayer", 2, True),
        ("channels.layers.InMemoryChannelLayer", 1, False),
        ("channels_redis.pubsub.RedisPubSubChannelLayer", 2, False),
    ],
)
def test_workers_that_do_not_hear_each_other_are_told(
    backend: str,
    workers: int,
    warns: bool,
    told: dict[str, Any],
    settings: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend}}
    call_command("serve", workers=workers)
    assert (IN_MEMORY in capsys.readouterr().err) is warns

"""The compose file describes a layout that is safe by default and starts programs that exist."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from backfill.cli.app import app

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service.get("image") == "backfill"]


def test_the_layout_is_whole() -> None:
    everything = {"postgres", "valkey", "migrate", "api", "coordinator", "worker", "flower"}
    assert set(SERVICES) == everything
    assert SERVICES["coordinator"]["deploy"]["replicas"] == 2
    assert SERVICES["flower"]["profiles"] == ["flower"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_run_without_root_and_without_a_shell_as_first_process(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert isinstance(service["command"], list)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_the_loopback_address_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_no_password_is_written_down(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if re.search("PASSWORD|TOKEN|AUTH", key):
            assert re.fullmatch(r"\$\{[A-Z_]+:[?-][^}]*\}", value), key


def test_every_variable_without_a_default_is_in_the_example_of_the_environment() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    needed = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    offered = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert needed
    assert needed <= offered


def test_a_worker_has_longer_to_stop_than_its_steps() -> None:
    from backfill.settings import Settings

    grace = int(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings().shutdown_seconds + 10


def test_the_broker_never_evicts() -> None:
    command = SERVICES["valkey"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--appendonly") + 1] == "yes"


def test_the_image_is_built_from_files_that_exist() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    for source in " ".join(sources).split():
        assert (ROOT / source).exists(), source


@pytest.mark.parametrize("name", [n for n in OURS if SERVICES[n]["command"][0] == "backfill"])
def test_the_commands_of_the_containers_exist(name: str) -> None:
    words = SERVICES[name]["command"][1:]
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.output
    assert f"{words[-1]} [OPTIONS]" in result.output


@pytest.mark.parametrize("name", ["worker", "flower"])
def test_the_celery_commands_name_the_application(name: str) -> None:
    command = SERVICES[name]["command"]
    assert command[:4] == ["celery", "-A", "workers", name]
    assert find_spec("workers.celery_app") is not None

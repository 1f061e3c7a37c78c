"""What `backfill dev` starts, and where."""

from __future__ import annotations

import fcntl
import socket
from pathlib import Path

import pytest
from rich.console import Console

from backfill.errors import Conflict
from backfill.local import example_files, read_place, run_dev
from backfill.local_programs import Fleet, environment, programs
from backfill.settings import MAX_SOCKET_PATH, Settings


def test_everything_runs_with_one_embedded_broker(tmp_path: Path) -> None:
    table = {p.name: p for p in programs(Settings(home=tmp_path), Fleet(nodes=2))}
    assert list(table) == ["broker", "api", "coordinator", "worker-1", "worker-2", "flower"]
    assert all(p.after[0] == "broker" for name, p in table.items() if name != "broker")
    assert table["flower"].after == ["broker", "worker-1", "worker-2"]
    assert not table["flower"].vital


def test_a_broker_of_ones_own_leaves_ours_out(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, broker_url="redis://127.0.0.1:6390/3")
    table = programs(settings, Fleet(flower=False))
    assert [p.name for p in table] == ["api", "coordinator", "worker-1"]
    assert {p.env["BACKFILL_BROKER_URL"] for p in table} == {"redis://127.0.0.1:6390/3"}


def test_the_programs_read_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        home=tmp_path, definitions="shop.pipelines", reload=True, lease_seconds=2.5, port=8123
    )
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    read = Settings()
    assert read.model_dump(exclude={"database_url", "broker_url"}) == settings.model_dump(
        exclude={"database_url", "broker_url"}
    )
    assert read.effective_database_url() == settings.effective_database_url()
    assert read.effective_broker_url() == settings.effective_broker_url()


def test_a_socket_path_that_is_too_long_moves_to_a_short_place(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    socket_path = Settings(home=deep).broker_socket()
    assert len(str(socket_path)) <= MAX_SOCKET_PATH
    assert Settings(home=deep).broker_socket() == socket_path
    assert Settings(home=deep / "f").broker_socket() != socket_path


def test_a_home_is_used_by_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "dev.lock"
    with lock.open("w") as held:
        held.write("4711")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match=r"\(process 4711\) uses .* Stop it, or set BACKFILL_HO"):
            run_dev(Settings(home=tmp_path))
    assert read_place(Settings(home=tmp_path)) is None


def test_a_taken_port_is_passed_over_and_said(tmp_path: Path) -> None:
    from backfill.local import _choose_ports

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        console = Console(record=True, width=200)
        settings, _ = _choose_ports(
            Settings(home=tmp_path, port=port), Fleet(flower=False), console
        )
    assert settings.port > port
    assert settings.api_url == f"http://127.0.0.1:{settings.port}"
    assert f"The API listens on port {settings.port}: {port} is taken." in console.export_text()


def test_the_examples_come_along() -> None:
    assert [file.name for file in example_files()] == ["may_2020.py", "weather.py"]

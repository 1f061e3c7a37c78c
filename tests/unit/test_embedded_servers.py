"""The embedded servers start, work, and are gone afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg
import pytest
import redis

from backfill.embedded.broker import EmbeddedBroker
from backfill.embedded.postgres import EmbeddedPostgres
from tests.support.databases import PostgresDatabases, one_database


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_broker_keeps_its_messages_over_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    for expected in (1, 2):
        with EmbeddedBroker(folder) as broker:
            client = redis.Redis(unix_socket_path=str(broker.socket_path))
            assert client.rpush("queue", "message") == expected
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            client.close()
            pid = broker.pid
        assert not is_alive(pid)


def test_the_broker_listens_on_no_network_port(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as broker:
        client = redis.Redis(unix_socket_path=str(broker.socket_path))
        assert client.config_get("port") == {"port": "0"}
        client.close()


def test_a_broker_killed_by_its_own_data_starts_empty(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / "broker")
    with broker:
        pass
    for part in (broker.folder / "appendonlydir").glob("*.aof"):
        part.write_bytes(b"*3\r\nno such thing")
    broker.prepare(quick_deaths=1)
    with broker:
        assert broker.answers()


def test_a_server_of_our_own_runs_postgresql_and_leaves_nothing_behind() -> None:
    with EmbeddedPostgres(durable=True) as server:
        plain = server.url().replace("+psycopg", "")
        with psycopg.connect(plain) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
        pid, folder = server.pid, plain.partition("host=")[2]
    assert not is_alive(pid)
    assert not Path(folder).exists()


@pytest.mark.postgres
def test_each_database_of_the_tests_is_its_own(postgres_databases: PostgresDatabases) -> None:
    with (
        one_database(postgres_databases, migrated=False) as one,
        one_database(postgres_databases, migrated=False) as other,
    ):
        assert one != other
        for url in (one, other):
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                connection.execute("CREATE TABLE thing (id integer)")

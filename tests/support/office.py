"""One worker process's runner, in this process, and the house it works in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backfill.execution import capture
from backfill.settings import Settings
from backfill.storage.database import Database
from tests.support.databases import SQLiteFiles, one_database
from tests.support.house import House
from tests.support.loading import loaded
from workers.runner import Runner
from workers.slots import Board


@contextmanager
def open_office(
    databases: SQLiteFiles, folder: Path, source: str
) -> Iterator[tuple[House, Board, Runner]]:
    """Give a house of these definitions, and a registered worker's board and runner in it."""
    with one_database(databases) as url, loaded(source, folder) as definitions:
        file = next(folder.glob("definitions_*.py"))
        settings = Settings(home=folder, database_url=url, definitions=str(file))
        house = House(Database(url), definitions, settings)
        board = Board()
        board.worker_id = house.worker()
        runner = Runner(settings, board.slot(0), board.worker_id)
        yield house, board, runner
        runner.close()
        capture.uninstall()
        house.db.dispose()

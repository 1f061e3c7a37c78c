"""A process may fork while its threads use SQLite: the child is not left with their locks."""

from __future__ import annotations

import subprocess
import sys

from tests.support.databases import SQLiteFiles

FORKING_PARENT = """
import os, sys, threading
from sqlalchemy import text
from backfill.storage.database import Database
from backfill.storage.forking import not_forking

url = sys.argv[1]
parent = Database(url, forking=True)
stop, writing = threading.Event(), threading.Event()

def beat():
    while not stop.is_set():
        with not_forking(), parent.write() as conn:
            conn.execute(text("CREATE TABLE IF NOT EXISTS beats (n integer)"))
            writing.set()
            conn.execute(text("INSERT INTO beats VALUES (1)"))

thread = threading.Thread(target=beat)
thread.start()
for _ in range(30):
    writing.clear()
    writing.wait()
    child = os.fork()
    if child == 0:
        mine = Database(url)
        with mine.write() as conn:
            conn.execute(text("INSERT INTO beats VALUES (2)"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
thread.join()
with parent.read() as conn:
    print(conn.execute(text("SELECT count(*) FROM beats WHERE n = 2")).scalar())
"""


def test_children_forked_in_the_middle_of_writes_can_write(sqlite_databases: SQLiteFiles) -> None:
    url = sqlite_databases.fresh()
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING_PARENT, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "30", done.stderr

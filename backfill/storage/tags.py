"""Tags as numbers, so that runs are found by them: a value may be too long for an index."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from backfill.storage.database import Database
from backfill.storage.models import run_tags


def tag_number(name: str, value: str) -> int:
    """Return the number of a tag: 63 bits of a hash, so readers compare the tag itself too."""
    packed = f"{len(name)}:{name}{value}".encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "big") >> 1


def keep_tags(
    db: Database, conn: Connection, tagged: Iterable[tuple[int, Mapping[str, str]]]
) -> None:
    """Let runs, given by id with the tags of their own, be found by them."""
    rows = [
        (number, run_id)
        for run_id, tags in tagged
        for number in {tag_number(name, str(value)) for name, value in tags.items()}
    ]
    if rows:
        numbers, ids = zip(*rows, strict=True)
        db.bulk_insert(conn, run_tags, {"tag": numbers, "run_id": ids})

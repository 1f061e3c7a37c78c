"""Opaque cursors: where a page ended. Clients hand them back and read nothing into them."""

from __future__ import annotations

import base64
import binascii
import json

from backfill.errors import Invalid

MAX_LENGTH = 4_000
MAX_INT = 2**63 - 1


class CursorInvalid(Invalid):
    """A cursor is not one that this list gave."""

    code = "cursor_invalid"


def encode(*parts: str | int) -> str:
    """Return the cursor that holds these parts."""
    packed = json.dumps(parts, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_ints(cursor: str, count: int) -> tuple[int, ...]:
    """Return the parts of a cursor of so many integers.

    Raises:
        CursorInvalid: It is not one.
    """
    parts = _parts(cursor)
    if len(parts) != count or not all(_is_int(part) for part in parts):
        raise _invalid()
    return tuple(int(part) for part in parts)


def decode_place(cursor: str) -> tuple[str, int]:
    """Return the key and the index that a cursor of a partition list holds.

    Raises:
        CursorInvalid: It holds something else.
    """
    parts = _parts(cursor)
    if len(parts) != 2 or not isinstance(parts[0], str) or not _is_int(parts[1]):
        raise _invalid()
    return parts[0], int(parts[1])


def decode_named(cursor: str) -> tuple[int, str, str]:
    """Return the number and the two names that a cursor of a list of marks holds.

    Raises:
        CursorInvalid: It holds something else.
    """
    parts = _parts(cursor)
    if len(parts) != 3 or not _is_int(parts[0]):
        raise _invalid()
    first, second = parts[1:]
    if not isinstance(first, str) or not isinstance(second, str) or "\0" in first + second:
        raise _invalid()
    return int(parts[0]), first, second


def _parts(cursor: str) -> list[str | int]:
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts = json.loads(packed)
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid() from None
    if not isinstance(parts, list) or "\0" in cursor:
        raise _invalid()
    return parts


def _is_int(part: object) -> bool:
    return isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= MAX_INT


def _invalid() -> CursorInvalid:
    return CursorInvalid("The cursor is not one of this list. Start again without a cursor.")

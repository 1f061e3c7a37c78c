"""Making text of any origin safe to store and bounded in length."""

from __future__ import annotations

NUL_SHOWN = "\N{SYMBOL FOR NULL}"


def storable(text: str) -> str:
    """Return the text as every database takes it: no NUL characters, no lone surrogates."""
    if text.isascii():
        return text.replace("\0", NUL_SHOWN) if "\0" in text else text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("\0", NUL_SHOWN)


def bounded(text: str, limit: int) -> str:
    """Return the text, its middle cut out where it is longer than `limit` characters.

    What was cut is said in its place; the result may be longer than the limit by that sentence.
    """
    if len(text) <= limit:
        return text
    head = limit // 2
    tail = limit - head
    return f"{text[:head]}\n… {len(text) - limit} characters left out …\n{text[-tail:]}"


def shown(value: object, limit: int = 200) -> str:
    """Return `repr(value)` for an error message: one line, bounded, storable, never raising."""
    try:
        text = repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    if len(text) > limit:
        text = text[:limit] + "…"
    return storable(text)


def stable_text(value: object) -> str:
    """Return a text that is the same for equal plain values in every process.

    Of anything but numbers, texts, lists and dicts it names the type alone.
    """
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return shown(value, 1000)
    if isinstance(value, list | tuple):
        return f"[{', '.join(stable_text(item) for item in value)}]"
    if isinstance(value, dict):
        items = sorted((stable_text(key), stable_text(item)) for key, item in value.items())
        return f"{{{', '.join(f'{key}: {item}' for key, item in items)}}}"
    return f"<{type(value).__module__}.{type(value).__qualname__}>"

"""Arguments and options that several commands take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from backfill.errors import Invalid

AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]
Note = Annotated[str | None, typer.Option(help="Why; kept with the event.")]
BackfillId = Annotated[int, typer.Argument(metavar="ID", help="A backfill's id.")]
RunId = Annotated[int, typer.Argument(metavar="RUN", help="A run's id.")]
TagOptions = Annotated[
    list[str] | None, typer.Option("--tags", metavar="KEY=VALUE", help="A tag; may be repeated.")
]
StepOptions = Annotated[
    list[str] | None, typer.Option("--steps", metavar="STEP", help="Only these steps.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Run config: a YAML or JSON file; - is stdin."),
]
Modules = Annotated[
    list[str] | None, typer.Option("-m", "--module", help="A module that holds definitions.")
]
Files = Annotated[
    list[Path] | None, typer.Option("-f", "--file", help="A file that holds definitions.")
]

MAX_CONFIG_BYTES = 1024 * 1024
MAX_ALIASES = 100


def tags_of(given: Sequence[str] | None) -> dict[str, str]:
    """Return `key=value` options as tags."""
    tags = {}
    for text in given or ():
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--tags")
        tags[key] = value
    return tags


def listed(given: Sequence[str] | None) -> list[str] | None:
    """Return options as one list; each may hold several between commas."""
    names = [name.strip() for text in given or () for name in text.split(",")]
    return [name for name in names if name] or None


def config_of(file: Path | None) -> dict[str, Any] | None:
    """Read a run config from a file, `-` for stdin.

    Raises:
        Invalid: It cannot be read, or is no mapping.
    """
    if file is None:
        return None
    text = _text_of(file)
    config = _parsed(text, file)
    if not isinstance(config, Mapping):
        raise Invalid(f"{file} holds no run config: expected a mapping at its top.")
    return dict(config)


def definitions_of(modules: Sequence[str] | None, files: Sequence[Path] | None) -> str | None:
    """Return -m and -f as one text, or None when neither is given."""
    given = [*(modules or ()), *(str(file) for file in files or ())]
    return ",".join(given) or None


def _text_of(file: Path) -> str:
    import sys

    try:
        if str(file) == "-":
            text = sys.stdin.read(MAX_CONFIG_BYTES + 1)
        else:
            with file.open(encoding="utf-8") as opened:
                text = opened.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{file} is not UTF-8 text.") from error
    if len(text) > MAX_CONFIG_BYTES:
        raise Invalid(f"{file} is larger than {MAX_CONFIG_BYTES // 1024} KiB.")
    return text


def _parsed(text: str, file: Path) -> Any:
    import yaml

    try:
        aliases = sum(isinstance(e, yaml.AliasEvent) for e in yaml.parse(text, yaml.SafeLoader))
        if aliases > MAX_ALIASES:
            raise Invalid(f"{file} has {aliases} YAML aliases; at most {MAX_ALIASES} are taken.")
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid(f"{file} is not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise Invalid(f"{file} is nested too deeply.") from error

"""Write what the app takes from the Python side: states with their looks, and the API's types.

`python backfill/web/generate.py` writes the files; with `--check` it says which are stale and
exits with 1.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from backfill import states
from backfill.api.app import create_app
from backfill.definitions.selection import words
from backfill.roles import Role
from backfill.settings import Settings
from backfill.web.build import CannotBuild, install, npm

WEB = Path(__file__).resolve().parent
STATES = WEB / "src" / "states.generated.ts"
COLOURS = WEB / "src" / "styles" / "states.generated.css"
API = WEB / "src" / "api" / "schema.generated.ts"
HEADER = "Made by backfill/web/generate.py from the Python code."
ENUMS: tuple[type[StrEnum], ...] = (
    states.BoxStatus,
    states.RunState,
    states.StepState,
    states.BackfillState,
    states.AttemptEnd,
    states.ScheduleState,
    states.TickState,
)


@dataclass(frozen=True)
class Look:
    """How a state is shown: colours in light and dark, and a sign that needs no colour.

    Attributes:
        word: For people.
        fill: Colours of the box, light and dark; None: only an edge is drawn.
        ink: Colours of the sign on it, or of the edge.
        sign: SVG path in a box of 16 x 16; stroked. Empty: none.
        dashed: The edge is dashed.
        sentence: What it means, for the legend.
    """

    word: str
    fill: tuple[str, str] | None
    ink: tuple[str, str]
    sign: str
    sentence: str
    dashed: bool = False


_CROSS = "M5 5 L11 11 M11 5 L5 11"
_CHECK = "M4.2 8.4 L7 11.2 L11.8 5.2"
_DOT = "M8 7.6 L8 8.4"
_PLAY = "M6.2 4.8 L11 8 L6.2 11.2 Z"
_AGAIN = "M11.4 6.2 A4 4 0 1 0 12 9 M11.8 3.6 L11.6 6.6 L8.8 6.2"
_DASH = "M4.8 8 L11.2 8"
_SQUARE = "M5.6 5.6 L10.4 5.6 L10.4 10.4 L5.6 10.4 Z"
_BARRED = "M12 8 A4 4 0 1 1 4 8 A4 4 0 1 1 12 8 M5.2 10.8 L10.8 5.2"
_BARS = "M6.2 5 L6.2 11 M9.8 5 L9.8 11"
_DOTS = "M4.6 8 L4.7 8 M8 8 L8.1 8 M11.3 8 L11.4 8"
_BOLT = "M9 3.8 L5.6 8.6 L10.4 7.6 L7 12.2"
_ON_FILL = ("#ffffff", "#10151c")
_GREY_EDGE = ("#8490a0", "#66727f")

LOOKS: dict[str, Look] = {
    "missing": Look("missing", None, _GREY_EDGE, "", "never run"),
    "pending": Look("pending", None, ("#5b6b80", "#93a3b5"), _DOTS, "waits to be admitted"),
    "requested": Look("requested", None, ("#5b6b80", "#93a3b5"), _DOTS, "is being expanded"),
    "queued": Look("queued", ("#6d87a8", "#8aa4c4"), _ON_FILL, _DOT, "waits for a worker"),
    "running": Look("running", ("#1f6fd6", "#5aa2ff"), _ON_FILL, _PLAY, "is being worked on"),
    "started": Look("started", ("#1f6fd6", "#5aa2ff"), _ON_FILL, _PLAY, "is being handled"),
    "retrying": Look("retrying", ("#b35c00", "#f0a53a"), _ON_FILL, _AGAIN, "is tried again"),
    "succeeded": Look("succeeded", ("#1a8553", "#3fb27f"), _ON_FILL, _CHECK, "did its work"),
    "success": Look("success", ("#1a8553", "#3fb27f"), _ON_FILL, _CHECK, "made its runs"),
    "failed": Look("failed", ("#c8321f", "#ff7a66"), _ON_FILL, _CROSS, "did not do its work"),
    "failure": Look("failure", ("#c8321f", "#ff7a66"), _ON_FILL, _CROSS, "failed"),
    "skipped": Look("skipped", ("#b9c2cd", "#4a5562"), ("#2c3643", "#dfe6ee"), _DASH, "left out"),
    "canceled": Look("canceled", ("#6a6f78", "#a3a8b0"), _ON_FILL, _SQUARE, "given up"),
    "canceling": Look("canceling", None, ("#5f646d", "#b3b8c0"), _SQUARE, "is being given up"),
    "blocked": Look("blocked", ("#6a3fb5", "#b697f5"), _ON_FILL, _BARRED, "must not run"),
    "removed": Look("removed", None, _GREY_EDGE, _CROSS, "left the set", dashed=True),
    "paused": Look("paused", ("#b35c00", "#f0a53a"), _ON_FILL, _BARS, "starts nothing"),
    "lost": Look("lost", ("#8d3b7a", "#e08fce"), _ON_FILL, _BOLT, "its worker vanished"),
    "released": Look("released", ("#6d87a8", "#8aa4c4"), _ON_FILL, _DASH, "handed back"),
    "stopped": Look("stopped", None, ("#5f646d", "#b3b8c0"), _BARS, "does not tick"),
}


def states_module() -> str:
    """Return the TypeScript of all states and looks."""
    parts = [f"// {HEADER}\n"]
    parts += [_union(_plural(e.__name__), e.__name__, [str(s) for s in e]) for e in ENUMS]
    parts.append(_union("SELECTION_WORDS", "SelectionWord", sorted(words.KEYWORDS)))
    parts.append(_union("SELECTION_PREFIXES", "SelectionPrefix", words.PREFIXES))
    parts.append(_union("ROLES", "Role", [str(role) for role in Role]))
    for name in ("RUN_FINAL", "RUN_ACTIVE", "STEP_FINAL", "BACKFILL_FINAL"):
        final = sorted(str(state) for state in getattr(states, name))
        parts.append(f"export const {name}: ReadonlySet<string> = new Set({json.dumps(final)})\n")
    parts.append(_LOOK_TYPE)
    names = sorted({str(state) for enum in ENUMS for state in enum})
    looks = {name: _look(LOOKS[name]) for name in names}
    parts.append(
        f"export const LOOKS = {json.dumps(looks, indent=2)} satisfies Record<string, Look>\n"
    )
    parts.append("export type AnyState = keyof typeof LOOKS\n")
    return "\n".join(parts)


def colours() -> str:
    """Return the stylesheet that gives every state its two variables."""
    lines = [f"/* {HEADER} */", ":root {"]
    for name, look in sorted(LOOKS.items()):
        fill = look.fill or ("transparent", "transparent")
        lines.append(f"  --state-{name}-fill: {_pair(fill)};")
        lines.append(f"  --state-{name}-ink: {_pair(look.ink)};")
    return "\n".join([*lines, "}", ""])


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document of the API as the code is."""
    nothing: Any = None  # routes are only listed here, never answered
    return create_app(Settings(), nothing, nothing).openapi()


def api_types() -> str:
    """Return the TypeScript that openapi-typescript makes of the document."""
    install()
    with tempfile.TemporaryDirectory(prefix="backfill-") as folder:
        document, made = Path(folder) / "openapi.json", Path(folder) / "schema.ts"
        document.write_text(json.dumps(_without_errors(openapi())))
        try:
            npm("run", "--silent", "api-types", str(document), "--", "-o", str(made), *_OPTIONS)
        except CannotBuild as error:
            sys.exit(str(error))
        return f"// {HEADER}\n" + made.read_text()


def _without_errors(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out the answers that are problem documents: they are alike on every route."""
    for operations in document["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            operation["responses"] = {code: a for code, a in answers.items() if int(code) < 400}
    return document


def main(arguments: Sequence[str]) -> int:
    """Write the files, or check them; return the exit code."""
    wanted = {STATES: states_module(), COLOURS: colours(), API: api_types()}
    stale = [f for f, text in wanted.items() if not f.exists() or f.read_text() != text]
    if "--check" in arguments:
        for file in stale:
            print(f"{file.relative_to(WEB)} is stale: run make web-types", file=sys.stderr)  # noqa: T201
        return 1 if stale else 0
    for file in stale:
        file.write_text(wanted[file])
    return 0


_OPTIONS = ("--default-non-nullable=false", "--alphabetize=true")
_LOOK_TYPE = """\
/** How a state is shown; colours are [light, dark], `sign` is an SVG path in a box of 16 x 16. */
export interface Look {
  readonly word: string
  readonly fill: readonly [string, string] | null
  readonly ink: readonly [string, string]
  readonly sign: string
  readonly sentence: string
  readonly dashed: boolean
}
"""


def _union(plural: str, name: str, values: Sequence[str]) -> str:
    return (
        f"export const {plural} = {json.dumps(values)} as const\n"
        f"export type {name} = (typeof {plural})[number]\n"
    )


def _plural(name: str) -> str:
    words = "".join(f"_{c}" if c.isupper() else c for c in name).strip("_").upper()
    return words + ("ES" if words.endswith("S") else "S")


def _look(look: Look) -> dict[str, Any]:
    return dict(vars(look))


def _pair(colours: tuple[str, str]) -> str:
    return colours[0] if colours[0] == colours[1] else f"light-dark({colours[0]}, {colours[1]})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

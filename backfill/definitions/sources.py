"""Where definitions come from: modules and files, and how they are imported and forgotten."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import itertools
import keyword
import os
import re
import sys
import sysconfig
from collections.abc import Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from backfill.definitions.user_code import describe, user_traceback
from backfill.errors import BackfillError, DefinitionsUnavailable

_STANDARD = tuple(
    str(Path(sysconfig.get_path(name)).resolve()) + os.sep for name in ("stdlib", "platstdlib")
)
_INSTALLED = ("site-packages", "dist-packages")
_OURS = ("backfill", "workers", "__main__")


@dataclass(frozen=True)
class Source:
    """One place of definitions, as given: `shop.pipelines` or `shop/reports.py`."""

    text: str

    @property
    def file(self) -> Path | None:
        """The file it names, or None for a module."""
        is_file = self.text.endswith(".py") or os.sep in self.text
        return Path(self.text).expanduser().resolve() if is_file else None

    def load(self) -> ModuleType:
        """Import the module or the file, or return it if it is imported already.

        Raises:
            DefinitionsUnavailable: It is missing or its import fails; `facts["traceback"]` is
                the user's own.
        """
        file = self.file
        if file is not None and not file.is_file():
            raise DefinitionsUnavailable(
                f"There is no file {self.text} to load definitions from.", source=self.text
            )
        try:
            return _import_module(self.text) if file is None else _import_file(file)
        except (Exception, SystemExit) as error:
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> DefinitionsUnavailable:
        detail = error.detail if isinstance(error, BackfillError) else describe(error)
        if _is_missing(error, self.text):
            detail += (
                f". Looked in {os.getcwd()} and the installed packages; give a file with -f, or "
                "start from the folder that holds the package"
            )
        return DefinitionsUnavailable(
            f"Definitions could not be loaded from {self.text}: {detail}",
            source=self.text,
            traceback=user_traceback(error),
        )


def parse_sources(given: str | Path | Iterable[str | Path]) -> tuple[Source, ...]:
    """Read comma-separated modules and files, each once, in order."""
    if isinstance(given, Path):
        given = [given]
    texts = given.split(",") if isinstance(given, str) else map(str, given)
    return tuple(Source(text) for text in dict.fromkeys(t.strip() for t in texts) if text)


def user_modules(modules: Iterable[ModuleType]) -> dict[str, ModuleType]:
    """Return, by name, the imported modules that belong to the same projects as those given.

    They lie under the folder that the given module was imported from (or in its package), and
    are neither installed packages nor parts of Python or of this product.
    """
    loaded = list(modules)
    packages = {module.__name__.partition(".")[0] for module in loaded}
    roots = tuple({_root(module) + os.sep for module in loaded})
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        top = name.partition(".")[0]
        if file is None or top in _OURS:
            continue
        if top in packages or (file.startswith(roots) and not _is_installed(file)):
            found[name] = module
    return found


def forget(modules: Iterable[str], changed: Iterable[str]) -> None:
    """Drop modules from the import system, and the compiled form of changed files.

    Compiled files are told stale by size and whole seconds only, so that an edit within the
    second of the last import could go unnoticed.
    """
    for name in modules:
        sys.modules.pop(name, None)
    for file in changed:
        with suppress(OSError, NotImplementedError):
            Path(importlib.util.cache_from_source(file)).unlink(missing_ok=True)
    importlib.invalidate_caches()


def forget_since(before: Container[str]) -> None:
    """Drop the users' modules that a failed load has imported, so that the next one sees edits.

    Args:
        before: The names of the modules that were imported before it.
    """
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in before or file is None or name.partition(".")[0] in _OURS:
            continue
        if not _is_installed(file):
            del sys.modules[name]
    importlib.invalidate_caches()


def stamps(files: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return (modification time in ns, size in bytes) of each file; (0, 0) of a missing one."""
    found = {}
    for file in files:
        try:
            status = os.stat(file)
            found[file] = (status.st_mtime_ns, status.st_size)
        except OSError:
            found[file] = (0, 0)
    return found


def content_version(modules: dict[str, ModuleType]) -> str:
    """Hash the source of modules by name: the same on every host that has the same code."""
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(name.encode() + b"\0")
        with suppress(OSError):
            digest.update(Path(str(modules[name].__file__)).read_bytes())
    return digest.hexdigest()[:12]


def _import_module(name: str) -> ModuleType:
    _put_on_path(Path.cwd())
    return importlib.import_module(name)


def _import_file(file: Path) -> ModuleType:
    folder, name = _package_of(file)
    _put_on_path(folder)
    if "." in name:
        return _of_file(importlib.import_module(name), file)
    name = _free_name(name, file)
    return sys.modules.get(name) or _execute(name, file)


def _of_file(module: ModuleType, file: Path) -> ModuleType:
    if not _is_file_of(module, file):
        raise ImportError(
            f"{module.__name__} was imported from {module.__file__} before, not from {file}: "
            "two packages have the same name; rename one"
        )
    return module


def _package_of(file: Path) -> tuple[Path, str]:
    """Return the folder to import from, and the dotted name of the file below it."""
    parts = [file.parent.name] if file.stem == "__init__" else [file.stem]
    folder = file.parent.parent if file.stem == "__init__" else file.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _execute(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _free_name(stem: str, file: Path) -> str:
    """Return the name of a file's module: its stem, unless that is no name or means another one."""
    name = re.sub(r"\W|^(?=\d)", "_", stem)
    if name in sys.stdlib_module_names or keyword.iskeyword(name):
        name += "_definitions"
    for number in itertools.count(2):
        known = sys.modules.get(name)
        if known is None or _is_file_of(known, file):
            break
        name = f"{name.removesuffix(f'_{number - 1}')}_{number}"
    return name


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _is_file_of(module: ModuleType, file: Path) -> bool:
    known = getattr(module, "__file__", None)
    return known is not None and Path(known).resolve() == file


def _is_missing(error: BaseException, source: str) -> bool:
    return isinstance(error, ModuleNotFoundError) and bool(
        error.name and (source == error.name or source.startswith(error.name + "."))
    )


def _root(module: ModuleType) -> str:
    packages = getattr(module, "__path__", None)
    inside = next(iter(packages), None) if packages else module.__file__
    folder = Path(str(inside)).parent
    for _ in range(module.__name__.count(".")):
        folder = folder.parent
    return str(folder)


def _is_installed(file: str) -> bool:
    return file.startswith(_STANDARD) or any(part in Path(file).parts for part in _INSTALLED)


def files_of(error: BaseException, sources: Sequence[Source]) -> set[str]:
    """Return the files that failing definitions depend on: a change of one is worth a new try."""
    files = {str(source.file) for source in sources if source.file is not None}
    files |= {str(getattr(sys.modules.get(source.text), "__file__", "")) for source in sources}
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, SyntaxError) and seen.filename:
            files.add(seen.filename)
        trace = seen.__traceback__
        while trace is not None:
            files.add(trace.tb_frame.f_code.co_filename)
            trace = trace.tb_next
        seen = seen.__cause__ or seen.__context__
    return {f for f in files if os.path.isfile(f) and not _is_installed(f)}


def restore(old: dict[str, ModuleType], new: Iterable[str]) -> None:
    """Put forgotten modules back in place of the ones that a failed load left behind."""
    for name in new:
        sys.modules.pop(name, None)
    sys.modules.update(old)

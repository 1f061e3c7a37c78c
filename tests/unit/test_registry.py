"""The registry: loading definitions from modules and files, and loading them again."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from backfill.definitions.registry import Registry
from backfill.errors import DefinitionError, DefinitionsUnavailable, NotFound, UserCodeError

SHOP = """
    from backfill import Partition, PartitionSetDefinition, pipeline, repository, step

    @step
    def load(context):
        context.log.info("loading")

    @pipeline
    def daily_sales():
        load()

    @pipeline
    def audit():
        load()

    def days():
        return [Partition(f"2020-05-{day:02}") for day in range(1, 32)]

    days_of_may = PartitionSetDefinition("days_of_may", "daily_sales", days)
"""


class Project:
    """A folder of definitions that programs can be written into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def load(self, *names: str) -> Registry:
        return Registry.load(str(self.folder / name) for name in names)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project in an empty folder, its modules forgotten afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    known = set(sys.modules)
    yield Project(tmp_path)
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_a_file_gives_every_pipeline_and_partition_set_in_it(project: Project) -> None:
    project.write("shop.py", SHOP)
    registry = project.load("shop.py")
    assert set(registry.pipelines) == {"daily_sales", "audit"}
    assert registry.partition_set("days_of_may").pipeline_name == "daily_sales"
    assert registry.pipeline("daily_sales").step_names == ("load",)


def test_a_module_is_found_from_the_current_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("store/__init__.py", "")
    project.write("store/pipelines.py", SHOP)
    monkeypatch.chdir(project.folder)
    registry = Registry.load("store.pipelines")
    assert registry.pipeline("daily_sales").name == "daily_sales"
    assert registry.source_files() == (
        str(project.folder / "store" / "__init__.py"),
        str(project.folder / "store" / "pipelines.py"),
    )


def test_several_sources_are_one_registry_and_a_shared_object_is_no_duplicate(
    project: Project,
) -> None:
    project.write("shop.py", SHOP)
    project.write(
        "reports.py",
        """
        from shop import daily_sales, load
        from backfill import PartitionSetDefinition, pipeline

        @pipeline
        def report():
            load()

        regions = PartitionSetDefinition("regions", "daily_sales", lambda: ["eu", "us"])
        """,
    )
    registry = project.load("shop.py", "reports.py")
    assert set(registry.pipelines) == {"daily_sales", "audit", "report"}
    assert set(registry.partition_sets) == {"days_of_may", "regions"}


def test_two_different_definitions_of_one_name_are_an_error_that_names_both_places(
    project: Project,
) -> None:
    project.write("shop.py", SHOP)
    project.write("other.py", SHOP)
    with pytest.raises(DefinitionError) as raised:
        project.load("shop.py", "other.py")
    assert str(raised.value) == (
        'Two different pipelines are named "daily_sales": '
        f"{project.folder}/shop.py: daily_sales and {project.folder}/other.py: daily_sales. "
        "Rename one."
    )


def test_a_set_whose_pipeline_is_missing_is_an_error_that_names_the_set(project: Project) -> None:
    project.write("shop.py", SHOP.replace('"daily_sales", days', '"daily_sale", days'))
    with pytest.raises(DefinitionError) as raised:
        project.load("shop.py")
    assert f'set "days_of_may" ({project.folder}/shop.py: days_of_may)' in str(raised.value)
    assert '"daily_sale", which is not defined. Did you mean "daily_sales"?' in str(raised.value)
    assert "Loaded from: " in str(raised.value)


def test_a_set_that_selects_an_unknown_step_is_an_error_that_names_the_set(
    project: Project,
) -> None:
    project.write("shop.py", SHOP.replace('sales", days)', "sales\", days, ['laod'])"))
    with pytest.raises(DefinitionError) as raised:
        project.load("shop.py")
    assert '"days_of_may"' in str(raised.value)
    assert 'no step "laod". Did you mean "load"?' in str(raised.value)


def test_a_set_given_its_pipeline_brings_it_along(project: Project) -> None:
    project.write("shop.py", SHOP)
    project.write(
        "sets.py",
        """
        import shop
        from backfill import PartitionSetDefinition

        regions = PartitionSetDefinition("regions", None, lambda: ["eu"], pipeline=shop.daily_sales)
        """,
    )
    assert project.load("sets.py").pipeline("daily_sales").name == "daily_sales"


@pytest.mark.parametrize(
    "returned",
    [
        "[daily_sales, days_of_may]",
        "{'pipelines': {'daily_sales': lambda: daily_sales}, 'partition_sets': [days_of_may]}",
        "{'sales': daily_sales, 'days': days_of_may}",
    ],
)
def test_a_module_with_repositories_gives_what_they_hold_alone(
    project: Project, returned: str
) -> None:
    project.write(
        "shop.py", f"{SHOP}\n    @repository\n    def sales():\n        return {returned}\n"
    )
    registry = project.load("shop.py")
    assert set(registry.pipelines) == {"daily_sales"}
    assert set(registry.partition_sets) == {"days_of_may"}


@pytest.mark.parametrize(
    ("body", "error", "told"),
    [
        ("return None", DefinitionError, 'Repository "sales" returned None'),
        (
            "return [load]",
            DefinitionError,
            r'Repository "sales" \(.*shop.py: sales\) holds .*"load"',
        ),
        ("raise KeyError('x')", UserCodeError, "Repository \"sales\" raised KeyError: 'x'"),
    ],
)
def test_a_wrong_repository_is_an_error_that_names_it(
    project: Project, body: str, error: type[Exception], told: str
) -> None:
    project.write("shop.py", f"{SHOP}\n    @repository\n    def sales():\n        {body}\n")
    with pytest.raises(error, match=told):
        project.load("shop.py")


def test_an_import_error_carries_the_users_own_traceback(project: Project) -> None:
    project.write("broken.py", "def prepare():\n    return 1 / 0\n\nprepare()\n")
    with pytest.raises(DefinitionsUnavailable) as raised:
        project.load("broken.py")
    assert "broken.py: ZeroDivisionError: division by zero" in str(raised.value)
    traceback = raised.value.facts["traceback"].splitlines()
    assert traceback[0] == "Traceback (most recent call last):"
    assert traceback[1] == f'  File "{project.folder}/broken.py", line 4, in <module>'
    assert traceback[-1] == "ZeroDivisionError: division by zero"
    assert "sources.py" not in raised.value.facts["traceback"]
    assert "importlib" not in raised.value.facts["traceback"]


def test_a_syntax_error_tells_file_and_line(project: Project) -> None:
    project.write("broken.py", "def prepare(:\n    pass\n")
    with pytest.raises(DefinitionsUnavailable) as raised:
        project.load("broken.py")
    assert f'File "{project.folder}/broken.py", line 1' in raised.value.facts["traceback"]


def test_a_module_that_exits_when_imported_is_unavailable(project: Project) -> None:
    project.write("broken.py", "import sys\nsys.exit('bye')\n")
    with pytest.raises(DefinitionsUnavailable, match="SystemExit: bye"):
        project.load("broken.py")


def test_a_missing_module_or_file_says_where_it_was_looked_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    with pytest.raises(DefinitionsUnavailable, match=r"no file nothing\.py to load"):
        Registry.load("nothing.py")
    with pytest.raises(DefinitionsUnavailable) as raised:
        Registry.load("nowhere.pipelines")
    assert "No module named 'nowhere'. Looked in" in str(raised.value)
    with pytest.raises(DefinitionsUnavailable, match="No definitions are given"):
        Registry.load("")


def test_a_source_that_defines_nothing_is_an_error(project: Project) -> None:
    project.write("empty.py", "x = 1\n")
    with pytest.raises(DefinitionError, match=r"empty.py defines no pipeline, partition set or"):
        project.load("empty.py")


def test_unknown_names_are_told_with_the_nearest_and_the_sources(project: Project) -> None:
    project.write("shop.py", SHOP)
    registry = project.load("shop.py")
    with pytest.raises(NotFound) as raised:
        registry.pipeline("daily_sale")
    assert str(raised.value) == (
        'No pipeline named "daily_sale". Did you mean "daily_sales"? '
        f"Loaded from: {project.folder}/shop.py"
    )
    with pytest.raises(NotFound, match='No partition set named "days"'):
        registry.partition_set("days")
    with pytest.raises(NotFound, match='No schedule named "x"'):
        registry.schedule("x")


def test_a_file_in_a_package_may_import_relatively(project: Project) -> None:
    project.write("store/__init__.py", "")
    project.write("store/names.py", "NAME = 'renamed'\n")
    project.write(
        "store/pipelines.py",
        SHOP.replace("@step\n", "from .names import NAME\n\n    @step(name=NAME)\n"),
    )
    registry = project.load("store/pipelines.py")
    assert registry.pipeline("daily_sales").step_names == ("renamed",)


def test_a_file_of_a_package_whose_name_is_taken_says_so(project: Project) -> None:
    project.write("one/store/__init__.py", "")
    project.write("one/store/flows.py", SHOP)
    project.write("two/store/__init__.py", "")
    project.write("two/store/flows.py", SHOP)
    project.load("one/store/flows.py")
    with pytest.raises(DefinitionsUnavailable, match=r"store\.flows was imported from .*one/store"):
        project.load("two/store/flows.py")


def test_what_a_file_defines_can_be_pickled(project: Project) -> None:
    project.write("records.py", f"{SHOP}\n    class Row:\n        n = 1\n")
    project.load("records.py")
    row = sys.modules["records"].Row()
    assert type(pickle.loads(pickle.dumps(row))) is type(row)


@pytest.mark.parametrize("name", ["may-2020.py", "json.py", "calendar.py"])
def test_a_file_of_any_name_loads_and_shadows_no_module(project: Project, name: str) -> None:
    before = sys.modules.get(name[:-3])
    project.write(name, SHOP)
    assert "daily_sales" in project.load(name).pipelines
    assert sys.modules.get(name[:-3]) is before


def test_files_of_one_name_in_two_folders_are_two_modules(project: Project) -> None:
    project.write("a/flows.py", SHOP)
    project.write(
        "b/flows.py",
        SHOP.replace("sales", "costs").replace("days_of", "nights_of").replace("audit", "check"),
    )
    registry = project.load("a/flows.py", "b/flows.py")
    assert {"daily_sales", "daily_costs"} <= set(registry.pipelines)


def test_an_edit_of_any_of_its_files_is_a_change_and_is_loaded(project: Project) -> None:
    project.write("names.py", "NAME = 'load_one'\n")
    text = SHOP.replace("@step\n", "from names import NAME\n\n    @step(name=NAME)\n")
    project.write("shop.py", text)
    registry = project.load("shop.py")
    version = registry.version
    assert not registry.changed()
    project.write("names.py", "NAME = 'load_two'\n")  # same size, within the same second
    assert registry.changed()
    registry.reload()
    assert registry.pipeline("daily_sales").step_names == ("load_two",)
    assert not registry.changed()
    assert registry.version != version


def test_a_reload_that_fails_leaves_the_old_definitions_in_force(project: Project) -> None:
    project.write("shop.py", SHOP)
    registry = project.load("shop.py")
    module = sys.modules["shop"]
    project.write("shop.py", SHOP + "\n    1 / 0\n")
    with pytest.raises(DefinitionsUnavailable, match="ZeroDivisionError"):
        registry.reload()
    assert registry.pipeline("daily_sales").name == "daily_sales"
    assert sys.modules["shop"] is module
    assert not registry.changed()
    project.write("shop.py", SHOP.replace("daily_sales", "sales_by_day"))
    assert registry.changed()
    registry.reload()
    assert "sales_by_day" in registry.pipelines


def test_equal_code_has_an_equal_version_wherever_it_lies(project: Project) -> None:
    project.write("here/shop.py", SHOP)
    project.write("there/shop.py", SHOP)
    here = project.load("here/shop.py").version
    del sys.modules["shop"]
    there = project.load("there/shop.py").version
    del sys.modules["shop"]
    project.write("there/shop.py", SHOP + "\n    x = 1\n")
    assert here == there != project.load("there/shop.py").version

"""The rules of the layers that import-linter cannot see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE_FOLDERS = ("cortexd/domain", "cortexd/policy", "cortexd/wire")
PURE_FILES = tuple(
    f"supervisor_tree/{name}.py"
    for name in (
        "backoff",
        "child_spec",
        "events",
        "exit_reason",
        "restart_intensity",
        "restart_plan",
    )
)
FORBIDDEN_MODULES = {
    "asyncio",
    "datetime",
    "http",
    "io",
    "logging",
    "os",
    "pathlib",
    "secrets",
    "select",
    "socket",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "trio",
    "urllib",
    "uuid",
}
LINES_MAX = 400


def _sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _pure_sources() -> list[Path]:
    return [*_sources(*PURE_FOLDERS), *(ROOT / name for name in PURE_FILES)]


def _imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def _impurities(tree: ast.AST) -> Iterator[str]:
    yield from (f"imports {name}" for name in _imported_modules(tree) if name in FORBIDDEN_MODULES)
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield f"line {node.lineno} is async"
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield f"line {node.lineno} rebinds an outer name"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in {"open", "print", "input"}:
                yield f"line {node.lineno} calls {node.func.id}()"
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "random"
            and node.attr != "Random"
        ):
            yield f"line {node.lineno} draws from the global generator"


@pytest.mark.parametrize("path", _pure_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_modules_have_no_io_no_clock_no_chance_and_no_async(path: Path) -> None:
    """Nouns, decisions and formats take time and chance as arguments and never wait."""
    assert list(_impurities(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from trio import sleep",
        "async def f(): ...",
        "import random\nrandom.random()",
        "open('x')",
        "def f():\n    global x\n    x = 1",
    ],
)
def test_the_purity_check_finds_what_it_looks_for(code: str) -> None:
    """A check that cannot fail would be worthless."""
    assert list(_impurities(ast.parse(code)))


def _broad_handlers(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    broad = {"Exception", "BaseException", "BaseExceptionGroup", "ExceptionGroup"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            names = (
                {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
                if node.type
                else broad
            )
            if names & broad:
                yield node


# Where it may be caught, how often, and why there.
BROAD_EXCEPTS = {
    "cortexd/runtime/http_listener.py": "the door: one connection's failure stays its own",
    "cortexd/http/door_table.py": "the door: answers 500",
    "cortexd/observability/event_sinks.py": "a sink: an instrument fails alone",
    "cortexd/pipeline/flight.py": "raised again in the tasks that the flight is for",
    "supervisor_tree": "the supervisor, to restart; and its event hooks, to switch them off",
}


def test_only_the_supervisor_the_door_and_sinks_catch_every_exception() -> None:
    """Expected failures are named; the rest reaches the supervisor."""
    found = {
        str(path.relative_to(ROOT))
        for path in _sources("cortexd", "supervisor_tree")
        if any(_broad_handlers(ast.parse(path.read_text(encoding="utf-8"))))
    }
    strays = {path for path in found if not path.startswith(tuple(BROAD_EXCEPTS))}
    assert strays == set()


@pytest.mark.parametrize(
    "path",
    list(_sources("cortexd", "supervisor_tree", "tests")),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_file_outgrows_four_hundred_lines(path: Path) -> None:
    """A file has one reason; past this size it has found a second one."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX

"""Habits of the code that no linter of the house checks."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from source_tree import PACKAGES, ROOT, imports, modules, place, project_files, syntax

WANTED_LINES, MOST_LINES = 400, 600
LONG: dict[str, int] = {}
"""The ratchet: files over 400 lines and how long each may be. Entries leave and shrink; none is added without a reason."""


def test_files_are_short(capsys):
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules().values()}
    long = {name: count for name, count in lines.items() if count > WANTED_LINES}
    with capsys.disabled():
        for name, count in long.items():
            print(f"\n{name}: {count} lines, {WANTED_LINES} wanted", end="")

    assert {
        name: count for name, count in long.items() if count > min(LONG.get(name, WANTED_LINES), MOST_LINES)
    } == {}
    assert LONG.keys() - long.keys() == set(), "these are short now: take them off the list"


MESSAGES = re.compile(r"(Message|Control|Event|Action|Frame|Decision|Report)$")
"""Names of unions that are messages; in ``actors`` every union is one. Others (reasons of an exit) may be read in part."""


def message_unions() -> dict[str, frozenset[str]]:
    """The closed unions of our own classes: alias → names of its members."""
    classes = {
        node.name
        for path in modules().values()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.ClassDef)
    }
    found = {}
    for name, path in modules().items():
        for node in syntax(path).body:
            match node:
                case ast.Assign(targets=[ast.Name(alias)], value=ast.BinOp(op=ast.BitOr()) as value):
                    parts = [part for part in ast.walk(value) if isinstance(part, ast.Name | ast.Attribute)]
                    members = frozenset(map(last_name, parts))
                    if members <= classes and (name.startswith("actors.") or MESSAGES.search(alias)):
                        found[f"{name}.{alias}"] = members
    return found


def last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def patterns(pattern: ast.pattern) -> Iterator[ast.pattern]:
    """The alternatives of a case, without the names they are bound to."""
    match pattern:
        case ast.MatchOr(patterns=alternatives):
            for alternative in alternatives:
                yield from patterns(alternative)
        case ast.MatchAs(pattern=ast.pattern() as inner):
            yield from patterns(inner)
        case _:
            yield pattern


def is_closing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=function)):
            return last_name(function) == "assert_never"
        case _:
            return False


def matches(tree: ast.AST) -> Iterator[tuple[ast.Match, bool]]:
    """All ``match`` statements, and whether ``assert_never`` ends the last case or follows the statement."""
    for node in ast.walk(tree):
        for block in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            for statement, following in pairwise([*block, ast.Pass()]) if isinstance(block, list) else ():
                if isinstance(statement, ast.Match):
                    yield statement, is_closing(following) or is_closing(statement.cases[-1].body[-1])


def open_matches(tree: ast.AST, closed_unions: list[frozenset[str]]) -> Iterator[ast.Match]:
    """``match`` statements that tell members of a closed union apart and would not notice a new one.

    One that picks a single member out is a filter, and means to pass over the others.
    """
    for match, closed in matches(tree):
        names = {
            last_name(pattern.cls)
            for case in match.cases
            for pattern in patterns(case.pattern)
            if isinstance(pattern, ast.MatchClass)
        }
        if len(names) > 1 and not closed and any(names <= union for union in closed_unions):
            yield match


def test_every_match_over_a_message_union_is_closed():
    closed_unions = list(message_unions().values())
    assert closed_unions, "there are none, so this test proves nothing"

    assert [
        place(path, node) for path in modules().values() for node in open_matches(syntax(path), closed_unions)
    ] == []


def test_an_open_match_is_seen():
    union = [frozenset({"Wake", "Stop"})]
    wide_open = "match m:\n case session.Wake(): ...\n case session.Stop(): ..."
    closed = wide_open + "\n case never:\n  assert_never(never)"
    closed_after = wide_open + "\nassert_never(m)"

    assert len(list(open_matches(ast.parse(wide_open), union))) == 1
    assert list(open_matches(ast.parse(closed), union)) == []
    assert list(open_matches(ast.parse(closed_after), union)) == []
    assert list(open_matches(ast.parse("match m:\n case Stop(): ...\n case _: ..."), union)) == []


def environment_writes(tree: ast.AST) -> Iterator[ast.AST]:
    writers = {"update", "setdefault", "pop", "popitem", "clear", "putenv", "unsetenv"}
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="environ"), ctx=ast.Store() | ast.Del()):
                yield node
            case ast.Call(func=ast.Attribute(attr="putenv" | "unsetenv")):
                yield node
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="environ"), attr=name)) if (
                name in writers
            ):
                yield node


def test_nobody_writes_the_environment():
    assert [
        place(path, node) for path in modules().values() for node in environment_writes(syntax(path))
    ] == []


def test_S42_nobody_changes_the_umask():
    assert [
        place(path, node)
        for path in modules().values()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call) and last_name(node.func) == "umask"
    ] == []


def test_a_write_to_the_environment_is_seen():
    for code in (
        "os.environ['A'] = 'b'",
        "del os.environ['A']",
        "os.environ.update(a='b')",
        "os.putenv('A', 'b')",
    ):
        assert len(list(environment_writes(ast.parse(code)))) == 1


def retry_loops(tree: ast.AST) -> Iterator[ast.AST]:
    """Loops that catch something and sleep: a retry of one's own, which is the supervisor's business."""
    for loop in ast.walk(tree):
        if isinstance(loop, ast.While | ast.For | ast.AsyncFor):
            parts = list(ast.walk(loop))
            sleeps = any(
                isinstance(part, ast.Call) and last_name(part.func) in ("sleep", "sleep_until")
                for part in parts
            )
            if sleeps and any(isinstance(part, ast.ExceptHandler) for part in parts):
                yield loop


def test_AC51_neither_a_platform_nor_the_network_below_it_retries_by_itself():
    paths = modules("hermes.platforms", "hermes.net").values()

    assert [place(path, node) for path in paths for node in retry_loops(syntax(path))] == []


def test_a_retry_loop_is_seen():
    assert list(retry_loops(ast.parse("while True:\n try: f()\n except OSError: trio.sleep(1)")))


def test_package_inits_of_the_three_are_empty():
    for package in PACKAGES:
        assert (ROOT / package / "__init__.py").read_text() == "", package
        assert (ROOT / package / "py.typed").is_file()


def test_no_file_names_an_index_host_or_a_machine():
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "registry.npm" + "js", "proxy." + "golang"]
    machine = ["/" + "work/", "/" + "root/"]
    texts = {path: path.read_bytes() for path in project_files()}
    found = [
        (str(path.relative_to(ROOT)), word)
        for path, text in texts.items()
        for word in hosts + (machine if "tests" not in path.parts else [])
        if word.encode() in text
    ]

    assert found == []
    assert not (ROOT / "uv.lock").exists()


def test_names_of_tests_are_unique():
    """Two files of one name cannot be collected together; two tests of one law would hide that a law has none."""
    files = [
        path for path in (ROOT / "tests").rglob("*.py") if path.name not in ("conftest.py", "__init__.py")
    ]
    laws = [
        node.name
        for path in files
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_law_")
    ]

    assert [name for name, count in Counter(path.name for path in files).items() if count > 1] == []
    assert [name for name, count in Counter(laws).items() if count > 1] == []


def test_tests_do_not_sleep_on_real_time():
    asleep = [
        place(path, node)
        for path in (ROOT / "tests").rglob("test_*.py")
        if "time.sleep" in set(imports(syntax(path))) or "time" in set(imports(syntax(path)))
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep")
    ]

    assert asleep == []

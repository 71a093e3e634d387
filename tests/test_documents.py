"""The one door for YAML and JSON: what is bounded, what is refused, what comes back as it was."""

from __future__ import annotations

import ast
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from spectcount import documents
from spectcount.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1] / "spectcount"
LEVELS = "abcdefghij"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 10)}]\n"
    for before, after in itertools.pairwise(LEVELS)
)
MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{after}: &{after}\n  <<: [{', '.join([f'*{before}'] * 2)}]\n"
    for before, after in itertools.pairwise(LEVELS)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "key 'a' is given twice"),
        ("top: {x: 1, x: 1}", "key 'x' is given twice"),
        ("'1': 1\n\"1\": 2", "key '1' is given twice"),
        ("a: &a [*a]", "holds itself"),
        ("&a {b: *a}", "holds itself"),
        ("&a {*a : 1}", "cannot be read as YAML"),
        (BOMB, "more than 20 aliases"),
        (MERGE_BOMB, r"a merge key \(<<\) is not taken"),
        ("[" * 50_000, "nested deeper than 32"),
        ("- " * 50_000, "nested deeper than 32"),
        ("{a: " * 50_000, "nested deeper than 32"),
        ("- a\n" * 60_000, r"has 0\.2 MB, the limit is 0\.2 MB"),
        ("a: 2001-01-01", "no plain text or number; put it in quotes"),
        ("a: 2001-99-01", "month must be in"),
        ("a: !!omap [x: 1]", "no plain text or number"),
        ("a: !!binary aGVsbG8=", "no plain text or number"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("!!float ''", "not of the kind that its tag names"),
        ("!!bool x", "not of the kind that its tag names"),
        ("!!timestamp x", "not of the kind that its tag names"),
        ("a: " + "9" * 5000, "cannot be read as YAML"),
        ("a: " + "1:" * 50_000 + "1", "over 100 digits"),
        ("a: .inf", "holds inf, which is no finite number"),
        ("a: .nan", "holds nan, which is no finite number"),
        ("yes: a", "key True, which is no text"),
        ("a: \0", "special characters are not allowed"),
        ("a: 1\n---\nb: 2", "expected a single document"),
    ],
)
def test_yaml_that_is_ambiguous_or_a_bomb_is_refused_in_a_sentence(text, words):
    with pytest.raises(UserError, match=words) as refusal:
        documents.from_yaml(text, "the plan")
    assert str(refusal.value).startswith("the plan") and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 1}', "key 'a' is given twice"),
        ('[{"a": {"b": 1, "b": 2}}]', "key 'b' is given twice"),
        ("[" * 400_000, "nested deeper than 32"),
        ("[" * 33 + "]" * 33, "nested deeper than 32"),
        ('{"a": ' * 33 + "1" + "}" * 33, "nested deeper than 32"),
        ("[" + "[]," * 150_000 + "[]]", "more than 100000 values"),
        (" " * 1_000_001, r"has 1\.0 MB, the limit is 1 MB"),
        ("[NaN]", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("[1e999]", "holds inf"),
        ("9" * 5000, "broken JSON"),
        ("1" + "0" * 101, "over 100 digits"),
        (r'"\ud800"', "half a character"),
        (r'{"\udc00": 1}', "half a character"),
        ("{", "broken JSON"),
        ("", "broken JSON"),
    ],
)
def test_json_that_is_ambiguous_or_a_bomb_is_refused_in_a_sentence(text, words):
    with pytest.raises(UserError, match=words) as refusal:
        documents.from_json(text, "the stimulus")
    assert str(refusal.value).startswith("the stimulus") and len(str(refusal.value)) < 500


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-16", "looks like UTF-16"),
        ("utf-16-le", "looks like UTF-16"),
        ("utf-16-be", "looks like UTF-16"),
        ("utf-32", "looks like UTF-16 or UTF-32"),
        ("cp1252", "not UTF-8: byte 0xf6 at 9; it may be Latin-1, Windows-1252 or GBK"),
        ("gbk", "is not UTF-8"),
    ],
)
def test_another_encoding_is_named(tmp_path, encoding, words):
    path = tmp_path / "x.yaml"
    path.write_bytes("title: Größe 日本".encode(encoding, "replace"))
    with pytest.raises(UserError, match=words):
        documents.read_yaml(path, "prompt x")
    path.write_bytes("title: Größe 日本".encode("utf-8-sig"))
    assert documents.read_yaml(path, "prompt x") == {"title": "Größe 日本"}


@pytest.mark.parametrize("place", [".", "nothing", "/dev/zero"])
def test_what_is_no_file_is_refused(tmp_path, place):
    with pytest.raises(UserError, match="there is no file"):
        documents.read_yaml(tmp_path / place, "stimulus x")


def test_a_few_aliases_and_everything_that_is_written_come_back():
    assert documents.from_yaml("a: &a [1, 2]\nb: *a", "x") == {"a": [1, 2], "b": [1, 2]}
    shared = [0.5, 2]
    tree = {"parts": [{"draw": {"gap_ms": shared}, "n": i} for i in range(40)], "none": None}
    text = documents.to_yaml(tree)
    assert "&" not in text and documents.from_yaml(text, "x") == tree
    assert documents.from_json(json.dumps(tree), "x") == tree


def test_rows_may_hold_nan_but_no_twin_keys(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": NaN}\n\n{"a": 2}\n')
    first, second = documents.read_rows(path, "x")
    assert first["a"] != first["a"] and second == {"a": 2}
    path.write_text('{"a": 1}\n{"a": 1, "a": 2}\n')
    with pytest.raises(UserError, match="x, line 2,: the key 'a' is given twice"):
        documents.read_rows(path, "x")


def test_the_dearest_documents_that_are_taken_stay_small():
    """Memory and time of the largest documents of each form, in a process of their own."""
    program = (
        "import resource, time\n"
        "from spectcount import documents\n"
        "from spectcount.errors import UserError\n"
        "base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for read, text in [(documents.from_yaml, '[' + 'a,' * 99_000 + ']'),\n"
        "    (documents.from_json, '[' + '{\"\":0},' * 120_000 + '0]'),\n"
        "    (documents.from_json, '[' + '[],' * 330_000 + '0]')]:\n"
        "    try: read(text, 'x')\n"
        "    except UserError: pass\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert float(ran.stdout) < 200, "MB"


def parsers(path: Path) -> set[str]:
    """Calls in a module that parse YAML, or JSON, without the door."""
    calls = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call))
    names = {ast.unparse(call.func) for call in calls}
    return names & {"yaml.safe_load", "yaml.load", "yaml.safe_load_all", "json.load", "json.loads"}


def test_yaml_is_parsed_and_what_visitors_send_is_read_in_one_place():
    """The layers that read what people send have no parser of their own; the store, the model
    folders and what a run wrote itself are not sent."""
    every = {p.relative_to(PACKAGE).as_posix(): parsers(p) for p in PACKAGE.rglob("*.py")}
    assert not any(name.startswith("yaml.") for names in every.values() for name in names)
    doors = ("ui/", "cli/", "benchmarks/", "presets.py", "stimulus.py", "actions/sounds.py")
    own = {"ui/doors.py"}  # looks into the page's own answers
    found = {path for path, names in every.items() if names and path.startswith(doors)}
    assert found - own == set()

"""The house rules that a machine can hold: front matter, sizes, docstrings, imports, README."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "spectcount"
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [*MODULES, *ROOT.glob("app.py")]

LAYERS = (
    "errors interrupts visitors rates limits documents records params carriers devices settings "
    "scales stimulus synth containers clips measure spectrogram designs tasks pairs trials configs "
    "context psychophysics listeners probing where figures training benchmarks store jobs report "
    "presets actions ui cli __main__"
).split()
"""A module imports only from its own layer and from those before it."""

HEAVY = {
    "torch": ("listeners", "training"),
    "transformers": ("listeners", "training"),
    "peft": ("listeners", "training"),
    "gradio": ("ui",),
}
"""Packages that only some layers may import."""


SWEPT = (
    "actions",
    "benchmarks",
    "carriers.py",
    "cli",
    "clips.py",
    "configs.py",
    "containers.py",
    "context.py",
    "designs",
    "devices.py",
    "documents.py",
    "errors.py",
    "figures",
    "interrupts.py",
    "jobs",
    "limits.py",
    "listeners",
    "measure",
    "pairs.py",
    "params.py",
    "probing",
    "psychophysics",
    "rates.py",
    "records.py",
    "presets",
    "report",
    "scales.py",
    "settings.py",
    "spectrogram.py",
    "stimulus.py",
    "store",
    "synth.py",
    "tasks.py",
    "training",
    "trials.py",
    "ui",
    "where",
    "visitors.py",
)
"""Rooms whose names and prose are held by the tests at the end; more are added as they are
swept."""

VAGUE = set("found said told asked one own mine made kept shown meant".split())
QUESTIONS = set("What Which Whether How".split())
"""First words of docstrings that do not say what a thing is or does."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def front_matter() -> dict:
    _, block, _ = (ROOT / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(block)


def project_files() -> list[Path]:
    """What git keeps or would keep; every file outside dot folders where this is no checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        names = filter(None, found.stdout.split("\0"))
    else:
        paths = (p.relative_to(ROOT) for p in ROOT.rglob("*"))
        names = (str(p) for p in paths if not any(part.startswith(".") for part in p.parts[:-1]))
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_the_space_front_matter_matches_the_requirements():
    matter = front_matter()
    assert matter["sdk"] == "gradio"
    assert (ROOT / matter["app_file"]).is_file()
    assert matter["license"] == "apache-2.0"
    requirements = (ROOT / "requirements.txt").read_text()
    bound = re.search(r"^gradio>=([\d.]+),", requirements, re.MULTILINE)
    assert bound is not None
    assert matter["sdk_version"] == bound.group(1)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_has_both_bounds(name):
    lines = (ROOT / name).read_text().split("\n")
    requirements = [line for line in lines if line and not line.startswith("-r ")]
    unbounded = [r for r in requirements if not re.fullmatch(r"[\w-]+>=[\d.]+,<[\d.]+", r)]
    assert requirements
    assert unbounded == []


def test_the_tree_stays_small():
    sizes = {relative(path): path.stat().st_size for path in project_files()}
    assert {name for name, size in sizes.items() if size > 12e6} == set()
    assert sum(sizes.values()) < 40e6


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def name_of(node: ast.expr) -> str:
    """`yaml.load` of a call to it; the last two names of a longer one."""
    return ".".join(ast.unparse(node).split(".")[-2:])


def dangers(source: str) -> list[str]:
    """Calls that run what a file or a stranger says."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = name_of(node.func)
        options = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if name in {"pickle.load", "pickle.loads", "os.system", "eval", "exec", "yaml.load"}:
            found.append(name)
        if name == "torch.load" and options.get("weights_only") != "True":
            found.append(name)
        risky = ("trust_remote_code", "shell", "share")
        found += [option for option in risky if options.get(option) == "True"]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_nothing_runs_strangers_code(path):
    assert dangers(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "AutoModel.from_pretrained(x, trust_remote_code=True)",
        "subprocess.run(x, shell=True)",
        "pickle.load(f)",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "eval(x)",
    ],
)
def test_the_search_for_strangers_code_finds_it(line):
    assert dangers(line)


def imports(path: Path) -> set[str]:
    """Every module that `path` imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}: write imports in full"
            found.add(node.module or "")
            if node.module == "spectcount":
                found |= {f"spectcount.{alias.name}" for alias in node.names}
    return found


def test_every_package_that_is_imported_is_required():
    required = re.findall(r"^([\w-]+)>=", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    known = {name.lower().replace("-", "_") for name in required} | {"yaml", "pil", "spectcount"}
    used = {module.split(".")[0] for path in SOURCES for module in imports(path)}
    missing = {name for name in used - set(sys.stdlib_module_names) if name.lower() not in known}
    assert missing == set()


def layer(path: Path) -> str:
    """The layer a file of the package belongs to: its folder, or its own name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", [p for p in MODULES if layer(p) != "__init__"], ids=relative)
def test_imports_go_down_the_list_only(path):
    assert layer(path) in LAYERS
    below = LAYERS[: LAYERS.index(layer(path)) + 1]
    own = {m.split(".")[1] for m in imports(path) if m.startswith("spectcount.")}
    assert own - set(below) == set()


@pytest.mark.parametrize("path", [p for p in MODULES if layer(p) != "__init__"], ids=relative)
def test_heavy_packages_stay_where_they_belong(path):
    packages = {module.split(".")[0] for module in imports(path)}
    misplaced = [p for p in packages & HEAVY.keys() if layer(path) not in HEAVY[p]]
    assert misplaced == []


def test_the_readme_is_read_in_one_sitting():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_room_is_named_in_the_architecture():
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {layer(path) for path in MODULES} - {"__init__", "__main__"}
    assert {room for room in rooms if f"`{room}`" not in page} == set()


def bound_names(tree: ast.AST) -> set[str]:
    """Every name that is an argument or is assigned, looped over or comprehended."""
    nodes = list(ast.walk(tree))
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return stored | {n.arg for n in nodes if isinstance(n, ast.arg)}


def first_words(tree: ast.AST) -> list[str]:
    """The first word of every docstring."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [ast.get_docstring(n) for n in ast.walk(tree) if isinstance(n, owners)]
    return [text.split()[0].strip(".,:?") for text in texts if text]


@pytest.mark.parametrize("room", SWEPT)
def test_names_and_docstrings_say_what_a_thing_is(room):
    vague, questions = [], []
    place = PACKAGE / room
    paths = [place] if place.suffix else sorted(place.rglob("*.py"))
    assert paths
    for path in paths:
        tree = ast.parse(path.read_text())
        vague += [f"{relative(path)}: {name}" for name in bound_names(tree) & VAGUE]
        questions += [relative(path) for word in first_words(tree) if word in QUESTIONS]
    assert (vague, questions) == ([], [])


PLANS_AND_RUNS = re.compile(
    r"isinstance\([^()]*\b(Interleaved|Procedure|Curve|GridPlan|DetectionMap|CountConfusion|Plan"
    r"|[A-Z]\w+Config)\b|\brun\.kind (==|!=|in|not in) "
)
"""Lines that ask a plan or a run which one it is; plans and configurations say what follows."""


def test_plans_and_runs_answer_for_themselves():
    """What is left refuses a run of another kind, or finds one in the store."""
    lines = [line for path in MODULES for line in path.read_text().splitlines()]
    assert len([line for line in lines if PLANS_AND_RUNS.search(line)]) <= 8
    assert PLANS_AND_RUNS.search("if isinstance(part.plan, Procedure):")
    assert PLANS_AND_RUNS.search('if evidence.run.kind == "panel":')


def test_the_formatter_decides_how_a_line_looks():
    mark = "# fmt" + ": skip"
    sources = [p for p in project_files() if p.suffix == ".py"]
    assert [relative(p) for p in sources if mark in p.read_text()] == []


def test_the_pages_scripts_stay_short():
    scripts = sorted((PACKAGE / "ui" / "static").glob("*.js"))
    lines = [line for path in scripts for line in path.read_text().splitlines()]
    assert len(lines) <= 900
    assert max(map(len, lines)) <= 190


def test_the_search_for_vague_names_finds_them():
    source = "def f(found):\n    'Which it is.'\n    return [one for one in found]\nsaid = 1\n"
    tree = ast.parse(source)
    assert bound_names(tree) & VAGUE == {"found", "one", "said"}
    assert first_words(tree) == ["Which"]

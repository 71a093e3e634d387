"""A ladder as a run: through the command line, killed and resumed, on the embedded model."""

import dataclasses
import json

import pytest

from spectcount import actions, jobs
from spectcount.configs import LadderConfig
from spectcount.errors import UserError
from spectcount.jobs.context import JobContext
from spectcount.jobs.ladders import made_by, made_of
from spectcount.store import Store

pytestmark = pytest.mark.slow

PLAN = {
    "kind": "map",
    "nx": 1,
    "ny": 3,
    "trials": 14,
    "catch_trials": 6,
    "design": {"duration_s": 1.0, "level_dbfs": -20.0},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    from spectcount.settings import load_settings

    return load_settings(mode="local", home=tmp_path_factory.mktemp("home"), device="cpu")


@pytest.fixture(scope="module")
def source(home):
    run = actions.start_probe(home, PLAN, "tiny-lalm")
    return jobs.wait(Store(home.database), home, run.id)


@pytest.fixture(scope="module")
def done(home, source):
    run = actions.start_ladder(
        home, source.id, ["tiny-lalm", "tiny-lalm@example"], pairs=48, keep=True
    )
    return jobs.wait(Store(home.database), home, run.id)


def test_a_ladder_of_a_run(home, source, done):
    assert (done.state, done.done, done.total) == ("done", 192, 192)
    made = made_by(done)
    assert list(made.listeners) == ["tiny-lalm", "tiny-lalm@example"]
    assert len(made.changes) == len(made.stages) == 9
    assert made.ideal.low > 2
    assert done.summary["sentences"] == made.sentences
    assert made_of(Store(home.database), source.id)[-1].sentences == made.sentences
    assert len(list((done.folder / "states").glob("*.npz"))) == 4
    lines = actions.where_lines(home, done.id)
    assert sum("d_a" in line for line in lines) >= 18


def test_a_stopped_ladder_goes_on_where_it_was_and_ends_the_same(home, source, done, monkeypatch):
    from spectcount.listeners import stages
    from spectcount.where import run as where

    store = Store(home.database)
    config = dataclasses.replace(LadderConfig.from_json(done.config), keep=False)
    again = store.create_run("ladder", config.to_json(), {}, state="open")
    asked = []
    plain = stages.states_of
    monkeypatch.setattr(
        stages, "states_of", lambda who, qs: asked.append(len(qs)) or plain(who, qs)
    )
    from spectcount import listeners

    loaded = {name: listeners.load_here(name, home) for name in config.listeners}
    context = JobContext(again, store)
    monkeypatch.setattr(context, "should_stop", lambda: len(asked) == 1)
    assert where.execute(context, loaded)["stopped"]
    assert asked == [64]
    torn = next((again.folder / "states").glob("*.npz"))
    monkeypatch.setattr(context, "should_stop", lambda: False)
    assert not where.execute(context, loaded)["stopped"]
    assert asked == [64, 32, 64, 32]
    assert not torn.exists()
    first, second = ((r.folder / "ladder.json").read_text() for r in (done, again))
    assert first == second


def test_a_batch_that_was_cut_off_is_asked_again(home, source, done):
    from spectcount.where.run import _stored

    path = next((done.folder / "states").glob("*.npz"))
    path.write_bytes(path.read_bytes()[:200])
    assert _stored(path, "f", [], 8) is None


@pytest.mark.parametrize(
    ("listeners", "how", "reason"),
    [
        (["ideal"], {}, "ideal has no stages"),
        (["silence:tiny-lalm"], {}, "has no stages"),
        (["tiny-lalm"] * 3, {}, "give 1 or 2"),
        (["tiny-lalm"], {"pairs": 3}, "pairs=3"),
        (["tiny-lalm"], {"region": 9}, "region=9 is none of the"),
    ],
)
def test_what_makes_no_ladder_is_refused(home, source, listeners, how, reason):
    with pytest.raises(UserError, match=reason):
        actions.start_ladder(home, source.id, listeners, **how)


def test_runs_of_other_kinds_are_refused(home, done):
    with pytest.raises(UserError, match="is a ladder; a ladder takes the clips of"):
        actions.start_ladder(home, done.id)
    with pytest.raises(UserError, match="has no ladder or patching"):
        actions.where_lines(home, Store(home.database).run(done.id).config["source"])


def test_the_command_line_prints_the_sentences(home, source):
    from typer.testing import CliRunner

    from spectcount.cli import app

    where = ["--home", str(home.home), "--device", "cpu"]
    result = CliRunner().invoke(app, [*where, "ladder", source.id, "--pairs", "20"])
    assert result.exit_code == 0, result.output
    assert "tiny-lalm: " in result.output
    assert "readout: d_a" in result.output
    last = Store(home.database).runs("ladder")[0]
    assert not (last.folder / "states").exists()
    assert json.loads((last.folder / "ladder.json").read_text())["$"] == "Ladder"


def test_report_and_bundle_of_the_source_tell_where_it_is_lost(home, source, done, tmp_path):
    import zipfile

    names = actions.figure_names(home, done.id)
    assert "ladder" in names
    text = actions.write_report(home, done.id, tmp_path).read_text()
    assert "Where it is lost" in text
    for sentence in made_by(done).sentences:
        assert sentence.partition(":")[0] in text
    bundle = zipfile.ZipFile(actions.export(home, source.id, tmp_path))
    inside = {name.partition("/")[2] for name in bundle.namelist()}
    assert {"figures/ladder.svg", "figures/ladder.html", "stages/1-ladder.json"} <= inside
    assert bundle.read(f"{source.id}/stages/1-ladder.json").decode().startswith("{")

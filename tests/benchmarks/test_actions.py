"""From the command line to the report and the export, through a real job; a kill in the middle."""

from __future__ import annotations

import json

import pytest
from asking import Says, config, execute, truth
from typer.testing import CliRunner

from spectcount import actions, cli, jobs
from spectcount.errors import UserError
from spectcount.jobs import context as job_context
from spectcount.store import Store


def command(settings, *words):
    result = CliRunner().invoke(cli.app, ["--home", str(settings.home), *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_benchmark_runs_as_a_job_and_says_what_it_found(settings, data, tmp_path):
    said = command(
        settings,
        "benchmark",
        "run",
        "mmsu",
        "--path",
        data["mmsu"],
        "--listener",
        "first",
        "--prompt",
        "letter",
        "--rotate",
    )
    assert "MMSU: 6 of 6 items, prompt letter" in said and "official rule" in said
    run = Store(settings.database).runs("benchmark")[0]
    assert (run.state, run.done, run.total) == ("done", 22, 22)
    assert command(settings, "benchmark", "report", run.id) in said
    summary = json.loads(command(settings, "benchmark", "report", run.id, "--json"))
    assert summary["listeners"]["first"]["strict"]["right"] == 1
    out = json.loads(command(settings, "benchmark", "export", run.id, "--out", tmp_path, "--json"))
    assert [(one["n_rows"], one["listener"]) for one in out] == [(6, "first")]
    scored = command(
        settings,
        "benchmark",
        "run",
        "mmsu",
        "--path",
        data["mmsu"],
        "--listener",
        "first",
        "--limit",
        "2",
        "--scored",
        "--json",
    )
    assert json.loads(scored)["summary"]["benchmark"]["mode"] == "scored"


def test_the_list_names_files_prompts_and_gotchas(settings):
    listed = json.loads(command(settings, "benchmark", "list", "--json"))
    assert [b["name"] for b in listed] == ["mmau", "mmau-test", "mmar", "mmsu", "air-bench"]
    assert all(b["files"] and len(b["prompts"]) >= 2 and b["gotchas"] for b in listed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "mmlu"}, "did you mean mmsu"),
        ({"listener": "ideal"}, "synthetic signals only"),
        ({"listener": "sim:d=1,c=0"}, "synthetic signals only"),
        ({"listener": "nobody"}, "is not known"),
        ({"prompt": "leter"}, "did you mean letter"),
        ({"limit": 0}, "asks nothing"),
        ({"mode": "loud"}, "reply or scored"),
        ({"path": "/nowhere"}, "there is nothing at"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_the_run(settings, data, change, message):
    given = {"name": "mmsu", "path": data["mmsu"], "listener": "first", **change}
    with pytest.raises(UserError, match=message):
        actions.start_benchmark(settings, **given)
    assert Store(settings.database).runs() == []


def test_the_report_of_a_run_of_another_kind_is_refused(settings, data):
    run = Store(settings.database).create_run("probe", {})
    with pytest.raises(UserError, match="is a probe; give the id of a benchmark run"):
        actions.benchmark_report(settings, run.id)
    run = Store(settings.database).create_run(
        "benchmark", {**config("mmsu", data["mmsu"]), "listeners": ["first"]}
    )
    with pytest.raises(UserError, match="has no report yet"):
        actions.benchmark_report(settings, run.id)


def test_a_killed_run_goes_on_from_the_store_and_asks_nothing_twice(settings, data):
    store = Store(settings.database)
    run = store.create_run("benchmark", config("mmsu", data["mmsu"], rotate=True), state="running")

    def attempt(says):
        context = job_context.JobContext(store.run(run.id), store)
        return execute("mmsu", None, says, context=context)[0]

    def dies(question):
        if len(dying.asked) == 8:
            raise KeyboardInterrupt
        return question.truth

    dying = Says(dies)
    with pytest.raises(KeyboardInterrupt):
        attempt(dying)
    alive = Says(truth)
    summary = attempt(alive)
    assert len(alive.asked) == 22 - 7, "the reply that was under way is asked again, no other"
    assert summary["listeners"]["says"]["strict"]["right"] == 6
    assert len(store.trials(run.id)) == 22 == len({t.key for t in store.trials(run.id)})


@pytest.mark.slow
def test_base_and_tuned_of_the_embedded_model_are_compared(settings, data):
    run = actions.start_benchmark(
        settings, "mmau", data["mmau"], "tiny-lalm", "tiny-lalm@example", mode="scored"
    )
    ended = jobs.wait(Store(settings.database), settings, run.id)
    assert ended.state == "done", ended.log_tail()
    summary = ended.summary
    assert list(summary["listeners"]) == ["tiny-lalm", "tiny-lalm@example"]
    assert all(one["n_replied"] == 6 for one in summary["listeners"].values())
    assert len(summary["verdicts"]) == 4 and summary["comparison"]["n"] == 7
    marks = {one["fingerprint"] for one in summary["listeners"].values()}
    assert len(marks) == 2

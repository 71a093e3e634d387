"""Reports of procedures, interleaved plans, forgetting panels and runs over wordings."""

from __future__ import annotations

import pytest

from spectcount.probing.panel import Panel
from spectcount.report.figures import figures_of
from spectcount.report.reproduce import commands, input_file
from spectcount.report.results import _level_rows
from spectcount.report.sentences import verdicts


@pytest.mark.parametrize("kind", ["staircase", "quest", "surface"])
def test_procedures_have_a_report(make_run, plans, kind, report_of):
    evidence = make_run(getattr(plans, kind), [plans.keen])
    figures = {f.name.partition("-sim")[0] for f in figures_of(evidence)}
    assert {"track"} < figures and ("surface" in figures) == (kind == "surface")
    _, page = report_of(evidence)
    (name, found), *_ = evidence.thresholds.items()
    for words in (found[0].sentence, "Schütt", "followed the answers", "Counts per level"):
        assert words in page.text, words
    named = {"staircase": "Levitt", "quest": "Watson", "surface": "smoothness prior"}
    assert named[kind] in page.text and name == plans.keen
    assert "hit rate" not in page.text, "rates over levels that followed the answers say nothing"


def test_counts_of_a_procedure_add_up(make_run, plans):
    evidence = make_run(plans.quest, [plans.keen])
    rows = list(_level_rows(evidence))
    assert sum(row["n"] for row in rows) == len(evidence.trials)
    said = sum(t.answer == "yes" for t in evidence.trials)
    assert sum(row["Said first answer"] for row in rows) == said
    catch = [row for row in rows if row["Level (dBFS)"] == "catch"]
    assert len(catch) == 2 and {row["Track"] for row in catch} == {
        "frequency=500 Hz",
        "frequency=2000 Hz",
    }


def test_thresholds_are_compared(make_run, plans, report_of):
    evidence = make_run(plans.staircase, [plans.dull, plans.keen], "compare", margin=None)
    said = verdicts(evidence)
    assert len(said) == 1 and "level of level_dbfs where d' = 1" in said[0]
    _, page = report_of(evidence)
    assert said[0] in page.text and "nothing can be called held out" in page.text


def test_interleaved_plans_have_a_part_each(make_run, plans, report_of):
    both = {"kind": "interleaved", "plans": [plans.staircase, plans.map]}
    evidence = make_run(both, [plans.keen])
    assert [part.label for part in evidence.parts] == ["plan 1", "plan 2"]
    assert sum(len(part.trials) for part in evidence.parts) == len(evidence.trials)
    _, page = report_of(evidence)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    for words in ("Plan 1: Staircase", "Plan 2: Map", "Plan 2: Cells have as few as 4"):
        assert words in page.text, words


def test_a_forgetting_panel_has_its_table(make_run, plans, report_of):
    parts = [
        {"name": "soft <beeps>", "plan": plans.curve},
        {"name": "counting", "plan": plans.confusion},
    ]
    plan = Panel.from_list(parts).plan.to_dict()
    parts = Panel.from_list(parts).to_list()
    evidence = make_run(plan, [plans.sim, plans.other], "panel", parts=parts, regions=[])
    text, page = report_of(evidence)
    assert evidence.panel.sentence in page.text
    assert "soft &lt;beeps&gt;" in text and "Fine before" in page.text
    (command,) = commands(evidence.run)
    assert f"panel panel.yaml --base {plans.sim}" in command
    assert "- measure: auto" in input_file(evidence.run)[1]


def test_wordings_have_a_table_and_a_verdict(make_run, plans, report_of):
    evidence = make_run(plans.map, [plans.sim, plans.other], "wordings", wordings=[0, 1, 7])
    _, page = report_of(evidence)
    assert evidence.worded[plans.sim].sentence in page.text
    for words in ("held out", "asked about in each of 3 wordings", "paired stimuli in each of 3"):
        assert words in page.text, words
    (command,) = commands(evidence.run)
    assert command.endswith("--count 3 --seed 3")

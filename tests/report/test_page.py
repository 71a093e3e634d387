"""The report: complete, self-contained, escaped, and true to the trials."""

from __future__ import annotations

import html
import re

import pytest

from spectcount.listeners.observers.observer import Human
from spectcount.probing.plan import plan_from_dict
from spectcount.report.caveats import caveats
from spectcount.report.evidence import load
from spectcount.report.figures import figures_of
from spectcount.report.html import Html, tag
from spectcount.report.sentences import verdicts
from spectcount.store import Store
from spectcount.trials import Question, make_trial

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> $a_b$ &amp;"
ALLOWED = re.compile(r'(?:href|src)="(?:#|data:(?:image/png|audio/wav);base64,)')


def test_every_section_of_a_comparison(make_run, plans, report_of):
    evidence = make_run(plans.map, [plans.sim, plans.other], "compare")
    text, page = report_of(evidence)
    assert [t["id"] for name, t in page.tags if name == "section"] == [
        "question",
        "stimuli",
        "listeners",
        "method",
        "results",
        "caveats",
        "repeat",
        "rules",
    ]
    for words in (
        "Is there a beep?",
        evidence.fingerprints[plans.sim],
        "Hautus",
        "Gourevitch",
        "Newcombe",
        "Benjamini",
        "4 signal trials",
        "8 catch trials",
        "The seed was 3",
        "24 paired signal",
        "A simulated listener answered",
        evidence.trials.digest,
        "Mel channel",
        "Counts per cell",
        "paired by question",
        "expect about 1",
        "What one cue alone reaches",
    ):
        assert words in page.text, words
    assert len([name for name, _ in page.tags if name == "svg"]) == 4
    assert len([name for name, _ in page.tags if name == "audio"]) == 2
    assert len([name for name, _ in page.tags if name == "img"]) == 1
    assert len(text) < 2_000_000


def test_nothing_is_fetched_and_nothing_runs(make_run, plans, report_of):
    text, page = report_of(make_run(plans.map, [plans.sim]))
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert page.attributes("http-equiv") == ["Content-Security-Policy"]
    policy = page.attributes("content")[0]
    assert policy.startswith("default-src 'none';") and "script" not in policy
    outside = [m for m in re.findall(r'\b(?:src|href)="[^"]{0,60}', text) if not ALLOWED.match(m)]
    assert [m for m in outside if not m.startswith('href="#')] == []
    assert re.findall(r"url\((?!#)", text) == []
    assert not [key for _, found in page.tags for key in found if key.startswith("on")]


def test_ids_are_unique_and_links_lead_somewhere(make_run, plans, report_of):
    _, page = report_of(make_run(plans.map, [plans.sim, plans.other], "compare"))
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    anchors = [h for name, found in page.tags if name == "a" for h in [found["href"]]]
    assert anchors and {a.removeprefix("#") for a in anchors} <= set(ids)


def test_counts_on_the_page_are_those_of_the_trials(make_run, plans, report_of):
    evidence = make_run(plans.map, [plans.sim])
    _, page = report_of(evidence)
    cells = evidence.cells[plans.sim]
    head = page.text.index("from which every rate, d′ and c can be recomputed Listener")
    numbers = page.text[head:]
    for i, j in evidence.plan.cells:
        cell = rf"\({i}, {j}\) \S+ [\d.–]+ k?Hz \(mel [\d–]+\)"
        words = r"(at least|at most)? ?([−\d.]+)"
        row = re.search(rf"{cell} (\d+) (\d+) (\d+) (\d+) {words}", numbers)
        assert row, (i, j)
        found = [int(v) for v in row.groups()[:4]]
        expected = [cells.n, cells.hits, cells.n_catch, cells.false_alarms]
        assert found == [int(v[j, i]) for v in expected]
        known = {"at least": cells.d_prime.low, "at most": cells.d_prime.high}
        d_prime = known.get(row.group(5), cells.d_prime.value)[j, i]
        assert float(row.group(6).replace("−", "-")) == pytest.approx(d_prime, abs=0.005)


@pytest.mark.parametrize("kind", ["curve", "confusion", "order"])
def test_other_plans_have_a_report(make_run, plans, kind, report_of):
    evidence = make_run(getattr(plans, kind), [plans.sim if kind != "confusion" else "dsp"])
    _, page = report_of(evidence)
    title = evidence.plan.asked.title
    assert title in page.text and "How to repeat it" in page.text
    assert [name for name, _ in page.tags if name == "svg"]


def test_a_verdict_is_of_sensitivity_and_bias_not_of_hits(make_run, plans):
    evidence = make_run(plans.map, [plans.sim, plans.other], "compare")
    said = verdicts(evidence)
    assert "d_a" in said[0] and any("criterion" in s for s in said)
    assert not any(s.startswith("Improved: hit rate") for s in said)
    probe = make_run(plans.map, [plans.sim, plans.other])
    assert verdicts(probe) == [], "two listeners of a probe are not before and after"


def nasty_evidence(settings, plans):
    """A session by a person with a nasty name, prompt, lineage and reply."""
    store = Store(settings.database)
    config = {"plan": plans.map, "listeners": [NASTY], "seed": 1}
    run = store.create_run("listen", config, {"probe": f"/tmp/{NASTY}.yaml"})
    person = Human(NASTY, run.id)
    trials = []
    for planned in plan_from_dict(plans.map).questions(1):
        asked = Question(planned.question.stimulus, "detect", text=NASTY)
        person.answer(asked, "yes")
        scores = person.score([asked])
        trials.append(
            make_trial(
                asked,
                scores.log_probs[0],
                0.2,
                fingerprint=person.fingerprint,
                listener=NASTY,
                coords=planned.coords,
                reply=NASTY,
            )
        )
    store.add_trials(run.id, trials)
    store.update(run.id, state="stopped", reason=NASTY, done=32, total=99)
    return load(store.run(run.id), store)


def test_texts_of_others_are_shown_and_never_become_html(settings, plans, report_of):
    evidence = nasty_evidence(settings, plans)
    text, page = report_of(evidence)
    assert html.escape(NASTY) in text
    assert "<script" not in text and "<img src=x" not in text
    assert not [key for _, found in page.tags for key in found if key.startswith("on")]
    assert len([name for name, _ in page.tags if name == "img"]) == 1
    assert "/tmp" not in text, "where a preset lay is nobody's business"


def test_caveats_are_found_in_the_trials(settings, plans, make_run):
    told = " ".join(caveats(nasty_evidence(settings, plans)))
    for words in (
        "stopped at 32 of 99",
        "100 % of its trials",
        "32 of 32 free replies",
        "as few as 4",
        "not calibrated",
        "strongly inclined to say “yes”",
        "share their catch trials",
    ):
        assert words in told, words
    ceiling = " ".join(caveats(make_run(plans.map, ["ideal"])))
    assert "no mistake in 6 of 6 cells" in ceiling and "lab animal" not in ceiling


def test_a_run_without_answers_says_so(settings, plans, report_of):
    store = Store(settings.database)
    config = {"plan": plans.map, "listeners": ["tiny-lalm"], "seed": 0}
    run = store.create_run("probe", config)
    _, page = report_of(load(run, store))
    assert "there is no result" in page.text and "No trial is answered yet" in page.text


def test_a_fine_tune_has_a_report(settings, report_of):
    store = Store(settings.database)
    region = {"ranges": {"frequency_hz": [6000.0, 7600.0]}, "sentence": "tones above 6 kHz"}
    config = {
        "base": "tiny-lalm",
        "curriculum": {},
        "lora": {"rank": 4},
        "train": {"steps": 20},
        "regions": [region],
        "seed": 5,
    }
    run = store.create_run("tune", config, {"probe": "probe-1"})
    for step, loss in ((10, 2.0), (20, 1.0)):
        store.add_metrics(run.id, step, {"loss": loss, "weak_accuracy": loss / 4})
    summary = {
        "steps": 20,
        "of_steps": 20,
        "final_loss": 1.0,
        "held_out_before": {"weak": 0.1},
        "held_out_after": {"weak": 0.4},
    }
    store.update(run.id, state="done", summary=summary)
    evidence = load(store.run(run.id), store)
    _, page = report_of(evidence)
    for words in ("tones above 6 kHz", "10.0 %", "40.0 %", "20 of 20", "start_tune", "lab animal"):
        assert words in page.text, words
    assert [f.name for f in figures_of(evidence)] == ["loss", "held-out-accuracy"]
    assert len([name for name, _ in page.tags if name == "svg"]) == 2


def test_only_html_is_put_in_as_it_is():
    assert tag("p", "<b>", Html("<i>")) == "<p>&lt;b&gt;<i></p>"
    assert tag("a", "x", href='"><b>') == '<a href="&quot;&gt;&lt;b&gt;">x</a>'
    assert tag("td", "", class_=None, hidden=False) == "<td></td>"

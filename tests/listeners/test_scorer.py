"""The resident scorer as a process: same answers, one for all, and what befalls it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from spectcount import actions, jobs, listeners
from spectcount.errors import UserError
from spectcount.listeners import LIVE, RUN
from spectcount.listeners.scorer import client, place
from spectcount.listeners.scorer.resident_lm import ResidentLM
from spectcount.settings import load_settings
from spectcount.store import Store
from spectcount.trials import Question

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def settings_of(home, idle_s=60):
    environ = {"SPECTCOUNT_SCORER_IDLE_S": str(idle_s)}
    return load_settings(mode="local", home=home, device="cpu", environ=environ)


@contextlib.contextmanager
def scored(home, idle_s=60):
    settings = settings_of(home, idle_s)
    try:
        yield settings
    finally:
        listeners.end_scorer(settings)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Settings whose scorer several tests ask."""
    with scored(tmp_path_factory.mktemp("served") / "home") as settings:
        yield settings


@pytest.fixture
def fresh(tmp_path):
    """Settings with a scorer of this test's own."""
    with scored(tmp_path / "home") as settings:
        yield settings


def drawn(settings, n, first=0):
    seeds = range(first, first + n)
    sounds = [actions.preset_stimulus(settings, "wide", {}, seed) for seed in seeds]
    return [Question(sound, "count") for sound in sounds]


def scorer_pid(settings):
    """The process behind the socket, told by itself; None where none lives."""
    connection = client._connected(next(place.places(settings)))
    if connection is None:
        return None
    with connection, contextlib.suppress(OSError, EOFError):
        return client.wire.receive(connection).head["pid"]
    return None


def until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def same(a, b):
    return a.log_probs.tobytes() == b.log_probs.tobytes() and a.mass.tobytes() == b.mass.tobytes()


# The same answers


@pytest.mark.parametrize("spec", ["tiny-lalm", "tiny-lalm@example", "silence:tiny-lalm"])
def test_answers_are_those_of_the_same_process_to_the_byte(served, settings, spec):
    there, here = listeners.load(spec, served), listeners.load(spec, settings)
    questions = drawn(served, 11)
    uploaded = [Question(None, "count", 1, waveform=q.audio()) for q in questions[:3]]
    assert there.fingerprint == here.fingerprint and there.name == here.name
    for some in (questions, questions[:1], uploaded, []):
        assert same(there.score(some), here.score(some))
    assert [*there.reply(questions[0])] == [*here.reply(questions[0])]


def test_base_and_tuned_side_by_side_answer_as_each_alone(served, settings):
    specs, questions = ("tiny-lalm", "tiny-lalm@example"), drawn(served, 9)
    there = [listeners.load(spec, served) for spec in specs]
    here = [listeners.load(spec, settings) for spec in specs]
    assert all(isinstance(listener, ResidentLM) for listener in there)
    assert listeners.may_share(there) and listeners.may_share(here)
    assert not listeners.may_share([there[0], here[1]])
    for a, b in zip(
        listeners.score_together(there, questions),
        listeners.score_together(here, questions),
        strict=True,
    ):
        assert same(a, b)


def test_what_is_known_of_a_model_is_the_same(served, settings):
    there, here = (listeners.load("tiny-lalm", s) for s in (served, settings))
    assert there.facts == here.facts
    assert listeners.window_s("tiny-lalm", served) == listeners.window_s("tiny-lalm", settings)
    assert listeners.check("tiny-lalm", served) == listeners.check("tiny-lalm", settings)
    (row,) = listeners.in_memory(served)
    assert (row.name, row.path, row.longest_s) == ("tiny-lalm", "staged", 10.0)


def test_refusals_come_through_in_the_same_words(served, settings):
    long = Question(None, "count", waveform=np.zeros(12 * 16_000, np.float32))
    whole = Question(None, "count", waveform=np.zeros(16_000, np.int16))
    for question in (long, whole):
        words = []
        for s in (served, settings):
            with pytest.raises(UserError) as refusal:
                listeners.load("tiny-lalm", s).score([question])
            words.append(str(refusal.value))
        assert words[0] == words[1]


# One for all


def test_who_comes_at_once_finds_one_scorer_and_imports_no_torch(fresh):
    code = (
        "import socket, struct, sys; from spectcount import listeners\n"
        "from spectcount.settings import load_settings\n"
        "x = listeners.load('tiny-lalm', load_settings())\n"
        "assert not {'torch', 'transformers', 'gradio'} & {*sys.modules}\n"
        "peer = x.door._pooled().getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)\n"
        "print(struct.unpack('3i', peer)[0], x.fingerprint)"
    )
    environ = {**os.environ, **fresh.environment(), "PYTHONPATH": str(ROOT)}
    asking = [
        subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    told = {child.communicate(timeout=120)[0].decode() for child in asking}
    assert [child.returncode for child in asking] == [0] * 4
    (line,) = told
    assert int(line.split()[0]) == scorer_pid(fresh)


def test_another_user_is_refused(served):
    listeners.load("tiny-lalm", served)
    at = next(place.places(served))
    assert (at.socket.stat().st_mode & 0o777, at.socket.parent.stat().st_mode & 0o777) == (
        0o600,
        0o700,
    )
    if os.getuid() != 0:
        return
    for path in at.socket.parents:
        if path.stat().st_uid == 0 and path != at.socket.parent:
            path.chmod(path.stat().st_mode | 0o055)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        os._exit(13 if client._connected(at) is None else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 13
    # even where the folder is opened, the other side is looked at
    at.socket.parent.chmod(0o755)
    at.socket.chmod(0o666)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        connection = client._connected(at)
        try:
            client.wire.receive(connection)
        except EOFError:
            os._exit(13)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 13


# What befalls it


def test_live_questions_go_on_when_the_scorer_is_killed_and_its_socket_stays(fresh, settings):
    listener, here = listeners.load("tiny-lalm", fresh), listeners.load("tiny-lalm", settings)
    questions = drawn(fresh, 40)
    pid, answers = scorer_pid(fresh), []
    thread = threading.Thread(target=lambda: answers.append(listener.score(questions)))
    thread.start()
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    thread.join(120)
    assert same(answers[0], here.score(questions))
    second = scorer_pid(fresh)
    assert second not in (None, pid)
    os.kill(second, signal.SIGKILL)
    until(lambda: scorer_pid(fresh) is None)
    assert next(place.places(fresh)).socket.exists(), "it stays behind"
    assert same(listener.score(questions[:1]), here.score(questions[:1]))


def test_a_run_goes_on_with_a_new_scorer_and_nothing_is_lost_or_doubled(fresh, tmp_path):
    def asked(settings, meanwhile):
        specs, fewer = ["tiny-lalm", "tiny-lalm@example"], {"trials": 2, "catch_trials": 20}
        run = actions.start_probe(settings, "quick-map", specs, 3, fewer)
        store = Store(settings.database)
        meanwhile(lambda: store.run(run.id).done)
        run = jobs.wait(store, settings, run.id)
        assert run.state == "done", run.reason
        trials = store.trials(run.id)
        return [(t.key, t.fingerprint, t.coords, t.log_probs, t.mass, t.listener) for t in trials]

    def kill(done):
        until(lambda: done() > 60)
        os.kill(scorer_pid(fresh), signal.SIGKILL)

    first = asked(fresh, kill)
    second = asked(settings_of(tmp_path / "plain", idle_s=0), lambda done: None)
    assert len(first) == 2 * (2 * 96 + 20) == len({(t[0], t[1], json.dumps(t[2])) for t in first})
    assert sorted(first, key=repr) == sorted(second, key=repr)


@pytest.mark.parametrize("what", ["base", "adapter"])
def test_a_change_in_mid_sweep_gives_no_answer_under_the_old_name(fresh, settings, what):
    from safetensors.numpy import load_file, save_file

    model, adapter = fresh.home / "models" / "own", fresh.home / "adapter"
    shutil.copytree(settings.models / "tiny-lalm", model)
    shutil.copytree(settings.models / "tiny-lalm-adapters" / "example", adapter)
    spec = "own" if what == "base" else f"tiny-lalm@path:{adapter}"
    listener, questions = listeners.load(spec, fresh, priority=RUN), drawn(fresh, 2)
    before = listener.score(questions)
    file = next((model if what == "base" else adapter).glob("*.safetensors"))
    untouched = file.read_bytes()
    tensors = load_file(file)
    name = max(tensors, key=lambda name: tensors[name].size)
    save_file({**tensors, name: tensors[name] * 1.5}, file, {"format": "pt"})
    with pytest.raises(UserError, match=r"has changed: it was .* start a new run"):
        listener.score(questions)
    other = listeners.load(spec, fresh)
    assert other.fingerprint != listener.fingerprint
    assert not same(other.score(questions), before)
    file.write_bytes(untouched)
    assert same(listener.score(questions), before), "who it was before answers again"
    shutil.rmtree(file.parent)
    with pytest.raises(UserError, match="is not there any more"):
        listener.score(questions)


def test_it_ends_when_it_is_idle_and_comes_back_when_it_is_asked(tmp_path):
    with scored(tmp_path / "home", idle_s=1) as settings:
        listener = listeners.load("tiny-lalm", settings)
        pid = scorer_pid(settings)
        until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", 20)
        assert not next(place.places(settings)).socket.exists()
        assert listener.door.table() == []
        assert len(listener.score(drawn(settings, 2)).mass) == 2


def test_it_ends_when_its_home_is_given_up(tmp_path):
    settings = settings_of(tmp_path / "home")
    listeners.load("tiny-lalm", settings)
    pid = scorer_pid(settings)
    shutil.rmtree(settings.home)
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", 20)
    assert not settings.home.exists()


def test_it_gives_way_to_other_work_and_comes_back_by_itself(fresh, monkeypatch):
    door = client.door(fresh)
    listener, questions = listeners.load("tiny-lalm", fresh), drawn(fresh, 1)
    before = listener.score(questions)
    free = psutil.virtual_memory().available
    with door.held(free + 2e6, "the fine-tune t") as gone:
        assert gone in (["tiny-lalm"], []), "a few MB more or less may be free by now"
        if gone:
            with pytest.raises(UserError, match=r"tiny-lalm gave way to the fine-tune t: it needs"):
                listener.score(questions)
    until(lambda: not _refused(listener, questions))
    assert same(listener.score(questions), before)


def _refused(listener, questions):
    try:
        listener.score(questions)
        return False
    except UserError:
        return True


def test_unloading_frees_it_for_everybody_and_the_next_question_loads_it(served):
    listener = listeners.load("tiny-lalm", served, priority=LIVE)
    assert {*listeners.free(served, "tiny-lalm")} == {"tiny-lalm"}
    assert listener.door.table() == []
    assert len(listener.score(drawn(served, 1)).mass) == 1
    assert [row.name for row in listener.door.table()] == ["tiny-lalm"]

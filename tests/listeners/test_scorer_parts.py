"""The resident scorer's parts without a model: messages, turns, places, and a scorer that errs."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spectcount import actions, listeners
from spectcount.errors import UserError
from spectcount.listeners.base import Scores
from spectcount.listeners.scorer import client, place, wire
from spectcount.listeners.scorer.desk import Desk
from spectcount.listeners.scorer.turns import Turns
from spectcount.listeners.scorer.wire import IDLE, LIVE, RUN, Asking, Message, Superseded, Target
from spectcount.settings import Settings, load_settings
from spectcount.trials import Question

TARGET = Target("m@a", "m", (), "/models/m", "/adapters/a")


@pytest.fixture
def served(tmp_path):
    """Settings with which a scorer is asked."""
    environ = {"SPECTCOUNT_SCORER_IDLE_S": "60"}
    return load_settings(mode="local", home=tmp_path / "home", device="cpu", environ=environ)


@pytest.fixture
def sounds(settings):
    return [actions.preset_stimulus(settings, "wide", {}, seed) for seed in range(3)]


@contextlib.contextmanager
def fake(settings, answer, stamp=None):
    """A scorer whose answers are those of `answer(request)`; the operations that were asked."""
    at, seen = next(place.places(settings)), []
    listening = socket.socket(socket.AF_UNIX)
    at.socket.unlink(missing_ok=True)
    listening.bind(str(at.socket))
    listening.listen()
    hello = {"protocol": wire.PROTOCOL, "stamp": stamp or place.stamp(), "pid": os.getpid()}

    def talk(connection):
        with connection, contextlib.suppress(OSError, EOFError):
            wire.send(connection, Message(hello))
            while True:
                request = wire.receive(connection)
                seen.append(request.head["do"])
                for message in answer(request):
                    wire.send(connection, message)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                talk(listening.accept()[0])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield seen
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        at.socket.unlink(missing_ok=True)


# Messages


def test_a_question_arrives_as_it_was_sent(sounds):
    waves = [np.array([0.1, -0.2], np.float32), np.array([1, -2], np.int16), np.zeros((3, 2))]
    sent = [Question(sound, "count", wording) for sound in sounds for wording in (0, 1)]
    sent += [Question(None, "count", waveform=wave) for wave in waves]
    message = wire.pack_questions(sent, {"do": "score"})
    assert len(message.head["clips"]) == 6
    left, right = socket.socketpair()
    with left, right:
        wire.send(left, message)
        questions = wire.unpack_questions(wire.receive(right))
    for question, before in zip(questions, sent, strict=True):
        assert question.prompt == before.prompt and question.answers == before.answers
        assert question.clip_hash == before.clip_hash and question.stimulus == before.stimulus
        after, clip = question.audio(), before.audio()
        assert (after.dtype, after.shape) == (clip.dtype, clip.shape) and (after == clip).all()


def test_scores_arrive_to_the_bit():
    numbers = np.random.default_rng(0).normal(size=(2, 3, 11)) * 1e-300
    numbers[0, 0, 0] = -np.inf
    left, right = socket.socketpair()
    with left, right:
        wire.send(left, Message({"part": [0]}, (numbers, numbers[:, ::2, 0])))
        first, second = wire.receive(right).arrays
    assert first.tobytes() == numbers.tobytes()
    assert second.tobytes() == np.ascontiguousarray(numbers[:, ::2, 0]).tobytes()


@pytest.mark.parametrize("kind", ["O", "V8", "U4", "S4", "M8[s]"])
def test_an_array_that_holds_anything_but_numbers_is_refused(kind):
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"\x20\x00\x00\x00\x10\x00\x00\x00")
        left.sendall(f'{{"arrays": [["{kind}", [1]]]}}'.ljust(32).encode() + bytes(16))
        with pytest.raises(EOFError, match="is none of numbers"):
            wire.receive(right)


# Turns


def test_the_most_urgent_goes_first_and_waits_for_one_batch_only():
    turns, order, threads = Turns(), [], []

    def work(name, priority):
        with turns.take(priority):
            order.append(name)

    with turns.take(RUN):
        for name, priority in (("strip", IDLE), ("run", RUN), ("slider", LIVE), ("next", LIVE)):
            threads.append(threading.Thread(target=work, args=(name, priority)))
            threads[-1].start()
            while len(turns._waiting) < len(threads):
                time.sleep(0.001)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == ["slider", "next", "run", "strip"]


def test_who_does_not_want_a_turn_any_more_does_not_hold_up_others():
    turns, left = Turns(), threading.Event()

    def check():
        if left.is_set():
            raise Superseded

    outcome = []

    def impatient():
        with contextlib.suppress(Superseded), turns.take(LIVE, check):
            outcome.append("asked")

    with turns.take(RUN):
        thread = threading.Thread(target=impatient)
        thread.start()
        while not turns._waiting:
            time.sleep(0.001)
        left.set()
        turns.wake()
        thread.join(10)
        assert not thread.is_alive()
    with turns.take(IDLE):
        assert outcome == []


# The desk, with a model that takes its time


class Slow:
    """A listener that takes `seconds` for each batch of two clips."""

    def __init__(self, name, seconds, mark="mark"):
        self.name, self.seconds, self.fingerprint = name, seconds, mark
        self.loaded = SimpleNamespace(in_memory=True, path="stock")
        self.n_scored = 0

    def score(self, questions, turn):
        for start in range(0, len(questions), 2):
            with turn():
                time.sleep(self.seconds)
                self.n_scored += len(questions[start : start + 2])
        n = len(questions)
        return Scores(np.full((n, 11), -np.log(11)), np.ones(n))


@pytest.fixture
def desk(settings, monkeypatch):
    desk = Desk(settings)
    desk.slow = Slow("m", 0.05)
    monkeypatch.setattr(desk, "_listener", lambda target, report=None: desk.slow)
    return desk


def ask(desk, sounds, n, **asking):
    message = wire.pack_questions([Question(sounds[k % 3], "count") for k in range(n)], {})
    return [*desk.score(Asking((TARGET,), **asking), wire.unpack_questions(message))]


def test_a_live_question_waits_for_one_batch_of_a_run(desk, sounds):
    desk.slow.seconds = 0.2
    run = threading.Thread(target=ask, args=(desk, sounds, 20), kwargs={"priority": RUN})
    run.start()
    while not desk.turns._busy:
        time.sleep(0.001)
    start = time.monotonic()
    ask(desk, sounds, 1)
    waited = time.monotonic() - start
    assert run.is_alive() and desk.slow.n_scored < 20
    assert waited < 3 * desk.slow.seconds
    run.join()


def test_a_newer_question_of_the_page_drops_the_older_that_has_not_begun(desk, sounds):
    outcome = {}

    def slider(number):
        try:
            ask(desk, sounds, 1, page="p", number=number)
            outcome[number] = "answered"
        except Superseded:
            outcome[number] = "dropped"

    with desk.turns.take(LIVE):
        threads = [threading.Thread(target=slider, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        while len(outcome) + len(desk.turns._waiting) < 8 or desk._newest["p"] < 7:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert outcome == {**dict.fromkeys(range(7), "dropped"), 7: "answered"}
    assert desk.slow.n_scored == 1
    with pytest.raises(Superseded):
        ask(desk, sounds, 1, page="p", number=3)
    ask(desk, sounds, 1, page="another", number=0)


def test_a_strip_comes_part_by_part_and_ends_where_a_setting_changes(desk, settings):
    sounds = [actions.preset_stimulus(settings, "wide", {}, seed) for seed in range(20)]
    message = wire.pack_questions([Question(sound, "count") for sound in sounds], {})
    strip, parts = Asking((TARGET,), (), IDLE, "strip", 1, parts=True), []
    with pytest.raises(Superseded):
        for part in desk.score(strip, wire.unpack_questions(message)):
            parts.append(part.indices)
            if len(parts) == 2:
                desk.register(Asking((), page="strip", number=2))
    assert parts == [[*range(8)], [*range(8, 16)]]


def test_nobody_answers_for_a_listener_that_has_changed(desk, sounds):
    with pytest.raises(UserError, match=r"m has changed: it was old when this began, .* of mark"):
        ask(desk, sounds, 1, fingerprints=("old",))
    ask(desk, sounds, 1, fingerprints=("mark",))


def test_what_was_unloaded_meanwhile_is_asked_anew(desk, sounds, monkeypatch):
    gone = Slow("m", 0.0)
    gone.loaded.in_memory = False

    def unloaded(questions, turn):
        raise UserError("m was unloaded")

    gone.score = unloaded
    there = iter([gone, desk.slow])
    monkeypatch.setattr(desk, "_listener", lambda target, report=None: next(there))
    ask(desk, sounds, 2)
    assert desk.slow.n_scored == 2


# Places


def test_a_scorer_is_found_in_a_folder_that_its_owner_alone_enters():
    with tempfile.TemporaryDirectory() as short:
        the_owner_alone_enters(load_settings(home=Path(short), device="cpu", environ={}))


def the_owner_alone_enters(served):
    first, *others = place.places(served)
    assert first.socket.is_relative_to(served.home)
    for at in [first, *others]:
        assert stat.S_IMODE(at.socket.parent.stat().st_mode) == 0o700
    first.socket.parent.chmod(0o777)
    assert next(place.places(served)) == first
    assert stat.S_IMODE(first.socket.parent.stat().st_mode) == 0o700


def test_a_home_whose_path_is_too_long_for_a_socket_has_its_scorer_elsewhere(tmp_path):
    home = tmp_path / ("h" * 120)
    settings = load_settings(home=home, device="cpu", environ={})
    places = [*place.places(settings)]
    assert places and not any(at.socket.is_relative_to(home) for at in places)
    assert all(len(os.fsencode(at.socket)) <= 100 for at in places)
    other = load_settings(home=tmp_path / ("i" * 120), device="cpu", environ={})
    assert not {*place.places(other)} & {*places}
    home.rename(tmp_path / "away")
    again = load_settings(home=home, device="cpu", environ={})
    assert not {*place.places(again)} & {*places}, "another home at the same path"


def test_a_folder_of_somebody_else_is_not_entered(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert not place._is_private(tmp_path)
    monkeypatch.undo()
    (tmp_path / "link").symlink_to(tmp_path)
    assert place._is_private(tmp_path) and not place._is_private(tmp_path / "link")


@pytest.mark.parametrize("written", ["-1", "nan", "a day", "1e9"])
def test_a_time_that_is_none_is_refused(tmp_path, written):
    with pytest.raises(UserError, match="SPECTCOUNT_SCORER_IDLE_S"):
        load_settings(home=tmp_path, device="cpu", environ={"SPECTCOUNT_SCORER_IDLE_S": written})


# Asking a scorer that errs


@pytest.mark.parametrize(
    "answer, error, words",
    [
        ({"error": "user", "words": "too long"}, UserError, "^too long$"),
        ({"error": "memory", "words": "std"}, MemoryError, r"out of memory in .* scorer \(std\)"),
        ({"error": "other", "words": "KeyError: x"}, RuntimeError, "resident scorer: KeyError: x"),
        ({"error": "superseded", "words": ""}, Superseded, "^$"),
    ],
)
def test_what_goes_wrong_in_the_scorer_is_raised_where_it_was_asked(served, answer, error, words):
    with fake(served, lambda request: [Message(answer)]), pytest.raises(error, match=words):
        client.Door(served).open(Asking((TARGET,)))


def test_a_question_of_which_scorers_die_is_refused_in_the_end(served, monkeypatch):
    def answer(request):
        raise OSError("killed")

    with fake(served, answer) as seen, pytest.raises(UserError, match="ended 3 times while it"):
        client.Door(served).open(Asking((TARGET,)))
    assert seen == ["open"] * 3


def test_answers_that_came_are_not_given_twice_when_a_scorer_dies(served, sounds):
    questions = [Question(sound, "count") for sound in sounds]
    lives = iter([[[0]], [[0, 1], [2]]])

    def answer(request):
        for part in next(lives):
            rows = np.asarray(part, float)[None, :, None].repeat(11, 2)
            yield Message({"part": part, "fingerprints": ["f"]}, (rows, rows[:, :, 0]))
            if part == [0]:
                raise OSError("killed")
        yield Message({"done": None})

    with fake(served, answer):
        got = [*client.Door(served).parts(Asking((TARGET,)), questions)]
    assert [part.indices for part in got] == [[0], [1], [2]]
    assert [part.scores[0].mass.tolist() for part in got] == [[0.0], [1.0], [2.0]]


def test_a_scorer_of_older_files_is_asked_to_end(served):
    with fake(served, lambda request: [Message({"done": True})], stamp="older") as seen:
        assert client.Door(served)._connect() is None
    assert seen == ["end"]


def test_a_scorer_of_newer_files_that_speaks_otherwise_is_not_asked(served, monkeypatch):
    monkeypatch.setattr(wire, "PROTOCOL", wire.PROTOCOL + 1)
    with fake(served, lambda request: []):
        monkeypatch.undo()
        with pytest.raises(UserError, match="installed anew since this process began"):
            client.Door(served)._connect()


def test_where_no_socket_can_be_had_the_process_loads_the_model_itself(served, monkeypatch, capsys):
    here = object()
    monkeypatch.setattr(place, "places", lambda settings: iter(()))
    monkeypatch.setattr(listeners, "load_here", lambda spec, settings, report: here)
    assert listeners.load("tiny-lalm", served) is here
    assert "there is no resident scorer (no folder of this machine" in capsys.readouterr().err


def test_a_scorer_that_cannot_be_started_is_not_waited_for(served, monkeypatch):
    monkeypatch.setattr(client.sys, "executable", "/bin/false")
    with pytest.raises(client.Unavailable, match="it cannot be started"):
        client.Door(served).open(Asking((TARGET,)))


def test_limits_of_the_demo_stand_before_the_scorer(tmp_path):
    environ = {"SPECTCOUNT_SCORER_IDLE_S": "60"}
    demo = load_settings(mode="demo", home=tmp_path / "home", device="cpu", environ=environ)
    for spec in ("path:/etc", "tiny-lalm@path:/etc", "qwen2-audio-7b"):
        with pytest.raises(UserError):
            listeners.load(spec, demo)
    assert not any(at.socket.exists() for at in place.places(demo))


def test_looking_at_what_is_in_memory_starts_nothing(served):
    door = client.door(served)
    assert door.table() == [] == door.unload() and not listeners.end_scorer(served)
    assert not any(at.socket.exists() for at in place.places(served))


def test_without_a_scorer_there_is_no_way_to_it(tmp_path):
    assert client.door(Settings("local", tmp_path, "cpu", scorer_idle_s=0.0)) is None

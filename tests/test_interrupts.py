"""Signals and closed pipes: no verb answers them with a traceback, and nothing is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from spectcount import cli, interrupts
from spectcount.settings import load_settings
from spectcount.store import Store

ROOT = Path(__file__).parents[1]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
LONG = {
    "title": "Long",
    "about": "Enough trials to be interrupted.",
    "plan": {"kind": "map", "nx": 8, "ny": 12, "trials": 100, "catch_trials": 100},
}


def _verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from _verbs(inner, (*path, name))
    if path and (not hasattr(command, "commands") or command.invoke_without_command):
        yield path


VERBS = sorted(set(_verbs(typer.main.get_command(cli.app))))


def _start(home: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "spectcount", "--home", str(home), *arguments]
    usual = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        command, text=True, cwd=ROOT, start_new_session=True, **{**usual, **options}
    )


def _words_until(stream: Any, pattern: str) -> str:
    """What a process says up to a line with `pattern`."""
    said = ""
    while not re.search(pattern, said):
        line = stream.readline()
        assert line, f"it ended without {pattern!r}: {said}"
        said += line
    return said


def test_every_verb_is_enumerated() -> None:
    assert len(VERBS) > 30
    assert {("probe",), ("models",), ("runs", "export"), ("bench", "train")} <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_an_interrupt_of_a_verb_is_a_sentence(
    verb: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*given: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    for module in ("root", "page"):
        monkeypatch.setattr(f"spectcount.cli.{module}.load_settings", interrupted)
    monkeypatch.setattr(sys, "argv", ["spectcount", *verb])
    interrupts.hint("")
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert "run the command again" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc to look inside")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("start", [["-m", "spectcount", "families"], ["app.py"]])
def test_a_signal_while_importing(number: signal.Signals, start: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, *start],
        cwd=ROOT,
        env={**os.environ, "SPECTCOUNT_HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while "numpy" not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert re.fullmatch("stopped.*\n", err)


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_wait_that_ends_leaves_the_run_going(
    number: signal.Signals, times: int, tmp_path: Path
) -> None:
    plan = tmp_path / "long.yaml"
    plan.write_text(yaml.safe_dump(LONG))
    home = tmp_path / "home"
    process = _start(home, "probe", str(plan), "--listener", "sim:d=1")
    run_id = _words_until(process.stderr, r"probe-\S+").strip()
    for _ in range(times):
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    store = Store(load_settings(home=home, device="cpu", environ={}).database)
    try:
        assert process.returncode == 128 + number
        assert "Traceback" not in err
        assert "stopped" in err or f"runs cancel {run_id}" in err
        assert store.run(run_id).state in ("queued", "running", "done")
    finally:
        if (pid := store.run(run_id).pid) is not None:
            os.kill(pid, signal.SIGKILL)


def test_a_session_that_is_left_says_how_to_go_on(tmp_path: Path) -> None:
    for ending in (signal.SIGINT, None):
        process = _start(tmp_path, "listen", "listen-level", "--out", str(tmp_path / "clip.wav"))
        session = re.search(r"session (\S+);", _words_until(process.stderr, r"\[practice\]"))
        if ending is not None:
            process.send_signal(ending)
        _, err = process.communicate(timeout=60)
        assert session is not None
        assert f"listen --resume {session[1]}" in err
        assert "Traceback" not in err and "Aborted" not in err
        assert process.returncode == (130 if ending else 0)


def test_what_nohup_switched_off_stays_off(tmp_path: Path) -> None:
    process = _start(
        tmp_path, "families", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    for _ in range(4):
        time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "pulses" in out


@pytest.mark.parametrize("verb", [["families"], ["models", "--json"], ["runs", "list"]])
@pytest.mark.parametrize("merged", [False, True])
def test_a_reader_that_leaves_is_no_fault(verb: list[str], merged: bool, tmp_path: Path) -> None:
    store = Store(load_settings(home=tmp_path, device="cpu", environ={}).database)
    for _ in range(3):
        store.create_run("probe", {"plan": {}, "listeners": []}, state="done")
    reader, writer = os.pipe()
    os.close(reader)
    process = _start(tmp_path, *verb, stdout=writer, stderr=writer if merged else subprocess.PIPE)
    os.close(writer)
    _, err = process.communicate(timeout=60)
    assert not err
    assert process.returncode == 1

"""Attacks on the page: a foreign site, a rebound name, another visitor, floods, bombs, nonsense."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
import threading
import time
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import uvicorn
from gradio.state_holder import SessionState
from starlette.testclient import TestClient

from spectcount import actions, carriers, visitors
from spectcount.errors import UserError
from spectcount.rates import PUBLIC, Rate, Rates, TooMany
from spectcount.settings import load_settings
from spectcount.store import Store
from spectcount.ui import bodies, doors, signatures
from spectcount.ui.app import build_app, launch_options
from spectcount.ui.sessions import MOST_SESSIONS

HOST = "http://127.0.0.1:7860"
SECRET = "zorblax"
JOIN = "/gradio_api/queue/join"
SERVER = "/gradio_api/component_server"


@pytest.fixture(autouse=True)
def _fresh_allowances():
    PUBLIC.forget()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return load_settings(mode="demo", home=tmp_path_factory.mktemp("demo"), device="cpu")


@pytest.fixture(scope="module")
def public_page(demo):
    return build_app(demo)


@pytest.fixture(scope="module")
def local_page(tmp_path_factory):
    settings = load_settings(mode="local", home=tmp_path_factory.mktemp("local"), device="cpu")
    return build_app(settings)


def client_of(page, policy, host=HOST):
    page.max_file_size = None
    page.config = page.get_config_file()
    settings = SimpleNamespace(limits=load_settings(mode="local", environ={}).limits, demo=False)
    app = gr.routes.App.create_app(
        page, **{"app_kwargs": launch_options(settings, policy)["app_kwargs"]}
    )
    return TestClient(app, base_url=host)


@pytest.fixture(scope="module")
def local(local_page):
    return client_of(local_page, doors.Policy())


@pytest.fixture(scope="module")
def public(public_page):
    return client_of(
        public_page, doors.Policy(hosts=frozenset(), public=True, secret=b"s" * 32, rates=PUBLIC)
    )


# A foreign site


FOREIGN = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8888"},
    {"origin": "http://localhost:7860"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


def doors_of(client):
    """(method, path) of every route that the app lists."""
    paths = client.app.openapi()["paths"]
    listed = {(m.upper(), re.sub("[{}]", "", path)) for path, ways in paths.items() for m in ways}
    assert len(listed) > 60
    return sorted(listed)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_route_answers_a_foreign_site(local, headers):
    for method, path in doors_of(local):
        answer = local.request(method, path, headers=headers, content=b"{}")
        assert answer.status_code == 403, (method, path)


@pytest.mark.parametrize("host", ["evil.example:7860", "127.0.0.1.evil.example", ""])
def test_no_route_answers_under_a_rebound_name(local, host):
    for method, path in doors_of(local):
        assert local.request(method, path, headers={"host": host}).status_code == 421, path


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "LOCALHOST"])
def test_this_machine_answers_by_its_own_names(local, host):
    assert local.get("/config", headers={"host": host}).status_code == 200


def test_a_visit_from_a_link_elsewhere_is_let_in(local):
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert local.get("/config", headers=link).status_code == 200
    assert local.post(JOIN, headers=link, json={}).status_code == 403


def test_the_page_may_use_itself(local):
    answer = local.post(
        SERVER, headers={"origin": HOST}, json=server_call(local, "player_wav", "{}")
    )
    assert answer.status_code == 422
    assert "error" in answer.json()


def test_every_answer_forbids_frames_and_other_hosts(local):
    for path in ("/", "/config", "/gradio_api/info", "/no-such-page"):
        headers = local.get(path).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy and "connect-src 'self'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_a_page_beyond_loopback_asks_for_its_token(local_page):
    client = client_of(
        local_page, doors.Policy(hosts=frozenset(), token="t0ken"), "http://lab:7860"
    )
    assert client.get("/config").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert client.post(JOIN, json={}).status_code == 401
    assert client.get("/config", headers={"authorization": "Bearer t0ken"}).status_code == 200
    answer = client.get("/?token=t0ken&family=pulses", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?family=pulses")
    assert client.get("/config").status_code == 200


def test_the_policy_follows_the_address(settings, monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert doors.policy(settings, None).hosts == doors.LOOPBACK
    assert doors.policy(settings, "127.0.0.1").token is None
    assert len(doors.policy(settings, "0.0.0.0").token) > 20
    monkeypatch.setenv(doors.TOKEN_VARIABLE, "mine")
    assert doors.policy(settings, "192.168.0.2").token == "mine"


# Bombs


def test_bodies_are_bounded_and_shallow(local):
    policy = doors.Policy()
    for content in (
        b"[" * 100_000,
        b'{"a":' * 1000,
        b'{"a": "' + b'\\"' * 50_000 + b'"' + b"[" * 100,
    ):
        answer = local.post(SERVER, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (413, 422)
        assert re.search("nested|broken", answer.json()["error"])
    huge = b" " * (policy.json_bytes + 1)
    answer = local.post(SERVER, content=huge, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    parts = (huge[i : i + 65536] for i in range(0, len(huge), 65536))
    answer = local.post(SERVER, content=parts, headers={"content-type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "form",
    ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"],
)
def test_json_is_read_as_json_only(local, form):
    for path in (SERVER, JOIN, "/gradio_api/run/predict"):
        assert local.post(path, content=b"{}", headers={"content-type": form}).status_code == 415


def test_an_upload_beyond_the_limit_ends_while_it_arrives(local_page):
    client = client_of(local_page, doors.Policy(upload_bytes=100_000))
    answer = client.post("/gradio_api/upload", files={"files": ("a.wav", b"0" * 200_000)})
    assert answer.status_code == 413


# Another visitor


def test_an_unknown_function_is_named_and_the_known_are_listed(local):
    for place in ("call", "call/v2", "run", "api"):
        answer = local.post(f"/gradio_api/{place}/zzz", json={"data": []})
        assert answer.status_code == 404, place
        assert "zzz' asks for no function" in answer.text and "probe_status" in answer.text
    answer = local.post(JOIN, json={"data": [], "fn_index": 99_999, "session_hash": "s"})
    assert answer.status_code == 404 and "KeyError" not in answer.text


def answer_to_parts(pause_s, n_parts):
    """The doors' first message to a body of `n_parts` bytes, one each `pause_s` seconds."""
    sent, sent_parts = [], []

    async def receive():
        await asyncio.sleep(pause_s)
        sent_parts.append(b" ")
        return {"body": b" ", "type": "http.request", "more_body": len(sent_parts) < n_parts}

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b""}
    scope["headers"] = [(b"host", b"localhost"), (b"content-length", b"100")]
    asyncio.run(doors.Doors(app, doors.Policy())(scope, receive, send))
    return sent[0]


def test_a_body_that_drips_in_is_ended(monkeypatch):
    monkeypatch.setattr(bodies, "GRACE_S", 0.1)
    assert answer_to_parts(0.0, 5)["status"] == 200
    dripped = answer_to_parts(0.4, 100)
    assert dripped["status"] == 408 and (b"connection", b"close") in dripped["headers"]
    assert answer_to_parts(30.0, 1)["status"] == 408


def test_a_connection_that_sends_no_whole_request_is_closed(monkeypatch):
    """Also one whose first request was answered; one that waits for its answer is left alone."""
    monkeypatch.setattr(bodies, "QUIET_S", 0.5)

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.sleep(1.5 if scope["path"] == "/slow" else 0)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    bodies.close_quiet_connections(server)
    address = server.servers[0].sockets[0].getsockname()
    begun = b"GET /%s HTTP/1.1\r\nHost: x\r\n"
    sockets = [socket.create_connection(address, timeout=60) for _ in range(4)]
    for connection, data in zip(
        sockets,
        (b"", begun % b"", begun % b"" + b"\r\nGET", begun % b"slow" + b"\r\n"),
        strict=True,
    ):
        connection.sendall(data)
    answers = [b"".join(iter(lambda c=c: c.recv(1000), b"")) for c in sockets]
    server.should_exit = True
    thread.join(30)
    assert answers[:2] == [b"", b""]
    assert all(b"done" in answer for answer in answers[2:])


def server_call(client, name, data):
    """The body of a call of a server function."""
    blocks = client.app.get_blocks().blocks
    owner = next(i for i, b in blocks.items() if name in server_names(b))
    return {"data": data, "component_id": owner, "session_hash": "s", "fn_name": name}


def server_names(block):
    return [fn.__name__ for fn in getattr(block, "server_fns", None) or []]


def request_of(visitor):
    scope = {"type": "http", doors._VISITOR: visitor, "headers": [], "query_string": b""}
    return gr.Request(request=SimpleNamespace(scope=scope, headers={}, query_params={}))


def press(page, fn, inputs, visitor):
    """What a handler answers to a visitor, as text; a refusal's sentence."""
    try:
        answer = asyncio.run(
            page.process_api(fn, inputs, state=SessionState(page), request=request_of(visitor))
        )
    except gr.Error as error:
        return str(error)
    return json.dumps(answer["data"], default=str)


@pytest.fixture(scope="module")
def belongings(demo):
    """A run, a session and a recording of visitor A."""
    sound = (0.1 * np.sin(np.arange(16_000) / 7)).astype(np.float32)
    with visitors.acting_for("visitora"):
        session = actions.start_listening(demo, "listen-level", name=SECRET)
        carriers.use_folder(demo.home / "carriers")
        digest = carriers.register(sound)
        run = Store(demo.database).create_run(
            "probe", {"plan": {}, "listeners": [SECRET]}, state="done"
        )
        adapter = run.folder / "adapter"
        adapter.mkdir()
        (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "tiny-lalm"}')
    return SimpleNamespace(session=session.id, run=run.id, digest=digest)


def handlers(page):
    return [fn for fn in page.fns.values() if fn.fn is not None]


@pytest.mark.slow
def test_no_handler_shows_or_changes_what_is_anothers(public_page, demo, belongings):
    """Every handler that the app lists is pressed by B with the ids of A's things in every box."""
    store = Store(demo.database)
    before = [store.run(i) for i in (belongings.session, belongings.run)]
    pressed = 0
    for fn in handlers(public_page):
        for value in (belongings.session, belongings.run, f"tiny-lalm@{belongings.run}"):
            PUBLIC.forget()
            said = press(public_page, fn, [value] * len(fn.inputs), "visitorb")
            assert SECRET not in said, fn
            pressed += 1
    assert pressed > 100
    assert [store.run(i) for i in (belongings.session, belongings.run)] == before


def test_no_server_function_serves_another(public, belongings):
    calls = {
        "sample": belongings.session,
        "question": {"run": belongings.session, "practised": 0},
        "answer": {
            "run": belongings.session,
            "answer": "yes",
            "practice": False,
            "key": "",
            "seconds": 1,
        },
    }
    known = {n for b in public.app.get_blocks().blocks.values() for n in server_names(b)}
    assert known >= calls.keys()
    for name, data in calls.items():
        answer = public.post(SERVER, json=server_call(public, name, data))
        assert "there is no run" in answer.text, name


def browser(page_client):
    """The cookie of a new browser."""
    page_client.cookies.clear()
    key = page_client.get("/").cookies["spectcount-visitor"]
    page_client.cookies.clear()
    return {"cookie": f"spectcount-visitor={key}"}


def test_no_route_takes_the_session_of_another(public):
    """Every route that the app lists with a session, an event or an upload in its path, and every
    place that reads one from query or body; A's session, an event that A has in the queue."""
    a, b = browser(public), browser(public)
    fn = next(i for i, f in public.app.get_blocks().fns.items() if f.fn is not None and f.queue)
    joined = {"data": [], "fn_index": fn, "session_hash": "sessiona"}
    event = public.post(JOIN, json=joined, headers=a).json()["event_id"]
    public.app.get_blocks()._queue.event_ids_to_events.setdefault(
        event, SimpleNamespace(session_hash="sessiona", data=None)
    )
    own = public.post(JOIN, json={**joined, "session_hash": "sessionb"}, headers=b)
    assert own.status_code != 403
    tried = [
        ("GET", f"/gradio_api/{place}", None)
        for place in (
            "queue/data?session_hash=sessiona",
            f"queue/data?session_hash=x&event_id={event}",
        )
    ]
    for method, path in doors_of(public):
        for name, value in (("session_hash", "sessiona"), ("event_id", event)):
            if re.search(rf"/{name}(/|$)", path) and "info" not in path:
                tried.append((method, path.replace(name, value), {} if method == "POST" else None))
    bodies = ({"session_hash": "sessiona"}, {"session_hash": "sessionb", "event_id": event})
    for place in ("queue/join", "cancel", "reset", "component_server", "run/predict", "api/ask"):
        tried += [("POST", f"/gradio_api/{place}", body) for body in bodies]
    assert len(tried) > 18
    for method, path, body in tried:
        PUBLIC.forget()
        answer = public.request(method, path, headers=b, json=body)
        assert answer.status_code == 403 and "another visitor" in answer.text, (method, path)
    for place in ("call/v2/ask", "call/ask"):  # the name of a function is no session
        for who in (a, b):
            PUBLIC.forget()
            answer = public.post(f"/gradio_api/{place}", headers=who, json={})
            assert answer.status_code != 403
    stop = {"session_hash": "sessiona", "fn_index": fn, "event_id": event}
    assert public.post("/gradio_api/cancel", json=stop).status_code == 403
    assert public.post("/gradio_api/cancel", json=stop, headers=a).status_code == 200


def file_at(path):
    return f"/gradio_api/file={path}"


def test_no_file_is_served_or_read_for_another(public, public_page):
    """What A uploads, and what a handler makes for A, by every route and box that takes a path."""
    a, b = browser(public), browser(public)
    sound = {"files": ("a.wav", SECRET.encode())}
    upload = public.post("/gradio_api/upload", files=sound, headers=a).json()[0]
    for path in (upload, upload.replace("/", "//"), f"{upload}/../a.wav"):
        for place in (file_at(path), f"/gradio_api/file/{path}"):
            assert public.get(place, headers=b).status_code == 403
            assert public.get(place).status_code == 403
            assert public.head(place, headers=b).status_code in (403, 405)
    assert public.get(file_at(upload), headers=a).text == SECRET
    visitor_b = public_visitor(b)
    for fn in handlers(public_page):
        if not any(block.get_block_name() in ("file", "audio") for block in fn.inputs):
            continue
        meta = {"_type": "gradio.FileData"}
        values = [{"path": upload, "meta": meta}, [{"path": upload, "meta": meta}]]
        for value in values:
            answer = press(public_page, fn, [value] * len(fn.inputs), visitor_b)
            assert "not yours" in answer


def public_visitor(cookie):
    """The name of the visitor with a cookie."""
    middleware = doors.Doors(None, doors.Policy(public=True, secret=b"s" * 32))
    scope = {"method": "GET", "path": "/config", "headers": [], "type": "http"}
    return middleware._visitor(scope, cookie, doors._Outgoing(None, middleware.policy))


def test_a_file_that_a_handler_made_is_served_to_its_visitor_alone(public, public_page, demo):
    a, b = browser(public), browser(public)
    who = public_visitor(a)
    with visitors.acting_for(who):
        session = actions.start_listening(demo, "listen-level")
    names = {getattr(fn.fn, "__name__", ""): fn for fn in handlers(public_page)}
    export = names["export"]
    PUBLIC.forget()
    answer = press(public_page, export, [session.id, False], who)
    paths = set(re.findall(r'"path": "([^"]+)"', answer))
    assert paths
    for path in paths:
        assert public.get(file_at(path), headers=a).status_code == 200
        assert public.get(file_at(path), headers=b).status_code == 403


@pytest.mark.parametrize("address", ["http://example.com/a.wav", "HTTPS://a.example/", "ftp://a/b"])
def test_the_page_fetches_nothing_from_another_host(local, local_page, address):
    assert local.get(file_at(address)).status_code == 403
    assert local.get(f"/gradio_api/proxy={address}").status_code == 404
    for fn in handlers(local_page):
        if any(block.get_block_name() in ("file", "audio") for block in fn.inputs):
            value = {"path": address, "meta": {"_type": "gradio.FileData"}}
            answer = press(local_page, fn, [value] * len(fn.inputs), None)
            assert "another host" in answer, fn


def test_what_the_page_does_not_use_is_closed(local):
    for method, path in doors_of(local):
        if path.removeprefix("/gradio_api").startswith(doors._UNUSED):
            assert local.request(method, path).status_code == 404, path
    assert local.post("/gradio_api/process_recording").status_code == 404


def test_each_function_below_the_page_asks_whose_it_is(demo, belongings, tmp_path):
    """The same by the functions that page and API share."""
    refused = (
        lambda: actions.cancel(demo, belongings.session),
        lambda: actions.resume(demo, belongings.run),
        lambda: Store(demo.database).run(belongings.run),
        lambda: actions.export(demo, belongings.run, tmp_path),
        lambda: actions.write_report(demo, belongings.run, tmp_path),
        lambda: actions.next_question(demo, belongings.session),
        lambda: actions.stop_listening(demo, belongings.session),
        lambda: actions.start_probe(demo, "quick-map", f"tiny-lalm@{belongings.run}"),
        lambda: actions.start_tune(demo, "laptop", "tiny-lalm", weakness=belongings.run),
        lambda: carriers.waveform(belongings.digest),
    )
    carriers.use_folder(demo.home / "carriers")
    with visitors.acting_for("visitorg"):
        assert Store(demo.database).runs() == []
        assert Store(demo.database).trials(belongings.run) == []
        assert carriers.known() == []
        for act in refused:
            with pytest.raises(UserError, match=r"no run|not known|not on this machine"):
                act()
    with visitors.acting_for("visitora"):
        assert {r.id for r in Store(demo.database).runs()} == {belongings.session, belongings.run}
        assert carriers.known() == [belongings.digest]
        assert len(carriers.waveform(belongings.digest)) == 16_000


def test_the_page_itself_holds_nothing_of_anybody(demo, belongings):
    """Whatever is laid out when the app starts, every visitor gets."""
    laid_out = json.dumps(build_app(demo).get_config_file(), default=str)
    assert SECRET not in laid_out
    assert belongings.run not in laid_out


def test_a_request_of_nobody_is_refused_on_a_public_page(public_page):
    fn = handlers(public_page)[0]
    assert "nobody" in press(public_page, fn, [None] * len(fn.inputs), None)


def test_a_visitor_is_known_by_a_key_that_cannot_be_invented(public):
    first = public.get("/")
    cookie = first.cookies["spectcount-visitor"]
    names = set()
    for value in (cookie, cookie, cookie[:-1] + "x", "0" * 32 + ".0", ""):
        scope = {"method": "GET", "path": "/config", "headers": [], "type": "http"}
        middleware = doors.Doors(None, doors.Policy(public=True, secret=b"s" * 32))
        headers = {"cookie": f"spectcount-visitor={value}"}
        names.add(middleware._visitor(scope, headers, doors._Outgoing(None, middleware.policy)))
    assert len(names) == 4


# Floods


def test_a_visitor_starts_two_runs_and_no_more(demo, monkeypatch):
    monkeypatch.setattr("spectcount.jobs.tend", lambda *a, **k: None)
    with visitors.acting_for("visitorc"):
        for _ in range(2):
            actions.start_probe(demo, "quick-map", "first")
        with pytest.raises(UserError, match=r"2 runs of yours .* limit is 2"):
            actions.start_probe(demo, "quick-map", "first")
        with pytest.raises(UserError, match="steps=1000000 is above the limit 2000"):
            actions.start_tune(demo, "laptop", "tiny-lalm", params={"steps": 1_000_000})
        for _ in range(3):
            actions.start_listening(demo, "listen-level")
        with pytest.raises(UserError, match="3 sessions of yours are open"):
            actions.start_listening(demo, "listen-level")


def test_recordings_of_one_visitor_do_not_fill_the_page(demo, tmp_path):
    import soundfile

    rng = np.random.default_rng(0)
    with visitors.acting_for("visitord"):
        for _ in range(10):
            soundfile.write(tmp_path / "a.wav", 0.1 * rng.normal(size=8000), 16_000)
            actions.add_carrier(demo, tmp_path / "a.wav")
        with pytest.raises(UserError, match="10 recordings"):
            actions.add_carrier(demo, tmp_path / "a.wav")
    with visitors.acting_for("visitore"):
        actions.add_carrier(demo, tmp_path / "a.wav")


def test_a_flood_by_one_leaves_the_others_their_share(public):
    keys = [public.get("/", cookies={}).cookies.get("spectcount-visitor") for _ in range(1)]
    flood = {"cookie": f"spectcount-visitor={keys[0]}"}
    public.cookies.clear()
    codes = [public.post(JOIN, json={}, headers=flood).status_code for _ in range(80)]
    assert codes.count(429) > 40
    other = public.get("/").cookies["spectcount-visitor"]
    public.cookies.clear()
    answer = public.post(JOIN, json={}, headers={"cookie": f"spectcount-visitor={other}"})
    assert answer.status_code != 429


def test_answers_that_nobody_fetches_are_dropped(public):
    """The framework keeps them for as long as it runs."""
    kept = public.app.get_blocks()._queue.pending_messages_per_session
    for name in ("short", "long"):
        kept[name] = asyncio.Queue()
    for _ in range(2 * doors._MOST_UNREAD):
        kept["long"].put_nowait("answer")
    kept["short"].put_nowait("answer")
    public.post(JOIN, json={}, headers=browser(public))
    assert (kept.pop("short").qsize(), kept.pop("long").qsize()) == (1, 0)


def test_sessions_are_few_and_small_and_a_flood_costs_the_one_who_makes_it(public_page, demo):
    """The framework keeps 10,000, each with a copy of the page (0.6 MB at its begin)."""
    app = client_of(public_page, doors.Policy()).app
    with visitors.acting_for("a"):
        app.state_holder["of-a"].state_data[1] = "hidden"
    queue = public_page._queue
    with visitors.acting_for("b"):
        for i in range(MOST_SESSIONS + 100):
            queue.pending_event_ids_session[f"s{i}"] = {"done"}
            app.state_holder[f"s{i}"]
    kept = app.state_holder.session_data
    assert len(kept) == MOST_SESSIONS == len(app.state_holder.time_last_used)
    assert kept["of-a"].state_data == {1: "hidden"} and "s0" not in kept
    assert not {"s0", "s99"} & queue.pending_event_ids_session.keys()
    families = next(fn for fn in handlers(public_page) if fn.api_name == "families")
    session = kept["of-a"]
    asyncio.run(public_page.process_api(families, [], state=session, request=request_of("a")))
    assert not session.config_values


def test_allowances_fill_again():
    now = [0.0]
    rates = Rates({"asks": Rate("questions", 0.5, 2, 1, 3)}, clock=lambda: now[0])
    rates.spend("a", "asks")
    rates.spend("a", "asks")
    with pytest.raises(TooMany, match=r"2 at once and 30 a minute.*wait 2 s"):
        rates.spend("a", "asks")
    rates.spend("b", "asks")
    with pytest.raises(TooMany, match="all visitors together"):
        rates.spend("b", "asks")
    now[0] = 2.0
    rates.spend("a", "asks")


# Nonsense


JUNK = (
    None,
    1e308,
    -1,
    True,
    "",
    "x" * 300,
    [],
    ["a"],
    {"a": 1},
    "[[",
    "{}",
    "NaN",
    [None] * 40,
)


@pytest.mark.slow
def test_nonsense_in_every_box_of_every_handler_is_a_sentence(public_page, demo, caplog):
    """No handler raises anything but a refusal; values of every type in every box."""
    caplog.set_level("WARNING", logger="spectcount.doors")
    turn = itertools.cycle(JUNK)
    for fn in handlers(public_page):
        for _ in range(4):
            PUBLIC.forget()
            value = next(turn)
            said = press(public_page, fn, [value] * len(fn.inputs), "visitorf")
            assert isinstance(said, str)
    failures = sorted({r.getMessage() for r in caplog.records})
    assert failures == []


def test_half_a_character_is_refused_at_the_door(local):
    body = b'{"data": ["\\ud800"]}'
    answer = local.post(SERVER, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422 and "half a character" in answer.json()["error"]


def test_nonsense_to_the_api_is_a_sentence(local):
    bodies = (
        {"data": []},
        {"data": ["x"] * 9},
        {"data": [1, {}, None]},
        {"data": None},
        {},
        [],
        None,
        {"data": ["tiny-lalm", "pulses", [], "x", 3]},
        {"data": [{}] * 7},
        {"fn_index": 10**9, "data": []},
    )
    for path in ("synthesise", "ask", "families", "probe_status", "nothing"):
        for kind in ("run", "call", "api"):
            for body in bodies:
                answer = local.post(f"/gradio_api/{kind}/{path}", json=body)
                assert answer.status_code < 500, (kind, path, body)


def test_a_session_without_a_name_is_refused(local):
    """The framework would queue it under another name, and fail when it is done."""
    answer = local.post(JOIN, json={"data": [], "fn_index": 0, "session_hash": ""})
    assert answer.status_code == 422 and "session_hash is empty" in answer.json()["error"]


def answer_of(app):
    """Every message with which the doors answer a GET of `app`."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "query_string": b""}
    scope["headers"] = [(b"host", b"localhost")]
    asyncio.run(doors.Doors(app, doors.Policy())(scope, None, send))
    return sent


@pytest.mark.parametrize("parts", [0, 1])
def test_an_answer_that_fails_on_its_way_is_ended(parts):
    """A stream of events breaks off after its start (Gradio: of a session that is not there)."""

    async def app(scope, receive, send):
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(parts):
            await send({"type": "http.response.body", "body": b"data: x", "more_body": True})
        raise RuntimeError("response already started") from gr.routes.HTTPException(404)

    sent = answer_of(app)
    assert sent[0]["status"] == (200 if parts else 404)
    assert len(sent) == 2 + parts and not sent[-1].get("more_body")


def test_a_stream_of_an_unknown_session_ends_with_its_answer(local, caplog):
    answer = local.get("/gradio_api/queue/data?session_hash=never")
    assert "404" in answer.text
    assert caplog.records == []


def test_a_wrong_call_of_a_server_function_is_a_sentence(local):
    for data in JUNK:
        for name in ("player_wav", "exact_wav", "sample", "question", "answer", "live_answer"):
            answer = local.post(SERVER, json=server_call(local, name, data))
            assert answer.status_code < 500, (name, data)
    for body in (
        {},
        [],
        None,
        {"component_id": "x"},
        {"component_id": 10**9, "fn_name": "x", "session_hash": "", "data": 1},
    ):
        assert local.post(SERVER, json=body).status_code < 500


def test_values_are_of_the_types_that_a_handler_declares_also_those_that_follow():
    def handler(name: str | None, *more: str | None) -> None: ...

    signatures.check(handler, [None, "a", None], None)
    for values in ([1], ["a", "b", ["c"]]):
        with pytest.raises(UserError, match=f"box {len(values)} holds"):
            signatures.check(handler, values, None)

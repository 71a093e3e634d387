"""The doors of the page: who may send what, before anything is parsed.

One ASGI middleware stands before every route of the app. On one's own machine it refuses foreign
web pages: names that are not this machine's (DNS rebinding), requests that another site caused,
frames. Beyond loopback it asks for the token of the printed link. On a public page it gives each
browser a signed key, names the visitor by it, and limits how much one visitor may send.

*Conventions*: refusals are JSON `{"error": sentence}` with a status of 4xx and never a traceback;
sizes in bytes, rates per second.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import traceback
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from gradio.route_utils import FnIndexInferError
from starlette.exceptions import HTTPException

from spectcount import documents, visitors
from spectcount.errors import UserError
from spectcount.rates import PUBLIC, Rates, TooMany
from spectcount.settings import Settings
from spectcount.ui import bodies
from spectcount.ui.bodies import Message, Receive, Refusal

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
TOKEN_VARIABLE = "SPECTCOUNT_TOKEN"
HOSTS_VARIABLE = "SPECTCOUNT_HOSTS"
"""Further names of this machine, with commas, where a proxy stands before the page."""
NEWCOMERS = "newcomers"
"""All requests without a key of their own, together."""
_TOKEN_COOKIE, _KEY_COOKIE = "spectcount-token", "spectcount-visitor"
_SAFE = ("GET", "HEAD", "OPTIONS")
_SPACE_FRAMES = "https://huggingface.co https://*.hf.space"
_OPEN_PATHS = ("/startup-events", "/gradio_api/startup-events")
"""What the app asks itself when it starts."""
_JSON_PLACES = ("/queue/join", "/run/", "/api/", "/call/", "/component_server", "/cancel", "/reset")
_FILES_OF_THE_PAGE = ("/assets/", "/static/", "/theme.css")
"""Read from disk and the same for all: not counted, since one look at the page takes 90."""
_UPLOADS = ("/upload",)
_FILES = ("/file=", "/file/")
_UNUSED = (
    "/deep_link",
    "/process_recording",
    "/proxy=",
    "/vibe-edit",
    "/undo-vibe-edit",
    "/vibe-code",
    "/vibe-starter-queries",
    "/monitoring",
    "/profiling",
    "/runs",
    "/run-history",
    "/dev",
    "/custom_component",
)
"""What the framework offers and this page does not use: it writes files, runs programs or asks
other hosts."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)
_MULTIPART_BYTES = 4096
"""What a form adds around one file."""
_SESSION_FIELDS = ("session_hash", "event_id", "upload_id")
_MOST_SESSIONS = 100_000
_NAME_LETTERS = 100
"""The longest name of a session, event or upload; the page's own have 11 to 32 letters."""
_MOST_UNREAD = 500
"""Answers that wait to be fetched, of all sessions together; a page fetches its own at once."""
_VISITOR = "spectcount.visitor"
"""Where the scope of a request names its visitor."""
_log = logging.getLogger("spectcount.doors")


@dataclass(frozen=True)
class Policy:
    """The rules of the doors. `hosts`: names that may be asked for; empty: any. `token`: what the
    link must carry, or None. `public`: visitors are told apart and limited."""

    hosts: frozenset[str] = LOOPBACK
    token: str | None = None
    public: bool = False
    frames: str = "'none'"
    json_bytes: int = 16_000_000
    upload_bytes: int = 50_000_000
    rates: Rates = field(default_factory=Rates)
    secret: bytes = b""


def policy(settings: Settings, host: str | None) -> Policy:
    """The policy for a page bound to `host` (None: loopback)."""
    limits, public = settings.limits, settings.demo
    beyond = host is not None and host not in ("127.0.0.1", "localhost", "::1")
    more = filter(None, os.environ.get(HOSTS_VARIABLE, "").lower().split(","))
    return Policy(
        hosts=frozenset() if beyond or public else LOOPBACK | frozenset(map(str.strip, more)),
        token=_token() if beyond and not public else None,
        public=public,
        frames=_SPACE_FRAMES if "SPACE_ID" in os.environ else "'none'",
        json_bytes=int(limits.max_json_mb * 1e6),
        upload_bytes=int(limits.max_upload_mb * 1e6) + _MULTIPART_BYTES,
        rates=PUBLIC if public else Rates(),
        secret=_secret(settings.home) if public else b"",
    )


def _token() -> str:
    return os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(24)


def _secret(home: Path) -> bytes:
    """The key that signs visitors' keys, kept in the home folder for its owner alone."""
    path = home / "visitors.key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret := secrets.token_bytes(32))
    return secret


class Doors:
    """The middleware. Checks in order: name, origin, token, visitor, rate, size."""

    def __init__(self, app: App, policy: Policy) -> None:
        self.app = app
        self.policy = policy
        self._sessions: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        outgoing = _Outgoing(send, self.policy)
        try:
            self._check_name(headers)
            self._check_origin(scope["method"], headers)
            if await self._ask_for_token(scope, headers, outgoing):
                return
            visitor = self._visitor(scope, headers, outgoing)
            _check_place(scope["path"], visitor)
            self._keep_apart(scope, headers, parse_qs(scope["query_string"].decode("latin-1")))
            limited = await self._body(scope, headers, receive, visitor)
            scope[_VISITOR] = visitor
            with visitors.acting_for(visitor):
                await self.app(scope, limited, outgoing)
        except Refusal as refusal:
            await outgoing.refuse(refusal.status, str(refusal))
        except UserError as error:
            await outgoing.refuse(429 if isinstance(error, TooMany) else 422, str(error))
        except Exception as error:
            if isinstance(error.__cause__, HTTPException):  # of a stream that had begun
                await outgoing.refuse(error.__cause__.status_code, str(error.__cause__.detail))
                return
            if _is_unknown_function(scope["path"], error):
                await outgoing.refuse(404, _no_such_function(scope))
                return
            await outgoing.refuse(400, unexpected(error, f"{scope['method']} {scope['path'][:80]}"))

    def _check_name(self, headers: dict[str, str]) -> None:
        name = _host_name(headers.get("host", ""))
        if self.policy.hosts and name not in self.policy.hosts:
            raise Refusal(
                421,
                f"host {name[:80]!r} is not a name of this machine; open the page as 127.0.0.1, or "
                f"name the host in {HOSTS_VARIABLE}",
            )

    def _check_origin(self, method: str, headers: dict[str, str]) -> None:
        """Refuse what another site caused: every write, and what it would embed."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        hosts = {headers.get("host", "").lower(), headers.get("x-forwarded-host", "").lower()}
        from_here = site in ("same-origin", "none")
        if origin is not None:
            from_here = urlsplit(origin).netloc.lower() in hosts - {""}
        visit = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        if not from_here and not visit:
            whose = origin or "another site"
            raise Refusal(403, f"{whose[:80]} may not use this page; open the page itself")

    async def _ask_for_token(self, scope: Scope, headers: dict[str, str], send: _Outgoing) -> bool:
        """True where the request was answered here: a link with the token becomes a cookie."""
        token = self.policy.token
        if token is None or (scope["path"] in _OPEN_PATHS and _from_here(scope)):
            return False
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if _same(query.pop("token", [""])[0], token):
            rest = f"?{urlencode(query, doseq=True)}" if query else ""
            cookie = f"{_TOKEN_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict"
            await send.redirect(f"{scope['path']}{rest}", cookie)
            return True
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if not any(_same(t, token) for t in (_cookie(headers, _TOKEN_COOKIE), bearer)):
            raise Refusal(401, "open the page with the link that the terminal printed (?token=...)")
        return False

    def _visitor(self, scope: Scope, headers: dict[str, str], send: _Outgoing) -> str | None:
        """Name the visitor of a public page by the key of the browser; give it one on its first
        look at the page."""
        if not self.policy.public:
            return None
        key, _, signature = _cookie(headers, _KEY_COOKIE).partition(".")
        known = bool(key) and _same(signature, self._sign(key))
        who = key if known else NEWCOMERS
        kind = "post" if scope["method"] not in _SAFE else "get"
        if kind == "post" or not scope["path"].startswith(_FILES_OF_THE_PAGE):
            self.policy.rates.spend(who, kind)
        if not known:
            key = secrets.token_hex(16)
            if kind == "get" and scope["path"] == "/":
                self.policy.rates.spend(NEWCOMERS, "arrivals")
                send.cookies.append(_visitor_cookie(f"{key}.{self._sign(key)}", scope, headers))
        if _is_place(scope["path"], ("/queue/join", "/call/")):
            _drop_unread(_queue_of(scope))
            self.policy.rates.spend(who, "events")
        return hashlib.sha256(key.encode()).hexdigest()[:20]

    def _keep_apart(self, scope: Scope, headers: dict[str, str], sent: Mapping[str, Any]) -> None:
        """Refuse the session of another browser, or an event or upload in one, wherever its name
        stands: path, query or body. A session is whose key came with it first; programs that keep
        no key have sessions of nobody."""
        if not self.policy.public:
            return
        key, _, signature = _cookie(headers, _KEY_COOKIE).partition(".")
        who = key if key and _same(signature, self._sign(key)) else ""
        for name in _session_names(scope, sent):
            if len(name) > _NAME_LETTERS:
                raise Refusal(422, f"a name of {len(name)} letters; give {_NAME_LETTERS} at most")
            owner = self._sessions.setdefault(name, who) if who else self._sessions.get(name, "")
            if owner != who:
                raise Refusal(403, "this session is another visitor's; open the page itself")
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)

    def _sign(self, key: str) -> str:
        return hmac.new(self.policy.secret, key.encode(), "sha256").hexdigest()[:32]

    async def _body(
        self, scope: Scope, headers: dict[str, str], receive: Receive, visitor: str | None
    ) -> Receive:
        """Check size and form of what is sent; a stream that can be read again."""
        if scope["method"] in _SAFE:
            return receive
        upload = _is_place(scope["path"], _UPLOADS)
        form = headers.get("content-type", "").partition(";")[0].strip().lower()
        most = self.policy.upload_bytes if upload else self.policy.json_bytes
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > most:
            raise bodies.too_large(length, most)
        if upload:
            if form != "multipart/form-data":
                raise Refusal(415, f"content type {form[:80]!r} is no upload; send a form")
            return bodies.counted(receive, most, self._spender(visitor))
        if _is_place(scope["path"], _JSON_PLACES) and form != "application/json":
            raise Refusal(415, f"content type {form[:80]!r} is not read here; send JSON as such")
        body = await bodies.read(receive, most)
        if form == "application/json":
            text = documents.decode(body, "the request")
            content = documents.from_json(text, "the request", most)
            if isinstance(content, dict):
                if content.get("session_hash") == "":
                    raise Refusal(422, "session_hash is empty; give a name, or leave it out")
                self._keep_apart(scope, headers, content)
        return bodies.replay(body, receive)

    def _spender(self, visitor: str | None) -> Callable[[int], None]:
        """A function that counts the bytes of an upload."""
        if visitor is None:
            return lambda n: None
        return lambda n: self.policy.rates.spend(visitor, "upload_mb", n / 1e6)


def visitor_of(request: Any) -> str | None:
    """The visitor that a Gradio request came from, in whatever task it is answered; None on one's
    own machine. A public page's request that did not come through the doors is nobody's."""
    scope = getattr(getattr(request, "request", request), "scope", None)
    return scope[_VISITOR] if scope and _VISITOR in scope else None


def unexpected(error: Exception, what: str) -> str:
    """Log in one line what could not be answered and where; the sentence for the page. The whole
    traceback is logged at level DEBUG."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    _log.warning("%s failed at %s: %s", what, place, words)
    _log.debug("traceback", exc_info=error)
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, KeyError):
        reason = f"there is no {reason}"
    return f"this could not be answered ({reason}); reload the page, or correct what was sent"


def _is_unknown_function(path: str, error: Exception) -> bool:
    """True where the framework looked for a function by name or number and has none."""
    places = ("/call/", "/run/", "/api/", "/queue/join")
    return _is_place(path, places) and isinstance(error, KeyError | FnIndexInferError)


def _no_such_function(scope: Scope) -> str:
    fns = scope["app"].get_blocks().fns.values()
    names = ", ".join(str(fn.api_name) for fn in fns if fn.api_visibility == "public")
    return (
        f"{scope['path'][:80]!r} asks for no function of this page; there are {names} (their "
        "arguments: /gradio_api/info), and an open page that is older than the app is reloaded"
    )


class _Outgoing:
    """The way out: security headers on every answer, and refusals."""

    def __init__(self, send: Send, policy: Policy) -> None:
        self._send = send
        self._headers = security_headers(policy)
        self.cookies: list[str] = []
        self._started = self._streams = False
        self._held: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Send a message of the app. The start waits for what follows, so that an answer that
        fails before its first byte can still be a sentence."""
        if message["type"] == "http.response.start":
            self._held = message
            return
        if self._held is not None:
            start, self._held = self._held, None
            # A sentence that refuses is no failure of the server, though the framework says so.
            if start["status"] == 500:
                status = 422 if _is_sentence(message.get("body", b"")) else 400
                start = {**start, "status": status}
            await self._start(start)
        await self._send(message)

    async def _start(self, message: Message) -> None:
        names = {name.encode() for name in self._headers}
        before = [(k, v) for k, v in message.get("headers", []) if k.lower() not in names]
        more = [(k.encode(), v.encode()) for k, v in self._headers.items()]
        more += [(b"set-cookie", cookie.encode()) for cookie in self.cookies]
        self._started = True
        self._streams = any(v.startswith(b"text/event-stream") for _, v in before)
        await self._send({**message, "headers": [*before, *more]})

    async def refuse(self, status: int, sentence: str) -> None:
        """Answer with a sentence where nothing was answered yet; end a stream of events, whose
        last one said what happened. Anything else breaks off, as a cut file should."""
        if self._started:
            if self._streams:
                await self._send({"type": "http.response.body", "body": b""})
            return
        body = json.dumps({"error": sentence, "detail": sentence}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if status in (408, 413):  # the rest of the body is not waited for
            headers.append((b"connection", b"close"))
        await self._start({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def redirect(self, where: str, cookie: str) -> None:
        """Send the browser to `where`, with a cookie."""
        self.cookies.append(cookie)
        headers = [(b"location", where.encode("latin-1", "replace")), (b"content-length", b"0")]
        await self._start({"type": "http.response.start", "status": 303, "headers": headers})
        await self._send({"type": "http.response.body", "body": b""})


def security_headers(policy: Policy) -> dict[str, str]:
    """Headers of every answer: scripts and connections of this page only, frames as the policy
    allows. Gradio compiles the scripts of its components, hence `unsafe-eval`."""
    headers = {
        "content-security-policy": (
            "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
            "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
            "media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
            "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
            f"frame-ancestors {policy.frames}"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
    }
    if policy.frames == "'none'":
        headers["x-frame-options"] = "DENY"
    return headers


def _check_place(path: str, visitor: str | None) -> None:
    """Refuse what this page does not use, and a file that is not the visitor's."""
    inner = path.removeprefix("/gradio_api")
    if inner.startswith(_UNUSED):
        raise Refusal(404, f"{path[:80]!r} is not used by this page; see /gradio_api/info")
    if inner.startswith(_FILES):
        with visitors.acting_for(visitor):
            check_file(inner[len(_FILES[0]) :])


def check_file(path: str) -> None:
    """Refuse a file of another visitor, and an address: the page fetches nothing from elsewhere."""
    if _ADDRESS.match(path):
        raise Refusal(
            403, f"{path[:80]!r} is on another host; this page fetches nothing from there"
        )
    if not _may_fetch(path):
        raise Refusal(403, "this file is not yours, or is gone; make or upload it again")


def _may_fetch(path: str) -> bool:
    try:
        return visitors.may_fetch(path)
    except (OSError, ValueError):  # a name that no file can have
        return False


def _session_names(scope: Scope, sent: Mapping[str, Any]) -> list[str]:
    """Every name of a session, or of something in one, that a request carries; of an event that
    waits or works, its session's."""
    parts = scope["path"].removeprefix("/gradio_api").strip("/").split("/")
    names = parts[1:2] if parts[0] in ("heartbeat", "stream") else []
    if parts[0] == "call" and scope["method"] == "GET":
        names += parts[-1:]
    for field_name in _SESSION_FIELDS:
        value = sent.get(field_name)
        names += [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]
    queue = _queue_of(scope)
    events = {} if queue is None else queue.event_ids_to_events
    return [str(events[name].session_hash) if name in events else name for name in names if name]


def _queue_of(scope: Scope) -> Any:
    """The framework's queue of events; None where there is none."""
    return scope["app"].get_blocks()._queue if hasattr(scope.get("app"), "get_blocks") else None


def _drop_unread(queue: Any) -> None:
    """Empty the longest lists of answers that nobody fetches; the framework keeps them for good."""
    if queue is None:
        return
    sessions = queue.pending_messages_per_session
    for name in [n for n in queue.pending_event_ids_session if n not in sessions]:
        del queue.pending_event_ids_session[name]
    waiting = list(sessions.values())
    waiting.sort(key=lambda messages: messages.qsize())
    unread = sum(messages.qsize() for messages in waiting)
    while unread > _MOST_UNREAD:
        longest = waiting.pop()
        unread -= longest.qsize()
        while not longest.empty():
            longest.get_nowait()


def _is_place(path: str, places: tuple[str, ...]) -> bool:
    inner = path.removeprefix("/gradio_api")
    return any(inner == p or inner.startswith(p if p.endswith("/") else f"{p}/") for p in places)


def _is_sentence(body: bytes) -> bool:
    try:
        content = json.loads(body)
    except ValueError:
        return False
    return isinstance(content, dict) and bool(content.get("error"))


def _host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _from_here(scope: Scope) -> bool:
    client = scope.get("client") or ("", 0)
    return client[0] in ("127.0.0.1", "::1")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _cookie(headers: dict[str, str], name: str) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""


def _visitor_cookie(value: str, scope: Scope, headers: dict[str, str]) -> str:
    """A Space shows the page in a frame of another site, where only such a cookie is kept."""
    secure = "https" in (scope.get("scheme"), headers.get("x-forwarded-proto", "").split(",")[0])
    kind = "SameSite=None; Secure; Partitioned" if secure else "SameSite=Strict"
    return f"{_KEY_COOKIE}={value}; Path=/; HttpOnly; Max-Age=2592000; {kind}"

#!/usr/bin/env python3
"""Runs any drop-in, in any language, against a strict and unreliable sidecar.

    python conformance.py [-k WORD] [-v] [-j N] -- COMMAND...

COMMAND starts an MCP server over stdio that has registered the drop-in, for example
`python my_server.py`. The server gets its settings from the environment: FEEDBACK_SIDECAR_URL,
FEEDBACK_API_KEY and FEEDBACK_SPOOL_DIR. It is started several times; each time this script
speaks MCP to it (JSON-RPC, one message a line, the `initialize` handshake) while a sidecar in
this process checks every request and misbehaves in all the ways a real one can.

Prints a line for each check and `N passed, N failed`; the exit code is 0 when nothing failed.
`-k WORD` runs only the scenarios with that word in their name, `-v` shows the server's stderr
of scenarios with a failure, `-j N` runs N scenarios at a time (most of them wait, so that saves
time; but calls are timed, so don't ask for more than the machine can do). A busy machine makes
calls late as well: a scenario in which something came late and nothing else failed is run
again, twice at most. Needs Python 3.10, nothing else, and takes about a minute, or a third of
that with `-j 4`.
"""

from __future__ import annotations

import argparse
import contextlib
import email.utils
import http.client
import http.server
import json
import multiprocessing
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

TEXTS = json.loads((Path(__file__).resolve().parent.parent / "assets" / "feedback-tool.json").read_text("utf-8"))
KEY = "conformance-key"
CLIENT = {"name": "conformance-client", "version": "1.2.3"}
CALL_LIMIT_SECONDS = 2.0
LOG_SECONDS = 10.0
EXIT_SECONDS = 10.0
ATTEMPTS = 3  # of a scenario in which something is late
HUGE_LIMIT_SECONDS = 4.0
DRAIN_SECONDS = 20.0
LONG_FIELDS = ("what_i_needed", "what_i_tried", "suggestion", "user_goal")
SHORT_FIELDS = ("gap_type", "resolution", "agent_model", "session_id", "client_type", "client_version")
OWN_FIELDS = ("id", "server_name", "drop_in", "sdk", "texts_version")
LONG_MAX_BYTES = 200_000
CUT_MARK = "…[cut]"
REPORT = {"what_i_needed": "a tool that subtracts", "what_i_tried": "add with a negative number"}


# ---------------------------------------------------------------------------------------------
# The sidecar


class Sidecar:
    """Stores what it is sent, notes everything that is not as the contract has it, and fails on demand.

    `mode` decides what happens to the next requests:

        ok         stores and answers 201 (200 for an id it has)
        known      the same, with a `known_answer`
        <status>   answers with that status: 302, 401, 413, 422, 429, 500
        slow       stores, then answers after four seconds
        trickle    stores, then sends its answer a byte at a time
        drip       the same from the first byte of its head on
        drop       stores, then closes the connection without an answer
        impostor   is some other web server: 200 and a page
        deep       is broken: 201 and brackets without end

    `down()`, `stuck()` and `up()` work on the listening socket: nobody listens, somebody
    listens but never accepts, all is well.
    """

    def __init__(self) -> None:
        self.mode = "ok"
        self.detail: Any = "not like this"
        self.retry_after: Callable[[], str] = lambda: "3"
        self.known: Any = "Use `add` with a {negative} number."
        self.key: str | None = KEY
        self.rows: dict[str, dict[str, Any]] = {}
        self.posts: list[tuple[float, str]] = []  # when, id: each POST of a report
        self.bodies: list[str] = []
        self.heartbeats: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self._first_by_id: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._server: http.server.ThreadingHTTPServer | None = None
        self._plugs: list[socket.socket] = []
        self._holder: socket.socket | None = None
        self._port = 0
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        self._unplug()
        if self._server:
            return
        self._let_go()
        handler = type("Handler", (_Handler,), {"sidecar": self})
        self._server = _Server(("127.0.0.1", self._port), handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        self._unplug()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            self._hold()

    def _hold(self) -> None:
        """Keeps the port from being given to somebody else while nobody listens on it."""
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind(("127.0.0.1", self._port))

    def _let_go(self) -> None:
        if self._holder:
            self._holder.close()
            self._holder = None

    def stuck(self) -> None:
        """Fills the queue of a listener that never accepts: further connections hang."""
        self.down()
        self._let_go()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(0)
        self._plugs = [listener]
        for _ in range(4):
            plug = socket.socket()
            plug.setblocking(False)
            plug.connect_ex(("127.0.0.1", self._port))
            self._plugs.append(plug)
        time.sleep(0.05)

    def _unplug(self) -> None:
        for plug in self._plugs:
            plug.close()
        self._plugs = []

    def close(self) -> None:
        self.down()
        self._let_go()

    def posts_of(self, report_id: str) -> list[float]:
        return [when for when, posted in self.posts if posted == report_id]

    def row_with(self, needed: str) -> dict[str, Any] | None:
        return next((row for row in self.rows.values() if row["what_i_needed"] == needed), None)

    # -- what the handler asks

    def take(self, path: str, headers: Any, raw: bytes) -> tuple[dict[str, Any] | None, bool]:
        """Checks a request and stores it where the mode says so: the payload, and whether its id is new."""
        with self._lock:
            self._check_headers(headers, raw)
            self.bodies.append(raw.decode("utf-8", "replace"))
            payload = self._parse(raw)
            if payload is None:
                return None, False
            if path == "/api/v1/heartbeat/":
                self._check_heartbeat(payload)
                self.heartbeats.append(payload)
                return payload, True
            if path != "/api/feedback":
                self._violation(f"POST to {path}")
                return None, False
            self._check_report(payload, headers)
            report_id = str(payload.get("id"))
            self.posts.append((time.monotonic(), report_id))
            if self._first_by_id.setdefault(report_id, payload) != payload:
                self._violation("a retry differs from the first attempt under the same id")
            new = report_id not in self.rows
            if new and self.mode in ("ok", "known", "slow", "trickle", "drip", "drop"):
                self.rows[report_id] = payload
            return payload, new

    def _violation(self, text: str) -> None:
        if text not in self.violations:
            self.violations.append(text)

    def _parse(self, raw: bytes) -> dict[str, Any] | None:
        def no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            if len({name for name, _ in pairs}) != len(pairs):
                self._violation("a JSON key occurs twice")
            return dict(pairs)

        def no_constant(name: str) -> None:
            self._violation(f"{name} is not JSON")

        try:
            payload = json.loads(raw.decode("utf-8"), object_pairs_hook=no_doubles, parse_constant=no_constant)
        except ValueError as error:
            self._violation(f"the body is not JSON in UTF-8: {error}")
            return None
        if not isinstance(payload, dict):
            self._violation("the body is not a JSON object")
            return None
        return payload

    def _check_headers(self, headers: Any, raw: bytes) -> None:
        if headers.get_content_type() != "application/json":
            self._violation(f"content-type {headers.get('content-type')!r}")
        if headers.get("content-length") != str(len(raw)):
            self._violation(f"content-length {headers.get('content-length')!r} for {len(raw)} bytes")
        wanted = f"Bearer {self.key}" if self.key else None
        if headers.get("authorization") != wanted:
            self._violation(f"authorization {headers.get('authorization')!r} instead of {wanted!r}")
        if not re.fullmatch(r"patchwork-drop-in-[a-z]+/\d+\.\d+\.\d+", headers.get("user-agent") or ""):
            self._violation(f"user-agent {headers.get('user-agent')!r}")

    def _check_report(self, payload: dict[str, Any], headers: Any) -> None:
        for name, value in payload.items():
            if name == "tools_available":
                good = isinstance(value, list) and all(isinstance(item, str) for item in value)
                if not good or len(value) > 500 or any(len(item) > 200 for item in value):
                    self._violation("tools_available is not a list of at most 500 names of at most 200 characters")
            elif name in LONG_FIELDS + SHORT_FIELDS + OWN_FIELDS and not isinstance(value, str):
                self._violation(f"{name} is {type(value).__name__}, not a string")
            elif name in LONG_FIELDS and len(value.encode("utf-8", "replace")) > LONG_MAX_BYTES:
                self._violation(f"{name} is longer than {LONG_MAX_BYTES} bytes")
            elif name in SHORT_FIELDS and len(value) > 500:
                self._violation(f"{name} is longer than 500 characters")
        for name in (*REPORT, "gap_type", *OWN_FIELDS):
            if not payload.get(name):
                self._violation(f"{name} is missing")
        with contextlib.suppress(UnicodeEncodeError):
            json.dumps(payload, ensure_ascii=False).encode("utf-8")
            if "\\u0000" not in json.dumps(payload):
                self._check_own(payload, headers)
                return
        self._violation("a string holds NUL or a lone surrogate")

    def _check_own(self, payload: dict[str, Any], headers: Any) -> None:
        try:
            uuid.UUID(str(payload.get("id")))
        except ValueError:
            self._violation(f"id {payload.get('id')!r} is not a UUID")
        if headers.get("idempotency-key") != payload.get("id"):
            self._violation("Idempotency-Key is not the id")
        if not re.fullmatch(r"[a-z]+/\d+\.\d+\.\d+", str(payload.get("drop_in"))):
            self._violation(f"drop_in {payload.get('drop_in')!r}")
        if payload.get("texts_version") != TEXTS["version"]:
            self._violation(f"texts_version {payload.get('texts_version')!r}")

    def _check_heartbeat(self, payload: dict[str, Any]) -> None:
        names = payload.get("tool_names")
        if not isinstance(names, list) or payload.get("tool_count") != len(names):
            self._violation("heartbeat: tool_count is not the number of tool_names")
        for name in ("server_slug", "drop_in", "sdk"):
            if not isinstance(payload.get(name), str) or not payload[name]:
                self._violation(f"heartbeat: {name} is missing")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is nothing to print."""


class _Handler(http.server.BaseHTTPRequestHandler):
    sidecar: Sidecar
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        mode = self.sidecar.mode
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        payload, new = self.sidecar.take(self.path, self.headers, raw)
        if self.path == "/api/v1/heartbeat/":
            self._answer(200, {"status": "ok"})
        elif payload is None:
            self._answer(400, {"detail": "see the violations"})
        elif mode == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif mode == "impostor":
            self._send(200, b"<html>It works!</html>", {"Content-Type": "text/html"})
        elif mode == "deep":
            self._send(201, b"[" * 200_000)
        elif mode.isdigit():
            more = {"302": {"Location": "/elsewhere"}, "429": {"Retry-After": self.sidecar.retry_after()}}
            self._answer(int(mode), {"detail": self.sidecar.detail}, more.get(mode))
        else:
            answer = {"id": payload["id"], "status": "recorded"}
            if mode == "known":
                answer["known_answer"] = self.sidecar.known
            if mode == "slow":
                time.sleep(4)
            self._answer(201 if new else 200, answer)

    def _answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        named = {"Content-Type": "application/json", "Content-Length": str(len(body))} | (headers or {})
        lines = [f"HTTP/1.1 {status} {http.client.responses[status]}", *(f"{name}: {text}" for name, text in named.items())]
        head = "\r\n".join([*lines, "", ""]).encode()
        slow = {"drip": head + body, "trickle": body}.get(self.sidecar.mode, b"") if "heartbeat" not in self.path else b""
        self.wfile.write((head + body).removesuffix(slow))
        for byte in slow:
            self.wfile.write(bytes([byte]))
            time.sleep(0.2)

    def log_message(self, format: str, *args: Any) -> None:
        pass


# ---------------------------------------------------------------------------------------------
# The MCP client


class Answer:
    """What a call came back with."""

    def __init__(self, message: dict[str, Any], seconds: float) -> None:
        result = message.get("result") or {}
        content = result.get("content") or []
        self.seconds = seconds
        self.text: str = content[0].get("text", "") if content else ""
        self.failed = "error" in message or bool(result.get("isError")) or not self.text
        self.kind = _kind(self.text)

    def __repr__(self) -> str:
        return f"{self.kind} after {self.seconds:.2f} s: {self.text[:160]!r}"


def _kind(text: str) -> str:
    for kind, template in TEXTS["answers"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "(?s:.+)", re.escape(template))
        if re.fullmatch(pattern, text):
            return kind
    return "something else"


class Server:
    """The server under test, and the client's end of its pipes."""

    def __init__(self, command: list[str], env: dict[str, str], deaf: bool) -> None:
        self.noise: list[str] = []
        self.stderr = ""
        self._answers: dict[int, tuple[float, dict[str, Any]]] = {}
        self._arrived = threading.Condition()
        self._next_id = 0
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        )
        threading.Thread(target=self._read_stdout, daemon=True).start()
        if not deaf:
            threading.Thread(target=self._read_stderr, daemon=True).start()
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": CLIENT}
        hello = self.request("initialize", params, 60)
        self.instructions: str = (hello.get("result") or {}).get("instructions") or ""
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        # What an SDK loads for the first call of all is not the drop-in's time.
        self.request("tools/call", {"name": "no such tool", "arguments": {}}, 60)

    def _read_stdout(self) -> None:
        assert self._process.stdout
        for raw in self._process.stdout:
            try:
                message = json.loads(raw.decode("utf-8"))
                if message.get("jsonrpc") != "2.0":
                    raise ValueError
            except (ValueError, AttributeError):
                self.noise.append(raw.decode("utf-8", "replace").rstrip())
                continue
            if "method" in message:
                if "id" in message:  # a server may ask this client something: it can do nothing
                    error = {"code": -32601, "message": "not supported"}
                    self._write({"jsonrpc": "2.0", "id": message["id"], "error": error})
                continue
            with self._arrived:
                self._answers[message.get("id")] = (time.monotonic(), message)
                self._arrived.notify_all()

    def _read_stderr(self) -> None:
        assert self._process.stderr
        for raw in self._process.stderr:
            self.stderr += raw.decode("utf-8", "replace")

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def send(self, method: str, params: Any) -> tuple[int, float]:
        self._next_id += 1
        request_id = self._next_id
        started = time.monotonic()
        self._write({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        return request_id, started

    def wait(self, sent: tuple[int, float], seconds: float) -> tuple[dict[str, Any], float]:
        request_id, started = sent
        with self._arrived:
            if not self._arrived.wait_for(lambda: request_id in self._answers, seconds):
                return {"error": {"message": "no answer"}}, seconds
            arrived, message = self._answers.pop(request_id)
            return message, arrived - started

    def request(self, method: str, params: Any, seconds: float = 10) -> dict[str, Any]:
        return self.wait(self.send(method, params), seconds)[0]

    def call(self, arguments: Any) -> Answer:
        return self.call_many([arguments])[0]

    def call_many(self, many: list[Any]) -> list[Answer]:
        sent = [self.send("tools/call", {"name": TEXTS["name"], "arguments": arguments}) for arguments in many]
        return [Answer(*self.wait(one, 10)) for one in sent]

    def tools(self) -> list[dict[str, Any]]:
        tools: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        while True:
            result = self.request("tools/list", cursor).get("result") or {}
            tools += result.get("tools") or []
            if not result.get("nextCursor"):
                return tools
            cursor = {"cursor": result["nextCursor"]}

    def close(self) -> float:
        """Closes stdin, as clients do; the seconds until the process had ended."""
        assert self._process.stdin
        started = time.monotonic()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(2 * EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        return time.monotonic() - started

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)


# ---------------------------------------------------------------------------------------------
# The checks


class Bench:
    """One scenario's sidecar, spool directory and servers, and the count of its checks."""

    def __init__(self, command: list[str], scenario: str, last: bool) -> None:
        self._last = last
        self.sidecar = Sidecar()
        self.failed: list[str] = []
        self.late: list[str] = []
        self.passed = 0
        self.servers: list[Server] = []
        self._command = command
        self._scenario = scenario
        self._directory = tempfile.TemporaryDirectory(prefix="patchwork-conformance-")
        self.spool = Path(self._directory.name) / "spool"

    def check(self, what: str, good: Any, found: Any = "", timed: bool = False) -> bool:
        """`timed`: what may fail because the machine is busy, and counts only when it does again and again."""
        self.passed += bool(good)
        if not good:
            (self.late if timed and not self._last else self.failed).append(what)
        word = "ok  " if good else "late" if timed and not self._last else "FAIL"
        line = f"{word} {self._scenario}: {what}{'' if good else f' [{found}]'}"
        print(line + "\n", end="", flush=True)  # in one piece: other scenarios may be printing
        return bool(good)

    def start(self, deaf: bool = False, **settings: str | None) -> Server:
        """Starts a server; `deaf`: nobody reads its stderr."""
        changes: dict[str, str | None] = {
            "FEEDBACK_SIDECAR_URL": self.sidecar.url,
            "FEEDBACK_API_KEY": KEY,
            "FEEDBACK_SPOOL_DIR": str(self.spool),
        }
        changes |= settings
        env = {name: value for name, value in os.environ.items() if name not in changes}
        env |= {name: value for name, value in changes.items() if value is not None}
        server = Server(self._command, env, deaf)
        self.servers.append(server)
        return server

    def files(self) -> list[Path]:
        return sorted(self.spool.glob("*.jsonl")) if self.spool.is_dir() else []

    def waiting(self) -> list[dict[str, Any]]:
        lines = [line for file in self.files() for line in file.read_text("utf-8").splitlines() if line.strip()]
        return [json.loads(line) for line in lines]

    def in_time(self, what: str, *answers: Answer) -> None:
        slow = [answer for answer in answers if answer.seconds > CALL_LIMIT_SECONDS]
        self.check(f"{what}: within {CALL_LIMIT_SECONDS:.0f} s", not slow, slow, timed=True)

    def answered(self, what: str, answer: Answer, *kinds: str) -> None:
        self.check(f"{what}: says {' or '.join(kinds)}", not answer.failed and answer.kind in kinds, answer)
        self.in_time(what, answer)

    def recover(self, server: Server) -> None:
        """All is well again; the next success sends what waits."""
        self.sidecar.mode = "ok"
        self.sidecar.up()
        answer = server.call(REPORT | {"what_i_needed": "to know that all is well"})
        self.check("after recovery: a call says recorded", answer.kind == "recorded", answer)
        self.drained()

    def drained(self) -> None:
        empty = until(lambda: not self.waiting(), DRAIN_SECONDS)
        self.check("after recovery: the spool is empty", empty, self.waiting())

    def stored_once(self, *needed: str) -> None:
        rows = [row["what_i_needed"] for row in self.sidecar.rows.values()]
        counts = {text: rows.count(text) for text in needed}
        self.check("nothing lost, nothing twice", all(count == 1 for count in counts.values()), counts)

    def finish(self) -> None:
        for server in self.servers:
            server.close()
        noise = [line for server in self.servers for line in server.noise]
        self.check("stdout carries JSON-RPC only", not noise, noise[:3])
        self.check("every request is as the contract has it", not self.sidecar.violations, self.sidecar.violations)
        self.sidecar.close()
        self._directory.cleanup()


def until(condition: Callable[[], Any], seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError, ValueError):  # a file may be replaced while it is read
            if condition():
                return True
        time.sleep(0.05)
    return False


def unsent(server: Server, needed: str) -> list[dict[str, Any]]:
    """The payloads of the log lines about a report."""
    payloads = []
    for match in re.finditer(r"PATCHWORKMCP_UNSENT_FEEDBACK reason=\S+ payload=(\{.*\})", server.stderr):
        with contextlib.suppress(ValueError):
            payloads.append(json.loads(match.group(1)))
    return [payload for payload in payloads if payload.get("what_i_needed") == needed]


def scenario_texts(bench: Bench) -> None:
    server = bench.start()
    times = server.instructions.count(TEXTS["instructions"])
    bench.check("the instructions hold the recommended text, once", times == 1, server.instructions)
    tools = server.tools()
    named = [tool for tool in tools if tool["name"] == TEXTS["name"]]
    if not bench.check("tools/list has the tool, once", len(named) == 1, [tool["name"] for tool in tools]):
        return
    tool = named[0]
    annotations = tool.get("annotations") or {}
    bench.check("the description is the text", tool.get("description") == TEXTS["description"], tool.get("description"))
    title = tool.get("title") or annotations.get("title")
    bench.check("the title is the text", title == TEXTS["title"], title)
    found = {name: annotations.get(name) for name in TEXTS["annotations"]}
    bench.check("the annotations are as given", found == TEXTS["annotations"], found)
    # Some SDKs name the dialect or say whether other properties are allowed; neither says anything to an agent.
    ignored = ("$schema", "additionalProperties")
    schema = {name: value for name, value in tool["inputSchema"].items() if name not in ignored}
    schema["required"] = sorted(schema.get("required") or [])
    wanted = TEXTS["input_schema"] | {"required": sorted(TEXTS["input_schema"]["required"])}
    bench.check("the input schema is as given", schema == wanted, json.dumps(schema))

    if bench.check("a heartbeat comes", until(lambda: bench.sidecar.heartbeats, 10)):
        heard = bench.sidecar.heartbeats[0].get("tool_names") or []
        bench.check("the heartbeat names the tools", set(heard) == {tool["name"] for tool in tools}, heard)


def scenario_fields(bench: Bench) -> None:
    server = bench.start()
    names = [tool["name"] for tool in server.tools()]
    full = REPORT | {
        "gap_type": "missing_tool",
        "suggestion": 'subtract(a: int, b: int) -> int\n\n"quotes" and ünïcödé 🎉',
        "user_goal": "to balance the books",
        "resolution": "worked_around",
        "tools_available": ["add", "made up"],
        "agent_model": "some-model-1",
        "session_id": "session-of-the-agent",
        "client_type": "what the agent believes",
    }
    answer = server.call(full)
    bench.answered("a full report", answer, "recorded")
    row = next(iter(bench.sidecar.rows.values()), {})
    own = (*LONG_FIELDS, "gap_type", "resolution", "agent_model", "session_id")
    wrong = {name: row.get(name) for name in own if row.get(name) != full[name]}
    bench.check("the agent's words are stored as sent", not wrong, wrong)
    facts = (row.get("client_type"), row.get("client_version"))
    bench.check("the client's own name and version win over the agent's words", facts == tuple(CLIENT.values()), facts)
    tools = row.get("tools_available") or []
    real = set(names) - {TEXTS["name"]}
    bench.check("the tools are those of the server", real <= set(tools) and "made up" not in tools, tools)

    server.call(REPORT)
    server.call(REPORT | {"suggestion": None, "resolution": None, "tools_available": None})
    rows = list(bench.sidecar.rows.values())
    if not bench.check("the same words twice are two reports", len(rows) == 3, len(rows)):
        return
    bench.check("gap_type defaults to other", rows[1]["gap_type"] == "other", rows[1]["gap_type"])
    sessions = {row.get("session_id") for row in rows[1:]}
    bench.check("without a session id the process stands in", len(sessions) == 1 and sessions != {None}, sessions)
    absent = {name: rows[2][name] for name in ("suggestion", "resolution") if rows[2].get(name)}
    bench.check("null is absent", not absent, absent)

    bench.sidecar.mode = "known"
    answer = server.call(REPORT)
    bench.answered("a known gap", answer, "known")
    bench.check("the author's words reach the agent", "Use `add` with a {negative} number." in answer.text, answer)


def scenario_no_key(bench: Bench) -> None:
    bench.sidecar.key = None
    bench.answered("without a key", bench.start(FEEDBACK_API_KEY=None).call(REPORT), "recorded")


def scenario_hostile_arguments(bench: Bench) -> None:
    server = bench.start()
    cases: dict[str, dict[str, Any]] = {
        "an unknown gap type": {"gap_type": "teapot"},
        "tools with commas": {"tools_available": "add, subtract"},
        "tools as JSON text": {"tools_available": '["add"]'},
        "tools as numbers": {"tools_available": [1, None, {"name": "add"}]},
        "too many tools": {"tools_available": ["t" * 300] * 2000},
        "numbers": {"suggestion": 42, "resolution": 4.5, "session_id": 7},
        "lists and objects": {"suggestion": {"a": [1, {"b": None}]}, "gap_type": ["missing_tool"], "agent_model": {}},
        "booleans": {"user_goal": True, "client_type": False},
        "unknown fields": {"severity": "high", "nested": {"a": 1}, "id": "mine", "server_name": "mine", "drop_in": "x"},
        "control characters": {"suggestion": "a\x1b[2Jb\x07c\rd\u2028e\u202ef"},
        "NUL": {"suggestion": "a\x00b", "session_id": "c\x00d"},
        "JSON as text": {"suggestion": '{"a": 1}', "user_goal": "[1, 2]"},
        "long short fields": {"resolution": "r" * 5000, "agent_model": "m" * 5000},
    }
    for number, (name, arguments) in enumerate(cases.items()):
        needed = f"hostile {number}"
        answer = server.call(REPORT | {"what_i_needed": needed} | arguments)
        bench.answered(name, answer, "recorded")
        bench.check(f"{name}: stored", bench.sidecar.row_with(needed))
    gap = (bench.sidecar.row_with("hostile 0") or {}).get("gap_type")
    bench.check("an unknown gap type is sent as it is", gap == "teapot", gap)
    json_text = (bench.sidecar.row_with(f"hostile {list(cases).index('JSON as text')}") or {}).get("suggestion")
    bench.check("JSON as text stays the text it is", json_text == '{"a": 1}', json_text)

    server.call(REPORT | {"what_i_needed": "long", "suggestion": "é🎉" * 100_000})
    long = (bench.sidecar.row_with("long") or {}).get("suggestion", "")
    body = long.removesuffix(CUT_MARK)
    cut = long.endswith(CUT_MARK) and len(body.encode()) > LONG_MAX_BYTES - 50 and ("é🎉" * 100_000).startswith(body)
    bench.check("a long text is cut at a character, with a mark", cut, (len(long.encode()), long[-12:]))

    incomplete = {"no arguments": {}, "null arguments": None, "an empty need": REPORT | {"what_i_needed": " "}}
    for name, wrong in incomplete.items():
        before = len(bench.sidecar.rows)
        answer = server.call(wrong)
        stored = len(bench.sidecar.rows) - before
        bench.check(f"{name}: refused in words, nothing stored", answer.kind == "refused" and not stored, answer)
    # Some SDKs reject a lone surrogate before the drop-in sees it: what counts is that the server lives.
    server.wait(server.send("tools/call", {"name": TEXTS["name"], "arguments": REPORT | {"suggestion": "a\ud800b"}}), 2)
    bench.answered("after a lone surrogate the server lives", server.call(REPORT), "recorded")


def scenario_huge_report(bench: Bench) -> None:
    """What is cut anyway must not be worked through first. The SDK reads all of it, and that takes its time too."""
    server = bench.start()
    text = "The tool `search_costs` has no parameter for the region: search_costs(region: str). password=hunter2hunter2 "
    # 1.4 MB a field, because some SDKs give up at a message of 10 MB. What lies behind the cut is what patterns are slow with.
    huge = text * 3_000 + "----- " * 180_000
    arguments: dict[str, Any] = {name: huge for name in (*LONG_FIELDS, "agent_model", "session_id")}
    arguments["tools_available"] = ["t" * 100] * 5_000
    for name, kinds in {"ok": ["recorded"], "slow": ["queued", "lost"]}.items():
        bench.sidecar.mode = name
        answer = server.call(arguments)
        bench.check(f"sidecar {name}: says {' or '.join(kinds)}", not answer.failed and answer.kind in kinds, answer)
        good = answer.seconds < HUGE_LIMIT_SECONDS
        bench.check(f"sidecar {name}: within {HUGE_LIMIT_SECONDS:.0f} s", good, answer, timed=True)
    row = next(iter(bench.sidecar.rows.values()), {})
    sizes = {name: len(row.get(name, "").encode()) for name in LONG_FIELDS}
    kept = all(LONG_MAX_BYTES - 50 <= size <= LONG_MAX_BYTES for size in sizes.values())
    bench.check("as much as may be sent is sent", kept, sizes)
    marked = [name for name in LONG_FIELDS if row.get(name, "").endswith(CUT_MARK)]
    bench.check("each cut has its mark", marked == list(LONG_FIELDS), marked)


SECRETS = (
    "sk-proj-abcdefghijklmnopqrstuvwx",
    "sk-ant-api03-abcdefghijklmnopqrstuvwx",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "gho_abcdefghijklmnopqrstuvwxyz0123456789",
    "ghs_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijklmnopqrstuvwxyz",
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-abcdefghijkl",
    "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
    "sk_live_abcdefghijklmnopqrstuvwx",
    "glpat-abcdefghijklmnopqrst",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
)
IN_CONTEXT = {
    "Authorization: Bearer abc123def456ghi789jkl": "abc123def456ghi789jkl",
    "password=hunter2hunter2": "hunter2hunter2",
    "api_key: 0123456789abcdef": "0123456789abcdef",
    "Authorization: Basic dXNlcjpodW50ZXIyaHVudGVyMg": "dXNlcjpodW50ZXIyaHVudGVyMg",
    r'connect("{\"password\": \"hunter3hunter3\"}")': "hunter3hunter3",
    "postgres://billing:hunter4hunter4@db/costs": "hunter4hunter4",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----": "MIIEpAIBAAKCAQEA7",
}


NO_SECRETS = """login(user: str, password: str, api_key: Optional[str] = None) -> bool, then a bearer token
or basic auth as in {"password": {"type": "string"}, "secret": null}; see the desk-lamp and risk-assessment tools."""


def scenario_redaction(bench: Bench) -> None:
    server = bench.start()
    own = {"db_password": "hunter5hunter5", "secret": {"value": "hunter6hunter6"}}
    secrets = [*SECRETS, *IN_CONTEXT.values(), "hunter5hunter5", "hunter6hunter6"]
    text = "before " + " and ".join([*SECRETS, *IN_CONTEXT]) + " after"
    arguments = REPORT | {name: text for name in ("suggestion", "user_goal", "what_i_tried")}
    arguments |= {"agent_model": SECRETS[2], "session_id": SECRETS[3], "unknown_field": text} | own
    server.call(arguments)
    row = next(iter(bench.sidecar.rows.values()), {})
    suggestion = row.get("suggestion", "")
    kept = suggestion.startswith("before [redacted]") and suggestion.endswith("after")
    bench.check("the rest of the text stays", kept, suggestion)
    server.call(REPORT | {"suggestion": NO_SECRETS})
    plain = list(bench.sidecar.rows.values())[-1].get("suggestion")
    bench.check("a text about credentials stays as it is", plain == NO_SECRETS, plain)
    bench.sidecar.down()
    bench.answered("with nobody listening", server.call(arguments | {"what_i_needed": "spooled"}), "queued")
    until(lambda: unsent(server, "spooled"), LOG_SECONDS)
    spooled = "".join(file.read_text("utf-8") for file in bench.files())
    places = {"the wire": "".join(bench.sidecar.bodies), "the spool": spooled, "the log": server.stderr}
    for place, found in places.items():
        leaked = [secret for secret in secrets if secret in found]
        bench.check(f"no credential reaches {place}", "[redacted]" in found and not leaked, leaked)


def scenario_down(bench: Bench) -> None:
    bench.sidecar.down()
    server = bench.start()
    answer = server.call(REPORT | {"what_i_needed": "first"})
    bench.answered("nobody listens", answer, "queued")
    logged = until(lambda: len(unsent(server, "first")) == 1, LOG_SECONDS)
    bench.check("the log has the whole report, once", logged, server.stderr[-300:])
    modes = {oct(stat.S_IMODE(file.stat().st_mode)) for file in bench.files()}
    bench.check("the spool file is 0600", modes == {"0o600"}, modes)
    mode = oct(stat.S_IMODE(bench.spool.stat().st_mode)) if bench.spool.is_dir() else None
    bench.check("the spool directory is 0700", mode == "0o700", mode)
    entries = bench.waiting()
    good = len(entries) == 1 and set(entries[0]) >= {"reason", "payload", "queued_at"}
    bench.check("the spool has one line with reason, payload, queued_at", good, entries)
    many = [f"parallel {number}" for number in range(5)]
    answers = server.call_many([REPORT | {"what_i_needed": needed} for needed in many])
    bench.check("five at once: all say queued", all(answer.kind == "queued" for answer in answers), answers)
    bench.in_time("five at once", *answers)
    # No call from here on: the background worker has to notice by itself.
    bench.sidecar.up()
    bench.drained()
    bench.stored_once("first", *many)


def scenario_crowd(bench: Bench) -> None:
    """Many at once, and each has to read and write the same file."""
    bench.sidecar.down()
    server = bench.start()
    big = [REPORT | {"what_i_needed": f"big {number}", "suggestion": "s" * 190_000} for number in range(4)]
    crowd = [REPORT | {"what_i_needed": f"one of many {number}"} for number in range(40)]
    for arguments in (big, crowd):
        answers = server.call_many(arguments)
        lost = [answer for answer in answers if answer.kind != "queued"]
        bench.check(f"{len(answers)} at once: all say queued", not lost, lost[:3])
    bench.check("all of them wait in the spool", len(bench.waiting()) == 44, len(bench.waiting()))


def scenario_full_stderr(bench: Bench) -> None:
    """No client has to read the server's stderr, and a pipe that is full takes nothing more."""
    bench.sidecar.down()
    server = bench.start(deaf=True)
    for number in range(3):
        answer = server.call(REPORT | {"what_i_needed": f"unheard {number}", "suggestion": "s" * 150_000})
        bench.answered(f"unheard {number}", answer, "queued")
    listed, _ = server.wait(server.send("tools/list", {}), 10)
    bench.check("the server still serves", "result" in listed, listed)
    bench.sidecar.up()
    bench.recover(server)
    bench.stored_once("unheard 0", "unheard 1", "unheard 2")
    seconds = server.close()
    bench.check("log lines that nobody reads don't keep the process alive", seconds < EXIT_SECONDS, f"{seconds:.1f} s")


def scenario_late_sidecar(bench: Bench) -> None:
    """Servers are often started before Patchwork is."""
    bench.sidecar.down()
    server = bench.start()
    server.tools()
    time.sleep(2.5)
    bench.sidecar.up()
    bench.check("the heartbeat comes when it can", until(lambda: bench.sidecar.heartbeats, DRAIN_SECONDS))


def scenario_back_during_the_pause(bench: Bench) -> None:
    """A success must not wait for the back-off that earlier failures have built up."""
    bench.sidecar.down()
    server = bench.start()
    server.call(REPORT | {"what_i_needed": "early"})
    time.sleep(6)
    bench.sidecar.up()
    answer = server.call(REPORT | {"what_i_needed": "to know that all is well"})
    bench.answered("back again", answer, "recorded")
    soon = until(lambda: not bench.waiting(), 2)
    bench.check("the success sends what waits, at once", soon, bench.waiting(), timed=True)
    bench.drained()
    bench.stored_once("early")


def fault(name: str, prepare: Callable[[Sidecar], None], most: int | None = None) -> Callable[[Bench], None]:
    """A scenario in which a call meets one fault, is queued, and arrives once when the fault is gone."""

    def scenario(bench: Bench) -> None:
        server = bench.start()
        bench.answered("before the fault", server.call(REPORT), "recorded")
        prepare(bench.sidecar)
        answer = server.call(REPORT | {"what_i_needed": name})
        bench.answered(name, answer, "queued")
        attempts = [posted for _, posted in bench.sidecar.posts[1:]]
        if most is not None:
            bench.check(f"{name}: at most {most} attempts in the call", 1 <= len(attempts) <= most, attempts)
        bench.check(f"{name}: one id for all attempts", len(set(attempts)) <= 1, attempts)
        bench.check(f"{name}: the report waits in the spool", len(bench.waiting()) == 1, bench.waiting())
        bench.recover(server)
        bench.stored_once(name)

    return scenario


def mode(name: str) -> Callable[[Sidecar], None]:
    def prepare(sidecar: Sidecar) -> None:
        sidecar.mode = name

    return prepare


def retry_after(value: Callable[[], str]) -> Callable[[Bench], None]:
    """A scenario in which the sidecar asks for a pause of three seconds."""

    def scenario(bench: Bench) -> None:
        server = bench.start()
        bench.sidecar.mode = "429"
        bench.sidecar.retry_after = value
        bench.answered("429 with Retry-After", server.call(REPORT), "queued")
        bench.sidecar.mode = "ok"
        bench.drained()
        first, second = ([when for when, _ in bench.sidecar.posts] + [0.0, 0.0])[:2]
        bench.check("nobody knocks before the time", second - first > 2.9, bench.sidecar.posts)
        bench.stored_once(REPORT["what_i_needed"])

    return scenario


def in_three_seconds() -> str:
    # A date has no fractions: the next whole second, so that it is three at least.
    return email.utils.formatdate(time.time() + 4, usegmt=True)


def scenario_refused(bench: Bench) -> None:
    server = bench.start()
    bench.sidecar.mode = "422"
    for detail, words in {"say what you tried": ["say what you tried"], "": []}.items():
        bench.sidecar.detail = detail
        answer = server.call(REPORT)
        bench.answered(f"422 with detail {detail!r}", answer, "refused")
        bench.check("the agent is told why", all(word in answer.text for word in words), answer)
    bench.sidecar.detail = [
        {"loc": ["body", "what_i_tried"], "msg": "is too short", "type": "value_error"},
        {"loc": ["body", "gap_type"], "msg": "is unknown", "type": "value_error"},
    ]
    answer = server.call(REPORT)
    bench.answered("422 with a list", answer, "refused")
    told = "what_i_tried: is too short" in answer.text and "gap_type: is unknown" in answer.text
    bench.check("the agent is told which field and why", told, answer)
    time.sleep(1.5)
    bench.check("never retried", len(bench.sidecar.posts) == 3, len(bench.sidecar.posts))
    bench.check("never spooled", not bench.waiting(), bench.waiting())


def scenario_too_large(bench: Bench) -> None:
    server = bench.start()
    bench.sidecar.mode = "413"
    bench.answered("413", server.call(REPORT | {"what_i_needed": "big"}), "lost")
    bench.check("the log has it", until(lambda: unsent(server, "big"), LOG_SECONDS), server.stderr[-300:])
    time.sleep(1.5)
    bench.check("never retried, never spooled", len(bench.sidecar.posts) == 1 and not bench.waiting())


def scenario_restart(bench: Bench) -> None:
    bench.sidecar.down()
    first = bench.start()
    bench.answered("before the kill", first.call(REPORT | {"what_i_needed": "survivor"}), "queued")
    first.kill()
    bench.sidecar.up()
    bench.recover(bench.start())
    bench.stored_once("survivor")


def scenario_lost_answer(bench: Bench) -> None:
    """The sidecar has the report, the drop-in does not know, and its process is killed: the next one asks with the same id."""
    bench.sidecar.mode = "drop"
    first = bench.start()
    bench.answered("an answer that is lost", first.call(REPORT | {"what_i_needed": "known to one side"}), "queued")
    first.kill()
    before = len(bench.sidecar.posts)
    bench.recover(bench.start())
    row = bench.sidecar.row_with("known to one side") or {}
    times = len(bench.sidecar.posts_of(str(row.get("id"))))
    bench.check("the next process sends it again", len(bench.sidecar.posts) > before and times >= 2, times)
    bench.stored_once("known to one side")


def scenario_exit(bench: Bench) -> None:
    bench.sidecar.down()
    server = bench.start()
    server.call(REPORT)
    seconds = server.close()
    bench.check("waiting reports don't keep the process alive", seconds < EXIT_SECONDS, f"{seconds:.1f} s")


def scenario_two_processes(bench: Bench) -> None:
    bench.sidecar.down()
    both = [bench.start(), bench.start()]
    needed = [f"{number} of process {process}" for number in range(5) for process in range(2)]
    for index, text in enumerate(needed):
        both[index % 2].call(REPORT | {"what_i_needed": text})
    bench.check("both keep their reports in one spool", len(bench.waiting()) == 10, len(bench.waiting()))
    bench.sidecar.up()
    for server in both:
        server.call(REPORT | {"what_i_needed": "to know that all is well"})
    bench.drained()
    bench.stored_once(*needed)
    often = {row["what_i_needed"]: len(bench.sidecar.posts_of(row["id"])) for row in bench.sidecar.rows.values()}
    bench.check("no report is sent by both", all(count == 1 for count in often.values()), often)


def _entry(line: dict[str, Any], needed: str) -> bytes:
    payload = line["payload"] | {"id": str(uuid.uuid4()), "what_i_needed": needed}
    return json.dumps(line | {"payload": payload}, ensure_ascii=False).encode() + b"\n"


def scenario_full_spool(bench: Bench) -> None:
    bench.sidecar.down()
    server = bench.start()
    server.call(REPORT)
    if not bench.check("there is one spool file", len(bench.files()) == 1, bench.files()):
        return
    file, line = bench.files()[0], bench.waiting()[0]
    fillings = {
        "500 lines": [_entry(line, "short") for _ in range(500)],
        "1 MiB": [_entry(line, "x" * 200_000) for _ in range(5)] + [_entry(line, "y" * 47_000)],
    }
    for name, lines in fillings.items():
        file.write_bytes(b"".join(lines))
        size = file.stat().st_size
        answer = server.call(REPORT | {"what_i_needed": f"after {name}"})
        bench.answered(f"a spool of {name}", answer, "lost")
        bench.check(f"a spool of {name} does not grow", file.stat().st_size <= size, file.stat().st_size - size)
        logged = until(lambda needed=f"after {name}": unsent(server, needed), LOG_SECONDS)
        bench.check("the log has the lost report", logged, server.stderr[-300:])
    file.unlink()


def scenario_corrupt_spool(bench: Bench) -> None:
    bench.sidecar.down()
    server = bench.start()
    server.call(REPORT)
    file, line = bench.files()[0], bench.waiting()[0]
    file.write_bytes(b'{"reason": "half a li\n[1]\n\xff\xfe\n' + _entry(line, "behind the garbage"))
    bench.sidecar.up()
    server.call(REPORT | {"what_i_needed": "to know that all is well"})
    arrived = until(lambda: bench.sidecar.row_with("behind the garbage"), DRAIN_SECONDS)
    bench.check("the good line behind a bad one is sent", arrived)
    empty = until(lambda: not any(path.read_bytes().strip() for path in bench.files()), DRAIN_SECONDS)
    bench.check("the spool is empty", empty, bench.files())
    bad = b"".join(path.read_bytes() for path in bench.spool.glob("*.bad"))
    bench.check("the bad lines are kept aside", b"half a li" in bad, bad)


def scenario_link(bench: Bench) -> None:
    """Somebody else has put a link where the spool belongs, to make this process write into a file of its own."""
    bench.sidecar.down()
    server = bench.start()
    server.call(REPORT)
    victim = bench.spool.parent / "victim"
    victim.write_text("mine\n")
    for file in list(bench.spool.iterdir()):
        file.unlink()
        file.symlink_to(victim)
    answer = server.call(REPORT | {"what_i_needed": "linked"})
    bench.answered("a link in the place of the spool", answer, "queued", "lost")
    bench.check("nothing is written through a link", victim.read_text() == "mine\n", victim.read_text()[:100])
    for file in bench.files():
        file.unlink()
        os.mkfifo(file)
    answer = server.call(REPORT | {"what_i_needed": "piped"})
    bench.answered("a pipe in the place of the spool", answer, "lost")


def scenario_no_spool(bench: Bench) -> None:
    bench.sidecar.down()
    server = bench.start(FEEDBACK_SPOOL_DIR="off")
    bench.answered("the spool switched off", server.call(REPORT | {"what_i_needed": "gone"}), "lost")
    bench.check("the log has it", until(lambda: unsent(server, "gone"), LOG_SECONDS), server.stderr[-300:])
    with tempfile.NamedTemporaryFile() as file:
        server = bench.start(FEEDBACK_SPOOL_DIR=f"{file.name}/spool")
        bench.answered("a spool that cannot be written", server.call(REPORT), "lost")


def scenario_bad_url(bench: Bench) -> None:
    for url in ("not a url", "http://", "ftp://127.0.0.1/", "http://127.0.0.1:99999", "http://sidecar.invalid:8099"):
        server = bench.start(FEEDBACK_SIDECAR_URL=url)
        bench.answered(f"{url!r}", server.call(REPORT), "queued", "lost")
        server.close()


SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "texts": scenario_texts,
    "fields": scenario_fields,
    "no key": scenario_no_key,
    "hostile arguments": scenario_hostile_arguments,
    "huge report": scenario_huge_report,
    "redaction": scenario_redaction,
    "down": scenario_down,
    "late sidecar": scenario_late_sidecar,
    "crowd": scenario_crowd,
    "full stderr": scenario_full_stderr,
    "down, then a success": scenario_back_during_the_pause,
    "slow to accept": fault("slow to accept", Sidecar.stuck),
    "slow to answer": fault("slow to answer", mode("slow")),
    "trickling answer": fault("trickling answer", mode("trickle")),
    "trickling head": fault("trickling head", mode("drip")),
    "broken answer": fault("broken answer", mode("deep"), most=1),
    "connection dropped": fault("connection dropped", mode("drop"), most=2),
    "401": fault("401", mode("401"), most=1),
    "500": fault("500", mode("500"), most=2),
    "another web server": fault("another web server", mode("impostor"), most=1),
    "429, seconds": retry_after(lambda: "3"),
    "429, a date": retry_after(in_three_seconds),
    "redirect": fault("redirect", mode("302"), most=1),
    "422": scenario_refused,
    "413": scenario_too_large,
    "restart": scenario_restart,
    "lost answer": scenario_lost_answer,
    "exit": scenario_exit,
    "two processes": scenario_two_processes,
    "full spool": scenario_full_spool,
    "corrupt spool": scenario_corrupt_spool,
    "link": scenario_link,
    "no spool": scenario_no_spool,
    "bad url": scenario_bad_url,
}
ALONE = ("huge report",)  # busy all the time: it would make the calls of others late, and they its own


def run(command: list[str], name: str, show_stderr: bool) -> tuple[int, int]:
    """One scenario from its start to its end: how many checks passed and failed."""
    for attempt in range(1, ATTEMPTS + 1):
        bench = Bench(command, name, last=attempt == ATTEMPTS)
        try:
            SCENARIOS[name](bench)
        except Exception:
            bench.check("runs to its end", False, traceback.format_exc())
        finally:
            bench.finish()
        if bench.failed or not bench.late:
            break
    if bench.failed and show_stderr:
        for server in bench.servers:
            sys.stderr.write(server.stderr)
    return bench.passed, len(bench.failed)


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks a PatchworkMCP drop-in in an MCP server over stdio.")
    parser.add_argument("-k", metavar="WORD", default="", help="only scenarios with this word in their name")
    parser.add_argument("-v", action="store_true", help="show the server's stderr where a check failed")
    parser.add_argument("-j", metavar="N", type=int, default=1, help="scenarios at a time (default: 1)")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="starts the server (put -- before it)")
    options = parser.parse_args()
    names = [name for name in SCENARIOS if options.k in name]
    # Processes and not threads: a server that one thread starts would hold another's listening socket for a moment.
    together = [name for name in names if name not in ALONE]
    with ProcessPoolExecutor(max(1, options.j), multiprocessing.get_context("spawn")) as pool:
        counts = list(pool.map(run, repeat(options.command), together, repeat(options.v)))
    counts += [run(options.command, name, options.v) for name in names if name in ALONE]
    passed, failed = (sum(count[at] for count in counts) for at in (0, 1))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

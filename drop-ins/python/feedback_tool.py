"""PatchworkMCP drop-in: a `feedback` tool for any Python MCP server, in one file.

Copy this file next to your server and add two lines:

    from feedback_tool import register_feedback_tool
    register_feedback_tool(server, "my-server")

`server` may be an `MCPServer` or low-level `Server` of `mcp` 2.x, a `FastMCP` or low-level
`Server` of `mcp` 1.x, or a `FastMCP` of the `fastmcp` package 2.x to 4.x. Register after your
own tools (a must for low-level servers: the drop-in wraps the handlers it finds).

Anything else, a Django-style registry for instance, uses the plain parts:
`FEEDBACK_TOOL_SCHEMA`, `INSTRUCTIONS`, `send_feedback_sync(...)` or `await send_feedback(...)`,
and `send_heartbeat(...)` once at start.

Settings, as arguments or from the environment (arguments win):

    url      FEEDBACK_SIDECAR_URL  where the reports go (default http://127.0.0.1:8099)
    api_key  FEEDBACK_API_KEY      sent as a bearer token when set
             FEEDBACK_SPOOL_DIR    where undelivered reports wait ("off": nowhere)

What it promises: a call takes less than two seconds whatever the sidecar does, never raises and
never writes to stdout. A report that cannot be delivered waits in a small file and is sent
later under the same id; the answer to the agent says which of these happened.

Needs Python 3.10 and nothing but the standard library. Log lines go to stderr through the logger
`patchworkmcp`; give that logger a handler of your own before importing to send them elsewhere (one
that does not block: code without an event loop logs before it answers).
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import email.utils
import http.client
import itertools
import json
import logging
import os
import queue
import random
import re
import socket
import ssl
import stat
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = [
    "FEEDBACK_TOOL_SCHEMA",
    "INSTRUCTIONS",
    "register_feedback_tool",
    "send_feedback",
    "send_feedback_sync",
    "send_heartbeat",
]

VERSION = "1.0.0"

# The texts are the same in every language and live in `assets/feedback-tool.json`; a test compares.
# BEGIN feedback-tool.json
_TEXTS: dict[str, Any] = json.loads(
    r"""{
  "version": "1",
  "name": "feedback",
  "title": "Report a gap in this server",
  "description": "Tell this server's author about a gap you just hit: a tool that does not exist, a parameter that is missing, results that are incomplete, or a format you could not use. Call it BEFORE you answer the user whenever this server's tools could not fully do what the task needed, also when you found a workaround. One call per distinct gap. Be specific: name the tools, parameters and fields, and write what an ideal tool call would have looked like. Do not call it for praise, for outages, time-outs or authentication problems, for gaps of other servers, or to hand over the user's own task. Never include secrets or personal data.",
  "instructions": "This server wants to know what it cannot do. If its tools could not fully do what the task needed (a missing tool, a missing parameter, incomplete results, a wrong format), call the `feedback` tool before you answer the user, even when you found a workaround. Be specific about what you needed, what you tried and what would have helped.",
  "annotations": {
    "readOnlyHint": false,
    "destructiveHint": false,
    "idempotentHint": false,
    "openWorldHint": true
  },
  "input_schema": {
    "type": "object",
    "required": ["what_i_needed", "what_i_tried"],
    "properties": {
      "what_i_needed": {
        "type": "string",
        "description": "The missing capability, specifically: what you needed to do or know, with the names of tools, parameters and fields."
      },
      "what_i_tried": {
        "type": "string",
        "description": "What you tried first and what came back: tool names, arguments, and how the result fell short. Say so if nothing came close."
      },
      "gap_type": {
        "type": "string",
        "enum": ["missing_tool", "incomplete_results", "missing_parameter", "wrong_format", "other"],
        "default": "other",
        "description": "missing_tool: no tool does it. incomplete_results: a tool answers but leaves things out. missing_parameter: a tool exists but cannot be narrowed or steered as needed. wrong_format: the data is there but not usable as it is. other: none of these."
      },
      "suggestion": {
        "type": "string",
        "description": "What would have helped, as concretely as you can: a tool signature, a parameter with its type, a field to add."
      },
      "user_goal": {
        "type": "string",
        "description": "What the user wants in the end, in one sentence, without personal data."
      },
      "resolution": {
        "type": "string",
        "enum": ["blocked", "worked_around", "partial"],
        "description": "How it ended: blocked (could not do it), worked_around (did it another way), partial (did a part of it)."
      },
      "tools_available": {
        "type": "array",
        "items": { "type": "string" },
        "description": "Names of this server's tools that you looked at."
      },
      "agent_model": {
        "type": "string",
        "description": "The model you are, if you know it."
      },
      "session_id": {
        "type": "string",
        "description": "An id of this conversation, if you have one: it groups the reports of one session."
      },
      "client_type": {
        "type": "string",
        "description": "The client you run in, if you know it (claude-code, cursor, ...)."
      }
    }
  },
  "answers": {
    "recorded": "Recorded, thank you. The author of this server will read it. Now go on and answer the user as well as you can.",
    "known": "Recorded, thank you. The author of this server says about this gap: {answer}",
    "queued": "Noted. The report could not be delivered just now; it is kept and will be sent later. Go on and answer the user as well as you can.",
    "lost": "The report could not be delivered or kept ({reason}). Go on and answer the user as well as you can.",
    "refused": "The report was not accepted: {reason}. Correct it and call feedback again, or go on without."
  }
}
"""
)
# END feedback-tool.json

TOOL_NAME: str = _TEXTS["name"]
# What `tools/list` shows for this tool, for servers that keep their own list.
FEEDBACK_TOOL_SCHEMA: dict[str, Any] = {
    "name": TOOL_NAME,
    "title": _TEXTS["title"],
    "description": _TEXTS["description"],
    "inputSchema": _TEXTS["input_schema"],
    "annotations": _TEXTS["annotations"],
}
# Agents tend to ignore a tool that the server's instructions don't mention: put this there.
INSTRUCTIONS: str = _TEXTS["instructions"]

DEFAULT_URL = "http://127.0.0.1:8099"
CONNECT_SECONDS = 0.5
CALL_SECONDS = 1.4  # the network's share of a call; the rest up to two seconds is for the SDK and the disk
RETRY_PAUSE_SECONDS = 0.15
BACKGROUND_SECONDS = 10.0
BACKOFF_SECONDS = (1.0, 300.0)  # first pause, longest pause
RETRY_AFTER_MAX_SECONDS = 3600.0
HEARTBEAT_DELAY_SECONDS = 1.0
HEARTBEAT_SECONDS = 3600.0
LIST_TOOLS_SECONDS = 0.2
ANSWER_MAX_BYTES = 1 << 20
SPOOL_MAX_BYTES = 1 << 20
SPOOL_MAX_LINES = 500
LOCK_SECONDS = 0.1
LOG_LINES_WAITING = 16
LOG_CHUNK_BYTES = 1 << 14
LOG_EXIT_SECONDS = 0.5

LONG_FIELDS = ("what_i_needed", "what_i_tried", "suggestion", "user_goal")
SHORT_FIELDS = ("gap_type", "resolution", "agent_model", "session_id", "client_type", "client_version")
OWN_FIELDS = ("id", "server_name", "drop_in", "sdk", "texts_version")
LONG_MAX_BYTES = 200_000
LONG_READ_CHARS = LONG_MAX_BYTES + (1 << 16)  # of a text of any length: what lies behind is cut anyway
SHORT_MAX_CHARS = 500
SHORT_READ_CHARS = 1 << 14
TOOLS_MAX = 500
TOOL_MAX_CHARS = 200
UNKNOWN_FIELDS_MAX = 20
CUT_MARK = "…[cut]"

# On stdio one process serves one conversation, so the process can stand in for the session.
_PROCESS_SESSION = str(uuid.uuid4())



def _unread(fd: int) -> int:
    """How many bytes lie in a pipe; 0 for anything else."""
    try:
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)
    except (ImportError, OSError):
        return 0


class _Stderr(logging.Handler):
    """Writes to stderr without ever waiting for it: no client has to read that pipe.

    A thread writes to the file descriptor, because whoever waits inside of `sys.stderr` or of a
    `StreamHandler` holds a lock that other threads, and the end of the process, need too. It
    never fills the pipe, because the SDKs log there too, from their event loop. What comes while
    too many lines wait is dropped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: queue.Queue[bytes] = queue.Queue(LOG_LINES_WAITING)
        self._writer: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._waiting.put_nowait(f"{self.format(record)}\n".encode(errors="replace"))
            if self._writer is None or not self._writer.is_alive():  # none yet, or a fork has left it behind
                self._writer = threading.Thread(target=self._write, name="patchwork-log", daemon=True)
                self._writer.start()
        except (queue.Full, RuntimeError):  # RuntimeError: no more threads
            pass

    def _write(self) -> None:
        while True:
            data = self._waiting.get()
            try:
                fd = sys.stderr.fileno()
                while data:
                    if _unread(fd) > LOG_CHUNK_BYTES:
                        time.sleep(0.02)
                    else:
                        data = data[os.write(fd, data[:LOG_CHUNK_BYTES]) :]
            except (AttributeError, OSError, ValueError):  # stderr is closed, or something that is no file
                with contextlib.suppress(Exception):
                    sys.stderr.write(data.decode())
            finally:
                self._waiting.task_done()

    def flush(self) -> None:
        """Gives the writer a moment; `logging` calls this at exit."""
        give_up = time.monotonic() + LOG_EXIT_SECONDS
        while self._waiting.unfinished_tasks and time.monotonic() < give_up:
            time.sleep(0.005)


_log = logging.getLogger("patchworkmcp")
if not _log.handlers:
    # A handler of its own, also because some SDKs put a handler on the root logger that wraps
    # long lines, and a wrapped PATCHWORKMCP_UNSENT_FEEDBACK line cannot be replayed.
    _log.addHandler(_Stderr())
    _log.propagate = False


# ---------------------------------------------------------------------------------------------
# From the agent's words to a payload


@dataclass(frozen=True)
class Facts:
    """What the server knows about a call. It outranks what the agent says about itself."""

    client_type: str | None = None
    client_version: str | None = None
    session_id: str | None = None
    tools_available: list[str] | None = None
    fallback_session: str | None = None  # used where neither the SDK nor the agent has one


# Each alternative is anchored or bounded, so that hostile text cannot make it slow.
_SECRET = re.compile(
    r"""
      -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]{0,30}PRIVATE\ KEY-----|\Z)
    | (?<![\w-])sk-[\w-]{16,}
    | (?<!\w)gh[oprsu]_[\w.-]{16,}
    | (?<!\w)github_pat_\w{16,}
    | (?<!\w)(?:AKIA|ASIA)[0-9A-Z]{16}
    | (?<!\w)xox[abeprs]-[\w-]{8,}
    | (?<!\w)[rs]k_(?:live|test)_\w{16,}
    | (?<!\w)(?:AIza|glpat-|ya29\.)[\w-]{20,}
    | (?<!\w)(?:npm|hf)_\w{30,}
    | (?<![\w-])eyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*)?
    """,
    re.VERBOSE | re.DOTALL,
)
_BEARER = re.compile(
    r"\b(bearer|authorization[\"']?\s{0,5}[=:]\s{0,5}[\"']?(?:basic|token))\s{1,5}"
    r"(?=[^\s\d]{0,200}\d|\S{20})[\w.~+/=-]{6,}",
    re.IGNORECASE,
)
# `password=hunter2` goes, `login(password: str)` stays: suggestions are often tool signatures.
_ASSIGNED = re.compile(
    r"""(passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key
        |(?:access|auth|refresh|bearer)[_-]?token)
        (\\{0,3}["']?\s{0,5}[=:]\s{0,5}\\{0,3})  # the backslashes of JSON inside of a JSON string
        (?!["']?(?:str|string|int|integer|bool|boolean|number|float|any|object|optional|required|none|null
            |list|array|text|bytes|secretstr)\b)
        (?!\[redacted\])
        ("[^"\n]{1,500}"|'[^'\n]{1,500}'|[^\s,;"'<>(){}\[\]]+)""",
    re.VERBOSE | re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(://[^\s/:@]{1,100}):[^\s/@]{1,200}@")
_UNSAFE = re.compile("[\x00\ud800-\udfff]")


# What a text must hold for a pattern to match at all: looking for a word is a hundred times faster than the pattern.
_SECRET_SIGNS = (
    *("-----BEGIN ", "sk-", "gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "AKIA", "ASIA", "xox", "eyJ"),
    *("rk_", "sk_", "AIza", "glpat-", "ya29.", "npm_", "hf_"),
)
_ASSIGNED_SIGNS = ("pass", "secret", "key", "token")


def _redact(text: str) -> str:
    """Replaces what looks like a credential. Best effort: it catches shapes, not secrets."""
    folded = text.casefold()  # folds more than the patterns do, so it misses nothing that they would match
    if any(sign in text for sign in _SECRET_SIGNS):
        text = _SECRET.sub("[redacted]", text)
    if "bearer" in folded or "authorization" in folded:
        text = _BEARER.sub(r"\1 [redacted]", text)
    if any(sign in folded for sign in _ASSIGNED_SIGNS):
        text = _ASSIGNED.sub(r"\1\2[redacted]", text)
    return _URL_PASSWORD.sub(r"\1:[redacted]@", text) if "://" in text else text


def _text(value: Any, most: int) -> str:
    """Whatever an agent sent, as text that survives JSON and UTF-8, without credentials. Reads `most` characters."""
    if value is None:
        return ""
    if not isinstance(value, str):
        try:
            value = json.dumps(value, ensure_ascii=False, default=str)
        except (ValueError, RecursionError):
            value = "[unreadable]"
    return _redact(_UNSAFE.sub("\ufffd", value[:most]))


def _short(value: Any, most: int = SHORT_MAX_CHARS) -> str:
    """A text of a few words."""
    return _text(value, SHORT_READ_CHARS)[:most]


def _cut_bytes(text: str) -> str:
    data = text.encode()
    if len(data) <= LONG_MAX_BYTES:
        return text
    return data[: LONG_MAX_BYTES - len(CUT_MARK.encode())].decode(errors="ignore") + CUT_MARK


def _tool_names(value: Any) -> list[str]:
    """A list of names; agents also send it as JSON text, comma separated, or as objects."""
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            parsed = None
        value = parsed if isinstance(parsed, list) else value.split(",")
    if not isinstance(value, (list, tuple, set)):
        value = [] if value is None else [value]
    named = (item.get("name", item) if isinstance(item, dict) else item for item in value)
    names = (_text(item, SHORT_READ_CHARS).strip()[:TOOL_MAX_CHARS] for item in named)
    return list(itertools.islice(filter(None, names), TOOLS_MAX))


def _build_payload(arguments: Any, server_name: str, sdk: str, facts: Facts) -> dict[str, Any]:
    said = arguments if isinstance(arguments, Mapping) else {}
    payload: dict[str, Any] = {name: _cut_bytes(_text(said.get(name), LONG_READ_CHARS)) for name in LONG_FIELDS}
    payload |= {name: _short(said.get(name)) for name in SHORT_FIELDS}
    payload["tools_available"] = _tool_names(facts.tools_available or said.get("tools_available"))
    payload["gap_type"] = payload["gap_type"] or "other"
    for name in ("client_type", "client_version", "session_id"):
        payload[name] = _short(getattr(facts, name)) or payload[name]
    payload["session_id"] = payload["session_id"] or facts.fallback_session

    unknown = [name for name in said if name not in payload and name not in OWN_FIELDS]
    for name in unknown[:UNKNOWN_FIELDS_MAX]:
        assigned = f"{name[-100:]}=0"  # a value whose name says what it is
        payload[_short(name, 100)] = _short(said[name]) if _redact(assigned) == assigned else "[redacted]"

    payload = {name: value for name, value in payload.items() if value}
    # One id per report, the same in every retry: the sidecar stores it once.
    payload["id"] = str(uuid.uuid4())
    payload["server_name"] = _short(server_name) or "unknown"
    payload["drop_in"] = f"python/{VERSION}"
    payload["sdk"] = sdk
    payload["texts_version"] = _TEXTS["version"]
    return payload


# ---------------------------------------------------------------------------------------------
# One POST


@dataclass(frozen=True)
class Reply:
    """How a POST ended: a status with its JSON, or a reason why there is none."""

    status: int | None = None
    data: Any = None
    reason: str = ""
    retry_after: float | None = None

    @property
    def stored(self) -> bool:
        # The body counts too: some other program may be listening on that port.
        return self.status in (200, 201) and isinstance(self.data, dict) and self.data.get("status") == "recorded"

    @property
    def refused(self) -> bool:
        return self.status == 422

    @property
    def too_large(self) -> bool:
        return self.status == 413

    @property
    def passing(self) -> bool:
        """A trouble that may be gone a moment later."""
        return self.status is None or self.status in (408, 429) or self.status >= 500

    @property
    def about_this_report(self) -> bool:
        """A trouble that the next report need not share."""
        return self.status is not None and self.status not in (401, 403, 404, 408, 415, 429)

    @property
    def detail(self) -> str:
        """What the sidecar found wrong: a text, or a list of `{loc, msg}`."""
        detail = self.data.get("detail") if isinstance(self.data, dict) else None
        if isinstance(detail, list):
            found = []
            for item in detail:
                item = item if isinstance(item, dict) else {"msg": item}
                loc = item.get("loc") or []
                place = ".".join(str(part) for part in loc if part != "body") if isinstance(loc, list) else str(loc)
                found.append(f"{place}: {item.get('msg')}" if place else str(item.get("msg")))
            detail = "; ".join(found)
        return (str(detail) if detail else "no reason given").rstrip(".")[:1000]


def _retry_after(value: str | None) -> float | None:
    """Seconds or an HTTP date, as seconds from now."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = email.utils.parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=timezone.utc)
        seconds = (when - datetime.now(timezone.utc)).total_seconds()
    return min(seconds, RETRY_AFTER_MAX_SECONDS) if seconds > 0 else 0.0  # NaN included


def _post(url: str, path: str, body: bytes, headers: dict[str, str], seconds: float) -> Reply:
    """POSTs within `seconds`, name lookup and a trickling answer included.

    No time-out of the socket module covers either of those, so the exchange runs in a daemon
    thread that is left behind, with its socket shut, when the time is up.
    """
    deadline = time.monotonic() + seconds
    opened: list[socket.socket] = []
    replies: list[Reply] = []

    def work() -> None:
        try:
            replies.append(_exchange(url, path, body, headers, deadline, opened))
        except TimeoutError:
            replies.append(Reply(reason="timeout"))
        except (OSError, http.client.HTTPException):
            replies.append(Reply(reason="connection_lost" if opened else "unreachable"))
        except ValueError:
            # Not a URL, not a port, or a key that cannot stand in a header.
            replies.append(Reply(reason="invalid_url_or_key"))
        finally:
            for sock in opened:
                sock.close()

    thread = threading.Thread(target=work, name="patchwork-post", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return Reply(reason="no_thread")
    thread.join(max(0.0, deadline - time.monotonic()))
    if replies:
        return replies[0]
    for sock in opened:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    return Reply(reason="timeout")


def _exchange(
    url: str, path: str, body: bytes, headers: dict[str, str], deadline: float, opened: list[socket.socket]
) -> Reply:
    target = urlsplit(url.strip())
    host, secure = target.hostname, target.scheme == "https"
    if not host or target.scheme not in ("http", "https"):
        raise ValueError("not an http or https URL")
    port = target.port or (443 if secure else 80)

    def left() -> float:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    sock = socket.create_connection((host, port), min(CONNECT_SECONDS, left()))
    opened.append(sock)
    with contextlib.closing(http.client.HTTPConnection(host, port)) as connection:
        sock.settimeout(left())
        if secure:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
            opened.append(sock)
            sock.settimeout(left())
        connection.sock = sock
        connection.request("POST", target.path.rstrip("/") + path, body, headers)
        response = connection.getresponse()
        raw = response.read(ANSWER_MAX_BYTES)
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None
    reply = Reply(response.status, data, f"status_{response.status}", _retry_after(response.getheader("Retry-After")))
    if reply.status in (200, 201) and not reply.stored:
        return Reply(reply.status, data, "unexpected_answer")
    return reply


# ---------------------------------------------------------------------------------------------
# The spool: reports that wait on disk


try:
    import fcntl

    def _try_lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

except ImportError:  # Windows
    import msvcrt

    def _try_lock(fd: int) -> None:
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)


class Spool:
    """A bounded JSON Lines file that the processes of one server share.

    `<name>.lock` guards the file and is held for moments; `<name>.drain` is held by the one
    process that is sending, so that the others can still add.
    """

    def __init__(self, server_name: str) -> None:
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", server_name).lstrip(".")[:100]
        self._name = safe or "unknown"

    def _directory(self) -> Path | None:
        configured = os.environ.get("FEEDBACK_SPOOL_DIR", "").strip()
        if configured.lower() == "off":
            return None
        if configured:
            return Path(configured)
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(state) / "patchwork" / "spool"

    def _file(self, suffix: str) -> Path:
        """The path of a file that is there, or can be made: a link or a pipe in its place is no spool."""
        directory = self._directory()
        if directory is None:
            raise OSError("the spool is switched off")
        path = directory / f"{self._name}{suffix}"
        try:
            there = path.lstat()
        except FileNotFoundError:
            return path
        if not stat.S_ISREG(there.st_mode) or there.st_size > 2 * SPOOL_MAX_BYTES:
            raise OSError(f"{path} is not a spool file")
        return path

    @contextlib.contextmanager
    def _locked(self, suffix: str, seconds: float) -> Iterator[bool]:
        """Holds a lock file, or yields False when it could not be had in time."""
        path = self._file(suffix)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        give_up = time.monotonic() + seconds
        try:
            while True:
                try:
                    _try_lock(fd)
                except OSError:
                    if time.monotonic() >= give_up:
                        yield False
                        return
                    time.sleep(0.005)
                else:
                    yield True
                    return
        finally:
            os.close(fd)  # releases the lock

    def draining(self) -> contextlib.AbstractContextManager[bool]:
        return self._locked(".drain", 0)

    def add(self, reason: str, payload: dict[str, Any], seconds: float = LOCK_SECONDS) -> str | None:
        """Keeps a report; the reason why not, if not."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        line = _one_line({"reason": reason, "payload": payload, "queued_at": now})
        try:
            with self._locked(".lock", seconds) as held:
                if not held:
                    return "spool_busy"
                path = self._file(".jsonl")
                before = path.read_bytes() if path.exists() else b""
                if before and not before.endswith(b"\n"):
                    line = b"\n" + line  # a writer died in the middle of a line
                if len(before) + len(line) + 1 > SPOOL_MAX_BYTES or before.count(b"\n") >= SPOOL_MAX_LINES:
                    return "spool_full"
                _append(path, line + b"\n")
        except (OSError, RuntimeError):  # RuntimeError: there is no home directory
            return "no_spool"
        return None

    def read(self) -> list[bytes]:
        try:
            return [line for line in self._file(".jsonl").read_bytes().split(b"\n") if line.strip()]
        except (OSError, RuntimeError):
            return []

    def settle(self, line: bytes, *, sent: bool) -> None:
        """Takes a line out, or moves it to the end so that it cannot hold up the others."""
        with self._locked(".lock", BACKGROUND_SECONDS) as held:
            if not held:
                return  # sent again later, under the same id
            rest = [other for other in self.read() if other != line]
            if not sent:
                rest.append(line)
            path = self._file(".jsonl")
            if not rest:
                path.unlink(missing_ok=True)
                return
            temporary = self._file(".jsonl.tmp")
            temporary.unlink(missing_ok=True)
            _append(temporary, b"\n".join(rest) + b"\n")
            os.replace(temporary, path)

    def set_aside(self, line: bytes) -> None:
        """Keeps a line that cannot be read where a person may look at it."""
        bad = self._file(".jsonl.bad")
        if not bad.exists() or bad.stat().st_size + len(line) < SPOOL_MAX_BYTES:
            _append(bad, line + b"\n")
        self.settle(line, sent=True)


def _append(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(fd, "ab") as file:
        file.write(data)


def _one_line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


# ---------------------------------------------------------------------------------------------
# The reporter: delivery, retries, truth


@dataclass(frozen=True)
class Outcome:
    """The answer to the agent, and the log line that belongs to it."""

    answer: str
    unsent: tuple[str, dict[str, Any]] | None = None

    def log(self) -> None:
        if self.unsent:
            reason, payload = self.unsent
            _log.warning("PATCHWORKMCP_UNSENT_FEEDBACK reason=%s payload=%s", reason, _one_line(payload).decode())


def _lost(reason: str, unsent: tuple[str, dict[str, Any]] | None = None) -> Outcome:
    return Outcome(_TEXTS["answers"]["lost"].replace("{reason}", reason), unsent)


@dataclass
class Reporter:
    """Delivers the reports of one server name to one sidecar."""

    server_name: str
    url: str | None = None
    api_key: str | None = None
    sdk: str = "none"
    _spool: Spool = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _wake: threading.Event = field(default_factory=threading.Event, init=False)
    _worker: threading.Thread | None = field(default=None, init=False)
    _not_before: float = field(default=0.0, init=False)  # what the last Retry-After asked for
    _names: Callable[[], list[str]] | None = field(default=None, init=False)  # of the server registered last

    def __post_init__(self) -> None:
        self._spool = Spool(self.server_name)

    async def report(self, arguments: Any, facts: Facts) -> str:
        """Delivers in a thread of its own: the event loop never waits for the network or a disk.

        The thread finishes its work even when the client cancels the call.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return await self._report_elsewhere(arguments, facts)
        answer: asyncio.Future[str] = loop.create_future()

        def finish(text: str) -> None:
            if not answer.done():
                answer.set_result(text)

        def work() -> None:
            outcome = self._attempt(arguments, facts)
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                loop.call_soon_threadsafe(finish, outcome.answer)
            # After the answer, because a full stderr pipe would make it wait.
            outcome.log()

        try:
            threading.Thread(target=work, name="patchwork-report", daemon=True).start()
        except RuntimeError:  # no more threads: the report can still be kept
            return self.report_sync(arguments, facts)
        return await answer

    async def _report_elsewhere(self, arguments: Any, facts: Facts) -> str:
        """The same under trio, which the SDKs run on through anyio."""
        try:
            from anyio import to_thread
        except ImportError:  # another async library: better a short wait than no report
            return self.report_sync(arguments, facts)
        return await to_thread.run_sync(self.report_sync, arguments, facts, abandon_on_cancel=True)

    def report_sync(self, arguments: Any, facts: Facts) -> str:
        outcome = self._attempt(arguments, facts)
        outcome.log()
        return outcome.answer

    def _attempt(self, arguments: Any, facts: Facts) -> Outcome:
        deadline = time.monotonic() + CALL_SECONDS
        try:
            payload = _build_payload(arguments, self.server_name, self.sdk, facts)
            missing = [name for name in _TEXTS["input_schema"]["required"] if not payload.get(name, "").strip()]
            if missing:
                reason = "; ".join(f"{name}: required" for name in missing)
                return Outcome(_TEXTS["answers"]["refused"].replace("{reason}", reason))
            with _in_flight(self._spool, payload):
                return self._deliver(payload, deadline)
        except Exception as error:  # the agent must never pay for a fault of this file
            _log.exception("the feedback tool failed")
            return _lost(f"internal error: {type(error).__name__}")

    def _deliver(self, payload: dict[str, Any], deadline: float) -> Outcome:
        reply = self._send(payload, max(deadline - time.monotonic(), CONNECT_SECONDS))
        pause = max(RETRY_PAUSE_SECONDS, reply.retry_after or 0.0)
        left = deadline - time.monotonic() - pause
        if reply.passing and left > CONNECT_SECONDS:
            time.sleep(pause)
            reply = self._send(payload, left)

        answers = _TEXTS["answers"]
        if reply.stored:
            self._start_worker(wake=True)
            known = reply.data.get("known_answer")
            if isinstance(known, str) and known.strip():
                return Outcome(answers["known"].replace("{answer}", known.strip()))
            return Outcome(answers["recorded"])
        if reply.refused:
            return Outcome(answers["refused"].replace("{reason}", reply.detail))
        if reply.too_large:
            return _lost("it is too large for the sidecar", (reply.reason, payload))
        # Others may be at it too: what is left of the time is well spent.
        not_kept = self._spool.add(reply.reason, payload, max(deadline - time.monotonic(), LOCK_SECONDS))
        if not_kept:
            return _lost(f"{reply.reason}, {not_kept}", (f"{reply.reason},{not_kept}", payload))
        self._not_before = time.monotonic() + (reply.retry_after or 0.0)
        self._start_worker()
        return Outcome(answers["queued"], (reply.reason, payload))

    def _send(self, payload: dict[str, Any], seconds: float) -> Reply:
        return self._post("/api/feedback", payload, seconds, {"Idempotency-Key": str(payload.get("id", ""))})

    def _post(self, path: str, value: Any, seconds: float, extra: dict[str, str] | None = None) -> Reply:
        # Read on each use: many servers load their .env file after the imports.
        url = str(self.url or os.environ.get("FEEDBACK_SIDECAR_URL") or DEFAULT_URL)
        key = str(self.api_key or os.environ.get("FEEDBACK_API_KEY") or "").strip()
        headers = {"Content-Type": "application/json", "User-Agent": f"patchwork-drop-in-python/{VERSION}"}
        headers |= {"Connection": "close"} | (extra or {})
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return _post(url, path, _one_line(value), headers, seconds)

    # -- in the background

    def _start_worker(self, *, wake: bool = False) -> None:
        """Makes sure that somebody empties the spool; `wake`: now rather than after a pause."""
        if not self._spool.read():
            return
        with self._lock:
            if wake:
                self._wake.set()
            # `is_alive` also notices a fork, which threads don't survive.
            if self._worker is None or not self._worker.is_alive():
                worker = threading.Thread(target=self._work, name="patchwork-spool", daemon=True)
                with contextlib.suppress(RuntimeError):  # no more threads: the next call tries again
                    worker.start()
                    self._worker = worker

    def _work(self) -> None:
        pause, longest = BACKOFF_SECONDS
        while True:
            # Half to full length, so that the servers of a machine don't knock in step.
            wait = max(pause * random.uniform(0.5, 1.0), self._not_before - time.monotonic())
            if self._wake.wait(wait):
                self._wake.clear()
                pause = BACKOFF_SECONDS[0]
            else:
                pause = min(pause * 2, longest)
            try:
                reply = self._drain()
                self._not_before = time.monotonic() + ((reply and reply.retry_after) or 0.0)
            except OSError:
                _log.warning("the spool of undelivered feedback cannot be worked on", exc_info=True)
            with self._lock:
                if not self._spool.read():
                    self._wake.clear()
                    self._worker = None
                    return

    def _drain(self) -> Reply | None:
        """Sends what waits, oldest first; the reply that made it stop, if one did."""
        with self._spool.draining() as mine:
            if not mine:
                return None  # another process of this server is at it
            for line in self._spool.read():
                try:
                    payload = json.loads(line)["payload"]
                    if not isinstance(payload, dict):
                        raise TypeError
                    _one_line(payload)
                except (ValueError, KeyError, TypeError, RecursionError):
                    self._spool.set_aside(line)
                    continue
                reply = self._send(payload, BACKGROUND_SECONDS)
                settled = reply.stored or reply.refused or reply.too_large
                if settled and not reply.stored:
                    Outcome("", (reply.reason, payload)).log()
                if settled or reply.about_this_report:
                    self._spool.settle(line, sent=settled)
                if not settled:
                    return reply
        return None

    def heartbeat_later(self, tool_names: Callable[[], list[str]]) -> None:
        """Tells the sidecar that this server is there, a moment later, in the background, and now and then again."""
        with self._lock:
            beating, self._names = self._names is not None, tool_names
        if beating:
            return  # servers that are made for each session share one heart
        with contextlib.suppress(RuntimeError):  # no more threads
            threading.Thread(target=self._beat, name="patchwork-heartbeat", daemon=True).start()

    def _beat(self) -> None:
        # Servers usually go on registering tools after this line of their code.
        time.sleep(HEARTBEAT_DELAY_SECONDS)
        backoff = BACKOFF_SECONDS[0]
        while True:
            try:
                heard = self.heartbeat(self._names() if self._names else [])
            except Exception:  # best effort, and the author's own code may be at fault
                _log.debug("no heartbeat", exc_info=True)
                heard = False
            # The sidecar may be started after the server; and one that was heard is missed when it falls silent.
            time.sleep((HEARTBEAT_SECONDS if heard else backoff) * random.uniform(0.5, 1.0))
            backoff = BACKOFF_SECONDS[0] if heard else min(backoff * 2, HEARTBEAT_SECONDS)

    def heartbeat(self, names: list[str]) -> bool:
        self._start_worker()  # for what an earlier process left behind
        names = _tool_names(names)
        reply = self._post(
            "/api/v1/heartbeat/",
            {
                "server_slug": self.server_name,
                "tool_count": len(names),
                "tool_names": names,
                "drop_in": f"python/{VERSION}",
                "sdk": self.sdk,
            },
            BACKGROUND_SECONDS,
        )
        return reply.status in (200, 201)


_sending: dict[str, tuple[Spool, dict[str, Any]]] = {}


@contextlib.contextmanager
def _in_flight(spool: Spool, payload: dict[str, Any]) -> Iterator[None]:
    _sending[payload["id"]] = (spool, payload)
    try:
        yield
    finally:
        _sending.pop(payload["id"], None)


@atexit.register
def _keep_what_is_in_flight() -> None:
    """A client may close the server while a report is on its way; the next process sends it."""
    for spool, payload in list(_sending.values()):
        spool.add("exit", payload)


if hasattr(os, "register_at_fork"):
    # A worker of a web server is a fork: what its parent was sending is its parent's.
    os.register_at_fork(after_in_child=lambda: _sending.clear())


_reporters: dict[tuple[str, str | None, str | None, str], Reporter] = {}
_reporters_lock = threading.Lock()


def _reporter(server_name: str, url: str | None, api_key: str | None, sdk: str) -> Reporter:
    """One reporter, and so one background worker, per server name and sidecar."""
    key = (str(server_name or "unknown"), url, api_key, sdk)
    with _reporters_lock:
        return _reporters.setdefault(key, Reporter(*key))


# ---------------------------------------------------------------------------------------------
# Public: plain functions


def _facts(client_type: Any, client_version: Any, session_id: Any, tools_available: Any) -> Facts:
    return Facts(client_type, client_version, session_id, _tool_names(tools_available) or None)


async def send_feedback(
    arguments: Mapping[str, Any],
    *,
    server_name: str = "unknown",
    url: str | None = None,
    api_key: str | None = None,
    client_type: str | None = None,
    client_version: str | None = None,
    session_id: str | None = None,
    tools_available: list[str] | None = None,
) -> str:
    """Delivers a report and returns the answer for the agent. Never raises.

    The optional facts are what the server itself knows; they outrank the agent's own words.
    """
    facts = _facts(client_type, client_version, session_id, tools_available)
    return await _reporter(server_name, url, api_key, "none").report(arguments, facts)


def send_feedback_sync(
    arguments: Mapping[str, Any],
    *,
    server_name: str = "unknown",
    url: str | None = None,
    api_key: str | None = None,
    client_type: str | None = None,
    client_version: str | None = None,
    session_id: str | None = None,
    tools_available: list[str] | None = None,
) -> str:
    """The same as `send_feedback`, for code without an event loop (Django views, plain registries)."""
    facts = _facts(client_type, client_version, session_id, tools_available)
    return _reporter(server_name, url, api_key, "none").report_sync(arguments, facts)


def send_heartbeat(
    server_name: str, tool_names: list[str], *, url: str | None = None, api_key: str | None = None
) -> None:
    """Tells the sidecar, in the background, which tools this server has. Never raises."""
    names = _tool_names(tool_names)
    _reporter(server_name, url, api_key, "none").heartbeat_later(lambda: names)


# ---------------------------------------------------------------------------------------------
# Public: registration


def register_feedback_tool(
    server: Any, server_name: str, *, url: str | None = None, api_key: str | None = None
) -> None:
    """Adds the `feedback` tool to `server` and its text to the server's instructions.

    Registering a server again changes nothing. Raises TypeError for an object that is none of
    the servers named at the top of this file.
    """
    kinds = {
        ("mcp", "MCPServer"): _add_to_mcp,
        ("mcp", "FastMCP"): _add_to_mcp,
        ("mcp", "Server"): _add_to_lowlevel,
        ("fastmcp", "FastMCP"): _add_to_fastmcp,
    }
    for cls in type(server).__mro__:
        package = cls.__module__.partition(".")[0]
        add = kinds.get((package, cls.__name__))
        if add:
            break
    else:
        raise TypeError(f"{type(server).__qualname__} is not a known server: call send_feedback in its tool handler")
    if getattr(server, "_patchwork_feedback", False):
        return
    sdk = f"{package} {_version(package)}"
    try:
        add(server, _reporter(server_name, url, api_key, sdk))
        _add_instructions(server)
    except (AttributeError, ImportError, TypeError) as error:
        # The drop-in reaches into parts of the SDKs that may move.
        raise TypeError(f"this drop-in does not know {sdk}: get a newer one, or call send_feedback yourself") from error
    server._patchwork_feedback = True


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _add_instructions(server: Any) -> None:
    # The high-level classes keep the text on the low-level server inside them.
    holder = getattr(server, "_lowlevel_server", None) or getattr(server, "_mcp_server", None) or server
    present = holder.instructions or ""
    if INSTRUCTIONS not in present:
        holder.instructions = f"{present}\n\n{INSTRUCTIONS}" if present else INSTRUCTIONS


def _facts_of(session: Any, request: Any, names: list[str] | None) -> Facts:
    """Reads what the SDK knows. Each part is optional; names differ between 1.x and 2.x."""
    params = getattr(session, "client_params", None)
    info = getattr(params, "client_info", None) or getattr(params, "clientInfo", None)
    headers = getattr(request, "headers", None)
    return Facts(
        client_type=getattr(info, "name", None),
        client_version=getattr(info, "version", None),
        session_id=headers.get("mcp-session-id") if headers is not None else None,
        tools_available=names or None,
        fallback_session=_PROCESS_SESSION if request is None else None,
    )


def _facts_or_none(read: Callable[[], Facts]) -> Facts:
    try:
        return read()
    except Exception:  # a report without facts is better than none
        _log.debug("the SDK gave no facts about the call", exc_info=True)
        return Facts()


def _add_to_mcp(server: Any, reporter: Reporter) -> None:
    """`MCPServer` (mcp 2.x) and `FastMCP` (mcp 1.x), which differ in name only here.

    Their `add_tool` derives the schema from a signature and checks arguments against it. The
    schema here is given, and wrong arguments are welcome, so a tool of its own kind goes
    straight into the tool manager.
    """
    manager = server._tool_manager
    if manager.get_tool(TOOL_NAME):
        _log.warning("this server has a tool named %r already: it is kept, no feedback tool is added", TOOL_NAME)
        return
    if hasattr(server, "_lowlevel_server"):
        from mcp.server.mcpserver.tools import Tool
    else:
        from mcp.server.fastmcp.tools import Tool

    def names() -> list[str]:
        return [tool.name for tool in manager.list_tools()]

    class FeedbackTool(Tool):
        async def run(self, arguments: Any, context: Any = None, convert_result: bool = False) -> Any:
            def read() -> Facts:
                request = getattr(context.request_context, "request", None)
                return _facts_of(context.session, request, names())

            answer = await reporter.report(arguments, _facts_or_none(read))
            return self.fn_metadata.convert_result(answer) if convert_result else answer

    def feedback() -> str:
        """Stands in for the function that the SDK wants a tool to have."""
        return ""

    tool = FeedbackTool.from_function(
        feedback,
        name=TOOL_NAME,
        title=_TEXTS["title"],
        description=_TEXTS["description"],
        annotations=_TEXTS["annotations"],
        structured_output=False,
    )
    tool.parameters = _TEXTS["input_schema"]
    manager._tools[TOOL_NAME] = tool
    reporter.heartbeat_later(names)


def _add_to_fastmcp(server: Any, reporter: Reporter) -> None:
    """`FastMCP` of the package `fastmcp`, 2.x to 4.x."""
    from fastmcp.server.dependencies import get_context

    try:
        from fastmcp.tools import Tool, ToolResult
    except ImportError:  # version 2
        from fastmcp.tools.tool import Tool, ToolResult

    async def names() -> list[str]:
        # Version 2 has `get_tools` and a dict, later ones `list_tools` and objects.
        if hasattr(server, "list_tools"):
            return [tool.name for tool in await server.list_tools(run_middleware=False)]
        return list(await server.get_tools())

    seen: list[str] = []

    def names_for_heartbeat() -> list[str]:
        # Once only, and before there is much to do: this is another thread with a loop of its own.
        seen[:] = seen or asyncio.run(names())
        return list(seen)

    class FeedbackTool(Tool):
        async def run(self, arguments: dict[str, Any]) -> Any:
            try:
                # A mounted or proxied server may have to ask another one.
                listed = await asyncio.wait_for(names(), LIST_TOOLS_SECONDS)
                seen[:] = listed
            except Exception:
                listed = None

            def read() -> Facts:
                context = get_context()
                return _facts_of(context.session, context.request_context.request, listed)

            return ToolResult(content=await reporter.report(arguments, _facts_or_none(read)))

    server.add_tool(
        FeedbackTool(
            name=TOOL_NAME,
            title=_TEXTS["title"],
            description=_TEXTS["description"],
            parameters=_TEXTS["input_schema"],
            annotations=_TEXTS["annotations"],
        )
    )
    reporter.heartbeat_later(names_for_heartbeat)


def _add_to_lowlevel(server: Any, reporter: Reporter) -> None:
    """Low-level `Server`: wraps the handlers for listing and calling tools that it has now."""
    from mcp import types

    tool = types.Tool.model_validate(FEEDBACK_TOOL_SCHEMA)
    seen: list[str] = []
    listed_once = threading.Event()

    def listed(result: Any, cursor: str | None) -> Any:
        """Adds the tool on the last page, and remembers the names: only a client can list them."""
        more = getattr(result, "next_cursor", None) or getattr(result, "nextCursor", None)
        there = any(item.name == TOOL_NAME for item in result.tools)
        tools = [*result.tools] if more or there else [*result.tools, tool]
        if cursor is None:
            seen.clear()
        seen.extend(item.name for item in tools)
        if not more and not listed_once.is_set():
            listed_once.set()
            reporter.heartbeat_later(lambda: list(seen))
        return result.model_copy(update={"tools": tools})

    async def answer(arguments: Any, context: Any) -> Any:
        facts = _facts_or_none(lambda: _facts_of(context.session, getattr(context, "request", None), list(seen)))
        text = await reporter.report(arguments, facts)
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)])

    if hasattr(server, "add_request_handler"):
        _wrap_lowlevel_2(server, types, listed, answer)
    else:
        _wrap_lowlevel_1(server, types, listed, answer)


def _wrap_lowlevel_2(server: Any, types: Any, listed: Callable[..., Any], answer: Callable[..., Any]) -> None:
    old_list = server.get_request_handler("tools/list")
    old_call = server.get_request_handler("tools/call")

    async def list_tools(context: Any, params: Any) -> Any:
        result = await old_list.handler(context, params) if old_list else types.ListToolsResult(tools=[])
        return listed(result, getattr(params, "cursor", None))

    async def call_tool(context: Any, params: Any) -> Any:
        if params.name == TOOL_NAME or not old_call:
            return await answer(params.arguments, context)
        return await old_call.handler(context, params)

    server.add_request_handler("tools/list", types.PaginatedRequestParams, list_tools)
    server.add_request_handler("tools/call", types.CallToolRequestParams, call_tool)


def _wrap_lowlevel_1(server: Any, types: Any, listed: Callable[..., Any], answer: Callable[..., Any]) -> None:
    old_list = server.request_handlers.get(types.ListToolsRequest)
    old_call = server.request_handlers.get(types.CallToolRequest)

    async def list_tools(request: Any) -> Any:
        result = (await old_list(request)).root if old_list else types.ListToolsResult(tools=[])
        params = getattr(request, "params", None)
        return types.ServerResult(listed(result, getattr(params, "cursor", None)))

    async def call_tool(request: Any) -> Any:
        if request.params.name == TOOL_NAME or not old_call:
            return types.ServerResult(await answer(request.params.arguments, server.request_context))
        return await old_call(request)

    server.request_handlers[types.ListToolsRequest] = list_tools
    server.request_handlers[types.CallToolRequest] = call_tool

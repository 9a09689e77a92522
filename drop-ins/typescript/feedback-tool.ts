/**
 * PatchworkMCP drop-in: a `feedback` tool for any TypeScript or JavaScript MCP server, in one file.
 *
 * Copy this file next to your server and add two lines:
 *
 *     import { registerFeedbackTool } from "./feedback-tool.js";
 *     registerFeedbackTool(server, "my-server");
 *
 * `server` may be an `McpServer` or a low-level `Server` of `@modelcontextprotocol/sdk` 1.x (with Zod
 * 3 or 4) or of `@modelcontextprotocol/server` 2.x. Register after your own tools (a must for
 * low-level servers: the drop-in wraps the handlers it finds). Where a server is made for each
 * session or request, register on each of them.
 *
 * Anything else uses the plain parts: `FEEDBACK_TOOL`, `INSTRUCTIONS`, `await sendFeedback(...)`,
 * and `sendHeartbeat(...)` once at start.
 *
 * Settings, as options or from the environment (options win):
 *
 *     url      FEEDBACK_SIDECAR_URL  where the reports go (default http://127.0.0.1:8099)
 *     apiKey   FEEDBACK_API_KEY      sent as a bearer token when set
 *              FEEDBACK_SPOOL_DIR    where undelivered reports wait ("off": nowhere)
 *     log                            takes the log lines (default: stderr)
 *
 * What it promises: a call takes less than two seconds whatever the sidecar does, never throws and
 * never writes to stdout. A report that cannot be delivered waits in a small file and is sent
 * later under the same id; the answer to the agent says which of these happened.
 *
 * Needs Node 20 and nothing else. All types can be stripped, so Node 22.18 or newer imports this
 * file as it is, from JavaScript too.
 */

import * as dns from "node:dns";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";

const VERSION = "1.0.0";

// The texts are the same in every language and live in `assets/feedback-tool.json`; a test compares.
// prettier-ignore
// BEGIN feedback-tool.json
const TEXTS = {
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
};
// END feedback-tool.json

export const TOOL_NAME: string = TEXTS.name;
/** What `tools/list` shows for this tool, for servers that keep their own list. */
export const FEEDBACK_TOOL = {
  name: TEXTS.name,
  title: TEXTS.title,
  description: TEXTS.description,
  inputSchema: TEXTS.input_schema,
  annotations: TEXTS.annotations,
};
/** Agents tend to ignore a tool that the server's instructions don't mention: put this there. */
export const INSTRUCTIONS: string = TEXTS.instructions;

const DEFAULT_URL = "http://127.0.0.1:8099";
const CONNECT_MS = 500;
const CALL_MS = 1400; // the network's share of a call; the rest up to two seconds is for the SDK and the disk
const RETRY_PAUSE_MS = 150;
const BACKGROUND_MS = 10_000;
const BACKOFF_MS = [1000, 300_000] as const; // first pause, longest pause
const RETRY_AFTER_MAX_MS = 3_600_000;
const HEARTBEAT_DELAY_MS = 1000;
const HEARTBEAT_MS = 3_600_000;
const ANSWER_MAX_BYTES = 1 << 20;
const SPOOL_MAX_BYTES = 1 << 20;
const SPOOL_MAX_LINES = 500;
const LOCK_MS = 100;
const LOG_WAITING_MAX_BYTES = 1 << 22;
const LOG_PAUSE_MS = 100;
const LOCK_STALE_MS = 5000; // of the lock that is held for moments
const DRAIN_STALE_MS = 60_000; // of the lock that is held while sending, and touched before each

const LONG_FIELDS = ["what_i_needed", "what_i_tried", "suggestion", "user_goal"];
const SHORT_FIELDS = ["gap_type", "resolution", "agent_model", "session_id", "client_type", "client_version"];
const OWN_FIELDS = ["id", "server_name", "drop_in", "sdk", "texts_version"];
const LONG_MAX_BYTES = 200_000;
const LONG_READ_CHARS = LONG_MAX_BYTES + (1 << 16); // of a text of any length: what lies behind is cut anyway
const SHORT_READ_CHARS = 1 << 13;
const SHORT_MAX_CHARS = 500;
const TOOLS_MAX = 500;
const TOOL_MAX_CHARS = 200;
const UNKNOWN_FIELDS_MAX = 20;
const CUT_MARK = "…[cut]";

// On stdio one process serves one conversation, so the process can stand in for the session.
const PROCESS_SESSION = randomUUID();

/** Settings of a registration; what is left out comes from the environment. */
export interface FeedbackOptions {
  url?: string | undefined;
  apiKey?: string | undefined;
  log?: ((line: string) => void) | undefined;
}

/** What the server itself knows about a call. It outranks what the agent says about itself. */
export interface FeedbackFacts {
  clientType?: string | undefined;
  clientVersion?: string | undefined;
  sessionId?: string | undefined;
  toolsAvailable?: readonly string[] | undefined;
}

interface Facts extends FeedbackFacts {
  fallbackSession?: string | undefined; // used where neither the SDK nor the agent has one
}

type Payload = Record<string, string | string[]>;

// ---------------------------------------------------------------------------------------------
// From the agent's words to a payload

// Each alternative is anchored or bounded, so that hostile text cannot make it slow.
const SECRET = new RegExp(
  [
    "-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)",
    "(?<![\\w-])sk-[\\w-]{16,}",
    "(?<!\\w)gh[oprsu]_[\\w.-]{16,}",
    "(?<!\\w)github_pat_\\w{16,}",
    "(?<!\\w)(?:AKIA|ASIA)[0-9A-Z]{16}",
    "(?<!\\w)xox[abeprs]-[\\w-]{8,}",
    "(?<!\\w)[rs]k_(?:live|test)_\\w{16,}",
    "(?<!\\w)(?:AIza|glpat-|ya29\\.)[\\w-]{20,}",
    "(?<!\\w)(?:npm|hf)_\\w{30,}",
    "(?<![\\w-])eyJ[\\w-]{4,}\\.[\\w-]{4,}(?:\\.[\\w-]*)?",
  ].join("|"),
  "g",
);
const BEARER = new RegExp(
  "\\b(bearer|authorization[\"']?\\s{0,5}[=:]\\s{0,5}[\"']?(?:basic|token))\\s{1,5}" +
    "(?=[^\\s\\d]{0,200}\\d|\\S{20})[\\w.~+/=-]{6,}",
  "gi",
);
// `password=hunter2` goes, `login(password: str)` stays: suggestions are often tool signatures.
const ASSIGNED = new RegExp(
  "(passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key" +
    "|(?:access|auth|refresh|bearer)[_-]?token)" +
    "(\\\\{0,3}[\"']?\\s{0,5}[=:]\\s{0,5}\\\\{0,3})" + // the backslashes of JSON inside of a JSON string
    "(?![\"']?(?:str|string|int|integer|bool|boolean|number|float|any|object|optional|required|none|null" +
    "|list|array|text|bytes|secretstr)\\b)" +
    "(?!\\[redacted\\])" +
    "(\"[^\"\\n]{1,500}\"|'[^'\\n]{1,500}'|[^\\s,;\"'<>(){}\\[\\]]+)",
  "gi",
);
const URL_PASSWORD = /(:\/\/[^\s/:@]{1,100}):[^\s/@]{1,200}@/g;
const UNSAFE = /[\0\p{Surrogate}]/gu;

/** Replaces what looks like a credential. Best effort: it catches shapes, not secrets. */
function redact(text: string): string {
  return text
    .replace(SECRET, "[redacted]")
    .replace(BEARER, "$1 [redacted]")
    .replace(ASSIGNED, "$1$2[redacted]")
    .replace(URL_PASSWORD, "$1:[redacted]@");
}

/** Whatever an agent sent, as text that survives JSON and UTF-8, without credentials. */
function toText(value: unknown, most: number): string {
  if (value === null || value === undefined) return "";
  let text: string | undefined;
  try {
    text = typeof value === "string" ? value : JSON.stringify(value);
  } catch {
    text = "[unreadable]";
  }
  return redact((text ?? "").slice(0, most).replace(UNSAFE, "\ufffd"));
}

/** A text of a few words. */
function short(value: unknown, most = SHORT_MAX_CHARS): string {
  return cutChars(toText(value, SHORT_READ_CHARS), most);
}

function cutBytes(text: string): string {
  const data = Buffer.from(text);
  if (data.length <= LONG_MAX_BYTES) return text;
  let end = LONG_MAX_BYTES - Buffer.byteLength(CUT_MARK);
  while ((data[end] ?? 0) >> 6 === 0b10) end--; // not in the middle of a character
  return data.toString("utf8", 0, end) + CUT_MARK;
}

function cutChars(text: string, most: number): string {
  return text.length <= most ? text : [...text.slice(0, 2 * most)].slice(0, most).join("");
}

/** A list of names; agents also send it as JSON text, comma separated, or as objects. */
function toolNames(value: unknown): string[] {
  let items: unknown = value ?? [];
  if (typeof items === "string") {
    let parsed: unknown;
    try {
      parsed = JSON.parse(items);
    } catch {
      parsed = undefined;
    }
    items = Array.isArray(parsed) ? parsed : items.split(",");
  }
  const names: string[] = [];
  for (const item of Array.isArray(items) ? items : [items]) {
    const name = cutChars(
      toText(isObject(item) && "name" in item ? item["name"] : item, SHORT_READ_CHARS).trim(),
      TOOL_MAX_CHARS,
    );
    if (name) names.push(name);
    if (names.length === TOOLS_MAX) break;
  }
  return names;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function buildPayload(args: unknown, serverName: string, sdk: string, facts: Facts): Payload {
  const said = isObject(args) ? args : {};
  // A map first: names such as `__proto__` are only names to it.
  const fields = new Map<string, string | string[]>();
  for (const name of LONG_FIELDS) fields.set(name, cutBytes(toText(said[name], LONG_READ_CHARS)));
  for (const name of SHORT_FIELDS) fields.set(name, short(said[name]));
  fields.set(
    "tools_available",
    toolNames(facts.toolsAvailable?.length ? facts.toolsAvailable : said["tools_available"]),
  );
  const known = { client_type: facts.clientType, client_version: facts.clientVersion, session_id: facts.sessionId };
  for (const [name, value] of Object.entries(known)) {
    const text = short(value);
    if (text) fields.set(name, text);
  }
  if (!fields.get("session_id")) fields.set("session_id", facts.fallbackSession ?? "");
  if (!fields.get("gap_type")) fields.set("gap_type", "other");

  const unknown = Object.keys(said).filter((name) => !fields.has(name) && !OWN_FIELDS.includes(name));
  for (const name of unknown.slice(0, UNKNOWN_FIELDS_MAX)) {
    const assigned = `${name.slice(-100)}=0`; // a value whose name says what it is
    fields.set(short(name, 100), redact(assigned) === assigned ? short(said[name]) : "[redacted]");
  }

  for (const [name, value] of fields) if (!value.length) fields.delete(name);
  // One id per report, the same in every retry: the sidecar stores it once.
  fields.set("id", randomUUID());
  fields.set("server_name", short(serverName) || "unknown");
  fields.set("drop_in", `typescript/${VERSION}`);
  fields.set("sdk", sdk);
  fields.set("texts_version", TEXTS.version);
  return Object.fromEntries(fields);
}

// ---------------------------------------------------------------------------------------------
// One POST

/** How a POST ended: a status with its JSON, or a reason why there is none. */
interface Reply {
  status?: number;
  data?: unknown;
  reason: string;
  retryAfterMs?: number | undefined;
}

/** The body counts too: some other program may be listening on that port. */
function stored(reply: Reply): boolean {
  const right = reply.status === 200 || reply.status === 201;
  return right && isObject(reply.data) && reply.data["status"] === "recorded";
}

/** A trouble that may be gone a moment later. */
function passing({ status }: Reply): boolean {
  return status === undefined || status === 408 || status === 429 || status >= 500;
}

/** A trouble that the next report need not share. */
function aboutThisReport({ status }: Reply): boolean {
  return status !== undefined && ![401, 403, 404, 408, 415, 429].includes(status);
}

/** What the sidecar found wrong: a text, or a list of `{loc, msg}`. */
function detailOf({ data }: Reply): string {
  let detail = isObject(data) ? data["detail"] : undefined;
  if (Array.isArray(detail)) {
    const found = detail.map((item: unknown) => {
      const { loc, msg } = isObject(item) ? item : { loc: "", msg: item };
      const place = Array.isArray(loc) ? loc.filter((part) => part !== "body").join(".") : String(loc ?? "");
      return place ? `${place}: ${String(msg)}` : String(msg);
    });
    detail = found.join("; ");
  }
  return (detail ? String(detail) : "no reason given").replace(/\.+$/, "").slice(0, 1000);
}

/** Seconds or an HTTP date, as milliseconds from now. */
function retryAfter(value: string | undefined): number | undefined {
  if (!value) return undefined;
  const seconds = Number(value);
  const wait = Number.isNaN(seconds) ? Date.parse(value) - Date.now() : seconds * 1000;
  return Math.min(Math.max(wait || 0, 0), RETRY_AFTER_MAX_MS);
}

function toReply(response: http.IncomingMessage, raw: Buffer): Reply {
  let data: unknown;
  try {
    data = JSON.parse(raw.toString());
  } catch {
    data = undefined;
  }
  const status = response.statusCode ?? 0;
  const reply = { status, data, reason: `status_${status}`, retryAfterMs: retryAfter(response.headers["retry-after"]) };
  const odd = (status === 200 || status === 201) && !stored(reply);
  return odd ? { status, data, reason: "unexpected_answer" } : reply;
}

const lookups = new Map<string, Promise<dns.LookupAddress[]>>();

/**
 * Looks a name up, once at a time for all who ask. A lookup can't be called off, and takes one of the
 * few threads that the author's own files and names wait for, for as long as the resolver likes.
 */
const lookup: net.LookupFunction = (host, options, done) => {
  let pending = lookups.get(host);
  if (!pending) {
    pending = dns.promises.lookup(host, { all: true }).finally(() => lookups.delete(host));
    lookups.set(host, pending);
  }
  const found = (all: dns.LookupAddress[]) =>
    options.all ? done(null, all) : done(null, all[0]?.address ?? "", all[0]?.family);
  pending.then(found).catch((error: NodeJS.ErrnoException) => done(error, ""));
};

/** Where and how to send; reading it throws for what is not an http or https URL. */
function target(url: string, route: string, headers: Record<string, string>) {
  const { protocol, hostname, port, pathname } = new URL(url.trim());
  if (protocol !== "http:" && protocol !== "https:") throw new TypeError("not an http or https URL");
  const host = hostname.replace(/^\[|\]$/g, "");
  const request = protocol === "https:" ? https.request : http.request;
  return {
    request,
    host,
    options: {
      method: "POST",
      host,
      port,
      path: pathname.replace(/\/+$/, "") + route,
      headers,
      agent: false as const,
      lookup,
    },
  };
}

/** POSTs within `ms`, name lookup and a trickling answer included. Never rejects. */
function post(
  url: string,
  route: string,
  body: Buffer,
  headers: Record<string, string>,
  ms: number,
  inCall: boolean,
): Promise<Reply> {
  return new Promise((resolve) => {
    const timers: NodeJS.Timeout[] = [];
    let request: http.ClientRequest | undefined;
    let connected = false;
    const finish = (reply: Reply) => {
      timers.forEach((timer) => clearTimeout(timer));
      request?.destroy();
      resolve(reply);
    };
    const limit = (milliseconds: number, onlyConnecting: boolean) => {
      const timer = setTimeout(() => (onlyConnecting && connected) || finish({ reason: "timeout" }), milliseconds);
      timers.push(inCall ? timer : timer.unref()); // what runs in the background never keeps the process alive
    };
    const broken = () => finish({ reason: connected ? "connection_lost" : "unreachable" });
    limit(ms, false);
    try {
      const { request: start, host, options } = target(url, route, headers);
      request = start(options);
      request.on("error", broken);
      request.on("socket", (socket) => {
        if (!inCall) socket.unref();
        if (net.isIP(host)) limit(CONNECT_MS, true);
        else socket.once("lookup", () => limit(CONNECT_MS, true));
        socket.once("connect", () => (connected = true));
      });
      request.on("response", (response) => collect(response, (raw) => finish(toReply(response, raw)), broken));
      request.end(body);
    } catch {
      // Not a URL, not a port, or a key that cannot stand in a header.
      finish({ reason: "invalid_url_or_key" });
    }
  });
}

function collect(response: http.IncomingMessage, done: (raw: Buffer) => void, broken: () => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= ANSWER_MAX_BYTES) done(Buffer.concat(chunks));
  });
  response.on("end", () => done(Buffer.concat(chunks)));
  response.on("error", broken);
}

// ---------------------------------------------------------------------------------------------
// The spool: reports that wait on disk

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes(String((error as NodeJS.ErrnoException | undefined)?.code));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !isCode(error, "ESRCH");
  }
}

/**
 * A lock that processes share: a file that exists while it is held and names its holder.
 *
 * Node has no `flock`. A holder that died on this machine, or that has not been heard of for too
 * long, has lost the lock.
 */
class LockFile {
  private readonly file: string;
  private readonly staleMs: number;
  private readonly me = `${process.pid} ${randomUUID()} ${os.hostname()}`;

  constructor(file: string, staleMs: number) {
    this.file = file;
    this.staleMs = staleMs;
  }

  /** Takes the lock if it is free; throws where the directory cannot be written. */
  take(): boolean {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        fs.writeFileSync(this.file, this.me, { flag: "wx", mode: 0o600 });
        return true;
      } catch (error) {
        if (!isCode(error, "EEXIST")) throw error;
      }
      if (!this.removeIfAbandoned()) return false;
    }
    return false;
  }

  private removeIfAbandoned(): boolean {
    const aside = `${this.file}.${randomUUID()}`;
    try {
      const holder = fs.readFileSync(this.file, "utf8");
      const [pid, , host] = holder.split(" ");
      const dead = host === os.hostname() && !isAlive(Number(pid));
      const silent = Date.now() - fs.statSync(this.file).mtimeMs > this.staleMs;
      if (!dead && !silent) return false;
      // Moved before it is removed: of several processes that see it, one gets it.
      fs.renameSync(this.file, aside);
      if (fs.readFileSync(aside, "utf8") !== holder) fs.linkSync(aside, this.file); // it was a new one: give it back
      fs.unlinkSync(aside);
      return true;
    } catch {
      fs.rmSync(aside, { force: true });
      return true; // it is gone, or somebody else is at it: try once more
    }
  }

  /** Says that the holder is still at work. */
  touch(): void {
    const now = new Date();
    fs.utimesSync(this.file, now, now);
  }

  release(): void {
    try {
      if (fs.readFileSync(this.file, "utf8") === this.me) fs.unlinkSync(this.file);
    } catch (error) {
      if (!isCode(error, "ENOENT")) throw error;
    }
  }
}

/**
 * A bounded JSON Lines file that the processes of one server share.
 *
 * `<name>.lockfile` guards the file and is held within one turn of the event loop;
 * `<name>.drainfile` is held by the one process that is sending, so that the others can still add.
 */
class Spool {
  private readonly name: string;

  constructor(serverName: string) {
    this.name =
      serverName
        .replace(/[^A-Za-z0-9._-]/gu, "_")
        .replace(/^\.+/, "")
        .slice(0, 100) || "unknown";
  }

  /** The path of a file that is there, or can be made: a link or a pipe in its place is no spool. */
  private file(suffix: string): string {
    const configured = (process.env["FEEDBACK_SPOOL_DIR"] ?? "").trim();
    if (configured.toLowerCase() === "off") throw new Error("the spool is switched off");
    const state = process.env["XDG_STATE_HOME"] || path.join(os.homedir(), ".local", "state");
    const file = path.join(configured || path.join(state, "patchwork", "spool"), this.name + suffix);
    const there = suffix ? fs.lstatSync(file, { throwIfNoEntry: false }) : undefined;
    if (there && (!there.isFile() || there.size > 2 * SPOOL_MAX_BYTES)) throw new Error(`${file} is not a spool file`);
    return file;
  }

  /** Runs `work` under the lock, without a pause in between; false when the lock could not be had. */
  private locked(work: () => void): boolean {
    const lock = new LockFile(this.file(".lockfile"), LOCK_STALE_MS);
    if (!lock.take()) return false;
    try {
      work();
    } finally {
      lock.release();
    }
    return true;
  }

  private async lockedWithin(ms: number, work: () => void): Promise<boolean> {
    const giveUp = performance.now() + ms;
    while (!this.locked(work)) {
      if (performance.now() >= giveUp) return false;
      await pause(5);
    }
    return true;
  }

  /** The lock of the process that sends, if it is free. */
  draining(): LockFile | undefined {
    const lock = new LockFile(this.file(".drainfile"), DRAIN_STALE_MS);
    return lock.take() ? lock : undefined;
  }

  /** Keeps a report; the reason why not, if not. */
  async add(reason: string, payload: Payload, ms: number): Promise<string | undefined> {
    let notKept: string | undefined;
    try {
      fs.mkdirSync(path.dirname(this.file("")), { recursive: true, mode: 0o700 });
      const held = await this.lockedWithin(ms, () => (notKept = this.append(reason, payload)));
      return held ? notKept : "spool_busy";
    } catch {
      return "no_spool";
    }
  }

  /** The same for a process that ends: there is no time to wait for the lock. */
  addNow(reason: string, payload: Payload): void {
    fs.mkdirSync(path.dirname(this.file("")), { recursive: true, mode: 0o700 });
    if (!this.locked(() => this.append(reason, payload))) this.append(reason, payload);
  }

  private append(reason: string, payload: Payload): string | undefined {
    const file = this.file(".jsonl");
    const line = Buffer.from(`${JSON.stringify({ reason, payload, queued_at: now() })}\n`);
    const before = fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0);
    // A writer may have died in the middle of a line.
    const start = before.length && before.at(-1) !== 0x0a ? "\n" : "";
    const full =
      before.length + line.length + start.length > SPOOL_MAX_BYTES || lines(before).length >= SPOOL_MAX_LINES;
    if (full) return "spool_full";
    fs.appendFileSync(file, start ? Buffer.concat([Buffer.from(start), line]) : line, { mode: 0o600 });
    return undefined;
  }

  read(): Buffer[] {
    try {
      return lines(fs.readFileSync(this.file(".jsonl")));
    } catch {
      return [];
    }
  }

  /** Takes a line out, or moves it to the end so that it cannot hold up the others. */
  async settle(line: Buffer, sent: boolean): Promise<void> {
    // Where the lock cannot be had the line stays and is sent again later, under the same id.
    await this.lockedWithin(BACKGROUND_MS, () => {
      const rest = this.read().filter((other) => !other.equals(line));
      if (!sent) rest.push(line);
      const file = this.file(".jsonl");
      if (!rest.length) return fs.rmSync(file, { force: true });
      const temporary = this.file(".jsonl.tmp");
      fs.rmSync(temporary, { force: true });
      fs.writeFileSync(temporary, Buffer.concat(rest.flatMap((kept) => [kept, Buffer.from("\n")])), { mode: 0o600 });
      fs.renameSync(temporary, file);
    });
  }

  /** Keeps a line that cannot be read where a person may look at it. */
  async setAside(line: Buffer): Promise<void> {
    const bad = this.file(".jsonl.bad");
    const size = fs.existsSync(bad) ? fs.statSync(bad).size : 0;
    if (size + line.length < SPOOL_MAX_BYTES) {
      fs.appendFileSync(bad, Buffer.concat([line, Buffer.from("\n")]), { mode: 0o600 });
    }
    await this.settle(line, true);
  }
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "+00:00");
}

function lines(data: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let start = 0; start < data.length;) {
    const newline = data.indexOf(0x0a, start);
    const end = newline < 0 ? data.length : newline;
    const line = data.subarray(start, end);
    if (line.toString("latin1").trim()) found.push(line);
    start = end + 1;
  }
  return found;
}

/** The payload of a spooled line, if it can be read. */
function payloadOf(line: Buffer): Payload | undefined {
  try {
    const entry: unknown = JSON.parse(line.toString());
    return isObject(entry) && isObject(entry["payload"]) ? (entry["payload"] as Payload) : undefined;
  } catch {
    return undefined;
  }
}

// ---------------------------------------------------------------------------------------------
// The reporter: delivery, retries, truth

/** The answer to the agent, and the log line that belongs to it. */
interface Outcome {
  answer: string;
  unsent?: { reason: string; payload: Payload };
}

function lost(reason: string, unsent?: Outcome["unsent"]): Outcome {
  const answer = fill(TEXTS.answers.lost, "{reason}", reason);
  return unsent ? { answer, unsent } : { answer };
}

/** `replace` with a function, because `$&` and the like mean something in a replacement text. */
function fill(template: string, hole: string, words: string): string {
  return template.replace(hole, () => words);
}

/**
 * Writes to stderr without waiting for it: no client has to read that pipe.
 *
 * What `console.error` cannot write is a request under way, which keeps the process alive. So what
 * the pipe does not take is kept here, up to a limit, and offered again.
 */
class Stderr {
  private waiting: Buffer[] = [];
  private offering = false;

  write(line: string): void {
    const size = this.waiting.reduce((sum, data) => sum + data.length, 0);
    if (size > LOG_WAITING_MAX_BYTES) return;
    this.waiting.push(Buffer.from(`${line}\n`));
    if (!this.offering) this.offer();
  }

  private offer(): void {
    this.offering = false;
    try {
      // Looking at the stream makes the pipe one that does not block; what others wrote there comes first.
      while (this.waiting[0] && !process.stderr.writableLength) {
        const rest = this.waiting[0].subarray(fs.writeSync(2, this.waiting[0]));
        if (rest.length) this.waiting[0] = rest;
        else this.waiting.shift();
      }
    } catch (error) {
      if (!isCode(error, "EAGAIN")) this.waiting = []; // closed
    }
    if (!this.waiting.length) return;
    this.offering = true;
    setTimeout(() => this.offer(), LOG_PAUSE_MS).unref();
  }
}

const stderr = new Stderr();

/** Delivers the reports of one server name to one sidecar. */
class Reporter {
  private readonly serverName: string;
  private readonly sdk: string;
  private readonly options: FeedbackOptions;
  private readonly spool: Spool;
  private working = false;
  private wake: (() => void) | undefined;
  private notBefore = 0; // what the last Retry-After asked for
  private names: (() => string[]) | undefined; // of the server registered last
  /** The names that were listed last, by any of the servers that share this reporter. */
  seen: string[] = [];

  constructor(serverName: string, sdk: string, options: FeedbackOptions) {
    this.serverName = serverName;
    this.sdk = sdk;
    this.options = options;
    this.spool = new Spool(serverName);
  }

  log(line: string): void {
    try {
      if (this.options.log) this.options.log(line);
      else stderr.write(line);
    } catch {
      // A logger of the author's own that fails is not the agent's trouble.
    }
  }

  /** Delivers a report and returns the answer for the agent. Never rejects. */
  async report(args: unknown, facts: Facts): Promise<string> {
    let outcome: Outcome;
    try {
      outcome = await this.attempt(args, facts);
    } catch (error) {
      // The agent must never pay for a fault of this file.
      outcome = lost(`internal error: ${error instanceof Error ? error.name : "unknown"}`);
      setImmediate(() => this.log(`patchworkmcp: the feedback tool failed: ${String(error)}`));
    }
    const { answer, unsent } = outcome;
    // After the answer, because a full stderr pipe would make it wait.
    if (unsent) setImmediate(() => this.logUnsent(unsent.reason, unsent.payload));
    return answer;
  }

  private logUnsent(reason: string, payload: Payload): void {
    this.log(`PATCHWORKMCP_UNSENT_FEEDBACK reason=${reason} payload=${JSON.stringify(payload)}`);
  }

  private async attempt(args: unknown, facts: Facts): Promise<Outcome> {
    const deadline = performance.now() + CALL_MS;
    const payload = buildPayload(args, this.serverName, this.sdk, facts);
    const missing = TEXTS.input_schema.required.filter((name) => !String(payload[name] ?? "").trim());
    if (missing.length) {
      const reason = missing.map((name) => `${name}: required`).join("; ");
      return { answer: fill(TEXTS.answers.refused, "{reason}", reason) };
    }
    const flight = { spool: this.spool, payload };
    keepOnExit(flight);
    try {
      return await this.deliver(payload, deadline);
    } finally {
      inFlight.delete(flight);
    }
  }

  private async deliver(payload: Payload, deadline: number): Promise<Outcome> {
    let reply = await this.send(payload, Math.max(deadline - performance.now(), CONNECT_MS), true);
    const wait = Math.max(RETRY_PAUSE_MS, reply.retryAfterMs ?? 0);
    const left = deadline - performance.now() - wait;
    if (passing(reply) && left > CONNECT_MS) {
      await pause(wait);
      reply = await this.send(payload, left, true);
    }

    if (stored(reply)) {
      this.startWorker(true);
      const known = isObject(reply.data) ? reply.data["known_answer"] : undefined;
      const words = typeof known === "string" ? known.trim() : "";
      return { answer: words ? fill(TEXTS.answers.known, "{answer}", words) : TEXTS.answers.recorded };
    }
    if (reply.status === 422) return { answer: fill(TEXTS.answers.refused, "{reason}", detailOf(reply)) };
    if (reply.status === 413) return lost("it is too large for the sidecar", { reason: reply.reason, payload });
    // Others may be at it too: what is left of the time is well spent.
    const notKept = await this.spool.add(reply.reason, payload, Math.max(deadline - performance.now(), LOCK_MS));
    if (notKept) return lost(`${reply.reason}, ${notKept}`, { reason: `${reply.reason},${notKept}`, payload });
    this.notBefore = performance.now() + (reply.retryAfterMs ?? 0);
    this.startWorker(false);
    return { answer: TEXTS.answers.queued, unsent: { reason: reply.reason, payload } };
  }

  private send(payload: Payload, ms: number, inCall: boolean): Promise<Reply> {
    return this.post("/api/feedback", payload, ms, inCall, { "Idempotency-Key": String(payload["id"] ?? "") });
  }

  private post(
    route: string,
    value: unknown,
    ms: number,
    inCall: boolean,
    extra: Record<string, string> = {},
  ): Promise<Reply> {
    // Read on each use: many servers load their .env file after the imports.
    const url = this.options.url || process.env["FEEDBACK_SIDECAR_URL"] || DEFAULT_URL;
    const key = (this.options.apiKey || process.env["FEEDBACK_API_KEY"] || "").trim();
    const body = Buffer.from(JSON.stringify(value));
    const headers: Record<string, string> = {
      "Content-Type": "application/json",
      "Content-Length": String(body.length),
      "User-Agent": `patchwork-drop-in-typescript/${VERSION}`,
      ...extra,
    };
    if (key) headers["Authorization"] = `Bearer ${key}`;
    return post(url, route, body, headers, ms, inCall);
  }

  // -- in the background

  /** Makes sure that somebody empties the spool; `wake`: now rather than after a pause. */
  private startWorker(wake: boolean): void {
    if (!this.spool.read().length) return;
    if (!this.working) {
      this.working = true;
      void this.work();
    } else if (wake) this.wake?.();
  }

  private async work(): Promise<void> {
    let length: number = BACKOFF_MS[0];
    while (this.working) {
      // Half to full length, so that the servers of a machine don't knock in step.
      const wait = Math.max(length * (0.5 + Math.random() / 2), this.notBefore - performance.now());
      const woken = await this.sleep(wait);
      length = woken ? BACKOFF_MS[0] : Math.min(length * 2, BACKOFF_MS[1]);
      try {
        const reply = await this.drain();
        this.notBefore = performance.now() + (reply?.retryAfterMs ?? 0);
      } catch (error) {
        this.log(`patchworkmcp: the spool of undelivered feedback cannot be worked on: ${String(error)}`);
      }
      this.working = this.spool.read().length > 0;
    }
  }

  /** Waits without keeping the process alive; true when something was delivered meanwhile. */
  private sleep(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ms).unref();
      this.wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  /** Sends what waits, oldest first; the reply that made it stop, if one did. */
  private async drain(): Promise<Reply | undefined> {
    const lock = this.spool.draining();
    if (!lock) return undefined; // another process of this server is at it
    try {
      for (const line of this.spool.read()) {
        lock.touch();
        const payload = payloadOf(line);
        if (!payload) {
          await this.spool.setAside(line);
          continue;
        }
        const reply = await this.send(payload, BACKGROUND_MS, false);
        const final = reply.status === 422 || reply.status === 413;
        if (final) this.logUnsent(reply.reason, payload);
        if (stored(reply) || final || aboutThisReport(reply)) await this.spool.settle(line, stored(reply) || final);
        if (!stored(reply) && !final) return reply;
      }
    } finally {
      lock.release();
    }
    return undefined;
  }

  /** Tells the sidecar that this server is there, a moment later, in the background, and now and then again. */
  heartbeatLater(names: () => string[]): void {
    const beating = this.names !== undefined;
    this.names = names;
    // Servers that are made for each session share one heart. They usually go on registering tools after this line of their code.
    if (!beating) this.beatIn(HEARTBEAT_DELAY_MS, BACKOFF_MS[0]);
  }

  private beatIn(ms: number, backoff: number): void {
    setTimeout(() => {
      void this.heartbeat().then((heard) => {
        // The sidecar may be started after the server; and one that was heard is missed when it falls silent.
        const length = heard ? HEARTBEAT_MS : backoff;
        const next = heard ? BACKOFF_MS[0] : Math.min(backoff * 2, HEARTBEAT_MS);
        this.beatIn(length * (0.5 + Math.random() / 2), next);
      });
    }, ms).unref();
  }

  private async heartbeat(): Promise<boolean> {
    try {
      this.startWorker(false); // for what an earlier process left behind
      const names = toolNames(this.names?.());
      const beat = {
        server_slug: this.serverName,
        tool_count: names.length,
        tool_names: names,
        drop_in: `typescript/${VERSION}`,
        sdk: this.sdk,
      };
      const { status } = await this.post("/api/v1/heartbeat/", beat, BACKGROUND_MS, false);
      return status === 200 || status === 201;
    } catch {
      return false; // best effort, and the author's own code may be at fault
    }
  }
}

const inFlight = new Set<{ spool: Spool; payload: Payload }>();
let watchesExit = false;

/** A client may close the server while a report is on its way; the next process sends it. */
function keepOnExit(flight: { spool: Spool; payload: Payload }): void {
  inFlight.add(flight);
  if (watchesExit) return;
  watchesExit = true;
  process.on("exit", () => {
    for (const { spool, payload } of inFlight) {
      try {
        spool.addNow("exit", payload);
      } catch {
        // No spool: there is nobody left to tell.
      }
    }
  });
}

const reporters = new Map<string, Reporter>();

/** One reporter, and so one background worker, per server name and sidecar. */
function reporterFor(serverName: string, sdk: string, options: FeedbackOptions): Reporter {
  const name = String(serverName || "unknown");
  const key = JSON.stringify([name, sdk, options.url ?? null, options.apiKey ?? null]);
  let reporter = reporters.get(key);
  if (!reporter) reporters.set(key, (reporter = new Reporter(name, sdk, options)));
  return reporter;
}

// ---------------------------------------------------------------------------------------------
// Public: plain functions

/**
 * Delivers a report and returns the answer for the agent. Never rejects.
 *
 * The optional facts are what the server itself knows; they outrank the agent's own words.
 */
export function sendFeedback(
  args: unknown,
  options: { serverName: string } & FeedbackOptions & FeedbackFacts,
): Promise<string> {
  const toolsAvailable = toolNames(options.toolsAvailable);
  return reporterFor(options.serverName, "none", options).report(args, { ...options, toolsAvailable });
}

/** Tells the sidecar, in the background, which tools this server has. Never throws. */
export function sendHeartbeat(serverName: string, names: readonly string[], options: FeedbackOptions = {}): void {
  reporterFor(serverName, "none", options).heartbeatLater(() => [...names]);
}

// ---------------------------------------------------------------------------------------------
// Public: registration

type Handler = (request: Request, extra: Extra) => unknown;
interface Request {
  params?: { name?: string; arguments?: unknown; cursor?: string };
}
/** What the handlers get beside the request; 2.x calls it the context. Each part is optional. */
interface Extra {
  sessionId?: string;
  requestInfo?: { headers?: Record<string, unknown> }; // 1.x, HTTP only
  http?: { req?: { headers?: Headers } }; // 2.x, HTTP only
  mcpReq?: { envelope?: Record<string, unknown> }; // 2.x
}
interface ListResult {
  tools: { name: string }[];
  nextCursor?: string;
}
/** The parts of a low-level `Server`, 1.x and 2.x, that are used here. */
interface LowLevel {
  _requestHandlers: Map<string, Handler>;
  _instructions?: string;
  _wrapHandler?: unknown; // 2.x only
  getClientVersion?: () => { name?: string; version?: string } | undefined;
  registerCapabilities: (capabilities: object) => void;
}
/** The parts of an `McpServer`, 1.x and 2.x, that are used here. */
interface HighLevel {
  server: LowLevel;
  registerTool: (name: string, config: object, handler: (...args: unknown[]) => unknown) => unknown;
  _registeredTools?: Record<string, { enabled?: boolean }>;
}

const registered = new WeakSet<object>();

/**
 * Adds the `feedback` tool to `server` and its text to the server's instructions.
 *
 * Registering a server again changes nothing. Throws a TypeError for an object that is none of
 * the servers named at the top of this file.
 */
export function registerFeedbackTool(server: object, serverName: string, options: FeedbackOptions = {}): void {
  const high = "registerTool" in server && "server" in server ? (server as HighLevel) : undefined;
  const low = (high?.server ?? server) as LowLevel;
  if (!(low._requestHandlers instanceof Map)) {
    throw new TypeError("this is not a known MCP server: call sendFeedback in its tool handler");
  }
  if (registered.has(low)) return;
  registered.add(low);

  const sdk = "_wrapHandler" in low ? "@modelcontextprotocol/server" : "@modelcontextprotocol/sdk";
  const reporter = reporterFor(serverName, `${sdk} ${versionOf(sdk)}`, options);
  if (high?._registeredTools?.[TOOL_NAME]) {
    reporter.log(
      `patchworkmcp: this server has a tool named "${TOOL_NAME}" already: it is kept, no feedback tool is added`,
    );
    return;
  }
  const names = () => {
    const tools = Object.entries(high?._registeredTools ?? {}).filter(([, tool]) => tool.enabled !== false);
    return tools.length ? tools.map(([name]) => name) : reporter.seen;
  };
  const answer = async (args: unknown, extra: Extra) => {
    const text = await reporter.report(
      args,
      factsOrNone(() => factsOf(low, extra, names())),
    );
    return { content: [{ type: "text", text }] };
  };
  if (high) addToHighLevel(high, answer);
  wrapHandlers(low, answer, (all) => {
    reporter.seen = all;
    if (!high) reporter.heartbeatLater(names); // only a client can list these tools
  });
  if (high) reporter.heartbeatLater(names);
  const present = low._instructions ?? "";
  if (!present.includes(INSTRUCTIONS)) low._instructions = present ? `${present}\n\n${INSTRUCTIONS}` : INSTRUCTIONS;
}

/** Makes the tool known to an `McpServer`, which then declares the capability and tells its clients. */
function addToHighLevel(server: HighLevel, answer: (args: unknown, extra: Extra) => unknown): void {
  const { title, description, annotations, inputSchema } = FEEDBACK_TOOL;
  // 1.x takes Zod only; the wrapped handlers show and accept the schema there.
  const modern = "_wrapHandler" in server.server;
  const json = () => inputSchema;
  const standard = {
    version: 1,
    vendor: "patchworkmcp",
    validate: (value: unknown) => ({ value }),
    jsonSchema: { input: json, output: json },
  };
  const config = { title, description, annotations };
  const handler = (...args: unknown[]) => answer(args.length > 1 ? args[0] : {}, (args.at(-1) ?? {}) as Extra);
  server.registerTool(TOOL_NAME, modern ? { ...config, inputSchema: { "~standard": standard } } : config, handler);
}

/**
 * Puts the tool, as it is given above, into what the server lists and answers its calls.
 *
 * The handlers are the same in both lines of the SDK once they are registered. Taking the calls
 * here keeps the SDK's own checks away from arguments that an agent made up.
 */
function wrapHandlers(
  server: LowLevel,
  answer: (args: unknown, extra: Extra) => unknown,
  listed: (names: string[]) => void,
): void {
  const oldList = server._requestHandlers.get("tools/list");
  const oldCall = server._requestHandlers.get("tools/call");
  if (!oldList) server.registerCapabilities({ tools: {} });
  let seen: string[] = [];

  server._requestHandlers.set("tools/list", async (request, extra) => {
    const result = (oldList ? await oldList(request, extra) : { tools: [] }) as ListResult;
    const tools = result.tools.filter((tool) => tool.name !== TOOL_NAME);
    const last = !result.nextCursor;
    const first = request.params?.cursor === undefined;
    seen = [...(first ? [] : seen), ...tools.map((tool) => tool.name), ...(last ? [TOOL_NAME] : [])];
    if (last) listed(seen);
    return { ...result, tools: last ? [...tools, FEEDBACK_TOOL] : tools };
  });
  server._requestHandlers.set("tools/call", (request, extra) => {
    if (request.params?.name === TOOL_NAME || !oldCall) return answer(request.params?.arguments, extra);
    return oldCall(request, extra);
  });
}

function factsOf(server: LowLevel, extra: Extra, names: string[]): Facts {
  const info = extra.mcpReq?.envelope?.["io.modelcontextprotocol/clientInfo"] ?? server.getClientVersion?.();
  const { name, version } = isObject(info) ? info : { name: undefined, version: undefined };
  const overHttp = extra.requestInfo !== undefined || extra.http !== undefined || extra.sessionId !== undefined;
  return {
    clientType: short(name),
    clientVersion: short(version),
    sessionId: extra.sessionId,
    toolsAvailable: names,
    fallbackSession: overHttp ? undefined : PROCESS_SESSION,
  };
}

function factsOrNone(read: () => Facts): Facts {
  try {
    return read();
  } catch {
    return {}; // a report without facts is better than none
  }
}

/** The installed version of a package, as seen from the program that runs. */
function versionOf(name: string): string {
  try {
    const folders = createRequire(path.resolve(process.argv[1] ?? "index.js")).resolve.paths(name) ?? [];
    for (const folder of folders) {
      const file = path.join(folder, name, "package.json");
      if (fs.existsSync(file)) return String(JSON.parse(fs.readFileSync(file, "utf8")).version);
    }
  } catch {
    // A bundle, for instance: there is nothing to look at.
  }
  return "unknown";
}

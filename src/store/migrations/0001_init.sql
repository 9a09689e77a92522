-- Released migrations never change: add a file instead.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Small columns first: a look at those never reads the overflow pages of long texts. Names that a report may leave out are NULL.
CREATE TABLE feedback (
    n               INTEGER PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    received_at     INTEGER NOT NULL,
    server_name     TEXT    NOT NULL COLLATE NOCASE,
    gap_type        TEXT    NOT NULL,
    resolution      TEXT,
    reviewed        INTEGER NOT NULL DEFAULT 0,
    note_count      INTEGER NOT NULL DEFAULT 0,
    drafted         INTEGER NOT NULL DEFAULT 0,
    merged          INTEGER NOT NULL DEFAULT 0,
    has_suggestion  INTEGER NOT NULL,
    client_type     TEXT COLLATE NOCASE,
    agent_model     TEXT COLLATE NOCASE,
    session_id      TEXT COLLATE NOCASE,
    pr_url          TEXT NOT NULL DEFAULT '',
    gap_type_raw    TEXT NOT NULL DEFAULT '',
    resolution_raw  TEXT NOT NULL DEFAULT '',
    what_i_needed   TEXT NOT NULL,
    what_i_tried    TEXT NOT NULL,
    suggestion      TEXT NOT NULL DEFAULT '',
    user_goal       TEXT NOT NULL DEFAULT '',
    tools_available TEXT NOT NULL DEFAULT '[]',
    extra           TEXT NOT NULL DEFAULT '{}'
) STRICT;

-- Everything that a filter asks about a report, in the order of the lists: a filter that nothing else serves looks through this, which is
-- a tenth of the table. An index per column would cost every report that arrives, and could serve one column at a time.
CREATE INDEX feedback_facts ON feedback (
    n, reviewed, drafted, merged, note_count, has_suggestion, gap_type, resolution, server_name, client_type, agent_model,
    received_at, session_id, pr_url
);
-- What can be narrow: few reports of one server or session among many.
CREATE INDEX feedback_server      ON feedback (server_name);
CREATE INDEX feedback_session     ON feedback (session_id) WHERE session_id IS NOT NULL;
-- Few reports have been touched by anybody, at first none. The words of the condition stand in store::query too.
CREATE INDEX feedback_touched ON feedback (n) WHERE drafted = 1 OR merged = 1 OR note_count > 0 OR pr_url <> '';
-- From a time to the range of row numbers.
CREATE INDEX feedback_received_at ON feedback (received_at);

-- How many reports have a value, kept with the rows: see store::counts.
CREATE TABLE counts (
    kind  TEXT    NOT NULL,
    value TEXT    NOT NULL COLLATE NOCASE,
    count INTEGER NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE notes (
    n          INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    feedback_n INTEGER NOT NULL REFERENCES feedback (n),
    at         INTEGER NOT NULL,
    author     TEXT    NOT NULL,
    content    TEXT    NOT NULL
) STRICT;
CREATE INDEX notes_feedback ON notes (feedback_n);

CREATE TABLE drafts (
    n             INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    feedback_n    INTEGER NOT NULL REFERENCES feedback (n),
    number        INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    stage         TEXT,
    reason        TEXT    NOT NULL DEFAULT '',
    branch        TEXT    NOT NULL DEFAULT '',
    commit_id     TEXT    NOT NULL DEFAULT '',
    pr_url        TEXT    NOT NULL DEFAULT '',
    repository    TEXT    NOT NULL DEFAULT '',
    drafter       TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    target        TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX drafts_feedback ON drafts (feedback_n);
-- One run of a report at a time, whoever asks.
CREATE UNIQUE INDEX drafts_active ON drafts (feedback_n) WHERE state IN ('queued', 'running');

CREATE TABLE draft_stages (
    draft_n    INTEGER NOT NULL REFERENCES drafts (n),
    stage      TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    details    TEXT    NOT NULL DEFAULT '[]',
    PRIMARY KEY (draft_n, stage)
) STRICT, WITHOUT ROWID;

-- What a run made, by name: base, files, change, diff, log.
CREATE TABLE draft_artifacts (
    draft_n INTEGER NOT NULL REFERENCES drafts (n),
    name    TEXT    NOT NULL,
    content TEXT    NOT NULL,
    PRIMARY KEY (draft_n, name)
) STRICT;

CREATE TABLE settings (
    key        TEXT PRIMARY KEY,
    value      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The log. A command's answer can be given again from its last event.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    door       TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    command    TEXT,
    made       TEXT    NOT NULL DEFAULT '',
    feedback_n INTEGER,
    draft_n    INTEGER,
    text       TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX events_command ON events (command) WHERE command IS NOT NULL;

-- Words made by domain::text::words, so the tokenizer only splits at spaces. Rebuilt from the log: see store::index.
-- The last word of a search is a beginning, and while somebody types it is a short one: without its own index, one letter
-- would mean to merge the reports of every word that begins with it.
CREATE VIRTUAL TABLE search USING fts5 (
    words, tools,
    content = '', contentless_delete = 1, tokenize = 'ascii', prefix = '1 2 3'
);

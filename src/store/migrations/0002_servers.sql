-- Released migrations never change: add a file instead.

-- One row a server, changed in place: a heartbeat may come every minute. Times are in milliseconds; see domain::server::Pulse.
CREATE TABLE servers (
    name        TEXT    PRIMARY KEY COLLATE NOCASE,
    first_heard INTEGER NOT NULL,
    last_heard  INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    beats       INTEGER NOT NULL,
    tool_names  TEXT    NOT NULL,
    tool_count  INTEGER NOT NULL,
    drop_in     TEXT    NOT NULL,
    sdk         TEXT    NOT NULL,
    client      TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX servers_last_heard ON servers (last_heard);

-- Unreviewed reports of each server: kept from now on, see store::counts.
INSERT INTO counts (kind, value, count)
    SELECT 'server_unreviewed', server_name, count(*) FROM feedback WHERE reviewed = 0 GROUP BY server_name;

-- A note that is handed to agents which meet the same gap: the author said so.
ALTER TABLE notes ADD COLUMN public INTEGER NOT NULL DEFAULT 0;
CREATE INDEX notes_public ON notes (n) WHERE public = 1;

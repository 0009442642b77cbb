-- Who of several nodes lives, and what moved. One process serves a file; the tables are here because the contract is one.

CREATE TABLE nodes (
    boot       TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    -- Somebody has acted for it: it stays dead, whatever the clock does.
    dead       INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- What transactions moved, the newest only. Each column is a JSON list of names, or of pairs of names.
CREATE TABLE moves (
    id        INTEGER NOT NULL PRIMARY KEY,
    -- Logs that grew, began anew or are gone.
    rooms     TEXT,
    -- Rooms in which something changed that has no number.
    changed   TEXT,
    -- Rooms with retained rows of a call.
    retained  TEXT,
    users     TEXT,
    markers   TEXT,
    documents TEXT
);

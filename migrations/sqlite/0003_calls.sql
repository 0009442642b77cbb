-- Calls: a projection of the log, but for `call_retained` and the quality of participants, which are kept newest only.
CREATE TABLE calls (
    room       TEXT    NOT NULL REFERENCES rooms (id),
    call       INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    started_by TEXT,
    media      TEXT    NOT NULL,
    carried    TEXT    NOT NULL,
    locked     INTEGER NOT NULL DEFAULT 0,
    lobby      INTEGER NOT NULL DEFAULT 0,
    ended_at   INTEGER,
    reason     TEXT,
    PRIMARY KEY (room, call)
) WITHOUT ROWID;
CREATE INDEX calls_running ON calls (room) WHERE ended_at IS NULL;
CREATE INDEX calls_starter ON calls (started_by) WHERE started_by IS NOT NULL;

CREATE TABLE call_participants (
    room      TEXT    NOT NULL REFERENCES rooms (id),
    joined    INTEGER NOT NULL,
    call      INTEGER NOT NULL,
    session   TEXT    NOT NULL,
    user_id   TEXT,
    device    TEXT,
    joined_at INTEGER NOT NULL,
    left_at   INTEGER,
    reason    TEXT,
    quality   TEXT,
    PRIMARY KEY (room, joined)
) WITHOUT ROWID;
CREATE INDEX call_participants_call ON call_participants (room, call, joined);
CREATE INDEX call_participants_user ON call_participants (user_id) WHERE user_id IS NOT NULL;

-- Whose devices ring (`at` is until when), who waits (since when), who was let in or removed, what is locked.
CREATE TABLE call_marks (
    room    TEXT    NOT NULL REFERENCES rooms (id),
    call    INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    user_id TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (room, call, kind, name)
) WITHOUT ROWID;
CREATE INDEX call_marks_user ON call_marks (user_id);

CREATE TABLE call_retained (
    room  TEXT    NOT NULL REFERENCES rooms (id),
    call  INTEGER NOT NULL,
    key   TEXT    NOT NULL,
    value TEXT    NOT NULL,
    PRIMARY KEY (room, call, key)
) WITHOUT ROWID;

-- Calls: a projection of the log, but for `call_retained` and the quality of participants, which are kept newest only.
CREATE TABLE calls (
    room       TEXT COLLATE "C" NOT NULL REFERENCES rooms (id),
    call       BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    started_by TEXT COLLATE "C",
    media      TEXT COLLATE "C" NOT NULL,
    carried    TEXT COLLATE "C" NOT NULL,
    locked     BIGINT NOT NULL DEFAULT 0,
    lobby      BIGINT NOT NULL DEFAULT 0,
    ended_at   BIGINT,
    reason     TEXT COLLATE "C",
    PRIMARY KEY (room, call)
);
CREATE INDEX calls_running ON calls (room) WHERE ended_at IS NULL;
CREATE INDEX calls_starter ON calls (started_by) WHERE started_by IS NOT NULL;

CREATE TABLE call_participants (
    room      TEXT COLLATE "C" NOT NULL REFERENCES rooms (id),
    joined    BIGINT NOT NULL,
    call      BIGINT NOT NULL,
    session   TEXT COLLATE "C" NOT NULL,
    user_id   TEXT COLLATE "C",
    device    TEXT,
    joined_at BIGINT NOT NULL,
    left_at   BIGINT,
    reason    TEXT,
    quality   TEXT,
    PRIMARY KEY (room, joined)
);
CREATE INDEX call_participants_call ON call_participants (room, call, joined);
CREATE INDEX call_participants_user ON call_participants (user_id) WHERE user_id IS NOT NULL;

-- Whose devices ring (`at` is until when), who waits (since when), who was let in or removed, what is locked.
CREATE TABLE call_marks (
    room    TEXT COLLATE "C" NOT NULL REFERENCES rooms (id),
    call    BIGINT NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (room, call, kind, name)
);
CREATE INDEX call_marks_user ON call_marks (user_id);

CREATE TABLE call_retained (
    room  TEXT COLLATE "C" NOT NULL REFERENCES rooms (id),
    call  BIGINT NOT NULL,
    key   TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (room, call, key)
);

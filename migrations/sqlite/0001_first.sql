-- The log, and the state tables that are a projection of it. Ids are text as they travel; places are integers up to
-- 2^53 - 1; times are milliseconds since the Unix epoch; JSON is text.

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
-- The epoch of logs of users who have no row yet.
INSERT INTO settings (name, value) VALUES ('user_epoch', lower(hex(randomblob(8))));

CREATE TABLE rooms (
    id             TEXT    NOT NULL PRIMARY KEY,
    epoch          TEXT    NOT NULL,
    head_seq       INTEGER NOT NULL DEFAULT 0,
    -- NULL while the room is reserved and not created.
    kind           TEXT,
    title          TEXT    NOT NULL DEFAULT '',
    topic          TEXT    NOT NULL DEFAULT '',
    history        TEXT    NOT NULL DEFAULT 'all',
    slow_mode_s    INTEGER NOT NULL DEFAULT 0,
    archived       INTEGER NOT NULL DEFAULT 0,
    retention_days INTEGER,
    data           TEXT,
    created_at     INTEGER NOT NULL DEFAULT 0,
    creator        TEXT,
    last_at        INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX rooms_retention ON rooms (id) WHERE retention_days IS NOT NULL;
CREATE INDEX rooms_creator ON rooms (creator) WHERE creator IS NOT NULL;

CREATE TABLE events (
    room    TEXT    NOT NULL REFERENCES rooms (id),
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    v       INTEGER NOT NULL,
    sender  TEXT,
    key     TEXT,
    digest  BLOB,
    -- The message that the event is about, and the user.
    target  INTEGER,
    subject TEXT,
    -- NULL when erased.
    body    TEXT,
    -- What stays of an erased message: its links.
    stub    TEXT,
    PRIMARY KEY (room, seq)
);
CREATE UNIQUE INDEX events_key ON events (sender, room, key) WHERE sender IS NOT NULL;
CREATE INDEX events_target ON events (room, target) WHERE target IS NOT NULL;
CREATE INDEX events_subject ON events (subject) WHERE subject IS NOT NULL;

CREATE TABLE messages (
    id           INTEGER PRIMARY KEY,
    room         TEXT    NOT NULL REFERENCES rooms (id),
    seq          INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    sender       TEXT,
    text         TEXT    NOT NULL,
    mentions     TEXT,
    mention_all  INTEGER NOT NULL DEFAULT 0,
    reply_to     INTEGER,
    thread       INTEGER,
    announcement INTEGER NOT NULL DEFAULT 0,
    data         TEXT,
    edited_at    INTEGER,
    deleted      INTEGER NOT NULL DEFAULT 0,
    UNIQUE (room, seq)
);
CREATE INDEX messages_main ON messages (room, seq) WHERE thread IS NULL;
CREATE INDEX messages_thread ON messages (room, thread, seq) WHERE thread IS NOT NULL;
CREATE INDEX messages_all ON messages (room, seq) WHERE mention_all = 1;

-- The index holds no copy of the words beside its terms; triggers keep it, so no writer can forget it. Terms of
-- deleted messages leave its pages at once.
CREATE VIRTUAL TABLE search USING fts5 (
    text, content = 'messages', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 0', detail = full
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER messages_insert AFTER INSERT ON messages WHEN NEW.deleted = 0 BEGIN
    INSERT INTO search (rowid, text) VALUES (NEW.id, NEW.text);
END;
CREATE TRIGGER messages_update AFTER UPDATE OF text, deleted ON messages BEGIN
    INSERT INTO search (search, rowid, text) SELECT 'delete', OLD.id, OLD.text WHERE OLD.deleted = 0;
    INSERT INTO search (rowid, text) SELECT NEW.id, NEW.text WHERE NEW.deleted = 0;
END;
CREATE TRIGGER messages_delete AFTER DELETE ON messages WHEN OLD.deleted = 0 BEGIN
    INSERT INTO search (search, rowid, text) VALUES ('delete', OLD.id, OLD.text);
END;

CREATE TABLE reactions (
    room    TEXT    NOT NULL REFERENCES rooms (id),
    seq     INTEGER NOT NULL,
    emoji   TEXT    NOT NULL,
    user_id TEXT    NOT NULL,
    -- The event that added it: the order in which people are named.
    place   INTEGER NOT NULL,
    PRIMARY KEY (room, seq, emoji, user_id)
) WITHOUT ROWID;
CREATE INDEX reactions_user ON reactions (user_id);

-- Whom a message mentions, earlier versions included (`shown` = 0), so that an erasure finds every body.
CREATE TABLE mentions (
    user_id TEXT    NOT NULL,
    room    TEXT    NOT NULL REFERENCES rooms (id),
    seq     INTEGER NOT NULL,
    shown   INTEGER NOT NULL,
    PRIMARY KEY (user_id, room, seq)
) WITHOUT ROWID;
CREATE INDEX mentions_message ON mentions (room, seq);

CREATE TABLE pins (
    room  TEXT    NOT NULL REFERENCES rooms (id),
    seq   INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (room, seq)
) WITHOUT ROWID;

CREATE TABLE members (
    room         TEXT    NOT NULL REFERENCES rooms (id),
    user_id      TEXT    NOT NULL,
    role         TEXT    NOT NULL,
    capabilities TEXT,
    muted_until  INTEGER,
    joined_seq   INTEGER NOT NULL,
    joined_at    INTEGER NOT NULL,
    data         TEXT,
    PRIMARY KEY (room, user_id)
) WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id, room);

CREATE TABLE bans (
    room       TEXT NOT NULL REFERENCES rooms (id),
    user_id    TEXT NOT NULL,
    until_ms   INTEGER,
    reason     TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (room, user_id)
) WITHOUT ROWID;
CREATE INDEX bans_user ON bans (user_id);

CREATE TABLE markers (
    room    TEXT    NOT NULL REFERENCES rooms (id),
    user_id TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (room, user_id)
) WITHOUT ROWID;
CREATE INDEX markers_user ON markers (user_id);

CREATE TABLE users (
    id             TEXT    NOT NULL PRIMARY KEY,
    epoch          TEXT    NOT NULL,
    head_seq       INTEGER NOT NULL DEFAULT 0,
    revoked_before INTEGER NOT NULL DEFAULT 0,
    name           TEXT,
    avatar         TEXT,
    status         TEXT    NOT NULL DEFAULT '',
    last_seen      INTEGER
);

CREATE TABLE user_events (
    user_id TEXT    NOT NULL REFERENCES users (id),
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    v       INTEGER NOT NULL,
    sender  TEXT,
    key     TEXT,
    digest  BLOB,
    body    TEXT,
    PRIMARY KEY (user_id, seq)
);
CREATE UNIQUE INDEX user_events_key ON user_events (user_id, coalesce(sender, ''), key) WHERE key IS NOT NULL;
CREATE INDEX user_events_sender ON user_events (sender) WHERE sender IS NOT NULL;

-- The log, and the state tables that are a projection of it. Ids are text as they travel, ordered by bytes as in the
-- server; places are integers up to 2^53 - 1; times are milliseconds since the Unix epoch; JSON is text. There are no
-- foreign keys: their triggers would cost more than the rows, and one writer, which holds the room's lock, writes all.

CREATE TABLE settings (
    name  text COLLATE "C" NOT NULL PRIMARY KEY,
    value text NOT NULL
);
-- The epoch of logs of users who have no row yet.
INSERT INTO settings (name, value) VALUES ('user_epoch', substr(replace(gen_random_uuid()::text, '-', ''), 1, 16));

CREATE TABLE rooms (
    id             text COLLATE "C" NOT NULL PRIMARY KEY,
    epoch          text COLLATE "C" NOT NULL,
    head_seq       bigint NOT NULL DEFAULT 0,
    -- NULL while the room is reserved and not created.
    kind           text,
    title          text    NOT NULL DEFAULT '',
    topic          text    NOT NULL DEFAULT '',
    history        text    NOT NULL DEFAULT 'all',
    slow_mode_s    bigint NOT NULL DEFAULT 0,
    archived       boolean NOT NULL DEFAULT false,
    retention_days bigint,
    data           text,
    created_at     bigint NOT NULL DEFAULT 0,
    creator        text COLLATE "C",
    last_at        bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 60);
CREATE INDEX rooms_retention ON rooms (id) WHERE retention_days IS NOT NULL;
CREATE INDEX rooms_creator ON rooms (creator) WHERE creator IS NOT NULL;

CREATE TABLE events (
    room    text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    at      bigint NOT NULL,
    kind    text    NOT NULL,
    v       smallint NOT NULL,
    sender  text COLLATE "C",
    key     text COLLATE "C",
    digest  bytea,
    -- The message that the event is about, and the user.
    target  bigint,
    subject text COLLATE "C",
    -- NULL when erased.
    body    text,
    -- What stays of an erased message: its links.
    stub    text,
    PRIMARY KEY (room, seq)
);
CREATE UNIQUE INDEX events_key ON events (sender, room, key) WHERE sender IS NOT NULL;
CREATE INDEX events_target ON events (room, target) WHERE target IS NOT NULL;
CREATE INDEX events_subject ON events (subject) WHERE subject IS NOT NULL;

CREATE TABLE messages (
    room         text COLLATE "C" NOT NULL,
    seq          bigint NOT NULL,
    at           bigint NOT NULL,
    sender       text COLLATE "C",
    text         text    NOT NULL,
    mentions     text,
    mention_all  boolean NOT NULL DEFAULT false,
    reply_to     bigint,
    thread       bigint,
    announcement boolean NOT NULL DEFAULT false,
    data         text,
    edited_at    bigint,
    deleted      boolean NOT NULL DEFAULT false,
    -- The different words, lower case, and the room's id behind a `@`: a message is found by one index.
    words        text[]  COLLATE "C" NOT NULL DEFAULT '{}',
    PRIMARY KEY (room, seq)
);
CREATE INDEX messages_main ON messages (room, seq) WHERE thread IS NULL;
CREATE INDEX messages_thread ON messages (room, thread, seq) WHERE thread IS NOT NULL;
CREATE INDEX messages_all ON messages (room, seq) WHERE mention_all;
-- New words wait in the index's pending list, which a search reads too; the server merges it in the background, so that
-- no writer does while it holds a room's lock. The limit, in KiB, is for when nobody merges.
CREATE INDEX messages_words ON messages USING gin (words) WITH (fastupdate = on, gin_pending_list_limit = 524288);

CREATE TABLE reactions (
    room    text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    emoji   text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    -- The event that added it: the order in which people are named.
    place   bigint NOT NULL,
    PRIMARY KEY (room, seq, emoji, user_id)
);
CREATE INDEX reactions_user ON reactions (user_id);

-- Whom a message mentions, earlier versions included (not `shown`), so that an erasure finds every body.
CREATE TABLE mentions (
    user_id text COLLATE "C" NOT NULL,
    room    text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    shown   boolean NOT NULL,
    PRIMARY KEY (user_id, room, seq)
);
CREATE INDEX mentions_message ON mentions (room, seq);

CREATE TABLE pins (
    room  text COLLATE "C" NOT NULL,
    seq   bigint NOT NULL,
    place bigint NOT NULL,
    PRIMARY KEY (room, seq)
);

CREATE TABLE members (
    room         text COLLATE "C" NOT NULL,
    user_id      text COLLATE "C" NOT NULL,
    role         text    NOT NULL,
    capabilities text,
    muted_until  bigint,
    joined_seq   bigint NOT NULL,
    joined_at    bigint NOT NULL,
    data         text,
    PRIMARY KEY (room, user_id)
);
CREATE INDEX members_user ON members (user_id, room);

CREATE TABLE bans (
    room       text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    until_ms   bigint,
    reason     text NOT NULL DEFAULT '',
    PRIMARY KEY (room, user_id)
);
CREATE INDEX bans_user ON bans (user_id);

CREATE TABLE markers (
    room    text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (room, user_id)
) WITH (fillfactor = 60);
CREATE INDEX markers_user ON markers (user_id);

CREATE TABLE users (
    id             text COLLATE "C" NOT NULL PRIMARY KEY,
    epoch          text COLLATE "C" NOT NULL,
    head_seq       bigint NOT NULL DEFAULT 0,
    revoked_before bigint NOT NULL DEFAULT 0,
    name           text COLLATE "C",
    avatar         text,
    status         text    NOT NULL DEFAULT '',
    last_seen      bigint
) WITH (fillfactor = 60);

CREATE TABLE user_events (
    user_id text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    at      bigint NOT NULL,
    kind    text    NOT NULL,
    v       smallint NOT NULL,
    sender  text COLLATE "C",
    key     text COLLATE "C",
    digest  bytea,
    body    text,
    PRIMARY KEY (user_id, seq)
);
CREATE UNIQUE INDEX user_events_key ON user_events (user_id, coalesce(sender, ''), key) WHERE key IS NOT NULL;
CREATE INDEX user_events_sender ON user_events (sender) WHERE sender IS NOT NULL;

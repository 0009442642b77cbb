-- Invites and join links. The code is kept as a keyed hash; `kind` is `invite` or `join`. Without a creator it is the
-- host application's. Ids begin with the time, so that their order is that of creation.
CREATE TABLE links (
    id         TEXT    NOT NULL PRIMARY KEY,
    room       TEXT    NOT NULL REFERENCES rooms (id),
    kind       TEXT    NOT NULL,
    code       BLOB    NOT NULL,
    role       TEXT    NOT NULL,
    name       TEXT,
    creator    TEXT,
    created_at INTEGER NOT NULL,
    not_before INTEGER,
    expires_at INTEGER,
    uses       INTEGER,
    used       INTEGER NOT NULL DEFAULT 0,
    revoked_at INTEGER
);
CREATE UNIQUE INDEX links_code ON links (code);
CREATE INDEX links_room ON links (room, id);
CREATE INDEX links_creator ON links (creator) WHERE creator IS NOT NULL;

-- People without an account, and the keyed hash of the secret by which they stay who they are.
CREATE TABLE guests (
    user_id    TEXT    NOT NULL PRIMARY KEY,
    link       TEXT    NOT NULL REFERENCES links (id),
    secret     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX guests_secret ON guests (secret);
CREATE INDEX guests_link ON guests (link, user_id);

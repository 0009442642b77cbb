-- Shared documents: records, content, versions, and images beside them. Content is Yjs updates (v1).

-- Records, a projection of the log. The room's first board has one only once something was written about it.
CREATE TABLE documents (
    room       TEXT    NOT NULL REFERENCES rooms (id),
    document   TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    title      TEXT    NOT NULL DEFAULT '',
    -- JSON of who may edit.
    edit       TEXT    NOT NULL,
    locked     INTEGER NOT NULL DEFAULT 0,
    data       TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (room, document)
) WITHOUT ROWID;

-- The state up to `folded`, as one update; what came later is in the table below.
CREATE TABLE document_states (
    room     TEXT    NOT NULL REFERENCES rooms (id),
    document TEXT    NOT NULL,
    -- One life of the content: a replica of another life must not be merged with it.
    epoch    TEXT    NOT NULL,
    head     INTEGER NOT NULL DEFAULT 0,
    folded   INTEGER NOT NULL DEFAULT 0,
    content  BLOB,
    PRIMARY KEY (room, document)
);

CREATE TABLE document_updates (
    room     TEXT    NOT NULL REFERENCES rooms (id),
    document TEXT    NOT NULL,
    seq      INTEGER NOT NULL,
    content  BLOB    NOT NULL,
    PRIMARY KEY (room, document, seq)
);

-- Who first wrote under a Yjs client id; NULL after their erasure: then nobody writes under it any more.
CREATE TABLE document_clients (
    room     TEXT    NOT NULL REFERENCES rooms (id),
    document TEXT    NOT NULL,
    client   INTEGER NOT NULL,
    user_id  TEXT,
    PRIMARY KEY (room, document, client)
) WITHOUT ROWID;
CREATE INDEX document_clients_user ON document_clients (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE document_versions (
    room     TEXT    NOT NULL REFERENCES rooms (id),
    document TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    title    TEXT    NOT NULL DEFAULT '',
    user_id  TEXT,
    size     INTEGER NOT NULL,
    content  BLOB    NOT NULL,
    PRIMARY KEY (room, document, version)
);
CREATE INDEX document_versions_user ON document_versions (user_id) WHERE user_id IS NOT NULL;

-- Images, named by their content (SHA-256 in hexadecimal), once per room.
CREATE TABLE blobs (
    room    TEXT    NOT NULL REFERENCES rooms (id),
    hash    TEXT    NOT NULL,
    media   TEXT    NOT NULL,
    size    INTEGER NOT NULL,
    width   INTEGER NOT NULL,
    height  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    user_id TEXT,
    content BLOB    NOT NULL,
    PRIMARY KEY (room, hash)
);
CREATE INDEX blobs_user ON blobs (user_id) WHERE user_id IS NOT NULL;

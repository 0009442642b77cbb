-- Shared documents: records, content, versions, and images beside them. Content is Yjs updates (v1).

-- Records, a projection of the log. The room's first board has one only once something was written about it.
CREATE TABLE documents (
    room       text COLLATE "C" NOT NULL,
    document   text COLLATE "C" NOT NULL,
    kind       text    NOT NULL,
    title      text    NOT NULL DEFAULT '',
    -- JSON of who may edit.
    edit       text    NOT NULL,
    locked     boolean NOT NULL DEFAULT false,
    data       text,
    created_at bigint  NOT NULL,
    PRIMARY KEY (room, document)
);

-- The state up to `folded`, as one update; what came later is in the table below.
CREATE TABLE document_states (
    room     text COLLATE "C" NOT NULL,
    document text COLLATE "C" NOT NULL,
    -- One life of the content: a replica of another life must not be merged with it.
    epoch    text COLLATE "C" NOT NULL,
    head     bigint NOT NULL DEFAULT 0,
    folded   bigint NOT NULL DEFAULT 0,
    content  bytea,
    PRIMARY KEY (room, document)
) WITH (fillfactor = 60);

CREATE TABLE document_updates (
    room     text COLLATE "C" NOT NULL,
    document text COLLATE "C" NOT NULL,
    seq      bigint NOT NULL,
    content  bytea  NOT NULL,
    PRIMARY KEY (room, document, seq)
);

-- Who first wrote under a Yjs client id; NULL after their erasure: then nobody writes under it any more.
CREATE TABLE document_clients (
    room     text COLLATE "C" NOT NULL,
    document text COLLATE "C" NOT NULL,
    client   bigint NOT NULL,
    user_id  text COLLATE "C",
    PRIMARY KEY (room, document, client)
);
CREATE INDEX document_clients_user ON document_clients (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE document_versions (
    room     text COLLATE "C" NOT NULL,
    document text COLLATE "C" NOT NULL,
    version  bigint NOT NULL,
    at       bigint NOT NULL,
    reason   text   NOT NULL,
    title    text   NOT NULL DEFAULT '',
    user_id  text COLLATE "C",
    size     bigint NOT NULL,
    content  bytea  NOT NULL,
    PRIMARY KEY (room, document, version)
);
CREATE INDEX document_versions_user ON document_versions (user_id) WHERE user_id IS NOT NULL;

-- Images, named by their content (SHA-256 in hexadecimal), once per room.
CREATE TABLE blobs (
    room    text COLLATE "C" NOT NULL,
    hash    text COLLATE "C" NOT NULL,
    media   text   NOT NULL,
    size    bigint NOT NULL,
    width   bigint NOT NULL,
    height  bigint NOT NULL,
    at      bigint NOT NULL,
    user_id text COLLATE "C",
    content bytea  NOT NULL,
    PRIMARY KEY (room, hash)
);
CREATE INDEX blobs_user ON blobs (user_id) WHERE user_id IS NOT NULL;

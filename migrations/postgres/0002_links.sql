-- Invites and join links. The code is kept as a keyed hash; `kind` is `invite` or `join`. Without a creator it is the
-- host application's. Ids begin with the time, so that their order is that of creation.
CREATE TABLE links (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    room       text COLLATE "C" NOT NULL,
    kind       text   NOT NULL,
    code       bytea  NOT NULL,
    role       text   NOT NULL,
    name       text,
    creator    text COLLATE "C",
    created_at bigint NOT NULL,
    not_before bigint,
    expires_at bigint,
    uses       bigint,
    used       bigint NOT NULL DEFAULT 0,
    revoked_at bigint
);
CREATE UNIQUE INDEX links_code ON links (code);
CREATE INDEX links_room ON links (room, id);
CREATE INDEX links_creator ON links (creator) WHERE creator IS NOT NULL;

-- People without an account, and the keyed hash of the secret by which they stay who they are.
CREATE TABLE guests (
    user_id    text COLLATE "C" NOT NULL PRIMARY KEY,
    link       text COLLATE "C" NOT NULL,
    secret     bytea  NOT NULL,
    created_at bigint NOT NULL
);
CREATE UNIQUE INDEX guests_secret ON guests (secret);
CREATE INDEX guests_link ON guests (link, user_id);

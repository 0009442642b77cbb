-- Several nodes on one database: who of them lives, and what moved.

-- Leases. The clock is the database's.
CREATE TABLE nodes (
    boot       text COLLATE "C" NOT NULL PRIMARY KEY,
    name       text    NOT NULL,
    expires_at bigint  NOT NULL,
    -- Somebody has acted for it: it stays dead, whatever the clock does.
    dead       boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);

-- What a transaction moved, written with it and dropped a minute or two later. A column of `rooms` would tell the same,
-- but an index over it would take every message's update of its room out of the heap-only path.
CREATE TABLE moves (
    xact           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- Logs that grew, began anew or are gone.
    rooms          text[] COLLATE "C",
    -- Rooms in which something changed that has no number.
    changed        text[] COLLATE "C",
    -- Rooms with retained rows of a call.
    retained       text[] COLLATE "C",
    users          text[] COLLATE "C",
    -- Pairs of the same place.
    marker_rooms   text[] COLLATE "C",
    marker_users   text[] COLLATE "C",
    document_rooms text[] COLLATE "C",
    documents      text[] COLLATE "C"
);
CREATE INDEX moves_xact ON moves (xact);

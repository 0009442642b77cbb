-- What was logged about documents names people in their rights: found without reading the whole log when one is erased.
CREATE INDEX events_documents ON events (room, seq) WHERE kind IN ('document.created', 'document.updated');

-- When it was last looked whether anything names an image, and since when nothing does.
ALTER TABLE blobs ADD COLUMN checked_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blobs ADD COLUMN unused_since INTEGER;
CREATE INDEX blobs_checked ON blobs (checked_at);

//! Shared documents and images.

use super::{conn::Conn, write::each};
use crate::storage::{Result, projection::Changes};

/// Writes a batch's changes of documents' records. A deleted document takes its content along.
pub async fn records(conn: &mut Conn, changes: &Changes) -> Result<()> {
    const GONE: [&str; 5] = [
        "DELETE FROM document_versions x USING json_to_recordset($1::json) AS c (room text, document text)
          WHERE x.room = c.room AND x.document = c.document",
        "DELETE FROM document_clients x USING json_to_recordset($1::json) AS c (room text, document text)
          WHERE x.room = c.room AND x.document = c.document",
        "DELETE FROM document_updates x USING json_to_recordset($1::json) AS c (room text, document text)
          WHERE x.room = c.room AND x.document = c.document",
        "DELETE FROM document_states x USING json_to_recordset($1::json) AS c (room text, document text)
          WHERE x.room = c.room AND x.document = c.document",
        "DELETE FROM documents x USING json_to_recordset($1::json) AS c (room text, document text)
          WHERE x.room = c.room AND x.document = c.document",
    ];
    const PUT: &str = "
        INSERT INTO documents (room, document, kind, title, edit, locked, data, created_at)
        SELECT room, document, kind, title, edit, locked, data, created_at
          FROM json_to_recordset($1::json) AS c (room text, document text, kind text, title text, edit text,
            locked boolean, data text, created_at bigint)
        ON CONFLICT (room, document) DO UPDATE SET kind = excluded.kind, title = excluded.title, edit = excluded.edit,
            locked = excluded.locked, data = excluded.data, created_at = excluded.created_at";
    for sql in GONE {
        each(conn, sql, &changes.undocuments).await?;
    }
    each(conn, PUT, &changes.documents).await.map(drop)
}

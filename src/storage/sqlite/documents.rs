//! Shared documents and images.

use super::write::each;
use crate::storage::{Result, projection::Changes};
use sqlx::SqliteConnection;

/// Writes a batch's changes of documents' records. A deleted document takes its content along.
pub async fn records(conn: &mut SqliteConnection, changes: &Changes) -> Result<()> {
    const GONE: [&str; 5] = [
        "DELETE FROM document_versions
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
        "DELETE FROM document_clients
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
        "DELETE FROM document_updates
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
        "DELETE FROM document_states
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
        "DELETE FROM documents
          WHERE (room, document) IN (SELECT value ->> 'room', value ->> 'document' FROM json_each(?1))",
    ];
    const PUT: &str = "
        INSERT OR REPLACE INTO documents (room, document, kind, title, edit, locked, data, created_at)
        SELECT value ->> 'room', value ->> 'document', value ->> 'kind', value ->> 'title', value ->> 'edit',
            value ->> 'locked', value ->> 'data', value ->> 'created_at'
          FROM json_each(?1)";
    for sql in GONE {
        each(conn, sql, &changes.undocuments).await?;
    }
    each(conn, PUT, &changes.documents).await.map(drop)
}

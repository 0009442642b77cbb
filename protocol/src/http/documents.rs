//! Shared documents.

use crate::Millis;
use serde::{Deserialize, Serialize};

bodies! {
    /// A page of versions.
    VersionsQuery {
        /// Older than this one: the `next` of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// Rows, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }
    /// A document that is to be.
    DocumentBody {
        /// What it is.
        kind: crate::DocumentKind,
        /// Shown above it.
        #[serde(default)]
        title: String,
        /// Who may edit.
        #[serde(default)]
        edit: crate::EditRight,
        /// Only those who manage the room may edit.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        locked: bool,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<crate::Data>,
    }
    /// Changes of a document's record; absent fields stay.
    DocumentChange {
        /// Shown above it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Who may edit, as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edit: Option<crate::EditRight>,
        /// Only those who manage the room may edit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locked: Option<bool>,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<crate::Data>,
    }
    /// A version that is to be kept.
    VersionBody {
        /// Its name.
        title: String,
    }
    /// Documents of a room.
    DocumentPage {
        /// Their records, the room's first board at first.
        documents: Vec<crate::DocumentInfo>,
    }
    /// What opens a document for a plain Yjs provider.
    DocumentTicket {
        /// For the query of `/v1/yjs/{room}/{document}`.
        ticket: String,
        /// Until when it opens.
        expires_at: Millis,
    }
    /// An image beside the documents.
    Blob {
        /// SHA-256 of its content, in hexadecimal: its name.
        hash: String,
        /// Its media type, found by looking at its content.
        media: String,
        /// Bytes.
        size: u64,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    }
    /// A page of versions, newest first.
    VersionPage {
        /// The rows.
        versions: Vec<crate::DocumentVersion>,
        /// Where the next page begins; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
}

//! The bounds of what travels. Each is named once, here, with its reason.

/// Largest text frame after `hello`, bytes. A full message with its data and mentions fits twice.
pub const FRAME_BYTES: usize = 64 * 1024;
/// Largest frame before `hello`, bytes: a token is the largest thing a stranger may say.
pub const HELLO_FRAME_BYTES: usize = 4 * 1024;
/// Longest room id, characters, as the URL limits of host applications allow.
pub const ROOM_ID_CHARS: usize = 128;
/// Longest user id, bytes: OpenID Connect Core section 2 bounds `sub` to 255.
pub const USER_ID_BYTES: usize = 255;
/// Longest idempotency key, characters: a UUID and a prefix.
pub const KEY_CHARS: usize = 64;
/// Longest message, bytes of UTF-8: about eight printed pages.
pub const TEXT_BYTES: usize = 16 * 1024;
/// Longest title or display name, bytes.
pub const TITLE_BYTES: usize = 256;
/// Longest topic, bytes.
pub const TOPIC_BYTES: usize = 2 * 1024;
/// Longest status text of a user, bytes.
pub const STATUS_BYTES: usize = 256;
/// Longest URL of an avatar, bytes.
pub const URL_BYTES: usize = 2 * 1024;
/// Longest reaction, bytes: the longest emoji sequence of Unicode 16 has 35.
pub const EMOJI_BYTES: usize = 64;
/// Most users mentioned by one message; more is an announcement.
pub const MENTIONS: usize = 50;
/// Largest `data` of the host application, bytes of JSON.
pub const DATA_BYTES: usize = 8 * 1024;
/// Deepest nesting of `data`.
pub const DATA_DEPTH: usize = 16;
/// Longest search query, bytes.
pub const QUERY_BYTES: usize = 256;
/// Most rows of one page.
pub const PAGE: u32 = 200;
/// Rows of a page when the client names no number.
pub const PAGE_DEFAULT: u32 = 50;
/// Messages in a snapshot.
pub const SNAPSHOT_MESSAGES: u32 = 50;
/// Members that a snapshot lists; a larger room tells the count and is paged.
pub const SNAPSHOT_MEMBERS: usize = 200;
/// Users whose presence is told one by one; a larger room tells the count and is paged.
pub const PRESENCE_EACH: usize = 200;
/// Typing users that are named; further ones are a count.
pub const TYPING_NAMES: usize = 5;
/// Members in one bulk change.
pub const BULK_MEMBERS: usize = 1000;
/// Pins of one room.
pub const PINS: usize = 50;
/// Distinct reactions on one message.
pub const REACTIONS: usize = 20;
/// Users of a reaction that are named; further ones are a count.
pub const REACTION_USERS: usize = 20;
/// Profiles asked for at once.
pub const PROFILES: usize = 100;
/// Longest document id, characters.
pub const DOCUMENT_ID_CHARS: usize = 64;
/// Documents of one room: their records are kept in memory with the room.
pub const DOCUMENTS: usize = 50;
/// Most people that a document's rights name one by one.
pub const EDITORS: usize = 200;
/// Largest update of a document, bytes. A board of thousands of shapes is imported in a few.
pub const UPDATE_BYTES: usize = 1024 * 1024;
/// Largest binary frame, bytes: an update and what surrounds it.
pub const BINARY_FRAME_BYTES: usize = UPDATE_BYTES + 64;
/// Largest awareness state of one Yjs client, bytes of JSON: a cursor, a selection and a drag preview.
pub const AWARENESS_BYTES: usize = 8 * 1024;
/// Documents that one connection has open.
pub const OPEN_DOCUMENTS: usize = 16;
/// Versions of one document that have names.
pub const NAMED_VERSIONS: usize = 100;
/// Largest image beside a document, bytes.
pub const BLOB_BYTES: usize = 5 * 1024 * 1024;
/// Largest width and height of an image, pixels: browsers decode four bytes a pixel.
pub const IMAGE_SIDE: u32 = 8192;
/// Most pixels of an image: 100 MB when a browser has decoded it.
pub const IMAGE_PIXELS: u64 = 25_000_000;
/// Largest sequence: above it JavaScript numbers lose integers.
pub const SEQ_MAX: u64 = (1 << 53) - 1;
/// Longest slow mode, seconds: six hours.
pub const SLOW_MODE_MAX_S: u32 = 6 * 3600;
/// Deepest nesting of a frame: that of `data`, and what surrounds it.
pub const FRAME_DEPTH: usize = 32;
/// Most logged members of one room: its member table is kept in memory, some 200 bytes a row.
pub const MEMBERS: usize = 10_000;
/// Participants of a call in a mesh: each sends its picture to every other, and five times is what a laptop encodes.
pub const MESH_PARTICIPANTS: usize = 6;
/// Users that one call rings, and that one command names.
pub const RINGS: usize = 50;
/// Sessions that wait in a lobby.
pub const LOBBY: usize = 50;
/// Tracks of one participant: two devices and two screens, each with sound.
pub const TRACKS: usize = 8;
/// Largest session description, bytes: one of eight tracks with every codec of a browser has some 20 KiB.
pub const SDP_BYTES: usize = 40 * 1024;
/// Media sections of a session description: they stay when a track goes (RFC 9429, section 5.2.2).
pub const SDP_SECTIONS: usize = 32;
/// Candidates inside a session description.
pub const SDP_CANDIDATES: usize = 100;
/// Longest candidate, bytes.
pub const CANDIDATE_BYTES: usize = 512;
/// Signals of one end that may be unconfirmed.
pub const SIGNAL_WINDOW: u32 = 128;
/// Links in one report.
pub const REPORTED_LINKS: usize = 16;
/// Calls in one page of the history.
pub const CALLS_PAGE: u32 = 50;
/// Participants of a call that its history names.
pub const CALL_ATTENDANCES: u32 = 200;

//! The bytes of shared documents, before anything decodes them: Yjs updates (v1), state vectors, awareness.
//!
//! The one invariant: an update that [`walk`] lets through can be integrated whole and at once, so a decoder behind it
//! keeps nothing pending; and nothing here allocates by what a count declares, only by what is there.

mod awareness;
mod bytes;
mod places;
mod structs;
mod walk;

pub use awareness::{AwarenessState, read_awareness, write_awareness};
pub use bytes::{Bad, Reader, put_bytes, put_varuint};
pub use places::{Place, Places};
pub use structs::count_structs;
pub use walk::{CLAIMS, Claim, Known, STRUCTS, Span, Walked, read_state_vector, survey, walk, write_state_vector};

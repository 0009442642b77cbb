//! The call, pure. Calls have not been built yet: the crate holds its place in the arrows.

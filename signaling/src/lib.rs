//! Stoa signaling

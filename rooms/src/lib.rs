//! Stoa rooms

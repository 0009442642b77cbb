//! The integration tests: real sockets, real processes, real databases.

mod arrows;
mod auth;
mod boards;
mod bus;
mod calls;
mod cli;
mod cluster;
mod documents;
mod frames;
mod handshake;
mod harness;
mod hostile;
mod http;
mod journey;
mod kill;
mod load;
mod raw;
mod resume;
mod store;
mod turn;

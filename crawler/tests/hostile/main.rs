//! Hubs that break, lie or attack: every answer is contained, said in one sentence, and repeated only where that can help.
//!
//! The servers here write raw bytes, because a well-behaved HTTP library would not send most of this.

#![allow(clippy::unwrap_used)]

mod answers;
mod downloads;
mod listings;
mod redirects;
mod server;
mod waits;

//! `heirloom hub` from outside: our own crawler, the Rust `hf-hub` crate and the Python `huggingface_hub` client list, inspect and
//! download from it; bad hubs and broken answers are told apart.

#![allow(clippy::unwrap_used)]

mod faults;
mod fixture;
mod independent_client;
mod our_client;
mod proxy;
mod python_client;

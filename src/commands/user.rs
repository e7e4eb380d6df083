//! `heirloom user`: makes, lists and revokes keys of the REST API.

use super::{Global, print_json, print_text};
use crate::api::{key_digest, make_key};
use crate::postgres;
use crate::store::Store;
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The first key closes the server: from then on requests that write take one, in the header\nAuthorization: Bearer KEY.\n\nExamples:\n  heirloom user add ci --scope write\n  heirloom user revoke ci"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key and print it, this once.
    Add {
        name: String,
        #[arg(long, value_enum, default_value = "read")]
        scope: Scope,
    },
    /// List all keys, never the keys themselves.
    List,
    /// Revoke a key for good.
    Revoke { name: String },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    Read,
    Write,
    Admin,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    match args.action {
        Action::Add { name, scope } => add(&database.store, global, &name, scope).await?,
        Action::List => list(&database.store, global).await?,
        Action::Revoke { name } => revoke(&database.store, &name).await?,
    }
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn add(store: &Store, global: &Global, name: &str, scope: Scope) -> anyhow::Result<()> {
    let key = make_key()?;
    if !store.add_api_key(name, &key_digest(&key), scope.as_str()).await? {
        anyhow::bail!("there is or was a key named {name}; choose another name");
    }
    match global.json {
        true => print_json(&json!({"name": name, "scope": scope.as_str(), "key": key})),
        false => print_text(&format!("{key}\n")),
    }
}

async fn list(store: &Store, global: &Global) -> anyhow::Result<()> {
    let keys = store.list_api_keys().await?;
    if global.json {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({
                    "name": key.name,
                    "scope": key.scope,
                    "created_at": key.created_at.to_string(),
                    "last_used_at": key.last_used_at.map(|at| at.to_string()),
                    "revoked_at": key.revoked_at.map(|at| at.to_string()),
                })
            })
            .collect();
        return print_json(&keys);
    }
    let lines: String = keys
        .iter()
        .map(|key| {
            let state = if key.revoked_at.is_some() {
                "revoked"
            } else {
                "valid"
            };
            format!("{:<24} {:<6} {state}\n", key.name, key.scope)
        })
        .collect();
    print_text(&lines)
}

async fn revoke(store: &Store, name: &str) -> anyhow::Result<()> {
    if !store.revoke_api_key(name).await? {
        anyhow::bail!("there is no valid key named {name}; `heirloom user list` shows all");
    }
    Ok(())
}

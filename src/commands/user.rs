//! `heirloom user`: makes, lists and revokes keys of the REST API.

use super::{Global, print_json, print_text};
use crate::api::{key_digest, make_key};
use crate::postgres;
use crate::store::Store;
use crate::store::api_keys::{NewKey, Scope};
use crate::store::audit::{AuditEntry, AuditRow};
use clap::Subcommand;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A server on a loopback address takes anybody's requests from this machine until the first key is made (see\n`heirloom serve --help`). From then on, and on any other address, requests that write take a key, in the header\nAuthorization: Bearer KEY.\n\nExamples:\n  heirloom user add ci --scope crawl\n  heirloom user add partner --requests-per-minute 60 --bytes-per-day 1000000000\n  heirloom user revoke ci\n  heirloom user audit"
)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key and print it, this once.
    Add(AddArgs),
    /// List all keys, never the keys themselves.
    List,
    /// Revoke a key for good.
    Revoke { name: String },
    /// Show who wanted to write, newest first.
    Audit {
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
    },
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    name: String,
    /// read, crawl (ask for crawls, comparisons and webhooks), or admin.
    #[arg(long, default_value_t = Scope::Read)]
    scope: Scope,
    /// Show gated and private packages to it; an admin sees them anyway.
    #[arg(long)]
    restricted: bool,
    #[arg(long, default_value_t = 600, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    requests_per_minute: i32,
    /// Bytes of answers a day (UTC); without a bound when left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    bytes_per_day: Option<i64>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let store = &database.store;
    match args.action {
        Action::Add(args) => add(store, global, &args).await?,
        Action::List => list(store, global).await?,
        Action::Revoke { name } => revoke(store, &name).await?,
        Action::Audit { limit } => audit(store, global, limit).await?,
    }
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn add(store: &Store, global: &Global, args: &AddArgs) -> anyhow::Result<()> {
    let key = make_key()?;
    let name = &args.name;
    let new = NewKey {
        name,
        digest: &key_digest(&key),
        scope: args.scope,
        sees_restricted: args.restricted,
        requests_per_minute: args.requests_per_minute,
        bytes_per_day: args.bytes_per_day,
    };
    if !store.add_api_key(&new).await? {
        anyhow::bail!("there is or was a key named {name}; choose another name");
    }
    note(store, format!("heirloom user add {name} --scope {}", args.scope)).await?;
    match global.json {
        true => print_json(&json!({"name": name, "scope": args.scope.to_string(), "key": key})),
        false => print_text(&format!("{key}\n")),
    }
}

async fn note(store: &Store, action: String) -> anyhow::Result<()> {
    let entry = AuditEntry {
        actor: "local".to_owned(),
        action,
        ..AuditEntry::default()
    };
    Ok(store.note_action(&entry).await?)
}

async fn audit(store: &Store, global: &Global, limit: i64) -> anyhow::Result<()> {
    let rows = store.audit_log(limit).await?;
    if global.json {
        return print_json(&rows);
    }
    let line = |row: &AuditRow| {
        let at = row.at.replace_nanosecond(0).unwrap_or(row.at);
        let status = row.status.map(|status| status.to_string()).unwrap_or_default();
        format!("{at:<26} {:<20} {status:<4} {}\n", row.actor, row.action)
    };
    print_text(&rows.iter().map(line).collect::<String>())
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
                    "sees_restricted": key.sees_restricted,
                    "requests_per_minute": key.requests_per_minute,
                    "bytes_per_day": key.bytes_per_day,
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
    note(store, format!("heirloom user revoke {name}")).await?;
    Ok(())
}

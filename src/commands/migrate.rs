//! `heirloom migrate`: brings the schema up to date and says so.

use super::Global;
use crate::postgres;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  heirloom migrate\n  DATABASE_URL=postgres://me@db/heirloom heirloom migrate"
)]
pub struct Args {}

pub async fn run(_args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    database.close().await?;
    if global.json {
        super::print_json(&serde_json::json!({ "status": "up to date" }))?;
    } else {
        super::print_text("the schema is up to date\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

//! `heirloom openapi`: prints the OpenAPI document of the REST API.

use super::{Global, print_text};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  heirloom openapi > web/openapi.json")]
pub struct Args {}

pub async fn run(_args: Args, _global: &Global) -> anyhow::Result<ExitCode> {
    print_text(&(crate::api::document().to_pretty_json()? + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

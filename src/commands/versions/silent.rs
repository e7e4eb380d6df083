//! `heirloom versions --silent`: every crawled revision that changed the weights while nothing says so, newest first.

use super::{Global, print_json, print_text};
use crate::postgres;
use serde::Serialize;
use std::process::ExitCode;

/// One silent change, as `--json` prints it.
#[derive(Serialize)]
struct Line {
    reference: String,
    revision: String,
    version: String,
    date: Option<String>,
    detail: String,
}

pub(super) async fn run(global: &Global) -> anyhow::Result<ExitCode> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let rows = database.store.list_silent_changes(i64::MAX).await?;
    database.close().await?;
    let lines: Vec<Line> = rows
        .into_iter()
        .map(|row| Line {
            reference: row.reference,
            revision: row.revision,
            version: row.version,
            date: row.date.map(|date| date.date().to_string()),
            detail: row.detail,
        })
        .collect();
    if global.json {
        print_json(&lines)?;
    } else {
        print_text(&lines.iter().map(text).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(line: &Line) -> String {
    let date = line.date.as_deref().unwrap_or("-");
    format!(
        "{date} {}@{:.10} {}\n    {}\n",
        line.reference, line.revision, line.version, line.detail
    )
}

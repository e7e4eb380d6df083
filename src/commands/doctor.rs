//! `heirloom doctor`: checks what Heirloom needs, and says what to do about what is missing.

use super::{Global, print_json, print_text};
use crate::postgres;
use crate::sentence::sentence;
use heirloom_crawler::ListFilter;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  heirloom doctor
  HF_ENDPOINT=http://127.0.0.1:8080 heirloom doctor --json

The exit code is 1 when something that every command needs is broken; a hub that cannot be reached is only a warning.";

/// Less than this free is a warning: one large shard may not fit.
const LOW_DISK_BYTES: u64 = 10 << 30;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Broken,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    detail: String,
}

pub async fn run(_args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let findings = [
        check_postgres(global).await,
        check_disk(&global.data_dir),
        check_hub().await,
    ];
    let broken = findings.iter().any(|finding| finding.state == State::Broken);
    match global.json {
        true => print_json(&findings)?,
        false => print_text(&describe(&findings))?,
    }
    Ok(if broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn check_postgres(global: &Global) -> Finding {
    let what = "postgres";
    match postgres::open(&global.data_dir, global.database_url.as_deref()).await {
        Ok(database) => {
            let which = if global.database_url.is_some() {
                "DATABASE_URL"
            } else {
                "the private cluster"
            };
            let closed = database.close().await;
            match closed {
                Ok(()) => Finding {
                    what,
                    state: State::Ok,
                    detail: format!("{which} answers; its schema is up to date"),
                },
                Err(error) => Finding {
                    what,
                    state: State::Warning,
                    detail: format!("{which} did not stop: {error}"),
                },
            }
        }
        Err(error) => Finding {
            what,
            state: State::Broken,
            detail: sentence(&error),
        },
    }
}

fn check_disk(data_dir: &Path) -> Finding {
    let what = "disk";
    let free = match rustix::fs::statvfs(data_dir) {
        Ok(disk) => disk.f_bavail * disk.f_frsize,
        Err(error) => {
            let detail = format!("cannot look at {}: {error}", data_dir.display());
            return Finding {
                what,
                state: State::Warning,
                detail,
            };
        }
    };
    let size = indicatif::HumanBytes(free);
    if free < LOW_DISK_BYTES {
        let detail = format!(
            "{size} free at {}; a crawl at level full needs room for a package",
            data_dir.display()
        );
        return Finding {
            what,
            state: State::Warning,
            detail,
        };
    }
    Finding {
        what,
        state: State::Ok,
        detail: format!("{size} free at {}", data_dir.display()),
    }
}

async fn check_hub() -> Finding {
    let what = "hub";
    let answer = async {
        let hub = heirloom_crawler::open("hf", None)?;
        hub.list(&ListFilter::default(), None).await?;
        Ok::<_, heirloom_crawler::HubError>(hub.endpoint())
    };
    match answer.await {
        Ok(endpoint) => Finding {
            what,
            state: State::Ok,
            detail: format!("{endpoint} lists its models"),
        },
        Err(error) => {
            let detail = format!("{error}; set HF_ENDPOINT, or crawl a folder: heirloom crawl dir DIR");
            Finding {
                what,
                state: State::Warning,
                detail,
            }
        }
    }
}

fn describe(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.state {
            State::Ok => "ok     ",
            State::Warning => "warning",
            State::Broken => "broken ",
        };
        let _ = writeln!(text, "{mark}  {:<9} {}", finding.what, finding.detail);
    }
    text
}

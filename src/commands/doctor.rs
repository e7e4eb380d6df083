//! `heirloom doctor`: checks what Heirloom needs, and says what to do about what is missing.

use super::{Global, print_json, print_text};
use crate::postgres;
use crate::sentence::sentence;
use crate::store::Store;
use crate::store::server::ServerState;
use heirloom_crawler::{HubError, ListFilter};
use heirloom_gpu::CardInfo;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use time::OffsetDateTime;

const EXAMPLES: &str = "\
Examples:
  heirloom doctor
  HF_ENDPOINT=http://127.0.0.1:8080 heirloom doctor --json

The exit code is 1 when something that every command needs is broken; a hub that cannot be reached is only a warning.";

/// Less than this free is a warning: one large shard may not fit.
const LOW_DISK_BYTES: u64 = 10 << 30;
/// Clocks further apart than this put schedules and heartbeats in doubt.
const MAX_CLOCK_DIFFERENCE: time::Duration = time::Duration::seconds(5);
/// A clock before the release of this version is wrong.
const RELEASED: OffsetDateTime = time::macros::datetime!(2026-11-01 00:00 UTC);
/// Connections that must be left for another server and its workers.
const SPARE_CONNECTIONS: i64 = 16;

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
    what: String,
    state: State,
    /// What is so, and what to do where it is not well.
    detail: String,
}

impl Finding {
    fn new(what: &str, state: State, detail: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(),
            state,
            detail: detail.into(),
        }
    }
}

pub async fn run(_args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    let hubs = check_database(global, &mut findings).await;
    findings.push(check_disk(&global.data_dir));
    findings.push(check_gpu());
    findings.push(check_token());
    for (hub, endpoint) in hubs {
        findings.push(check_hub(&hub, endpoint.as_deref()).await);
    }
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

/// Looks at Postgres and its clock. Returns the hubs to look at: the usual one, and all that were crawled.
async fn check_database(global: &Global, findings: &mut Vec<Finding>) -> BTreeSet<(String, Option<String>)> {
    let mut hubs = BTreeSet::from([("hf".to_owned(), None)]);
    let database = match postgres::open(&global.data_dir, global.database_url.as_deref()).await {
        Ok(database) => database,
        Err(error) => {
            findings.push(Finding::new("postgres", State::Broken, sentence(&error)));
            return hubs;
        }
    };
    let which = match global.database_url {
        Some(_) => "DATABASE_URL",
        None => "the private cluster",
    };
    match database.store.server_state().await {
        Ok(server) => {
            findings.push(check_server(which, &server));
            findings.push(check_clock(server.clock, OffsetDateTime::now_utc()));
        }
        Err(error) => findings.push(Finding::new("postgres", State::Broken, sentence(&error.into()))),
    }
    findings.push(check_queue(&database.store).await);
    if let Ok(crawled) = database.store.used_endpoints().await {
        hubs.extend(crawled.into_iter().map(|(hub, endpoint)| (hub, Some(endpoint))));
    }
    if let Err(error) = database.close().await {
        findings.push(Finding::new(
            "postgres",
            State::Warning,
            format!("{which} did not stop: {error}"),
        ));
    }
    hubs
}

fn check_server(which: &str, server: &ServerState) -> Finding {
    let left = server.max_connections - server.connections;
    if left < SPARE_CONNECTIONS {
        let detail = format!(
            "{which} has {left} of {} connections left; raise max_connections before adding servers or workers",
            server.max_connections
        );
        return Finding::new("postgres", State::Warning, detail);
    }
    if !server.has_trigrams {
        let detail = format!(
            "{which} lacks the extension pg_trgm, so names are searched one by one; install postgresql-contrib and \
             run `CREATE EXTENSION pg_trgm` as a superuser"
        );
        return Finding::new("postgres", State::Warning, detail);
    }
    let detail = format!(
        "{which} answers (Postgres {}); its schema is up to date",
        server.version
    );
    Finding::new("postgres", State::Ok, detail)
}

fn check_clock(server: OffsetDateTime, here: OffsetDateTime) -> Finding {
    let difference = (here - server).abs();
    if here < RELEASED {
        let detail = format!(
            "this machine says it is {}; set its clock, or TLS and schedules fail",
            here.date()
        );
        return Finding::new("clock", State::Broken, detail);
    }
    if difference > MAX_CLOCK_DIFFERENCE {
        let detail = format!(
            "this machine and Postgres differ by {} s; let both follow a time server",
            difference.whole_seconds()
        );
        return Finding::new("clock", State::Warning, detail);
    }
    Finding::new("clock", State::Ok, "this machine and Postgres agree")
}

async fn check_queue(store: &Store) -> Finding {
    match store.queue_depth().await {
        Err(error) => Finding::new("queue", State::Broken, sentence(&error.into())),
        Ok(depth) => {
            let count = |state: &str| {
                depth
                    .iter()
                    .filter(|jobs| jobs.state == state)
                    .map(|jobs| jobs.count)
                    .sum::<i64>()
            };
            match count("failed") {
                0 => Finding::new(
                    "queue",
                    State::Ok,
                    format!("{} wait, {} run", count("waiting"), count("running")),
                ),
                failed => Finding::new(
                    "queue",
                    State::Warning,
                    format!(
                        "{failed} were given up; `heirloom jobs` says why, `heirloom jobs retry ID` tries again"
                    ),
                ),
            }
        }
    }
}

fn check_disk(data_dir: &Path) -> Finding {
    // Before the first start there is no folder: the disk is that of the nearest folder above it.
    let absolute = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let place = absolute
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(&absolute);
    let free = match rustix::fs::statvfs(place) {
        Ok(disk) => disk.f_bavail * disk.f_frsize,
        Err(error) => {
            let detail = format!("cannot look at {}: {error}", place.display());
            return Finding::new("disk", State::Warning, detail);
        }
    };
    let size = indicatif::HumanBytes(free);
    if free < LOW_DISK_BYTES {
        let detail = format!(
            "{size} free at {}; a crawl at level full needs room for a package: free some, or set --data-dir",
            place.display()
        );
        return Finding::new("disk", State::Warning, detail);
    }
    Finding::new("disk", State::Ok, format!("{size} free at {}", place.display()))
}

/// Nothing needs a GPU; element-wise comparisons may run on one. Looks as `heirloom diff --device auto` does.
fn check_gpu() -> Finding {
    let (software, real): (Vec<_>, Vec<_>) = heirloom_gpu::cards()
        .into_iter()
        .partition(|card| card.is_software);
    let named = |card: &CardInfo| format!("{card}, driver {}", card.driver);
    if !real.is_empty() {
        let names: Vec<String> = real.iter().map(named).collect();
        return Finding::new("gpu", State::Ok, names.join("; "));
    }
    if Path::new("/proc/driver/nvidia").exists() {
        let detail = "an NVIDIA card is there, and its driver offers no Vulkan; install that part of it (libnvidia-gl), or go on with the CPU";
        return Finding::new("gpu", State::Warning, detail);
    }
    let detail = match software.first() {
        Some(card) => format!("none but {card}, which is for tests; comparisons run on the CPU"),
        None => "none; comparisons run on the CPU".to_owned(),
    };
    Finding::new("gpu", State::Ok, detail)
}

/// Is there a token, and does it look like one? Whether a hub takes it shows when the hub is asked.
fn check_token() -> Finding {
    match std::env::var("HF_TOKEN") {
        Ok(token) if token.trim().is_empty() => {
            Finding::new("token", State::Warning, "HF_TOKEN is set and empty; unset it")
        }
        Ok(token) if !token.trim().starts_with("hf_") => Finding::new(
            "token",
            State::Warning,
            "HF_TOKEN does not begin with hf_; copy it anew from the hub's settings page",
        ),
        Ok(_) => Finding::new("token", State::Ok, "HF_TOKEN is set and sent to HF_ENDPOINT only"),
        Err(_) => Finding::new(
            "token",
            State::Ok,
            "none; gated and private models are left out (set HF_TOKEN to read them)",
        ),
    }
}

async fn check_hub(hub: &str, endpoint: Option<&str>) -> Finding {
    let what = format!("hub {hub}");
    let answer = async {
        let client = heirloom_crawler::open(hub, endpoint)?;
        client.list(&ListFilter::default(), None).await?;
        Ok::<_, HubError>(client.endpoint())
    };
    match answer.await {
        Ok(endpoint) => Finding::new(&what, State::Ok, format!("{endpoint} lists its models")),
        Err(error) if endpoint.is_none() => {
            let detail = format!("{error}; set HF_ENDPOINT, or crawl a folder: heirloom crawl dir DIR");
            Finding::new(&what, State::Warning, detail)
        }
        Err(error) => Finding::new(&what, State::Warning, error.to_string()),
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
        let _ = writeln!(text, "{mark}  {:<10} {}", finding.what, finding.detail);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn clocks_that_differ_or_stand_in_the_past_are_told() {
        let check = |here, expect| {
            assert_eq!(
                check_clock(datetime!(2026-12-01 00:00 UTC), here).state,
                expect,
                "{here}"
            )
        };
        check(datetime!(2026-12-01 00:00:03 UTC), State::Ok);
        check(datetime!(2026-12-01 00:00:30 UTC), State::Warning);
        check(datetime!(2026-11-30 23:59:30 UTC), State::Warning);
        check(datetime!(1970-01-01 00:00 UTC), State::Broken);
    }

    #[test]
    fn a_server_short_of_connections_or_trigrams_is_told() {
        let server = |connections, has_trigrams| ServerState {
            version: "15.14".to_owned(),
            clock: OffsetDateTime::UNIX_EPOCH,
            connections,
            max_connections: 100,
            has_trigrams,
        };
        assert_eq!(check_server("it", &server(10, true)).state, State::Ok);
        assert_eq!(check_server("it", &server(90, true)).state, State::Warning);
        assert_eq!(check_server("it", &server(10, false)).state, State::Warning);
    }
}

//! `heirloom schedule`: crawls that come again by themselves, run by whoever runs `heirloom serve`.

use super::{Global, print_json, print_text};
use crate::fingerprint::Level;
use crate::jobs::next_run;
use crate::postgres;
use crate::store::Store;
use crate::store::crawls::CrawlPlan;
use crate::store::schedules::Schedule;
use anyhow::ensure;
use clap::{Subcommand, ValueEnum};
use std::fmt::Write;
use std::process::ExitCode;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heirloom schedule add nightly --cron '0 3 * * *' --time-zone Europe/Berlin hf --author acme
  heirloom schedule list
  heirloom schedule pause nightly

Schedules are kept in the database and run by every `heirloom serve` on it, each run once.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a schedule, or replace the one of this name.
    Add(Add),
    /// All schedules.
    List,
    /// Let no further run begin.
    Pause { name: String },
    /// Let runs begin again, from the next on.
    Resume { name: String },
    /// Forget a schedule.
    Remove { name: String },
}

#[derive(Debug, clap::Args)]
struct Add {
    name: String,
    /// hf, dir or cache.
    hub: String,
    /// The folder, for dir and cache.
    folder: Option<String>,
    /// Minute, hour, day, month, weekday.
    #[arg(long, value_name = "PATTERN")]
    cron: String,
    /// IANA name of the clock that the pattern is read on.
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    time_zone: String,
    /// What of runs that were missed while nothing served: run one, or skip them.
    #[arg(long, value_enum, default_value_t = CatchUp::Once)]
    catch_up: CatchUp,
    /// Address of the hub; HF_ENDPOINT or the public one by default.
    #[arg(long, value_name = "URL", conflicts_with = "folder")]
    endpoint: Option<String>,
    /// Only packages of this owner.
    #[arg(long)]
    author: Option<String>,
    /// Only packages whose name contains this.
    #[arg(long)]
    search: Option<String>,
    /// At most this many packages.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CatchUp {
    Once,
    Skip,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let outcome = act(args.action, &database.store, global).await;
    database.close().await?;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn act(action: Action, store: &Store, global: &Global) -> anyhow::Result<()> {
    let found = |found: bool, name: &str| {
        ensure!(
            found,
            "no schedule is called {name}; see `heirloom schedule list`"
        );
        Ok(())
    };
    match action {
        Action::Add(add) => {
            let schedule = schedule(add)?;
            store.save_schedule(&schedule).await?;
            print(&[schedule], global)
        }
        Action::List => print(&store.schedules().await?, global),
        Action::Pause { name } => found(store.pause_schedule(&name, true).await?, &name),
        Action::Resume { name } => {
            found(store.pause_schedule(&name, false).await?, &name)?;
            // What was missed in the pause is no run that was missed.
            let schedules = store.schedules().await?;
            let Some(mut schedule) = schedules.into_iter().find(|schedule| schedule.name == name) else {
                return Ok(());
            };
            schedule.next_run = next_run(&schedule.cron, &schedule.time_zone, OffsetDateTime::now_utc())?;
            Ok(store.save_schedule(&schedule).await?)
        }
        Action::Remove { name } => found(store.remove_schedule(&name).await?, &name),
    }
}

fn schedule(add: Add) -> anyhow::Result<Schedule> {
    let hub = heirloom_crawler::open(&add.hub, add.folder.as_deref().or(add.endpoint.as_deref()))?;
    Ok(Schedule {
        next_run: next_run(&add.cron, &add.time_zone, OffsetDateTime::now_utc())?,
        name: add.name,
        cron: add.cron,
        time_zone: add.time_zone,
        plan: CrawlPlan {
            hub: add.hub,
            endpoint: hub.endpoint(),
            author: add.author,
            search: add.search,
            limit: add.limit,
            level: Level::Full,
        },
        catch_up: match add.catch_up {
            CatchUp::Once => "once".to_owned(),
            CatchUp::Skip => "skip".to_owned(),
        },
        paused: false,
        last_run: None,
    })
}

fn print(schedules: &[Schedule], global: &Global) -> anyhow::Result<()> {
    if global.json {
        return print_json(&schedules);
    }
    let mut text = String::new();
    for schedule in schedules {
        let next = match schedule.paused {
            true => "paused".to_owned(),
            false => format!("next {}", schedule.next_run.format(&Rfc3339)?),
        };
        let plan = &schedule.plan;
        writeln!(
            text,
            "{}  {} {}  {next}  {} {}",
            schedule.name, schedule.cron, schedule.time_zone, plan.hub, plan.endpoint
        )?;
    }
    print_text(&text)
}

//! `heirloom config`: every setting, its value, where it came from and how else it is set.

use super::{Global, print_json, print_text, table};
use crate::settings::{Origin, SETTINGS, Setting, without_password};
use serde::Serialize;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  heirloom config
  heirloom --config /etc/heirloom/heirloom.toml config --json

The first place that has a value wins: a flag, the environment, the configuration file, the default. A file looks like this:

  data_dir = \"/var/lib/heirloom\"
  listen = \"0.0.0.0:7878\"
  [workers]
  concurrency = 8

Hubs are set by variables of their own: HF_ENDPOINT, HF_TOKEN.")]
pub struct Args {}

#[derive(Serialize)]
struct Line {
    key: &'static str,
    value: Option<String>,
    origin: Option<Origin>,
    variable: &'static str,
    about: &'static str,
}

pub async fn run(_args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let lines: Vec<Line> = SETTINGS.iter().map(|setting| line(setting, global)).collect();
    if global.json {
        print_json(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![
        ["setting", "value", "from", "variable", "what it is"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(lines.iter().map(|line| {
        let origin = line
            .origin
            .as_ref()
            .map_or_else(|| "-".to_owned(), Origin::to_string);
        let value = line.value.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            line.key.to_owned(),
            value,
            origin,
            line.variable.to_owned(),
            line.about.to_owned(),
        ]
    }));
    print_text(&table::render(&rows, &[]))?;
    Ok(ExitCode::SUCCESS)
}

fn line(setting: &Setting, global: &Global) -> Line {
    let found = global.origins.get(setting.key);
    let value = found.map(|(value, _)| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    Line {
        key: setting.key,
        value: value.map(|value| match setting.is_secret {
            true => without_password(&value),
            false => value,
        }),
        origin: found.map(|(_, origin)| origin.clone()),
        variable: setting.variable,
        about: setting.about,
    }
}

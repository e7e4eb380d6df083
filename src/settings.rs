//! The settings of a process, each from the first place that has it: a flag, the environment, the configuration file, the default.
//!
//! Enters: flags, variables, the text of a file. Leaves: [`Settings`], and for each value where it came from. All settings are listed once,
//! in [`SETTINGS`].

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::{Table, Value};

/// One thing that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the file; a dot stands between a table and its key.
    pub key: &'static str,
    pub variable: &'static str,
    /// As the file would have it.
    default: Option<&'static str>,
    /// Never printed.
    pub is_secret: bool,
    pub about: &'static str,
}

const fn setting(
    key: &'static str,
    variable: &'static str,
    default: Option<&'static str>,
    about: &'static str,
) -> Setting {
    Setting {
        key,
        variable,
        default,
        is_secret: false,
        about,
    }
}

/// Every setting there is.
pub const SETTINGS: [Setting; 9] = [
    setting(
        "data_dir",
        "HEIRLOOM_DATA",
        Some("\".heirloom\""),
        "folder of the private Postgres cluster and caches",
    ),
    Setting {
        is_secret: true,
        ..setting(
            "database_url",
            "DATABASE_URL",
            None,
            "use this Postgres instead of the private one",
        )
    },
    setting(
        "listen",
        "HEIRLOOM_LISTEN",
        Some("\"127.0.0.1:7878\""),
        "address of the dashboard and the API",
    ),
    setting(
        "log_format",
        "HEIRLOOM_LOG_FORMAT",
        Some("\"text\""),
        "text, or json for a log collector",
    ),
    setting(
        "webhook_hosts",
        "HEIRLOOM_WEBHOOK_HOSTS",
        Some("\"\""),
        "hosts of this machine or a private network that webhooks may be on, separated by commas",
    ),
    setting(
        "workers.concurrency",
        "HEIRLOOM_CONCURRENCY",
        Some("4"),
        "jobs at the same time in one process",
    ),
    setting(
        "workers.hub_concurrency",
        "HEIRLOOM_HUB_CONCURRENCY",
        Some("8"),
        "packages of one hub at the same time, over all processes",
    ),
    setting(
        "workers.dead_after_seconds",
        "HEIRLOOM_DEAD_AFTER_SECONDS",
        Some("30"),
        "a worker silent for so long is dead, and its jobs go to others",
    ),
    setting(
        "workers.metrics_listen",
        "HEIRLOOM_METRICS_LISTEN",
        Some("\"127.0.0.1:7880\""),
        "address of a worker's health and metrics",
    ),
];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "from", content = "at", rename_all = "snake_case")]
pub enum Origin {
    Default,
    File(PathBuf),
    Variable(&'static str),
    Flag,
}

/// The values by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub database_url: Option<String>,
    pub listen: SocketAddr,
    pub log_format: LogFormat,
    pub webhook_hosts: String,
    pub workers: WorkerSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerSettings {
    pub concurrency: usize,
    pub hub_concurrency: u32,
    pub dead_after_seconds: u64,
    pub metrics_listen: SocketAddr,
}

impl Settings {
    /// The hosts that webhooks may be on although they are not public.
    pub fn webhook_hosts(&self) -> Vec<String> {
        let hosts = self.webhook_hosts.split(',').map(str::trim);
        hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect()
    }
}

impl WorkerSettings {
    pub fn dead_after(&self) -> Duration {
        Duration::from_secs(self.dead_after_seconds)
    }
}

/// A value and its origin, by the setting's key.
pub type Origins = BTreeMap<&'static str, (Value, Origin)>;

/// Where values may come from beside the defaults.
#[derive(Debug, Default)]
pub struct Sources {
    /// Flags that were given, by key.
    pub flags: BTreeMap<&'static str, String>,
    pub environment: BTreeMap<String, String>,
    /// The file and its text.
    pub file: Option<(PathBuf, String)>,
}

impl Sources {
    /// Those of this process: `file` or the first of the usual files that exists.
    pub fn of_process(flags: BTreeMap<&'static str, String>, file: Option<&Path>) -> anyhow::Result<Self> {
        let usual = ["heirloom.toml", "/etc/heirloom/heirloom.toml"].map(PathBuf::from);
        let path = match file {
            Some(path) => Some(path.to_owned()),
            None => usual.into_iter().find(|path| path.is_file()),
        };
        let file = match path {
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
                Some((path, text))
            }
            None => None,
        };
        let is_ours = |name: &str| SETTINGS.iter().any(|setting| setting.variable == name);
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| is_ours(name) && !value.is_empty())
            .collect();
        Ok(Self {
            flags,
            environment,
            file,
        })
    }

    /// All settings, each from the first place that has it.
    pub fn resolve(&self) -> anyhow::Result<(Settings, Origins)> {
        let from_file = self.read_file()?;
        let mut origins = Origins::new();
        for setting in &SETTINGS {
            if let Some(found) = self.find(setting, &from_file)? {
                origins.insert(setting.key, found);
            }
        }
        let mut nested = Table::new();
        for (key, (value, _)) in &origins {
            match key.split_once('.') {
                None => _ = nested.insert((*key).to_owned(), value.clone()),
                Some((table, key)) => {
                    let entry = nested.entry(table).or_insert_with(|| Table::new().into());
                    if let Value::Table(table) = entry {
                        table.insert(key.to_owned(), value.clone());
                    }
                }
            }
        }
        let settings: Settings = Value::Table(nested)
            .try_into()
            .map_err(|error: toml::de::Error| explain(&error, &origins))?;
        ensure!(
            settings.workers.concurrency > 0,
            "workers.concurrency must be at least 1"
        );
        ensure!(
            settings.workers.dead_after_seconds > 0,
            "workers.dead_after_seconds must be at least 1"
        );
        Ok((settings, origins))
    }

    /// The file's values by dotted key; a key that is no setting is refused, for it is a typing error.
    fn read_file(&self) -> anyhow::Result<BTreeMap<String, Value>> {
        let Some((path, text)) = &self.file else {
            return Ok(BTreeMap::new());
        };
        let table: Table = text
            .parse()
            .with_context(|| format!("{} is not TOML", path.display()))?;
        let mut flat = BTreeMap::new();
        for (key, value) in table {
            match value {
                Value::Table(inner) => {
                    flat.extend(
                        inner
                            .into_iter()
                            .map(|(name, value)| (format!("{key}.{name}"), value)),
                    );
                }
                value => _ = flat.insert(key, value),
            }
        }
        if let Some(unknown) = flat
            .keys()
            .find(|key| SETTINGS.iter().all(|setting| setting.key != *key))
        {
            bail!(
                "{} sets {unknown}, which is no setting; see `heirloom config`",
                path.display()
            );
        }
        Ok(flat)
    }

    fn find(
        &self,
        setting: &Setting,
        from_file: &BTreeMap<String, Value>,
    ) -> anyhow::Result<Option<(Value, Origin)>> {
        if let Some(text) = self.flags.get(setting.key) {
            return Ok(Some((typed(setting, text), Origin::Flag)));
        }
        if let Some(text) = self.environment.get(setting.variable) {
            return Ok(Some((typed(setting, text), Origin::Variable(setting.variable))));
        }
        if let (Some(value), Some((path, _))) = (from_file.get(setting.key), &self.file) {
            return Ok(Some((value.clone(), Origin::File(path.clone()))));
        }
        let Some(default) = setting.default else {
            return Ok(None);
        };
        Ok(Some((default.parse()?, Origin::Default)))
    }
}

/// Text of a flag or a variable as a value of the default's kind.
fn typed(setting: &Setting, text: &str) -> Value {
    let is_number = setting
        .default
        .is_some_and(|default| default.parse::<i64>().is_ok());
    match text.trim().parse::<i64>() {
        Ok(number) if is_number => Value::Integer(number),
        _ => Value::String(text.to_owned()),
    }
}

/// Says which value does not fit and where it stands. The value itself stays unsaid where it is a secret.
fn explain(error: &toml::de::Error, origins: &Origins) -> anyhow::Error {
    let message = error.message();
    let culprit = origins.iter().find(|(key, (value, origin))| {
        let is_secret = SETTINGS
            .iter()
            .any(|setting| setting.key == **key && setting.is_secret);
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        *origin != Origin::Default
            && !is_secret
            && (message.contains(&shown) || Settings::refuses(key, value))
    });
    match culprit {
        Some((key, (value, origin))) => {
            anyhow::anyhow!("{key} = {value} (from {origin}) cannot be used: {message}")
        }
        None => anyhow::anyhow!("the configuration cannot be used: {message}"),
    }
}

impl Settings {
    /// Is this value of a kind that the setting cannot have?
    fn refuses(key: &str, value: &Value) -> bool {
        match key {
            "listen" | "workers.metrics_listen" => value
                .as_str()
                .is_none_or(|text| text.parse::<SocketAddr>().is_err()),
            "log_format" => value
                .as_str()
                .is_none_or(|text| !["text", "json"].contains(&text)),
            "data_dir" | "database_url" | "webhook_hosts" => !value.is_str(),
            _ => value.as_integer().is_none_or(|number| number < 0),
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// A database URL without its password. What is no such URL is not shown at all: nobody knows where its secret stands.
pub fn without_password(url: &str) -> String {
    const HIDDEN: &str = "(hidden)";
    let Ok(mut url) = url::Url::parse(url) else {
        return HIDDEN.to_owned();
    };
    if !["postgres", "postgresql"].contains(&url.scheme()) {
        return HIDDEN.to_owned();
    }
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return HIDDEN.to_owned();
    }
    if url.query_pairs().any(|(key, _)| key == "password") {
        url.set_query(None);
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sources(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Sources {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Sources {
            flags: flags
                .iter()
                .map(|(key, value)| (*key, (*value).to_owned()))
                .collect(),
            environment: variables.iter().map(owned).collect(),
            file: Some((PathBuf::from("heirloom.toml"), file.to_owned())),
        }
    }

    #[test]
    fn the_first_place_wins_and_is_named() {
        let file = "data_dir = \"from-file\"\nlisten = \"0.0.0.0:1\"\n[workers]\nconcurrency = 2\nhub_concurrency = 3\n";
        let variables = [("HEIRLOOM_LISTEN", "0.0.0.0:2"), ("HEIRLOOM_CONCURRENCY", "9")];
        let (settings, origins) = sources(file, &variables, &[("listen", "0.0.0.0:3")])
            .resolve()
            .unwrap();
        assert_eq!(settings.data_dir, Path::new("from-file"));
        assert_eq!(settings.listen.port(), 3);
        assert_eq!(
            (settings.workers.concurrency, settings.workers.hub_concurrency),
            (9, 3)
        );
        let origin = |key: &str| origins[key].1.to_string();
        assert_eq!(origin("data_dir"), "heirloom.toml");
        assert_eq!(origin("listen"), "command line");
        assert_eq!(origin("workers.concurrency"), "$HEIRLOOM_CONCURRENCY");
        assert_eq!(origin("log_format"), "default");
        assert!(!origins.contains_key("database_url"));
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_place() {
        let check = |file: &str, variables: &[(&str, &str)], expect: &str| {
            let error = sources(file, variables, &[]).resolve().map(drop).unwrap_err();
            assert!(format!("{error:#}").contains(expect), "{error:#}");
        };
        check("lisen = 3", &[], "sets lisen, which is no setting");
        check("listen = [", &[], "heirloom.toml is not TOML");
        check(
            "",
            &[("HEIRLOOM_LISTEN", "nowhere")],
            "listen = \"nowhere\" (from $HEIRLOOM_LISTEN)",
        );
        check(
            "",
            &[("HEIRLOOM_CONCURRENCY", "many")],
            "workers.concurrency = \"many\"",
        );
        check("workers.concurrency = 0", &[], "at least 1");
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = without_password("postgres://me:secret@db:5432/heirloom");
        assert_eq!(shown, "postgres://me:***@db:5432/heirloom");
        assert_eq!(without_password("me:secret@db"), "(hidden)");
        assert_eq!(
            without_password("postgres://db/models?user=me&password=secret"),
            "postgres://db/models"
        );
        let error = sources("database_url = 3\ndata_dir = 4", &[], &[])
            .resolve()
            .map(drop)
            .unwrap_err();
        assert!(!format!("{error:#}").contains("secret"));
    }
}

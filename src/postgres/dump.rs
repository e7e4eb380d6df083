//! Backups: pg_dump and pg_restore of the installed Postgres, over the whole database of a URL.
//!
//! The URL's parts travel as libpq's variables and never as arguments, which every user of the machine can read.

use super::binaries::client;
use super::error::PostgresError;
use std::path::Path;
use tokio::process::Command;
use url::Url;

/// Writes the database of `url` to `file`, in Postgres' compressed archive format. The file gets its name last.
pub async fn dump(url: &str, file: &Path) -> Result<(), PostgresError> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = Path::new(&unfinished);
    let mut command = Command::new(client("pg_dump"));
    command.args(["--format=custom", "--no-owner", "--no-privileges"]);
    command.arg("--file").arg(unfinished);
    run("pg_dump", command, url).await?;
    std::fs::rename(unfinished, file).map_err(PostgresError::io("cannot write", file))
}

/// Reads `file` into the empty database of `url`, whole or not at all.
pub async fn restore(url: &str, file: &Path) -> Result<(), PostgresError> {
    let mut command = Command::new(client("pg_restore"));
    command.args([
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
    ]);
    command
        .arg("--dbname")
        .arg(database(url).ok_or(PostgresError::ClientUrl {
            program: "pg_restore",
        })?);
    command.arg(file);
    run("pg_restore", command, url).await
}

async fn run(program: &'static str, mut command: Command, url: &str) -> Result<(), PostgresError> {
    let variables = libpq_variables(url).ok_or(PostgresError::ClientUrl { program })?;
    let output = command
        .envs(variables)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .map_err(|source| PostgresError::NoClient { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let message = text
        .lines()
        .find(|line| line.contains("error:"))
        .or(text.lines().last());
    Err(PostgresError::ClientFailed {
        program,
        message: message.unwrap_or_default().trim().to_owned(),
    })
}

fn database(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    decode(url.path().strip_prefix('/')?)
}

/// What libpq's programs read from the environment, of a URL such as sqlx takes.
fn libpq_variables(url: &str) -> Option<Vec<(&'static str, String)>> {
    let url = Url::parse(url).ok()?;
    let mut variables = vec![("PGDATABASE", decode(url.path().strip_prefix('/')?)?)];
    if let Some(host) = url.host_str() {
        variables.push(("PGHOST", decode(host)?));
    }
    if let Some(port) = url.port() {
        variables.push(("PGPORT", port.to_string()));
    }
    if !url.username().is_empty() {
        variables.push(("PGUSER", decode(url.username())?));
    }
    if let Some(password) = url.password() {
        variables.push(("PGPASSWORD", decode(password)?));
    }
    for (key, value) in url.query_pairs() {
        let name = match key.as_ref() {
            "host" => "PGHOST",
            "port" => "PGPORT",
            "user" => "PGUSER",
            "password" => "PGPASSWORD",
            "sslmode" => "PGSSLMODE",
            "sslrootcert" => "PGSSLROOTCERT",
            _ => continue,
        };
        variables.retain(|(known, _)| *known != name);
        variables.push((name, value.into_owned()));
    }
    Some(variables)
}

fn decode(text: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_variables() {
        let check = |url: &str, expect: &[(&str, &str)]| {
            let mut found = libpq_variables(url).unwrap_or_default();
            found.sort_unstable();
            let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (*key, value.as_str())).collect();
            assert_eq!(found, expect, "{url}");
        };
        check(
            "postgres://me:p%40ss@db:5433/models?sslmode=require",
            &[
                ("PGDATABASE", "models"),
                ("PGHOST", "db"),
                ("PGPASSWORD", "p@ss"),
                ("PGPORT", "5433"),
                ("PGSSLMODE", "require"),
                ("PGUSER", "me"),
            ],
        );
        // A socket's folder stands in the query and wins over the host.
        check(
            "postgres://heirloom:x@localhost/postgres?host=%2Frun%2Fpg",
            &[
                ("PGDATABASE", "postgres"),
                ("PGHOST", "/run/pg"),
                ("PGPASSWORD", "x"),
                ("PGUSER", "heirloom"),
            ],
        );
        assert_eq!(libpq_variables("not a url"), None);
    }
}

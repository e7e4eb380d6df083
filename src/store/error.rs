//! What can go wrong with the database, each as one sentence that says what to do.

use crate::fingerprint::FingerprintError;
use sqlx::postgres::PgConnectOptions;

/// A database that could not be reached, or a statement that it refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("DATABASE_URL is not a Postgres URL (postgres://user:password@host/database)")]
    Url { source: sqlx::Error },
    #[error("cannot reach Postgres at {address}; start it, or unset DATABASE_URL to use a private one")]
    Unreachable { address: String, source: sqlx::Error },
    #[error("Postgres at {address} refused the user or the password in DATABASE_URL")]
    Refused { address: String, source: sqlx::Error },
    #[error(
        "Postgres at {address} has no database \"{database}\"; create it with createdb, or correct DATABASE_URL"
    )]
    NoDatabase {
        address: String,
        database: String,
        source: sqlx::Error,
    },
    #[error(
        "the disk of the Postgres server is full; free some space and run this again (what was stored is kept)"
    )]
    DiskFull { source: sqlx::Error },
    #[error("cannot bring the database schema up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("the database refused a statement")]
    Query { source: sqlx::Error },
    #[error("the stored fingerprint of {package} cannot be read")]
    Fingerprint {
        package: String,
        source: FingerprintError,
    },
    #[error("the database holds \"{value}\" where {expected} belongs")]
    Value { value: String, expected: &'static str },
    #[error("cannot store {what} as JSON")]
    Json {
        what: &'static str,
        source: serde_json::Error,
    },
}

impl StoreError {
    pub(super) fn connect(options: &PgConnectOptions, source: sqlx::Error) -> Self {
        let address = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        match code(&source).as_deref() {
            Some("28P01" | "28000") => Self::Refused { address, source },
            Some("3D000") => Self::NoDatabase {
                address,
                database: options.get_database().unwrap_or_default().to_owned(),
                source,
            },
            _ => Self::Unreachable { address, source },
        }
    }

    /// True where a text that was sent holds a NUL character, which Postgres text cannot.
    pub fn is_nul_character(&self) -> bool {
        matches!(self, Self::Query { source } if code(source).as_deref() == Some("22021"))
    }

    /// True where another try may succeed: the connection broke, the server is starting or stopping, a deadlock was resolved.
    pub fn is_transient(&self) -> bool {
        let Self::Query { source } = self else {
            return matches!(self, Self::Unreachable { .. });
        };
        match source {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
            other => code(other).is_some_and(|code| {
                code.starts_with("08") || code.starts_with("57P") || code.starts_with("40")
            }),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(source: sqlx::Error) -> Self {
        match code(&source).as_deref() {
            Some("53100") => Self::DiskFull { source },
            _ => Self::Query { source },
        }
    }
}

/// True for the answer of a server that is starting up.
pub(super) fn is_starting(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some("57P03")
}

/// SQLSTATE of a database error.
fn code(error: &sqlx::Error) -> Option<String> {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .map(|code| code.into_owned())
}

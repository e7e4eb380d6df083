//! Why there is no private cluster, each as one sentence that says what to do.

use std::path::PathBuf;

/// What went wrong between a data folder and a running server.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "no Postgres server is installed; type `{install}`, or set DATABASE_URL to a running server or HEIRLOOM_PG_BIN to a folder with initdb and pg_ctl"
    )]
    NotInstalled { install: &'static str },
    #[error(
        "the private database in {} was made by Postgres {major}, which is not installed; install Postgres {major}, or move the folder away to begin anew", folder.display()
    )]
    MajorMissing { folder: PathBuf, major: u32 },
    #[error("HEIRLOOM_PG_BIN is {}, which does not hold initdb, pg_ctl and postgres", folder.display())]
    WrongFolder { folder: PathBuf },
    #[error(
        "Postgres refuses to run as root, and this machine has neither a user postgres nor a user nobody to run it as; create one with `useradd --system postgres`"
    )]
    NoAccount,
    #[error(
        "the private database in {} belongs to user id {owner}; run heirloom as that user or as root, or choose another --data-dir", folder.display()
    )]
    OtherOwner { folder: PathBuf, owner: u32 },
    #[error("{action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{program} failed: {message} (full log: {})", log.display())]
    Failed {
        program: &'static str,
        message: String,
        log: PathBuf,
    },
    #[error(
        "cannot run {program}; install the Postgres client programs, of the server's version or a newer one"
    )]
    NoClient {
        program: &'static str,
        source: std::io::Error,
    },
    #[error("{program} failed: {message}")]
    ClientFailed { program: &'static str, message: String },
    #[error("the database URL is not one that {program} can be given")]
    ClientUrl { program: &'static str },
    #[error("cannot start the thread that waits for Postgres")]
    Thread(#[from] tokio::task::JoinError),
}

impl PostgresError {
    /// An I/O error with what was tried and where.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

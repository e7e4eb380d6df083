//! One private cluster: its folder, its password, and the server that runs on it.

use super::PostgresError;
use super::account::{Place, short_digest};
use super::binaries::{self, Binaries};
use super::lock::{StartLock, UserLock};
use super::orphans;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rand::Rng;
use rand::distr::Alphanumeric;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The superuser that initdb makes.
const USER: &str = "heirloom";
/// The socket's file name carries a port number although no port is open.
const SOCKET: &str = ".s.PGSQL.5432";
/// Longest folder of a socket: the kernel allows 107 bytes for the whole path.
const MAX_SOCKET_FOLDER: usize = 107 - SOCKET.len() - 1;
/// Recovery after a crash replays the log since the last checkpoint, which takes seconds, not minutes.
const START_SECONDS: &str = "120";
const STOP_SECONDS: &str = "60";
/// How long backends of a killed server may take to notice and go; until then the data folder is still in use.
const ORPHAN_RETRIES: u32 = 20;
/// After so many tries, those that are still there are ended.
const ORPHAN_PATIENCE: u32 = 6;

/// Whether the cluster must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Postgres' own defaults.
    Safe,
    /// Test databases: nothing is flushed to disk.
    Throwaway,
}

/// A running private cluster that this process uses. Stopped by [`Cluster::stop`] or when dropped, if nobody else uses it.
#[derive(Debug)]
pub struct Cluster {
    place: Place,
    binaries: Binaries,
    socket_folder: PathBuf,
    password: String,
    user_lock: Option<UserLock>,
}

impl Cluster {
    /// Starts the cluster of `data_dir`, making it first where there is none, or attaches to it where it runs.
    pub async fn start(data_dir: &Path, durability: Durability) -> Result<Self, PostgresError> {
        let data_dir = data_dir.to_owned();
        tokio::task::spawn_blocking(move || Self::start_blocking(&data_dir, durability)).await?
    }

    /// Starts the server again if it died; true when it had. Blocks the thread while it starts.
    pub fn revive(&self) -> Result<bool, PostgresError> {
        if self.answers() {
            return Ok(false);
        }
        let _start_lock = StartLock::take(&self.place.folder)?;
        if self.answers() {
            return Ok(false);
        }
        self.start_server()?;
        Ok(true)
    }

    /// Leaves the cluster, and stops its server if nobody else uses it.
    pub async fn stop(mut self) -> Result<(), PostgresError> {
        tokio::task::spawn_blocking(move || self.leave()).await?
    }

    /// Connection URL of the superuser, password included: never log it.
    pub fn url(&self) -> String {
        let folder = percent_encode(self.socket_folder.as_os_str().as_bytes(), NON_ALPHANUMERIC);
        format!(
            "postgres://{USER}:{}@localhost/postgres?host={folder}",
            self.password
        )
    }

    /// The same as variables for psql, pg_dump and their like.
    pub fn libpq_environment(&self) -> [(&'static str, String); 4] {
        [
            ("PGHOST", self.socket_folder.display().to_string()),
            ("PGUSER", USER.to_owned()),
            ("PGDATABASE", "postgres".to_owned()),
            ("PGPASSWORD", self.password.clone()),
        ]
    }

    /// Folder of the cluster: data, log, password.
    pub fn folder(&self) -> &Path {
        &self.place.folder
    }

    fn start_blocking(data_dir: &Path, durability: Durability) -> Result<Self, PostgresError> {
        std::fs::create_dir_all(data_dir)
            .map_err(PostgresError::io("cannot create the data folder", data_dir))?;
        let data_dir = data_dir
            .canonicalize()
            .map_err(PostgresError::io("cannot find the data folder", data_dir))?;
        let place = Place::of(&data_dir)?;
        place
            .create_private(&place.folder)
            .map_err(PostgresError::io("cannot create", &place.folder))?;
        let start_lock = StartLock::take(&place.folder)?;
        let wanted = initialised_major(&place.folder);
        let binaries = binaries::find(wanted.map(|major| (major, place.folder.as_path())))?;
        let mut cluster = Self {
            socket_folder: socket_folder(&place)?,
            password: password(&place)?,
            place,
            binaries,
            user_lock: None,
        };
        if wanted.is_none() {
            cluster.initialise()?;
        }
        if !cluster.answers() {
            cluster.configure(durability)?;
            cluster.start_server()?;
        }
        // Taken last: a cluster that failed to start is dropped here, and must not wait for the start lock that we hold.
        cluster.user_lock = Some(UserLock::take(&cluster.place.folder, &start_lock)?);
        Ok(cluster)
    }

    fn data(&self) -> PathBuf {
        self.place.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.place.folder.join("server.log")
    }

    /// Is a server listening? It may still be recovering, which connections then wait for.
    fn answers(&self) -> bool {
        UnixStream::connect(self.socket_folder.join(SOCKET)).is_ok()
    }

    /// Makes the data folder. It gets its name last, so that an initdb that was cut off is begun anew.
    fn initialise(&self) -> Result<(), PostgresError> {
        tracing::info!(folder = %self.place.folder.display(), "creating a private Postgres {} cluster", self.binaries.major);
        let unfinished = self.place.folder.join("data.new");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(PostgresError::io("cannot remove", &unfinished))?;
        }
        let mut initdb = self.place.command(&self.binaries.program("initdb"));
        initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
        initdb.arg(format!("--username={USER}"));
        initdb.arg("--pwfile").arg(self.place.folder.join("password"));
        initdb.arg("--pgdata").arg(&unfinished);
        self.run("initdb", initdb)?;
        let configuration = unfinished.join("postgresql.conf");
        append(&configuration, "\ninclude 'heirloom.conf'\n")
            .map_err(PostgresError::io("cannot write", &configuration))?;
        std::fs::rename(&unfinished, self.data()).map_err(PostgresError::io("cannot rename", &unfinished))
    }

    /// Writes what differs from Postgres' defaults; written anew at each start, since the folder may have moved.
    fn configure(&self, durability: Durability) -> Result<(), PostgresError> {
        let folder = self.socket_folder.to_string_lossy();
        let folder = folder.replace('\\', "\\\\").replace('\'', "''");
        let mut lines = format!(
            "# written by heirloom at each start\nlisten_addresses = ''\nunix_socket_directories = '\"{folder}\"'\n\
             unix_socket_permissions = 0700\nport = 5432\nlog_checkpoints = off\n"
        );
        if durability == Durability::Throwaway {
            lines += "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 300\n";
        }
        let path = self.data().join("heirloom.conf");
        std::fs::write(&path, lines).map_err(PostgresError::io("cannot write", &path))?;
        self.place
            .give(&path)
            .map_err(PostgresError::io("cannot change the owner of", &path))
    }

    fn start_server(&self) -> Result<(), PostgresError> {
        let mut tries = 0;
        loop {
            orphans::remove_stale_pid_file(&self.data());
            let mut start = self.pg_ctl("start");
            start
                .arg("--log")
                .arg(self.log())
                .args(["--wait", "--timeout", START_SECONDS]);
            match self.run("pg_ctl start", start) {
                Err(PostgresError::Failed { message, .. })
                    if is_still_dying(&message) && tries < ORPHAN_RETRIES =>
                {
                    tries += 1;
                    if tries == ORPHAN_PATIENCE {
                        orphans::end(&self.data());
                    }
                    std::thread::sleep(Duration::from_millis(250));
                    // It may be no remains at all: whoever was starting the server was killed, and the server came up after him.
                    if self.answers() {
                        return Ok(());
                    }
                }
                other => return other,
            }
        }
    }

    fn pg_ctl(&self, action: &str) -> Command {
        let mut command = self.place.command(&self.binaries.program("pg_ctl"));
        command.arg(action).arg("--pgdata").arg(self.data());
        command
    }

    fn leave(&mut self) -> Result<(), PostgresError> {
        let Some(user_lock) = self.user_lock.take() else {
            return Ok(());
        };
        let start_lock = StartLock::take(&self.place.folder)?;
        if !user_lock.release(&start_lock) || !self.answers() {
            return Ok(());
        }
        let mut stop = self.pg_ctl("stop");
        stop.args(["--mode=fast", "--wait", "--timeout", STOP_SECONDS]);
        self.run("pg_ctl stop", stop)
    }

    /// Runs a program to its end; its last words become the error's sentence.
    fn run(&self, program: &'static str, mut command: Command) -> Result<(), PostgresError> {
        let log_size = std::fs::metadata(self.log()).map_or(0, |metadata| metadata.len());
        let output = run_detached(&mut command, &self.place.folder)
            .map_err(PostgresError::io("cannot run", command.get_program()))?;
        if output.success {
            return Ok(());
        }
        let server = read_from(&self.log(), log_size);
        Err(PostgresError::Failed {
            program,
            message: last_words(&server)
                .or_else(|| last_words(&output.text))
                .unwrap_or_default(),
            log: self.log(),
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!("{error}");
        }
    }
}

struct Output {
    success: bool,
    text: String,
}

/// Runs `command` with its output in a file: the server that pg_ctl starts inherits it, so a pipe would never close.
fn run_detached(command: &mut Command, folder: &Path) -> std::io::Result<Output> {
    let mut words = tempfile::tempfile_in(folder)?;
    command.stdin(std::process::Stdio::null());
    command.stdout(words.try_clone()?).stderr(words.try_clone()?);
    let status = command.status()?;
    let mut text = String::new();
    std::io::Seek::rewind(&mut words)?;
    std::io::Read::read_to_string(&mut words, &mut text)?;
    Ok(Output {
        success: status.success(),
        text,
    })
}

/// Major version of an initialised cluster.
fn initialised_major(folder: &Path) -> Option<u32> {
    let version = std::fs::read_to_string(folder.join("data/PG_VERSION")).ok()?;
    version.trim().parse().ok()
}

/// The cluster's own folder, or a short one in /tmp where its path is too long for a socket.
fn socket_folder(place: &Place) -> Result<PathBuf, PostgresError> {
    if place.folder.as_os_str().len() <= MAX_SOCKET_FOLDER {
        return Ok(place.folder.clone());
    }
    let folder = PathBuf::from(format!("/tmp/heirloom-{}", short_digest(&place.folder)));
    place
        .create_private(&folder)
        .map_err(PostgresError::io("cannot use the socket folder", &folder))?;
    Ok(folder)
}

/// Reads the generated password, or generates it.
fn password(place: &Place) -> Result<String, PostgresError> {
    let path = place.folder.join("password");
    match std::fs::read_to_string(&path) {
        Ok(password) if !password.trim().is_empty() => return Ok(password.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(PostgresError::io("cannot read", path)(error)),
    }
    let password: String = rand::rng()
        .sample_iter(Alphanumeric)
        .take(32)
        .map(char::from)
        .collect();
    write_private(&path, &password)
        .and_then(|()| place.give(&path))
        .map_err(PostgresError::io("cannot write", &path))?;
    Ok(password)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::File::options()
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())
}

/// Does the server refuse to start only because the remains of a killed one are not gone yet?
fn is_still_dying(message: &str) -> bool {
    message.contains("still in use") || message.contains("already exists")
}

fn read_from(path: &Path, offset: u64) -> String {
    let Ok(bytes) = std::fs::read(path) else {
        return String::new();
    };
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}

/// The line that says what went wrong: the last FATAL or error line, else the last line.
fn last_words(text: &str) -> Option<String> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let telling = lines().rfind(|line| line.contains("FATAL:") || line.contains("error:"));
    let line = telling.or_else(|| lines().next_back())?;
    let line = line.split_once("FATAL:").map_or(line, |(_, rest)| rest);
    Some(line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_name_the_cause() {
        let check = |text, expect: &str| assert_eq!(last_words(text).as_deref(), Some(expect));
        check(
            "2026-11-24 LOG:  starting\n2026-11-24 UTC [7] FATAL:  lock file \"postmaster.pid\" already exists\nHINT: x\n",
            "lock file \"postmaster.pid\" already exists",
        );
        check(
            "initdb: error: cannot be run as root\n",
            "initdb: error: cannot be run as root",
        );
        check("something\nelse\n\n", "else");
        assert_eq!(last_words(""), None);
    }
}

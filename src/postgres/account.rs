//! Whom the server runs as, and where its folder can therefore lie. Postgres refuses to run as root.

use super::PostgresError;
use sha2::{Digest, Sha256};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Clusters of root whose data folder the server's user cannot reach (as below a closed /root) are kept here.
const SYSTEM_FOLDER: &str = "/var/lib/heirloom";

/// The user that the server runs as when Heirloom itself is root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

/// Where a cluster lies and whom its server runs as (`None`: as Heirloom itself).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub folder: PathBuf,
    pub account: Option<Account>,
}

impl Place {
    /// The place of the cluster of `data_dir`, an absolute path that exists.
    pub fn of(data_dir: &Path) -> Result<Self, PostgresError> {
        let folder = data_dir.join("postgres");
        let me = rustix::process::geteuid().as_raw();
        let owner = std::fs::metadata(&folder).map(|m| (m.uid(), m.gid())).ok();
        if me != 0 {
            return match owner {
                Some((owner, _)) if owner != me => Err(PostgresError::OtherOwner { folder, owner }),
                _ => Ok(Self {
                    folder,
                    account: None,
                }),
            };
        }
        // A cluster that an ordinary user made before stays that user's.
        if let Some((uid, gid)) = owner
            && uid != 0
        {
            let account = Some(Account { uid, gid });
            return Ok(Self { folder, account });
        }
        let account = system_account(&passwd()).ok_or(PostgresError::NoAccount)?;
        let folder = match reachable(data_dir, account) {
            true => folder,
            false => Path::new(SYSTEM_FOLDER).join(short_digest(data_dir)),
        };
        Ok(Self {
            folder,
            account: Some(account),
        })
    }

    /// Creates a folder that only the server's user (and root) can enter.
    pub fn create_private(&self, folder: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        let metadata = std::fs::symlink_metadata(folder)?;
        let me = rustix::process::geteuid().as_raw();
        if !metadata.is_dir() || (metadata.uid() != me && Some(metadata.uid()) != self.uid()) {
            return Err(std::io::Error::other("it is another user's, or no folder"));
        }
        self.give(folder)
    }

    /// Makes the server's user the owner of `path`.
    pub fn give(&self, path: &Path) -> std::io::Result<()> {
        match self.account {
            Some(account) => std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid)),
            None => Ok(()),
        }
    }

    /// A command that runs as the server's user, in the cluster's folder, with nothing of our environment but PATH: no PG*
    /// settings and no tokens.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("LC_ALL", "C");
        if let Some(account) = self.account {
            // Rust drops the supplementary groups too when a root process sets another uid.
            command.gid(account.gid).uid(account.uid);
        }
        command
    }

    fn uid(&self) -> Option<u32> {
        self.account.map(|account| account.uid)
    }
}

/// First twelve hex digits of a path's digest: a name for what belongs to that path.
pub fn short_digest(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    hex::encode(&Sha256::digest(path.as_os_str().as_bytes())[..6])
}

fn passwd() -> String {
    std::fs::read_to_string("/etc/passwd").unwrap_or_default()
}

fn system_account(passwd: &str) -> Option<Account> {
    ["postgres", "nobody"].iter().find_map(|name| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next()? != *name {
                return None;
            }
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            (uid != 0).then_some(Account { uid, gid })
        })
    })
}

/// Can `account` pass through every folder down to `path`?
fn reachable(path: &Path, account: Account) -> bool {
    path.ancestors().all(|folder| {
        std::fs::metadata(folder).is_ok_and(|metadata| {
            let bit = if metadata.uid() == account.uid {
                0o100
            } else if metadata.gid() == account.gid {
                0o010
            } else {
                0o001
            };
            metadata.mode() & bit != 0
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n";

    #[test]
    fn postgres_comes_before_nobody_and_root_never() {
        let check = |passwd: &str, expect| assert_eq!(system_account(passwd), expect);
        let nobody = Account {
            uid: 65534,
            gid: 65533,
        };
        check(PASSWD, Some(nobody));
        let with_postgres = format!("{PASSWD}postgres:x:101:104::/var/lib/postgresql:/bin/bash\n");
        check(&with_postgres, Some(Account { uid: 101, gid: 104 }));
        check("postgres:x:0:0::/:/bin/sh\n", None);
        check("damaged", None);
    }

    #[test]
    fn a_closed_parent_is_not_reachable_for_others() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let child = parent.path().join("data");
        std::fs::create_dir(&child).expect("a folder");
        let stranger = Account {
            uid: 54321,
            gid: 54321,
        };
        let set = |mode| {
            std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(mode))
                .expect("permissions")
        };
        set(0o700);
        assert!(!reachable(&child, stranger));
        set(0o711);
        assert!(reachable(&child, stranger));
    }
}

//! What a killed server leaves behind: its pid file, and children that did not notice.
//!
//! Reads /proc; elsewhere than on Linux nothing is found, and Postgres' own checks stand alone.

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// Removes a postmaster.pid that names a dead process nobody has reaped, or one that is no Postgres (left over from before a reboot or
/// from another container): Postgres itself takes any such process for a running server and refuses to start.
pub fn remove_stale_pid_file(data: &Path) {
    let path = data.join("postmaster.pid");
    let Ok(content) = std::fs::read_to_string(&path) else {
        return;
    };
    let pid = content.lines().next().unwrap_or_default().trim();
    let Ok(stat) = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")) else {
        return;
    };
    if !is_living_postgres(&stat) {
        tracing::warn!(pid, "removing a stale postmaster.pid");
        let _ = std::fs::remove_file(&path);
    }
}

/// Kills children of a dead server that still hold its shared memory. Most go by themselves; a startup process whose server was killed
/// during recovery waits forever for a checkpoint that nobody makes. A server that lives keeps its children.
pub fn end(data: &Path) {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return;
    };
    for process in processes.flatten() {
        if !is_orphan(&process.path(), data) {
            continue;
        }
        let pid = process
            .file_name()
            .to_str()
            .and_then(|name| Pid::from_raw(name.parse().ok()?));
        if let Some(pid) = pid {
            tracing::warn!(
                pid = pid.as_raw_nonzero().get(),
                "ending a process that a killed Postgres left behind"
            );
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn is_orphan(process: &Path, data: &Path) -> bool {
    let Ok(stat) = std::fs::read_to_string(process.join("stat")) else {
        return false;
    };
    if !is_living_postgres(&stat) || std::fs::read_link(process.join("cwd")).ok().as_deref() != Some(data) {
        return false;
    }
    // A child is titled `postgres: what it does`; the server itself carries its command line.
    let is_child = std::fs::read(process.join("cmdline")).is_ok_and(|line| line.starts_with(b"postgres: "));
    let parent = parent(&stat).unwrap_or("0");
    let parent = std::fs::read_to_string(Path::new("/proc").join(parent).join("stat"));
    is_child && !parent.is_ok_and(|stat| is_living_postgres(&stat))
}

/// Reads a line of /proc/PID/stat: `7585 (postgres) S 1 ...`.
fn is_living_postgres(stat: &str) -> bool {
    let Some((name, rest)) = stat.rsplit_once(") ") else {
        return false;
    };
    name.ends_with("(postgres") && !rest.starts_with(['Z', 'X'])
}

fn parent(stat: &str) -> Option<&str> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_living_postgres_keeps_its_pid_file() {
        assert!(is_living_postgres("7585 (postgres) S 1 7585 7585 0"));
        assert!(!is_living_postgres("7585 (postgres) Z 1 7585 7585 0"));
        assert!(!is_living_postgres("7585 (python3 (x)) S 1 7585 7585 0"));
        assert!(!is_living_postgres(""));
        assert_eq!(parent("7585 (postgres) S 1 7585 7585 0"), Some("1"));
    }
}

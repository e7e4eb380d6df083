//! What integration tests stand on: a database of their own, a hub folder of their own.
//!
//! `TestDatabase::new()` makes an empty, migrated database on DATABASE_URL's server, or on a private cluster in target/tmp that
//! all test processes share; it is dropped with the value.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used)]

pub mod faults;
pub mod hub;

use heirloom::postgres::{Cluster, Durability};
use heirloom::store::Store;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// The private cluster while any test of this process uses it; left (and stopped by the last process) after that.
static CLUSTER: Mutex<Weak<Cluster>> = Mutex::const_new(Weak::new());

/// A database that only this test uses.
pub struct TestDatabase {
    pub store: Store,
    pub url: String,
    name: String,
    server: Server,
}

#[derive(Clone)]
struct Server {
    /// URL of the server's maintenance database.
    url: String,
    _cluster: Option<Arc<Cluster>>,
}

impl TestDatabase {
    /// An empty database with the schema of today.
    pub async fn new() -> Self {
        let database = Self::empty().await;
        database.store.migrate().await.unwrap();
        database
    }

    /// A database without any table.
    pub async fn empty() -> Self {
        let server = server().await;
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        execute(&server.url, format!("CREATE DATABASE {name}")).await;
        let url = with_database(&server.url, &name);
        let store = Store::connect(&url).await.unwrap();
        Self {
            store,
            url,
            name,
            server,
        }
    }
}

impl TestDatabase {
    /// Ends every connection to this database, as a network or a restarted server does.
    pub async fn end_connections(&self) {
        let statement = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
            self.name
        );
        execute(&self.server.url, statement).await;
    }

    /// Has every new fingerprint refused as a server with a full disk does.
    pub async fn fill_disk(&self) {
        for statement in [
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$",
            "CREATE TRIGGER refuse BEFORE INSERT ON fingerprints FOR EACH ROW EXECUTE FUNCTION refuse()",
        ] {
            execute(&self.url, statement.to_owned()).await;
        }
    }

    /// Takes fingerprints again.
    pub async fn clear_disk(&self) {
        execute(&self.url, "DROP TRIGGER refuse ON fingerprints".to_owned()).await;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = self.server.clone();
        let drop_database = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The test's own runtime may be shutting down; the thread has its own.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(execute(&server.url, drop_database));
        });
        if dropped.join().is_err() {
            eprintln!("could not drop {}", self.name);
        }
    }
}

/// A folder that a private cluster of a test can lie in.
pub fn cluster_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    // As root the server runs as another user, who must be able to pass.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn server() -> Server {
    if let Ok(url) = std::env::var("DATABASE_URL") {
        return Server { url, _cluster: None };
    }
    let mut shared = CLUSTER.lock().await;
    let cluster = match shared.upgrade() {
        Some(cluster) => cluster,
        None => {
            let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
            let cluster = Cluster::start(folder, Durability::Throwaway).await.unwrap();
            let cluster = Arc::new(cluster);
            *shared = Arc::downgrade(&cluster);
            cluster
        }
    };
    Server {
        url: cluster.url(),
        _cluster: Some(cluster),
    }
}

async fn execute(url: &str, statement: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// The URL with another database name.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{name}?{query}")
}

//! Reads and writes whole tables, column by column: what an export holds and an import loads.
//!
//! Which tables and columns there are is read from Postgres' own catalogue, so that an export is whole whatever a migration added;
//! these statements are therefore not checked at compile time. Names are quoted by Postgres itself.

use super::{Result, Store};
use futures::{Stream, StreamExt, TryStreamExt};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row, Transaction};
use time::OffsetDateTime;

/// Rows that are read, and inserted, at a time.
const BATCH_ROWS: usize = 2000;
/// A batch ends early at this many bytes of text and bytea.
const BATCH_BYTES: usize = 32 << 20;

/// Tables that belong to one installation: secrets, people, and what was sent to whom.
const KEPT_HOME: [&str; 6] = [
    "_sqlx_migrations",
    "api_keys",
    "api_usage",
    "audit_log",
    "change_log",
    "webhooks",
];

/// A table and those of its columns that are not computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkTable {
    pub name: String,
    pub columns: Vec<BulkColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkColumn {
    pub name: String,
    pub kind: ColumnKind,
    /// Its type as Postgres spells it.
    postgres_type: String,
}

/// How a column travels. What has no kind of its own (JSON, UUIDs) travels as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    Text,
    Integer,
    Real,
    Boolean,
    Bytes,
    Time,
    Texts,
    Integers,
}

/// Values of one column over the rows of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    Text(Vec<Option<String>>),
    Integer(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Boolean(Vec<Option<bool>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Time(Vec<Option<OffsetDateTime>>),
    Texts(Vec<Option<Vec<String>>>),
    Integers(Vec<Option<Vec<i64>>>),
}

impl ColumnKind {
    fn of(postgres_type: &str) -> Self {
        match postgres_type {
            "smallint" | "integer" | "bigint" => Self::Integer,
            "real" | "double precision" => Self::Real,
            "boolean" => Self::Boolean,
            "bytea" => Self::Bytes,
            "timestamp with time zone" => Self::Time,
            "text[]" => Self::Texts,
            "smallint[]" | "integer[]" | "bigint[]" => Self::Integers,
            _ => Self::Text,
        }
    }

    /// The type a column of this kind is read as.
    fn read_as(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "bigint",
            Self::Real => "double precision",
            Self::Boolean => "boolean",
            Self::Bytes => "bytea",
            Self::Time => "timestamptz",
            Self::Texts => "text[]",
            Self::Integers => "bigint[]",
        }
    }

    /// The type whose arrays carry it to Postgres. An array of arrays of unequal length is no Postgres value: lists travel as JSON.
    fn sent_as(self) -> &'static str {
        match self {
            Self::Texts | Self::Integers => "text",
            other => other.read_as(),
        }
    }

    pub fn empty(self) -> Values {
        match self {
            Self::Text => Values::Text(Vec::new()),
            Self::Integer => Values::Integer(Vec::new()),
            Self::Real => Values::Real(Vec::new()),
            Self::Boolean => Values::Boolean(Vec::new()),
            Self::Bytes => Values::Bytes(Vec::new()),
            Self::Time => Values::Time(Vec::new()),
            Self::Texts => Values::Texts(Vec::new()),
            Self::Integers => Values::Integers(Vec::new()),
        }
    }
}

impl Values {
    /// Appends one row's value, and says about how many bytes it takes.
    fn push(&mut self, row: &PgRow, index: usize) -> sqlx::Result<usize> {
        match self {
            Self::Text(values) => values.push(row.try_get(index)?),
            Self::Integer(values) => values.push(row.try_get(index)?),
            Self::Real(values) => values.push(row.try_get(index)?),
            Self::Boolean(values) => values.push(row.try_get(index)?),
            Self::Bytes(values) => values.push(row.try_get(index)?),
            Self::Time(values) => values.push(row.try_get(index)?),
            Self::Texts(values) => values.push(row.try_get(index)?),
            Self::Integers(values) => values.push(row.try_get(index)?),
        }
        Ok(match self {
            Self::Text(values) => values.last().and_then(Option::as_ref).map_or(0, String::len),
            Self::Bytes(values) => values.last().and_then(Option::as_ref).map_or(0, Vec::len),
            _ => 8,
        })
    }

    fn bind<'q>(&self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        match self {
            Self::Text(values) => query.bind(values.clone()),
            Self::Integer(values) => query.bind(values.clone()),
            Self::Real(values) => query.bind(values.clone()),
            Self::Boolean(values) => query.bind(values.clone()),
            Self::Bytes(values) => query.bind(values.clone()),
            Self::Time(values) => query.bind(values.clone()),
            Self::Texts(values) => query.bind(json_lists(values)),
            Self::Integers(values) => query.bind(json_lists(values)),
        }
    }
}

fn json_lists<T: serde::Serialize>(lists: &[Option<Vec<T>>]) -> Vec<Option<String>> {
    let json = |list: &Vec<T>| serde_json::json!(list).to_string();
    lists.iter().map(|list| list.as_ref().map(json)).collect()
}

/// One moment of the database, from which tables are read.
pub struct BulkReader {
    transaction: Transaction<'static, Postgres>,
}

impl Store {
    /// Opens the database as it is now: what is written from here on is not seen.
    pub async fn bulk_reader(&self) -> Result<BulkReader> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .execute(&mut *transaction)
            .await?;
        Ok(BulkReader { transaction })
    }

    /// Opens an empty database to write whole tables into; `None` where packages are stored already.
    pub async fn bulk_writer(&self) -> Result<Option<BulkWriter>> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("LOCK TABLE packages IN EXCLUSIVE MODE")
            .execute(&mut *transaction)
            .await?;
        let (filled,): (bool,) =
            sqlx::query_as("SELECT EXISTS (SELECT FROM packages) OR EXISTS (SELECT FROM fingerprints)")
                .fetch_one(&mut *transaction)
                .await?;
        Ok((!filled).then_some(BulkWriter { transaction }))
    }
}

impl BulkReader {
    /// Version of the newest migration.
    pub async fn schema_version(&mut self) -> Result<i64> {
        schema_version(&mut self.transaction).await
    }

    /// All tables of the catalogue; none refers to a later one.
    pub async fn tables(&mut self) -> Result<Vec<BulkTable>> {
        tables(&mut self.transaction).await
    }

    /// The rows of a table in batches, each one [`Values`] a column.
    pub fn batches<'a>(&'a mut self, table: &'a BulkTable) -> impl Stream<Item = Result<Vec<Values>>> + 'a {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("{}::{}", column.name, column.kind.read_as()))
            .collect();
        // In the order of the first column: keys, so that equal databases give equal files.
        let statement = format!(
            "SELECT {} FROM {} ORDER BY {}",
            columns.join(", "),
            table.name,
            order(table)
        );
        let rows = sqlx::query(AssertSqlSafe(statement)).fetch(&mut *self.transaction);
        futures::stream::try_unfold(rows.fuse(), move |mut rows| async move {
            let mut batch: Vec<Values> = table.columns.iter().map(|column| column.kind.empty()).collect();
            let (mut count, mut bytes) = (0, 0);
            while count < BATCH_ROWS
                && bytes < BATCH_BYTES
                && let Some(row) = rows.try_next().await?
            {
                count += 1;
                for (index, values) in batch.iter_mut().enumerate() {
                    bytes += values.push(&row, index)?;
                }
            }
            Ok((count > 0).then_some((batch, rows)))
        })
    }
}

/// Columns that any value can be ordered by; JSON cannot and is left out.
fn order(table: &BulkTable) -> String {
    let ordered = |column: &&BulkColumn| column.postgres_type != "json";
    let names = table.columns.iter().filter(ordered).take(2);
    names
        .map(|column| column.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// A transaction that fills an empty database.
pub struct BulkWriter {
    transaction: Transaction<'static, Postgres>,
}

impl BulkWriter {
    /// Version of the newest migration.
    pub async fn schema_version(&mut self) -> Result<i64> {
        schema_version(&mut self.transaction).await
    }

    /// All tables of the catalogue; none refers to a later one.
    pub async fn tables(&mut self) -> Result<Vec<BulkTable>> {
        tables(&mut self.transaction).await
    }

    /// Appends rows; `columns` are those of `table` that `batch` has values of.
    pub async fn insert(
        &mut self,
        table: &BulkTable,
        columns: &[&BulkColumn],
        batch: &[Values],
    ) -> Result<()> {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let names = names.join(", ");
        let read: Vec<String> = columns.iter().map(|column| unpacked(column)).collect();
        let sent: Vec<String> = (1..)
            .zip(columns)
            .map(|(index, column): (usize, _)| format!("${index}::{}[]", column.kind.sent_as()))
            .collect();
        let statement = format!(
            "INSERT INTO {} ({names}) OVERRIDING SYSTEM VALUE SELECT {} FROM unnest({}) AS new ({names})",
            table.name,
            read.join(", "),
            sent.join(", ")
        );
        let query = sqlx::query(AssertSqlSafe(statement));
        let query = batch.iter().fold(query, |query, values| values.bind(query));
        query.execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Lets identities go on after the greatest that were written, and makes everything visible at once.
    pub async fn commit(mut self) -> Result<()> {
        let identities: Vec<(String, String)> = sqlx::query_as(
            "SELECT format('%I', c.relname), format('%I', a.attname)
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> ''
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'",
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        for (table, column) in identities {
            let statement = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), greatest(max({column}), 1), max({column}) IS NOT NULL)
                 FROM {table}"
            );
            sqlx::query(AssertSqlSafe(statement))
                .execute(&mut *self.transaction)
                .await?;
        }
        self.transaction.commit().await?;
        Ok(())
    }
}

/// A sent value as the column's own type.
fn unpacked(column: &BulkColumn) -> String {
    let BulkColumn {
        name, postgres_type, ..
    } = column;
    match column.kind {
        ColumnKind::Texts | ColumnKind::Integers => format!(
            "CASE WHEN new.{name} IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(new.{name}::jsonb))::{postgres_type} END"
        ),
        _ => format!("new.{name}::{postgres_type}"),
    }
}

async fn schema_version(connection: &mut PgConnection) -> Result<i64> {
    Ok(
        sqlx::query_scalar("SELECT max(version) FROM public._sqlx_migrations")
            .fetch_one(connection)
            .await?,
    )
}

async fn tables(connection: &mut PgConnection) -> Result<Vec<BulkTable>> {
    // Depth over foreign keys: a table comes after all that it refers to.
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "WITH RECURSIVE depths AS (
             SELECT oid, 0 AS depth FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
             UNION
             SELECT f.conrelid, d.depth + 1 FROM depths d JOIN pg_constraint f ON f.confrelid = d.oid
             WHERE f.contype = 'f' AND f.conrelid <> f.confrelid AND d.depth < 50
         )
         SELECT format('%I', c.relname), format('%I', a.attname), format_type(a.atttypid, a.atttypmod)
         FROM (SELECT oid, max(depth) AS depth FROM depths GROUP BY oid) d
         JOIN pg_class c ON c.oid = d.oid
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
         WHERE c.relname <> ALL($1)
         ORDER BY d.depth, c.relname, a.attnum",
    )
    .bind(KEPT_HOME)
    .fetch_all(connection)
    .await?;
    let mut tables: Vec<BulkTable> = Vec::new();
    for (table, name, postgres_type) in rows {
        if tables.last().is_none_or(|last| last.name != table) {
            tables.push(BulkTable {
                name: table,
                columns: Vec::new(),
            });
        }
        let column = BulkColumn {
            name,
            kind: ColumnKind::of(&postgres_type),
            postgres_type,
        };
        if let Some(table) = tables.last_mut() {
            table.columns.push(column);
        }
    }
    Ok(tables)
}

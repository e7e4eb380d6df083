//! Loads an export into an empty database: everything or nothing.

use super::arrow::values;
use super::{ExportedTable, Manifest};
use crate::store::Store;
use crate::store::tables::{BulkTable, BulkWriter};
use anyhow::{Context, bail, ensure};
use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;

/// Rows that are decoded at a time; fingerprints are some tens of kilobytes each.
const BATCH_ROWS: usize = 1000;

/// Imports what [`super::export`] wrote into `folder`.
pub async fn import(store: &Store, folder: &Path) -> anyhow::Result<Manifest> {
    let manifest = Manifest::read(folder)?;
    let Some(mut writer) = store.bulk_writer().await? else {
        bail!(
            "the database holds packages already; import into an empty one (another --data-dir, or a new DATABASE_URL)"
        );
    };
    let schema = writer.schema_version().await?;
    ensure!(
        manifest.schema <= schema,
        "the export was written by a newer Heirloom ({}); import it with that version or a newer one",
        manifest.heirloom
    );
    // The order is ours: a manifest may be older than a foreign key.
    for table in writer.tables().await? {
        if let Some(exported) = manifest
            .tables
            .iter()
            .find(|exported| exported.name == table.name)
        {
            import_table(&mut writer, &table, exported, folder).await?;
        }
    }
    writer.commit().await?;
    Ok(manifest)
}

async fn import_table(
    writer: &mut BulkWriter,
    table: &BulkTable,
    exported: &ExportedTable,
    folder: &Path,
) -> anyhow::Result<()> {
    let path = exported.path(folder);
    let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
        .with_context(|| format!("{} is not a Parquet file", path.display()))?;
    let mut rows = 0;
    for batch in reader {
        let batch = batch.with_context(|| format!("{} is damaged", path.display()))?;
        rows += batch.num_rows() as u64;
        insert(writer, table, &batch)
            .await
            .with_context(|| format!("cannot import {}", path.display()))?;
    }
    ensure!(
        rows == exported.rows,
        "{} holds {rows} rows and the manifest says {}; export again",
        path.display(),
        exported.rows
    );
    Ok(())
}

/// Columns that the file lacks take their defaults: it may be older than the column.
async fn insert(writer: &mut BulkWriter, table: &BulkTable, batch: &RecordBatch) -> anyhow::Result<()> {
    let mut columns = Vec::new();
    let mut batch_values = Vec::new();
    for column in &table.columns {
        let Some(array) = batch.column_by_name(column.name.trim_matches('"')) else {
            continue;
        };
        let values = values(column.kind, array).with_context(|| format!("column {}", column.name))?;
        columns.push(column);
        batch_values.push(values);
    }
    Ok(writer.insert(table, &columns, &batch_values).await?)
}

//! Writes one Parquet file a table, all from one moment of the database.

use super::arrow::{record_batch, schema};
use super::{ExportedTable, Manifest};
use crate::store::Store;
use crate::store::tables::{BulkReader, BulkTable};
use anyhow::Context;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::Path;
use std::pin::pin;

/// A row group is closed at this size: readers take one at a time into memory.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Exports everything `store` may see into `folder`, which is made.
pub async fn export(store: &Store, folder: &Path) -> anyhow::Result<Manifest> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut reader = store.bulk_reader().await?;
    let mut manifest = Manifest {
        heirloom: env!("CARGO_PKG_VERSION").to_owned(),
        schema: reader.schema_version().await?,
        tables: Vec::new(),
    };
    for table in reader.tables().await? {
        manifest
            .tables
            .push(export_table(&mut reader, &table, folder).await?);
    }
    manifest.write(folder)?;
    Ok(manifest)
}

async fn export_table(
    reader: &mut BulkReader,
    table: &BulkTable,
    folder: &Path,
) -> anyhow::Result<ExportedTable> {
    let mut exported = ExportedTable {
        name: table.name.clone(),
        rows: 0,
    };
    let path = exported.path(folder);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let schema = schema(table);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
    let mut batches = pin!(reader.batches(table));
    while let Some(batch) = batches.try_next().await? {
        let batch = record_batch(&schema, batch)?;
        exported.rows += batch.num_rows() as u64;
        writer
            .write(&batch)
            .with_context(|| format!("cannot write {}", path.display()))?;
        if writer.in_progress_size() > ROW_GROUP_BYTES {
            writer.flush()?;
        }
    }
    writer
        .close()
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(exported)
}

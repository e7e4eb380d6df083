//! Columns of the store as Arrow arrays, and back.

use crate::store::tables::{BulkTable, ColumnKind, Values};
use anyhow::{Context, bail};
use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;
use time::OffsetDateTime;

const UTC: &str = "UTC";

pub fn schema(table: &BulkTable) -> SchemaRef {
    let field = |column: &crate::store::tables::BulkColumn| {
        Field::new(column.name.trim_matches('"'), data_type(column.kind), true)
    };
    Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()))
}

fn data_type(kind: ColumnKind) -> DataType {
    let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
    match kind {
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Real => DataType::Float64,
        ColumnKind::Boolean => DataType::Boolean,
        ColumnKind::Bytes => DataType::Binary,
        ColumnKind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        ColumnKind::Texts => list(DataType::Utf8),
        ColumnKind::Integers => list(DataType::Int64),
    }
}

pub fn record_batch(schema: &SchemaRef, batch: Vec<Values>) -> anyhow::Result<RecordBatch> {
    let arrays = batch.into_iter().map(array).collect();
    Ok(RecordBatch::try_new(schema.clone(), arrays)?)
}

fn array(values: Values) -> ArrayRef {
    match values {
        Values::Text(values) => Arc::new(StringArray::from(values)),
        Values::Integer(values) => Arc::new(Int64Array::from(values)),
        Values::Real(values) => Arc::new(Float64Array::from(values)),
        Values::Boolean(values) => Arc::new(BooleanArray::from(values)),
        Values::Bytes(values) => Arc::new(values.iter().map(Option::as_deref).collect::<BinaryArray>()),
        Values::Time(values) => {
            let times = values.iter().map(|time| time.map(microseconds));
            Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone(UTC))
        }
        Values::Texts(values) => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for list in values {
                builder.append_option(list.map(|list| list.into_iter().map(Some)));
            }
            Arc::new(builder.finish())
        }
        Values::Integers(values) => {
            let mut builder = ListBuilder::new(Int64Builder::new());
            for list in values {
                builder.append_option(list.map(|list| list.into_iter().map(Some)));
            }
            Arc::new(builder.finish())
        }
    }
}

/// Postgres keeps microseconds; its years fit.
fn microseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// One column of a file as the store takes it. Files may come from anywhere: what is not of the column's type is refused.
pub fn values(kind: ColumnKind, array: &ArrayRef) -> anyhow::Result<Values> {
    if array.data_type() != &data_type(kind) {
        bail!("it holds {} where {} belongs", array.data_type(), data_type(kind));
    }
    Ok(match kind {
        ColumnKind::Text => {
            let texts = array.as_string::<i32>().iter();
            Values::Text(texts.map(|text| text.map(str::to_owned)).collect())
        }
        ColumnKind::Integer => Values::Integer(array.as_primitive::<Int64Type>().iter().collect()),
        ColumnKind::Real => Values::Real(array.as_primitive::<Float64Type>().iter().collect()),
        ColumnKind::Boolean => Values::Boolean(array.as_boolean().iter().collect()),
        ColumnKind::Bytes => {
            let bytes = array.as_binary::<i32>().iter();
            Values::Bytes(bytes.map(|bytes| bytes.map(<[u8]>::to_vec)).collect())
        }
        ColumnKind::Time => {
            let times = array.as_primitive::<TimestampMicrosecondType>().iter();
            Values::Time(
                times
                    .map(|time| time.map(from_microseconds).transpose())
                    .collect::<Result<_, _>>()?,
            )
        }
        ColumnKind::Texts => Values::Texts(lists(array, |items| {
            let texts = items.as_string::<i32>().iter();
            texts.map(|text| text.map(str::to_owned)).collect()
        })?),
        ColumnKind::Integers => Values::Integers(lists(array, |items| {
            items.as_primitive::<Int64Type>().iter().collect()
        })?),
    })
}

fn from_microseconds(microseconds: i64) -> anyhow::Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1000)
        .context("it holds a time that is no time")
}

fn lists<T>(
    array: &ArrayRef,
    read: impl Fn(&ArrayRef) -> Vec<Option<T>>,
) -> anyhow::Result<Vec<Option<Vec<T>>>> {
    let complete = |items: ArrayRef| -> anyhow::Result<Vec<T>> {
        let items = read(&items).into_iter().collect::<Option<Vec<T>>>();
        items.context("it holds a list with a gap")
    };
    let lists = array.as_list::<i32>().iter();
    lists.map(|list| list.map(complete).transpose()).collect()
}

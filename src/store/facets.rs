//! How often each value of a field occurs among the models that match a filter.

use super::models::ModelFilter;
use super::{Result, Store};

/// A value of a field, and how many models have it.
pub struct FacetRow {
    pub field: String,
    pub value: String,
    pub count: i64,
    /// Models that were looked at.
    pub counted: i64,
}

impl Store {
    /// Counts values over the `most` newest models that match, so that the answer takes as long for millions as for thousands. The
    /// conditions are those of [`Store::list_models`].
    pub async fn count_facets(&self, filter: &ModelFilter, most: i64) -> Result<Vec<FacetRow>> {
        Ok(sqlx::query_as!(
            FacetRow,
            r#"WITH matched AS (
                   SELECT p.hub, p.verdict, p.task, p.library, p.licence, p.architecture,
                          (SELECT e.relation FROM edges e WHERE e.child_id = p.id) AS relation
                   FROM packages p
                   WHERE ($1::text IS NULL OR lower(p.owner || '/' || p.name) LIKE $1)
                     AND ($2::text IS NULL OR p.hub = $2)
                     AND ($3::text IS NULL OR p.owner = $3)
                     AND ($4::text IS NULL OR EXISTS (SELECT FROM edges e WHERE e.child_id = p.id AND e.relation = $4))
                     AND ($5::text IS NULL OR p.verdict = $5)
                     AND ($6::text IS NULL OR p.task = $6)
                     AND ($7::text IS NULL OR p.library = $7)
                     AND ($8::text IS NULL OR p.licence = $8)
                     AND ($9::text IS NULL OR p.architecture = $9)
                     AND ($10::text IS NULL OR $10 = ANY(p.base_models) OR EXISTS (
                         SELECT FROM edges e JOIN edge_parents ep ON ep.edge_id = e.id JOIN packages b ON b.id = ep.parent_id
                         WHERE e.child_id = p.id AND b.owner || '/' || b.name = $10))
                     AND ($11::bigint IS NULL OR EXISTS (
                         SELECT FROM fingerprints f WHERE f.id = p.fingerprint_id AND f.parameters >= $11))
                     AND ($12::bigint IS NULL OR EXISTS (
                         SELECT FROM fingerprints f WHERE f.id = p.fingerprint_id AND f.parameters <= $12))
                     AND ($13::timestamptz IS NULL OR p.modified_at >= $13)
                     AND (NOT $14::boolean OR EXISTS (
                         SELECT FROM revisions r JOIN versions v ON v.revision_id = r.id
                         WHERE r.package_id = p.id AND v.silent))
                   ORDER BY coalesce(p.modified_at, '-infinity') DESC, p.id DESC
                   LIMIT $15
               )
               SELECT facet.field AS "field!", facet.value AS "value!", count(*) AS "count!",
                      (SELECT count(*) FROM matched) AS "counted!"
               FROM matched CROSS JOIN LATERAL (VALUES
                   ('hub', hub), ('relation', relation), ('verdict', verdict), ('task', task),
                   ('library', library), ('licence', licence), ('architecture', architecture)
               ) facet (field, value)
               WHERE facet.value IS NOT NULL
               GROUP BY facet.field, facet.value ORDER BY facet.field, 3 DESC, facet.value"#,
            filter.pattern(),
            filter.hub,
            filter.owner,
            filter.relation,
            filter.verdict,
            filter.task,
            filter.library,
            filter.licence,
            filter.architecture,
            filter.base,
            filter.min_parameters,
            filter.max_parameters,
            filter.modified_since,
            filter.silent,
            most,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

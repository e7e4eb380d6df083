//! How often each value of a field occurs among the models that match a filter.

use super::model_list::ModelFilter;
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
                   FROM (SELECT id FROM matching_models($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                                                        $18, $19, $20, $21)
                         ORDER BY at DESC, id DESC LIMIT $22) newest
                   JOIN packages p USING (id)
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
            filter.text,
            filter.hub,
            filter.owner,
            filter.relation,
            filter.verdict,
            filter.task,
            filter.library,
            filter.licence,
            filter.architecture,
            filter.base,
            filter.tag,
            filter.min_parameters,
            filter.max_parameters,
            filter.min_bytes,
            filter.max_bytes,
            filter.modified_since,
            filter.modified_before,
            filter.version_from.as_ref().map(|version| version.as_slice()),
            filter.version_below.as_ref().map(|version| version.as_slice()),
            filter.silent,
            most,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

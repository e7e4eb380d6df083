//! Reads what the naming study measures: every package and the steps of its history.

use super::{Result, Store};
use crate::versioning::Reason;
use crate::versioning::study::{PackageFacts, RevisionFacts};
use sqlx::types::Json;
use std::collections::HashMap;

impl Store {
    /// Facts of all packages, in the order of their names.
    pub async fn study_facts(&self) -> Result<Vec<PackageFacts>> {
        let rows = sqlx::query!(
            r#"SELECT p.id, p.hub, p.owner || '/' || p.name AS "name!", p.card IS NOT NULL AS "has_card!",
                      p.licence IS NOT NULL AS "has_licence!", cardinality(p.datasets) AS "datasets!",
                      cardinality(p.base_models) AS "base_models!", e.relation AS "relation?",
                      coalesce(x.extensions, '{}') AS "extensions!"
               FROM packages p
               LEFT JOIN edges e ON e.child_id = p.id
               LEFT JOIN LATERAL (
                   SELECT array_agg(DISTINCT lower(substring(f.path FROM '\.[^./]+$'))) AS extensions
                   FROM revisions r JOIN files f ON f.revision_id = r.id
                   WHERE r.package_id = p.id AND r.revision = p.head AND f.path ~ '\.[^./]+$'
               ) x ON true
               ORDER BY p.owner, p.name, p.hub"#
        )
        .fetch_all(&self.pool)
        .await?;
        let mut steps = self.study_steps().await?;
        let facts = rows.into_iter().map(|row| PackageFacts {
            hub: row.hub,
            name: row.name,
            has_card: row.has_card,
            has_licence: row.has_licence,
            datasets: usize::try_from(row.datasets).unwrap_or(0),
            base_models: usize::try_from(row.base_models).unwrap_or(0),
            relation: row.relation,
            extensions: row.extensions,
            revisions: steps.remove(&row.id).unwrap_or_default(),
        });
        Ok(facts.collect())
    }

    /// Every step from one revision to the next, oldest first, by package.
    async fn study_steps(&self) -> Result<HashMap<i64, Vec<RevisionFacts>>> {
        let rows = sqlx::query!(
            r#"SELECT r.package_id, extract(year FROM r.date)::int AS year, v.bump AS "bump!", v.silent, v.weights_changed,
                      v.reasons AS "reasons!: Json<Vec<Reason>>"
               FROM versions v JOIN revisions r ON r.id = v.revision_id
               WHERE v.bump IS NOT NULL
               ORDER BY r.package_id, r.position"#
        )
        .fetch_all(&self.pool)
        .await?;
        let mut steps: HashMap<i64, Vec<RevisionFacts>> = HashMap::new();
        for row in rows {
            // The column's check admits the four words alone.
            let Ok(bump) = row.bump.parse() else { continue };
            steps.entry(row.package_id).or_default().push(RevisionFacts {
                year: row.year,
                bump,
                silent: row.silent,
                weights_changed: row.weights_changed,
                reasons: row.reasons.0,
            });
        }
        Ok(steps)
    }
}

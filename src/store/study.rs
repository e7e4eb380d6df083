//! Reads what the naming study measures: every package and the steps of its history.

use super::{Result, Store};
use crate::versioning::Reason;
use crate::versioning::study::{PackageFacts, ReleaseFacts, StepFacts, model_type};
use sqlx::types::Json;
use std::collections::HashMap;

impl Store {
    /// Facts of all packages, in the order of their names.
    pub async fn study_facts(&self) -> Result<Vec<PackageFacts>> {
        let rows = sqlx::query!(
            r#"SELECT p.id, p.hub, p.owner || '/' || p.name AS "name!", p.card IS NOT NULL AS "has_card!",
                      extract(year FROM coalesce(p.created_at, p.modified_at))::int AS year,
                      p.licence IS NOT NULL AS "has_licence!", cardinality(p.datasets) AS "datasets!",
                      cardinality(p.base_models) AS "base_models!", e.relation AS "relation?", e.technique AS "technique?",
                      coalesce(x.extensions, '{}') AS "extensions!", x.config
               FROM packages p
               LEFT JOIN edges e ON e.child_id = p.id
               LEFT JOIN LATERAL (
                   SELECT array_agg(DISTINCT lower(substring(f.path FROM '\.[^./]+$')))
                              FILTER (WHERE f.path ~ '\.[^./]+$') AS extensions,
                          max(t.content) AS config
                   FROM revisions r
                   JOIN files f ON f.revision_id = r.id
                   LEFT JOIN texts t ON t.digest = f.text_digest AND f.path = 'config.json'
                   WHERE r.package_id = p.id AND r.revision = p.head
               ) x ON true
               ORDER BY p.owner, p.name, p.hub"#
        )
        .fetch_all(&self.pool)
        .await?;
        let mut histories = self.study_steps().await?;
        let mut releases = self.study_releases().await?;
        let facts = rows.into_iter().map(|row| {
            let (first_tags, steps) = histories.remove(&row.id).unwrap_or_default();
            PackageFacts {
                hub: row.hub,
                name: row.name,
                year: row.year,
                has_card: row.has_card,
                has_licence: row.has_licence,
                datasets: usize::try_from(row.datasets).unwrap_or(0),
                base_models: usize::try_from(row.base_models).unwrap_or(0),
                model_type: row.config.as_deref().and_then(model_type),
                relation: row.relation,
                technique: row.technique,
                extensions: row.extensions,
                first_tags,
                steps,
                release: releases.remove(&row.id),
            }
        });
        Ok(facts.collect())
    }

    /// The tags of every package's first revision, and every step from one revision to the next, oldest first.
    async fn study_steps(&self) -> Result<HashMap<i64, (Vec<String>, Vec<StepFacts>)>> {
        let rows = sqlx::query!(
            r#"SELECT r.package_id, extract(year FROM r.date)::int AS year, r.tags, v.bump, v.silent, v.weights_changed,
                      v.announced IS NOT NULL AS "announced!", v.reasons AS "reasons!: Json<Vec<Reason>>"
               FROM versions v JOIN revisions r ON r.id = v.revision_id
               ORDER BY r.package_id, r.position"#
        )
        .fetch_all(&self.pool)
        .await?;
        let mut histories: HashMap<i64, (Vec<String>, Vec<StepFacts>)> = HashMap::new();
        for row in rows {
            let (first_tags, steps) = histories.entry(row.package_id).or_default();
            // The first revision has no step; the column's check admits the four words alone.
            let Some(bump) = row.bump.and_then(|word| word.parse().ok()) else {
                *first_tags = row.tags;
                continue;
            };
            steps.push(StepFacts {
                year: row.year,
                tags: row.tags,
                bump,
                announced: row.announced,
                silent: row.silent,
                weights_changed: row.weights_changed,
                reasons: row.reasons.0,
            });
        }
        Ok(histories)
    }

    /// The step to each release whose release before is a package too.
    async fn study_releases(&self) -> Result<HashMap<i64, ReleaseFacts>> {
        let rows = sqlx::query!(
            r#"SELECT r.package_id, r.declared, before.declared AS declared_before, r.reasons AS "reasons!: Json<Vec<Reason>>"
               FROM releases r JOIN releases before ON before.package_id = r.predecessor_id"#
        )
        .fetch_all(&self.pool)
        .await?;
        let facts = rows.into_iter().map(|row| {
            let facts = ReleaseFacts {
                declared_before: row.declared_before,
                declared: row.declared,
                reasons: row.reasons.0,
            };
            (row.package_id, facts)
        });
        Ok(facts.collect())
    }
}

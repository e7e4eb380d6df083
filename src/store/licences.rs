//! Licences along the edges of the lineage.

use super::{Result, Store};

/// A child and one of its parents, with the licence of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenceLink {
    pub child: String,
    pub child_licence: Option<String>,
    pub parent: String,
    pub parent_licence: Option<String>,
    pub relation: String,
}

/// Further up nobody's licence is looked at.
const MAX_GENERATIONS: i32 = 30;

impl Store {
    /// The edges from a model up to all its ancestors, nearest first.
    pub async fn licence_chain(&self, model: i64) -> Result<Vec<LicenceLink>> {
        Ok(sqlx::query_as!(
            LicenceLink,
            r#"WITH RECURSIVE ancestry AS (
                   SELECT e.id, e.child_id, ep.parent_id, e.relation, ep.position, 1 AS generation
                   FROM edges e JOIN edge_parents ep ON ep.edge_id = e.id WHERE e.child_id = $1
                   UNION
                   SELECT e.id, e.child_id, ep.parent_id, e.relation, ep.position, a.generation + 1
                   FROM ancestry a JOIN edges e ON e.child_id = a.parent_id JOIN edge_parents ep ON ep.edge_id = e.id
                   WHERE a.generation < $2
               ), once AS (
                   SELECT DISTINCT ON (child_id, parent_id) * FROM ancestry ORDER BY child_id, parent_id, generation
               )
               SELECT c.hub || ':' || c.owner || '/' || c.name AS "child!", c.licence AS child_licence,
                      p.hub || ':' || p.owner || '/' || p.name AS "parent!", p.licence AS parent_licence,
                      o.relation AS "relation!"
               FROM once o JOIN packages c ON c.id = o.child_id JOIN packages p ON p.id = o.parent_id
               ORDER BY o.generation, o.child_id, o.position"#,
            model,
            MAX_GENERATIONS
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The pairs of different licences (parent's, child's) among the `newest` edges: few, however many edges there are.
    pub async fn licence_pairs(&self, newest: i64) -> Result<Vec<(String, String)>> {
        let rows = sqlx::query!(
            r#"WITH recent AS (SELECT id, child_id FROM edges ORDER BY id DESC LIMIT $1)
               SELECT DISTINCT p.licence AS "parent!", c.licence AS "child!"
               FROM recent r JOIN packages c ON c.id = r.child_id
               JOIN edge_parents ep ON ep.edge_id = r.id JOIN packages p ON p.id = ep.parent_id
               WHERE p.licence IS NOT NULL AND c.licence IS NOT NULL AND p.licence <> c.licence"#,
            newest
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.parent, row.child)).collect())
    }

    /// The edges among the `newest` whose licences are one of `pairs` (parent's, child's); the most recently changed child first.
    pub async fn links_with_licences(
        &self,
        pairs: &[(String, String)],
        newest: i64,
        limit: i64,
    ) -> Result<Vec<LicenceLink>> {
        let (parents, children): (Vec<String>, Vec<String>) = pairs.iter().cloned().unzip();
        Ok(sqlx::query_as!(
            LicenceLink,
            r#"WITH recent AS (SELECT id, child_id, relation FROM edges ORDER BY id DESC LIMIT $1)
               SELECT c.hub || ':' || c.owner || '/' || c.name AS "child!", c.licence AS child_licence,
                      p.hub || ':' || p.owner || '/' || p.name AS "parent!", p.licence AS parent_licence,
                      r.relation AS "relation!"
               FROM recent r JOIN packages c ON c.id = r.child_id
               JOIN edge_parents ep ON ep.edge_id = r.id JOIN packages p ON p.id = ep.parent_id
               JOIN unnest($2::text[], $3::text[]) AS pair (parent, child) ON pair.parent = p.licence AND pair.child = c.licence
               ORDER BY coalesce(c.modified_at, '-infinity') DESC, c.id DESC, ep.position LIMIT $4"#,
            newest,
            &parents,
            &children,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

//! Reads edges, and walks the graph around a model.

use super::{Result, Store};
use crate::lineage::Feature;
use serde_json::Value;
use sqlx::types::Json;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// One row of `edge_summaries`.
pub struct EdgeRow {
    pub id: i64,
    pub child_id: i64,
    pub parent_ids: Vec<i64>,
    pub child: String,
    pub parents: Vec<String>,
    pub relation: String,
    pub technique: String,
    pub params: Json<BTreeMap<String, Value>>,
    pub confidence: f64,
    pub explanation: String,
    pub evidence: Json<Vec<Feature>>,
    pub verdict: Option<String>,
}

/// A model as a node of a graph.
pub struct NodeRow {
    pub reference: String,
    pub version: Option<String>,
    pub parameters: Option<i64>,
    pub architecture: Option<String>,
    pub verdict: Option<String>,
    pub relation: Option<String>,
    pub technique: Option<String>,
}

/// The models connected to one, nearest first, and the edges among them.
pub struct Family {
    pub members: Vec<i64>,
    pub edges: Vec<EdgeRow>,
    /// More models are connected than were asked for.
    pub truncated: bool,
}

impl Store {
    /// How a model derives from its parents, where that is known.
    pub async fn edge_of(&self, child: i64) -> Result<Option<EdgeRow>> {
        Ok(sqlx::query_as!(
            EdgeRow,
            r#"SELECT id AS "id!", child_id AS "child_id!", parent_ids AS "parent_ids!", child AS "child!",
                      parents AS "parents!", relation AS "relation!", technique AS "technique!",
                      params AS "params!: Json<BTreeMap<String, Value>>", confidence AS "confidence!",
                      explanation AS "explanation!", evidence AS "evidence!: Json<Vec<Feature>>", verdict
               FROM edge_summaries WHERE child_id = $1"#,
            child
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// What was made from a model.
    pub async fn edges_from(&self, parent: i64, limit: i64) -> Result<Vec<EdgeRow>> {
        Ok(sqlx::query_as!(
            EdgeRow,
            r#"WITH page AS (SELECT edge_id FROM edge_parents WHERE parent_id = $1 ORDER BY edge_id LIMIT $2)
               SELECT id AS "id!", child_id AS "child_id!", parent_ids AS "parent_ids!", child AS "child!",
                      parents AS "parents!", relation AS "relation!", technique AS "technique!",
                      params AS "params!: Json<BTreeMap<String, Value>>", confidence AS "confidence!",
                      explanation AS "explanation!", evidence AS "evidence!: Json<Vec<Feature>>", verdict
               FROM page JOIN edge_summaries ON id = edge_id ORDER BY child"#,
            parent,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The edges that touch any of `models`.
    async fn edges_touching(&self, models: &[i64], limit: i64) -> Result<Vec<EdgeRow>> {
        Ok(sqlx::query_as!(
            EdgeRow,
            r#"WITH touching AS (
                   (SELECT e.id FROM edges e WHERE e.child_id = ANY($1) LIMIT $2)
                   UNION
                   (SELECT ep.edge_id FROM edge_parents ep WHERE ep.parent_id = ANY($1) LIMIT $2)
                   LIMIT $2
               )
               SELECT id AS "id!", child_id AS "child_id!", parent_ids AS "parent_ids!", child AS "child!",
                      parents AS "parents!", relation AS "relation!", technique AS "technique!",
                      params AS "params!: Json<BTreeMap<String, Value>>", confidence AS "confidence!",
                      explanation AS "explanation!", evidence AS "evidence!: Json<Vec<Feature>>", verdict
               FROM touching JOIN edge_summaries USING (id)"#,
            models,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Walks up to `depth` edges away from `root`, in both directions, one query a generation, to at most `max_members` models.
    pub async fn family(&self, root: i64, depth: u32, max_members: usize) -> Result<Family> {
        let mut members = vec![root];
        let mut seen = HashSet::from([root]);
        let mut edges = BTreeMap::new();
        let mut frontier = vec![root];
        let mut truncated = false;
        for _ in 0..depth {
            if frontier.is_empty() || truncated {
                break;
            }
            let limit = i64::try_from(max_members).unwrap_or(i64::MAX);
            let touching = self.edges_touching(&frontier, limit).await?;
            let mut found = BTreeSet::new();
            for edge in touching {
                let ends = edge.parent_ids.iter().chain([&edge.child_id]);
                found.extend(ends.filter(|id| !seen.contains(id)));
                edges.insert(edge.id, edge);
            }
            let room = max_members - members.len();
            truncated = found.len() > room;
            frontier = found.into_iter().take(room).collect();
            seen.extend(&frontier);
            members.extend(&frontier);
        }
        let edges = edges.into_values().filter(|edge| {
            edge.parent_ids
                .iter()
                .chain([&edge.child_id])
                .all(|id| seen.contains(id))
        });
        Ok(Family {
            members,
            edges: edges.collect(),
            truncated,
        })
    }

    /// The nodes of a graph, in the order of `models`.
    pub async fn family_nodes(&self, models: &[i64]) -> Result<Vec<NodeRow>> {
        Ok(sqlx::query_as!(
            NodeRow,
            r#"SELECT m.reference AS "reference!", m.version, m.parameters, m.architecture, m.verdict, m.relation, m.technique
               FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (id, position)
               JOIN model_summaries m USING (id)
               ORDER BY position"#,
            models
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

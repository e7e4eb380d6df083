//! A page of a hub's listing into the catalogue, in one statement.

use super::packages::without_nul;
use super::{Result, Store, StoreError};
use crate::fingerprint::Level;
use heirloom_crawler::{Availability, Package};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

impl Store {
    /// Stores what a listing says of `packages`; cards, history and files stay as they are. Returns the full names of those that
    /// need no visit: their newest revision is stored already, and read at `level`.
    pub async fn save_listed(&self, packages: &[Package], level: Level) -> Result<BTreeSet<String>> {
        // In one order, so that two crawls of one hub do not wait for each other in a circle; a name counts once.
        let unique: BTreeMap<(&str, &str, &str), &Package> = packages
            .iter()
            .map(|package| {
                (
                    (
                        package.hub.as_str(),
                        package.owner.as_str(),
                        package.name.as_str(),
                    ),
                    package,
                )
            })
            .collect();
        let columns = Columns::of(unique.values().copied())?;
        let stored = columns.upsert(self).await?;
        let ids: Vec<i64> = stored.iter().map(|row| row.id).collect();
        let pending = BTreeSet::from_iter(self.packages_with_pending(&ids, level).await?);
        let listed_heads: BTreeMap<(&str, &str, &str), Option<&str>> = unique
            .iter()
            .map(|(name, package)| (*name, package.revision.as_deref()))
            .collect();
        let is_settled = |row: &&StoredHead| {
            let listed = listed_heads.get(&(row.hub.as_str(), row.owner.as_str(), row.name.as_str()));
            let same_head = row.head.is_some() && listed.is_some_and(|head| *head == row.head.as_deref());
            same_head && !pending.contains(&row.id)
        };
        Ok(stored
            .iter()
            .filter(is_settled)
            .map(|row| format!("{}/{}", row.owner, row.name))
            .collect())
    }
}

/// A package as it is stored now.
struct StoredHead {
    id: i64,
    hub: String,
    owner: String,
    name: String,
    head: Option<String>,
}

/// A page by columns, as `unnest` takes it.
#[derive(Default)]
struct Columns {
    hub: Vec<String>,
    owner: Vec<String>,
    name: Vec<String>,
    url: Vec<Option<String>>,
    endpoint: Vec<String>,
    created_at: Vec<Option<OffsetDateTime>>,
    modified_at: Vec<Option<OffsetDateTime>>,
    architecture: Vec<Option<String>>,
    task: Vec<Option<String>>,
    library: Vec<Option<String>>,
    licence: Vec<Option<String>>,
    // `unnest` flattens lists of lists, so these are in Postgres' own spelling of a list.
    tags: Vec<String>,
    datasets: Vec<String>,
    papers: Vec<String>,
    base_models: Vec<String>,
    downloads: Vec<Option<i64>>,
    likes: Vec<Option<i64>>,
    gated: Vec<bool>,
    base_model_relation: Vec<Option<String>>,
    card: Vec<Option<String>>,
    availability: Vec<String>,
    io_ports: Vec<Option<String>>,
    raw: Vec<String>,
}

impl Columns {
    fn of<'a>(packages: impl Iterator<Item = &'a Package>) -> Result<Self> {
        let mut columns = Self::default();
        for package in packages {
            columns.push(package)?;
        }
        Ok(columns)
    }

    fn push(&mut self, package: &Package) -> Result<()> {
        let json = |source| StoreError::Json {
            what: "a listed package",
            source,
        };
        let text = |text: &Option<String>| text.as_deref().map(plain);
        self.hub.push(plain(&package.hub));
        self.owner.push(plain(&package.owner));
        self.name.push(plain(&package.name));
        self.url.push(text(&package.url));
        self.endpoint.push(plain(&package.endpoint));
        self.created_at.push(package.created_at);
        self.modified_at.push(package.modified_at);
        self.architecture.push(text(&package.architecture));
        self.task.push(text(&package.task));
        self.library.push(text(&package.library));
        self.licence.push(text(&package.licence));
        self.tags.push(list_literal(&package.tags));
        self.datasets.push(list_literal(&package.datasets));
        self.papers.push(list_literal(&package.papers));
        self.base_models.push(list_literal(&package.base_models));
        self.downloads.push(package.downloads);
        self.likes.push(package.likes);
        self.gated.push(package.gated);
        self.base_model_relation.push(text(&package.base_model_relation));
        self.card.push(text(&package.card));
        self.availability
            .push(availability_name(package.availability).to_owned());
        let ports = package.ports.as_ref().map(serde_json::to_string).transpose();
        self.io_ports
            .push(ports.map_err(json)?.map(|ports| ports.replace("\\u0000", "")));
        let raw = serde_json::to_string(&package.raw).map_err(json)?;
        // Postgres' jsonb refuses this escape; a text that only looks like it is rare enough to be read again.
        self.raw.push(match raw.contains("\\u0000") {
            true => serde_json::to_string(&without_nul(&package.raw)).map_err(json)?,
            false => raw,
        });
        Ok(())
    }

    async fn upsert(&self, store: &Store) -> Result<Vec<StoredHead>> {
        let rows = sqlx::query_as!(
            StoredHead,
            r#"INSERT INTO packages AS old (hub, owner, name, url, endpoint, created_at, modified_at, architecture, task, library,
                   licence, tags, datasets, papers, base_models, downloads, likes, gated, base_model_relation, card, availability,
                   io_ports, raw, versions_due, lineage_due)
               SELECT l.hub, l.owner, l.name, l.url, l.endpoint, l.created_at, l.modified_at, l.architecture, l.task, l.library,
                   l.licence, l.tags::text[], l.datasets::text[], l.papers::text[], l.base_models::text[], l.downloads, l.likes,
                   l.gated, l.base_model_relation, l.card, l.availability, l.io_ports::jsonb, l.raw::jsonb, false, false
               FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                   $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                   $16::bigint[], $17::bigint[], $18::boolean[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[])
                   AS l (hub, owner, name, url, endpoint, created_at, modified_at, architecture, task, library, licence, tags,
                       datasets, papers, base_models, downloads, likes, gated, base_model_relation, card, availability, io_ports,
                       raw)
               ON CONFLICT (hub, owner, name) DO UPDATE SET
                   url = excluded.url, endpoint = excluded.endpoint, created_at = excluded.created_at,
                   modified_at = excluded.modified_at, architecture = excluded.architecture, task = excluded.task,
                   library = excluded.library, licence = excluded.licence, tags = excluded.tags, datasets = excluded.datasets,
                   papers = excluded.papers, base_models = excluded.base_models, downloads = excluded.downloads,
                   likes = excluded.likes, gated = excluded.gated, base_model_relation = excluded.base_model_relation,
                   card = coalesce(excluded.card, old.card), availability = excluded.availability, renamed_to = NULL,
                   io_ports = excluded.io_ports, raw = excluded.raw, crawled_at = now(),
                   lineage_due = old.lineage_due OR (old.head IS NOT NULL AND old.base_models <> excluded.base_models)
               RETURNING id, hub, owner, name, head"#,
            &self.hub,
            &self.owner,
            &self.name,
            &self.url as &[Option<String>],
            &self.endpoint,
            &self.created_at as &[Option<OffsetDateTime>],
            &self.modified_at as &[Option<OffsetDateTime>],
            &self.architecture as &[Option<String>],
            &self.task as &[Option<String>],
            &self.library as &[Option<String>],
            &self.licence as &[Option<String>],
            &self.tags,
            &self.datasets,
            &self.papers,
            &self.base_models,
            &self.downloads as &[Option<i64>],
            &self.likes as &[Option<i64>],
            &self.gated,
            &self.base_model_relation as &[Option<String>],
            &self.card as &[Option<String>],
            &self.availability,
            &self.io_ports as &[Option<String>],
            &self.raw
        )
        .fetch_all(&store.pool)
        .await?;
        Ok(rows)
    }
}

pub(super) fn availability_name(availability: Availability) -> &'static str {
    match availability {
        Availability::Public => "public",
        Availability::Private => "private",
        Availability::Disabled => "disabled",
        Availability::Gone => "gone",
    }
}

/// Postgres text holds no NUL.
fn plain(text: &str) -> String {
    text.replace('\0', "")
}

/// `{"a","b \"c\""}`
fn list_literal(items: &[String]) -> String {
    let mut literal = String::from("{");
    for (position, item) in items.iter().enumerate() {
        literal.push_str(if position == 0 { "\"" } else { ",\"" });
        for c in item.chars().filter(|c| *c != '\0') {
            if matches!(c, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(c);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}

#[cfg(test)]
mod tests {
    use super::list_literal;

    #[test]
    fn lists_in_the_spelling_of_postgres() {
        for (items, expect) in [
            (&[][..], "{}"),
            (&["a"][..], r#"{"a"}"#),
            (
                &["a,b", "c\"d", "e\\f", "", "NULL", "g\0h"][..],
                r#"{"a,b","c\"d","e\\f","","NULL","gh"}"#,
            ),
        ] {
            let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
            assert_eq!(list_literal(&items), expect);
        }
    }
}

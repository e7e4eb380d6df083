//! Keys of the REST API, by their digests, and what each may have.

use super::{Result, Store, StoreError};
use std::fmt;
use std::str::FromStr;
use time::OffsetDateTime;

/// What a key may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Read,
    /// Ask for work: crawls, comparisons, webhooks.
    Crawl,
    /// See and undo what others asked for.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Crawl => "crawl",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Scope {
    type Err = StoreError;
    fn from_str(word: &str) -> Result<Self> {
        match word {
            "read" => Ok(Self::Read),
            "crawl" => Ok(Self::Crawl),
            "admin" => Ok(Self::Admin),
            _ => Err(StoreError::Value {
                value: word.to_owned(),
                expected: "read, crawl or admin",
            }),
        }
    }
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    pub name: &'a str,
    pub digest: &'a [u8],
    pub scope: Scope,
    pub sees_restricted: bool,
    pub requests_per_minute: i32,
    pub bytes_per_day: Option<i64>,
}

impl<'a> NewKey<'a> {
    /// A key with the usual bounds.
    pub fn new(name: &'a str, digest: &'a [u8], scope: Scope) -> Self {
        Self {
            name,
            digest,
            scope,
            sees_restricted: false,
            requests_per_minute: 600,
            bytes_per_day: None,
        }
    }
}

/// A key as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    pub name: String,
    /// read, crawl, admin
    pub scope: String,
    pub sees_restricted: bool,
    pub requests_per_minute: i32,
    pub bytes_per_day: Option<i64>,
    pub created_at: OffsetDateTime,
    pub last_used_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
}

/// What a valid key gives its holder.
#[derive(Debug, Clone)]
pub struct KeyGrant {
    pub id: i64,
    pub name: String,
    pub scope: Scope,
    pub sees_restricted: bool,
    pub requests_per_minute: i32,
    pub bytes_per_day: Option<i64>,
    pub bytes_today: i64,
}

impl Store {
    /// Adds a key; false where the name is taken, by a revoked key too.
    pub async fn add_api_key(&self, key: &NewKey<'_>) -> Result<bool> {
        let added = sqlx::query!(
            "INSERT INTO api_keys (name, digest, scope, sees_restricted, requests_per_minute, bytes_per_day)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING",
            key.name,
            key.digest,
            key.scope.to_string(),
            key.sees_restricted,
            key.requests_per_minute,
            key.bytes_per_day
        )
        .execute(&self.pool)
        .await?;
        Ok(added.rows_affected() == 1)
    }

    pub async fn list_api_keys(&self) -> Result<Vec<ApiKeyRow>> {
        Ok(sqlx::query_as!(
            ApiKeyRow,
            "SELECT name, scope, sees_restricted, requests_per_minute, bytes_per_day, created_at, last_used_at, revoked_at
             FROM api_keys ORDER BY created_at, id"
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Revokes a key for good; false where there is none of that name, or it is revoked already.
    pub async fn revoke_api_key(&self, name: &str) -> Result<bool> {
        let revoked = sqlx::query!(
            "UPDATE api_keys SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL",
            name
        )
        .execute(&self.pool)
        .await?;
        Ok(revoked.rows_affected() == 1)
    }

    /// Whether any key was ever made.
    pub async fn has_api_keys(&self) -> Result<bool> {
        Ok(
            sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM api_keys) AS "exists!""#)
                .fetch_one(&self.pool)
                .await?,
        )
    }

    /// What the valid key with this digest gives; notes to the minute that it was used.
    pub async fn use_api_key(&self, digest: &[u8]) -> Result<Option<KeyGrant>> {
        let row = sqlx::query!(
            r#"WITH used AS (
                   UPDATE api_keys SET last_used_at = now()
                   WHERE digest = $1 AND revoked_at IS NULL
                     AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
               )
               SELECT k.id, k.name, k.scope, k.sees_restricted, k.requests_per_minute, k.bytes_per_day,
                      coalesce(u.bytes, 0) AS "bytes_today!"
               FROM api_keys k
               LEFT JOIN api_usage u ON u.key_id = k.id AND u.day = (now() AT TIME ZONE 'UTC')::date
               WHERE k.digest = $1 AND k.revoked_at IS NULL"#,
            digest
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(KeyGrant {
                id: row.id,
                name: row.name,
                scope: row.scope.parse()?,
                sees_restricted: row.sees_restricted,
                requests_per_minute: row.requests_per_minute,
                bytes_per_day: row.bytes_per_day,
                bytes_today: row.bytes_today,
            })
        })
        .transpose()
    }

    /// Adds to the bytes a key was answered today (UTC).
    pub async fn add_usage(&self, key: i64, bytes: i64) -> Result<()> {
        sqlx::query!(
            "INSERT INTO api_usage AS old (key_id, day, bytes) VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2)
             ON CONFLICT (key_id, day) DO UPDATE SET bytes = old.bytes + excluded.bytes",
            key,
            bytes
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

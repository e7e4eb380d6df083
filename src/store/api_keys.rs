//! Keys of the REST API, by their digests.

use super::{Result, Store};
use time::OffsetDateTime;

/// A key as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    pub name: String,
    /// read, write, admin
    pub scope: String,
    pub created_at: OffsetDateTime,
    pub last_used_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
}

impl Store {
    /// Adds a key; false where the name is taken, by a revoked key too.
    pub async fn add_api_key(&self, name: &str, digest: &[u8], scope: &str) -> Result<bool> {
        let added = sqlx::query!(
            "INSERT INTO api_keys (name, digest, scope) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
            name,
            digest,
            scope
        )
        .execute(&self.pool)
        .await?;
        Ok(added.rows_affected() == 1)
    }

    pub async fn list_api_keys(&self) -> Result<Vec<ApiKeyRow>> {
        Ok(sqlx::query_as!(
            ApiKeyRow,
            "SELECT name, scope, created_at, last_used_at, revoked_at FROM api_keys ORDER BY created_at, id"
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

    /// Whether any key was ever made: from then on writing takes one.
    pub async fn has_api_keys(&self) -> Result<bool> {
        Ok(
            sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM api_keys) AS "exists!""#)
                .fetch_one(&self.pool)
                .await?,
        )
    }

    /// The scope of the valid key with this digest; notes that it was used.
    pub async fn use_api_key(&self, digest: &[u8]) -> Result<Option<String>> {
        Ok(sqlx::query_scalar!(
            "UPDATE api_keys SET last_used_at = now() WHERE digest = $1 AND revoked_at IS NULL RETURNING scope",
            digest
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}

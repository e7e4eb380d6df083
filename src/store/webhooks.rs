//! Webhooks: addresses that are told of changes.

use super::{Result, Store};
use time::OffsetDateTime;
use uuid::Uuid;

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    pub actor: String,
    pub url: String,
    pub secret: Vec<u8>,
    pub kinds: Vec<String>,
    pub hub: Option<String>,
    pub owner: Option<String>,
    pub name: Option<String>,
    pub family: bool,
    pub sees_restricted: bool,
    /// Changes up to here are not told.
    pub position: i64,
}

#[derive(Debug, Clone)]
pub struct WebhookRow {
    pub id: Uuid,
    pub actor: String,
    pub url: String,
    pub secret: Vec<u8>,
    pub kinds: Vec<String>,
    pub hub: Option<String>,
    pub owner: Option<String>,
    pub name: Option<String>,
    pub family: bool,
    pub sees_restricted: bool,
    pub position: i64,
    pub failures: i32,
    pub last_attempt_at: Option<OffsetDateTime>,
    pub last_error: Option<String>,
    pub disabled_at: Option<OffsetDateTime>,
    pub created_at: OffsetDateTime,
}

impl Store {
    pub async fn add_webhook(&self, new: &NewWebhook) -> Result<Uuid> {
        let id = Uuid::now_v7();
        sqlx::query!(
            "INSERT INTO webhooks (id, actor, url, secret, kinds, hub, owner, name, family, sees_restricted, position)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            id,
            new.actor,
            new.url,
            new.secret,
            &new.kinds,
            new.hub,
            new.owner,
            new.name,
            new.family,
            new.sees_restricted,
            new.position
        )
        .execute(&self.whole)
        .await?;
        Ok(id)
    }

    /// Webhooks of `actor`, or everybody's; newest first.
    pub async fn list_webhooks(&self, actor: Option<&str>) -> Result<Vec<WebhookRow>> {
        Ok(sqlx::query_as!(
            WebhookRow,
            "SELECT * FROM webhooks WHERE $1::text IS NULL OR actor = $1 ORDER BY id DESC",
            actor
        )
        .fetch_all(&self.whole)
        .await?)
    }

    pub async fn webhook(&self, id: Uuid) -> Result<Option<WebhookRow>> {
        Ok(
            sqlx::query_as!(WebhookRow, "SELECT * FROM webhooks WHERE id = $1", id)
                .fetch_optional(&self.whole)
                .await?,
        )
    }

    pub async fn remove_webhook(&self, id: Uuid) -> Result<()> {
        sqlx::query!("DELETE FROM webhooks WHERE id = $1", id)
            .execute(&self.whole)
            .await?;
        Ok(())
    }

    /// Webhooks that have not been told of everything up to `newest`.
    pub async fn webhooks_behind(&self, newest: i64) -> Result<Vec<WebhookRow>> {
        Ok(sqlx::query_as!(
            WebhookRow,
            "SELECT * FROM webhooks WHERE disabled_at IS NULL AND position < $1 ORDER BY id",
            newest
        )
        .fetch_all(&self.whole)
        .await?)
    }

    /// Notes that deliveries up to `position` are in the queue.
    pub async fn advance_webhook(&self, id: Uuid, position: i64) -> Result<()> {
        sqlx::query!(
            "UPDATE webhooks SET position = greatest(position, $2) WHERE id = $1",
            id,
            position
        )
        .execute(&self.whole)
        .await?;
        Ok(())
    }

    /// Notes what came of an attempt. After `max_failures` in a row nothing more is sent.
    pub async fn note_attempt(&self, id: Uuid, error: Option<&str>, max_failures: i32) -> Result<()> {
        sqlx::query!(
            "UPDATE webhooks SET last_attempt_at = now(), last_error = $2,
                 failures = CASE WHEN $2::text IS NULL THEN 0 ELSE failures + 1 END,
                 disabled_at = CASE WHEN $2::text IS NOT NULL AND failures + 1 >= $3 THEN now() ELSE disabled_at END
             WHERE id = $1",
            id,
            error,
            max_failures
        )
        .execute(&self.whole)
        .await?;
        Ok(())
    }
}

//! Schedules: crawls that come again by themselves.

use super::crawls::CrawlPlan;
use super::{Result, Store, StoreError, lineage::to_json};
use serde::Serialize;
use time::OffsetDateTime;

/// A crawl and when it comes again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Schedule {
    pub name: String,
    pub cron: String,
    pub time_zone: String,
    pub plan: CrawlPlan,
    /// once, skip
    pub catch_up: String,
    pub paused: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub next_run: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_run: Option<OffsetDateTime>,
}

struct ScheduleRow {
    name: String,
    cron: String,
    time_zone: String,
    plan: serde_json::Value,
    catch_up: String,
    paused: bool,
    next_run: OffsetDateTime,
    last_run: Option<OffsetDateTime>,
}

impl TryFrom<ScheduleRow> for Schedule {
    type Error = StoreError;
    fn try_from(row: ScheduleRow) -> Result<Self> {
        let plan = serde_json::from_value(row.plan).map_err(|source| StoreError::Json {
            what: "a schedule's plan",
            source,
        })?;
        Ok(Self {
            name: row.name,
            cron: row.cron,
            time_zone: row.time_zone,
            plan,
            catch_up: row.catch_up,
            paused: row.paused,
            next_run: row.next_run,
            last_run: row.last_run,
        })
    }
}

impl Store {
    /// Adds a schedule, or replaces the one of its name.
    pub async fn save_schedule(&self, schedule: &Schedule) -> Result<()> {
        sqlx::query!(
            "INSERT INTO schedules (name, cron, time_zone, plan, catch_up, paused, next_run) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (name) DO UPDATE SET cron = excluded.cron, time_zone = excluded.time_zone, plan = excluded.plan,
                 catch_up = excluded.catch_up, paused = excluded.paused, next_run = excluded.next_run",
            schedule.name,
            schedule.cron,
            schedule.time_zone,
            to_json("a schedule's plan", &schedule.plan)?,
            schedule.catch_up,
            schedule.paused,
            schedule.next_run
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// All schedules, by name.
    pub async fn schedules(&self) -> Result<Vec<Schedule>> {
        let rows = sqlx::query_as!(
            ScheduleRow,
            "SELECT name, cron, time_zone, plan, catch_up, paused, next_run, last_run FROM schedules ORDER BY name"
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Schedule::try_from).collect()
    }

    /// Schedules whose next run has come.
    pub async fn due_schedules(&self, now: OffsetDateTime) -> Result<Vec<Schedule>> {
        let rows = sqlx::query_as!(
            ScheduleRow,
            "SELECT name, cron, time_zone, plan, catch_up, paused, next_run, last_run FROM schedules
             WHERE NOT paused AND next_run <= $1 ORDER BY next_run",
            now
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(Schedule::try_from).collect()
    }

    /// Moves a schedule on from the run that was due at `from`. False when another process did so first.
    pub async fn advance_schedule(
        &self,
        name: &str,
        from: OffsetDateTime,
        to: OffsetDateTime,
        ran: bool,
    ) -> Result<bool> {
        let done = sqlx::query!(
            "UPDATE schedules SET next_run = $3, last_run = CASE WHEN $4 THEN now() ELSE last_run END
             WHERE name = $1 AND next_run = $2",
            name,
            from,
            to,
            ran
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Pauses or resumes a schedule; false when there is none of that name.
    pub async fn pause_schedule(&self, name: &str, paused: bool) -> Result<bool> {
        let done = sqlx::query!("UPDATE schedules SET paused = $2 WHERE name = $1", name, paused)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes a schedule; false when there is none of that name.
    pub async fn remove_schedule(&self, name: &str) -> Result<bool> {
        let done = sqlx::query!("DELETE FROM schedules WHERE name = $1", name)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

//! Schedules: crawls that come again by themselves.

use super::AppState;
use super::error::ApiError;
use super::extract::{Json, Path, Query, bounded, checked_name};
use super::hubs::endpoint_of;
use crate::fingerprint::Level;
use crate::jobs::next_run;
use crate::store::crawls::CrawlPlan;
use crate::store::schedules::Schedule as ScheduleRow;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_RUNS: u32 = 5;
const MAX_RUNS: u32 = 50;

/// What to crawl.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[schema(example = "hf")]
    pub hub: String,
    /// One of `/hubs`; the hub's usual address by default.
    #[serde(default)]
    #[schema(required = false)]
    pub endpoint: Option<String>,
    /// Only packages of this owner.
    #[serde(default)]
    #[schema(required = false)]
    pub author: Option<String>,
    /// Only packages whose name contains this.
    #[serde(default)]
    #[schema(required = false)]
    pub search: Option<String>,
    /// At most this many packages.
    #[serde(default)]
    #[schema(required = false)]
    pub limit: Option<u64>,
}

impl Plan {
    /// As it is stored. Only hubs that this server crawls are accepted.
    pub async fn checked(self, state: &AppState) -> Result<CrawlPlan, ApiError> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let endpoint = given(self.endpoint);
        Ok(CrawlPlan {
            endpoint: endpoint_of(&state.store, &self.hub, endpoint.as_deref()).await?,
            hub: self.hub,
            author: given(self.author),
            search: given(self.search),
            limit: self.limit,
            level: Level::Full,
        })
    }
}

impl From<CrawlPlan> for Plan {
    fn from(plan: CrawlPlan) -> Self {
        Self {
            hub: plan.hub,
            endpoint: Some(plan.endpoint),
            author: plan.author,
            search: plan.search,
            limit: plan.limit,
        }
    }
}

/// What of the runs that were missed while nothing served.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// One is run now.
    #[default]
    Once,
    /// The next is waited for.
    Skip,
}

#[derive(Serialize, ToSchema)]
pub struct Schedule {
    name: String,
    /// Minute, hour, day, month, weekday.
    #[schema(example = "0 3 * * *")]
    cron: String,
    /// IANA name of the clock that the pattern is read on.
    time_zone: String,
    plan: Plan,
    catch_up: String,
    paused: bool,
    #[serde(with = "time::serde::rfc3339")]
    next_run: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    last_run: Option<OffsetDateTime>,
}

impl From<ScheduleRow> for Schedule {
    fn from(row: ScheduleRow) -> Self {
        Self {
            name: row.name,
            cron: row.cron,
            time_zone: row.time_zone,
            plan: row.plan.into(),
            catch_up: row.catch_up,
            paused: row.paused,
            next_run: row.next_run,
            last_run: row.last_run,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ScheduleList {
    items: Vec<Schedule>,
}

/// All schedules, by name.
#[utoipa::path(get, path = "/schedules", operation_id = "list_schedules", tag = "service", responses((status = OK, body = ScheduleList)))]
pub async fn list(State(state): State<AppState>) -> Result<axum::Json<ScheduleList>, ApiError> {
    let schedules = state.store.schedules().await?;
    Ok(axum::Json(ScheduleList {
        items: schedules.into_iter().map(Schedule::from).collect(),
    }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// Minute, hour, day, month, weekday.
    #[schema(example = "0 3 * * *")]
    cron: String,
    /// IANA name of the clock that the pattern is read on.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    plan: Plan,
    #[serde(default)]
    #[schema(required = false)]
    catch_up: CatchUp,
    /// A paused schedule begins no run; resumed, it goes on with the next, not with those it missed.
    #[serde(default)]
    #[schema(required = false)]
    paused: bool,
}

/// Adds a schedule, or replaces, pauses or resumes the one of this name.
#[utoipa::path(
    put, path = "/schedules/{name}", operation_id = "save_schedule", tag = "service", params(("name" = String, Path)), request_body = NewSchedule,
    responses((status = OK, body = Schedule), (status = BAD_REQUEST, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn save(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Json(new): Json<NewSchedule>,
) -> Result<axum::Json<Schedule>, ApiError> {
    let schedule = ScheduleRow {
        name: checked_name(name)?,
        next_run: next(&new.cron, &new.time_zone, OffsetDateTime::now_utc())?,
        cron: new.cron,
        time_zone: new.time_zone,
        plan: new.plan.checked(&state).await?,
        catch_up: match new.catch_up {
            CatchUp::Once => "once".to_owned(),
            CatchUp::Skip => "skip".to_owned(),
        },
        paused: new.paused,
        last_run: None,
    };
    state.store.save_schedule(&schedule).await?;
    Ok(axum::Json(schedule.into()))
}

/// Removes a schedule.
#[utoipa::path(
    delete, path = "/schedules/{name}", operation_id = "remove_schedule", tag = "service", params(("name" = String, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn remove(State(state): State<AppState>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    match state.store.remove_schedule(&name).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::UnknownSchedule { name }),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PreviewParams {
    /// Minute, hour, day, month, weekday.
    cron: String,
    /// IANA name of the clock that the pattern is read on.
    time_zone: String,
    #[param(minimum = 1, maximum = 50, default = 5)]
    limit: Option<u32>,
}

/// When a schedule would run.
#[derive(Serialize, ToSchema)]
pub struct Preview {
    /// Soonest first.
    runs: Vec<Run>,
}

#[derive(Serialize, ToSchema)]
pub struct Run {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// The next times that a pattern names on a clock.
#[utoipa::path(
    get, path = "/schedules/preview", operation_id = "preview_schedule", tag = "service", params(PreviewParams),
    responses((status = OK, body = Preview), (status = BAD_REQUEST, body = super::Problem, content_type = "application/problem+json"))
)]
pub async fn preview(Query(params): Query<PreviewParams>) -> Result<axum::Json<Preview>, ApiError> {
    let limit = bounded("limit", params.limit, DEFAULT_RUNS, MAX_RUNS)?;
    let mut runs = Vec::new();
    let mut after = OffsetDateTime::now_utc();
    for _ in 0..limit {
        after = next(&params.cron, &params.time_zone, after)?;
        runs.push(Run { at: after });
    }
    Ok(axum::Json(Preview { runs }))
}

fn next(cron: &str, time_zone: &str, after: OffsetDateTime) -> Result<OffsetDateTime, ApiError> {
    next_run(cron, time_zone, after).map_err(|error| ApiError::InvalidSchedule {
        reason: format!("{error:#}"),
    })
}

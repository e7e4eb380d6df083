//! Server-sent events: changes as they are found, and how far crawls and comparisons are.
//!
//! Each stream looks into the database once a second and sends what is new; a client that lost its connection goes on where it was
//! (`Last-Event-ID`). Streams end when the server stops.

use super::AppState;
use super::change::{Change, ChangeKind};
use super::error::ApiError;
use super::extract::{Query, empty_is_none, word};
use crate::store::changes::ChangeFilter;
use crate::store::progress::WorkRow;
use crate::store::watch::WatchFilter;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::Stream;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Streams at the same time: each asks the database once a second.
pub const MAX_STREAMS: usize = 100;
/// Changes read at a time.
const BATCH: i64 = 100;

type Events = Sse<axum::response::sse::KeepAliveStream<EventStream>>;
type EventStream = futures::stream::BoxStream<'static, Result<Event, axum::Error>>;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FollowParams {
    #[param(inline)]
    kind: Option<ChangeKind>,
    #[serde(default, deserialize_with = "empty_is_none")]
    hub: Option<String>,
    #[serde(default, deserialize_with = "empty_is_none")]
    owner: Option<String>,
    /// Name of the model, without its owner.
    #[serde(default, deserialize_with = "empty_is_none")]
    name: Option<String>,
    /// Go on after the event of this id; without it, and without `Last-Event-ID`, the stream begins now.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// Changes as they are found: events called `change`, whose data is one of the feed's items.
#[utoipa::path(
    get, path = "/changes/stream", operation_id = "stream_changes", tag = "changes", params(FollowParams),
    responses((status = OK, body = String, content_type = "text/event-stream"))
)]
pub async fn changes(
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(params): Query<FollowParams>,
) -> Result<Events, ApiError> {
    let permit = open_stream(&state)?;
    let last_seen = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let newest = state.store.number_changes().await?;
    let follower = ChangeFollower {
        position: params.after.or(last_seen).unwrap_or(newest),
        filter: WatchFilter {
            changes: ChangeFilter {
                kind: params.kind.map(word),
                hub: params.hub,
                owner: params.owner,
                name: params.name,
            },
            ..WatchFilter::default()
        },
        waiting: VecDeque::new(),
        state: state.clone(),
        _permit: permit,
    };
    Ok(until_stop(
        &state,
        futures::stream::try_unfold(follower, ChangeFollower::next),
    ))
}

struct ChangeFollower {
    state: AppState,
    position: i64,
    filter: WatchFilter,
    waiting: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl ChangeFollower {
    async fn next(mut self) -> Result<Option<(Event, Self)>, axum::Error> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some((event, self)));
            }
            self.look().await.map_err(axum::Error::new)?;
            if self.waiting.is_empty() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    async fn look(&mut self) -> Result<(), ApiError> {
        let store = &self.state.store;
        let newest = store.number_changes().await?;
        if newest <= self.position {
            return Ok(());
        }
        let found = store
            .changes_between(self.position, newest, &self.filter, BATCH)
            .await?;
        let whole = i64::try_from(found.len()).is_ok_and(|count| count < BATCH);
        self.position = match (whole, found.last()) {
            (false, Some(last)) => last.position,
            _ => newest,
        };
        for followed in found {
            let id = followed.position.to_string();
            let event = event("change", &Change::try_from(followed.change)?)?;
            self.waiting.push_back(event.id(id));
        }
        Ok(())
    }
}

/// How far a piece of work is.
#[derive(Serialize, ToSchema)]
pub struct Work {
    id: String,
    /// queued, running, done, failed
    status: String,
    /// Packages of a crawl, bytes of a comparison.
    done: i64,
    total: Option<i64>,
}

/// How far crawls and comparisons are: events called `crawl` and `diff`, first for each that runs, then whenever one moved.
#[utoipa::path(
    get, path = "/progress/stream", operation_id = "stream_progress", tag = "service",
    responses((status = OK, body = String, content_type = "text/event-stream"))
)]
pub async fn progress(State(state): State<AppState>) -> Result<Events, ApiError> {
    let follower = ProgressFollower {
        state: state.clone(),
        seen: HashMap::new(),
        waiting: VecDeque::new(),
        _permit: open_stream(&state)?,
    };
    Ok(until_stop(
        &state,
        futures::stream::try_unfold(follower, ProgressFollower::next),
    ))
}

struct ProgressFollower {
    state: AppState,
    /// What was sent last of each piece of work that has not ended.
    seen: HashMap<String, WorkRow>,
    waiting: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl ProgressFollower {
    async fn next(mut self) -> Result<Option<(Event, Self)>, axum::Error> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some((event, self)));
            }
            self.look().await.map_err(axum::Error::new)?;
            if self.waiting.is_empty() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    async fn look(&mut self) -> Result<(), ApiError> {
        let watched: Vec<String> = self.seen.keys().cloned().collect();
        for row in self.state.store.work_in_progress(&watched).await? {
            if self.seen.get(&row.id) == Some(&row) {
                continue;
            }
            let work = Work {
                id: row.id.clone(),
                status: row.status.clone(),
                done: row.done,
                total: row.total,
            };
            self.waiting.push_back(event(&row.kind, &work)?);
            match row.ended {
                true => _ = self.seen.remove(&row.id),
                false => _ = self.seen.insert(row.id.clone(), row),
            }
        }
        Ok(())
    }
}

fn open_stream(state: &AppState) -> Result<OwnedSemaphorePermit, ApiError> {
    state
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| ApiError::TooManyStreams)
}

fn event(name: &str, data: &impl Serialize) -> Result<Event, ApiError> {
    let event = Event::default().event(name).json_data(data);
    event.map_err(|error| ApiError::Unreadable(error.to_string()))
}

fn until_stop(
    state: &AppState,
    events: impl Stream<Item = Result<Event, axum::Error>> + Send + 'static,
) -> Events {
    use futures::StreamExt;
    let stop = state.config.stop.clone().cancelled_owned();
    Sse::new(events.take_until(stop).boxed()).keep_alive(KeepAlive::default())
}

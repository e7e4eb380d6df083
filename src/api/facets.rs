//! How the models that match a search are spread over hubs, relations, verdicts, tasks, libraries, licences and architectures.

use super::AppState;
use super::error::ApiError;
use super::extract::Query;
use super::model_list::ListParams;
use crate::store::facets::FacetRow;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// Values of each field that are shown.
const SHOWN: usize = 15;
/// Models that are looked at.
const MOST_COUNTED: i64 = 50_000;

#[derive(Serialize, ToSchema)]
pub struct FacetValue {
    value: String,
    count: i64,
}

/// The most frequent values of each field, most frequent first.
#[derive(Default, Serialize, ToSchema)]
pub struct Facets {
    /// Models that were counted: all that match, or the newest 50,000 of them.
    counted: i64,
    /// False where more match than were counted.
    complete: bool,
    hub: Vec<FacetValue>,
    relation: Vec<FacetValue>,
    verdict: Vec<FacetValue>,
    task: Vec<FacetValue>,
    library: Vec<FacetValue>,
    licence: Vec<FacetValue>,
    architecture: Vec<FacetValue>,
}

/// Counts the values of the models that match, for the same parameters as the list of models; `limit` and `cursor` change nothing.
#[utoipa::path(get, path = "/models/facets", operation_id = "count_facets", tag = "models", params(ListParams), responses((status = OK, body = Facets)))]
pub async fn count(
    State(state): State<AppState>,
    Query(params): Query<ListParams>,
) -> Result<Json<Facets>, ApiError> {
    let rows = state
        .store
        .count_facets(&params.into_filter()?, MOST_COUNTED + 1)
        .await?;
    Ok(Json(shape(rows)))
}

fn shape(rows: Vec<FacetRow>) -> Facets {
    let matched = rows.first().map_or(0, |row| row.counted);
    let mut facets = Facets {
        counted: matched.min(MOST_COUNTED),
        complete: matched <= MOST_COUNTED,
        ..Facets::default()
    };
    for row in rows {
        let values = match row.field.as_str() {
            "hub" => &mut facets.hub,
            "relation" => &mut facets.relation,
            "verdict" => &mut facets.verdict,
            "task" => &mut facets.task,
            "library" => &mut facets.library,
            "licence" => &mut facets.licence,
            _ => &mut facets.architecture,
        };
        if values.len() < SHOWN {
            values.push(FacetValue {
                value: row.value,
                count: row.count,
            });
        }
    }
    facets
}

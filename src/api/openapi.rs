//! The OpenAPI 3.1 document, generated from the handlers. web/openapi.json is its committed copy, from which the dashboard's
//! client types are made.

use super::error::Problem;
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::LazyLock;
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
    Schema,
};
use utoipa::{PartialSchema, ToSchema};

/// Components that callers send: there an absent property means "not given". Everywhere else every property is present.
const REQUESTS: [&str; 5] = [
    "DiffRequest",
    "IdentifyRequest",
    "IdentifyTensor",
    "NewKey",
    "WebhookRequest",
];

static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());

/// The document of the whole API.
pub fn document() -> OpenApi {
    let mut document = super::routes().into_openapi();
    if let Some(components) = &mut document.components {
        components
            .schemas
            .insert(Problem::name().into_owned(), Problem::schema());
        require_present_properties(components);
    }
    document_problems(&mut document);
    document
}

/// Title, version and licence; the routes add the rest.
pub fn header() -> OpenApi {
    let mut licence = License::new("Apache-2.0");
    licence.identifier = Some("Apache-2.0".to_owned());
    let info = InfoBuilder::new()
        .title("Heirloom")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Lineage and versions of machine-learning models, read off their weights.",
        ))
        .license(Some(licence));
    OpenApiBuilder::new().info(info.build()).build()
}

/// Answers are written with every property, `null` where there is nothing to say; the derived schemas call those optional.
fn require_present_properties(components: &mut Components) {
    let answers = components
        .schemas
        .iter_mut()
        .filter(|(name, _)| !REQUESTS.contains(&name.as_str()));
    for (_, schema) in answers {
        require_properties(schema);
    }
}

fn require_properties(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            object.required = object.properties.keys().cloned().collect();
            object.properties.values_mut().for_each(require_properties);
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter_mut().for_each(require_properties),
        RefOr::T(Schema::OneOf(one)) => one.items.iter_mut().for_each(require_properties),
        RefOr::T(Schema::Array(array)) => {
            if let utoipa::openapi::schema::ArrayItems::RefOrSchema(items) = &mut array.items {
                require_properties(items);
            }
        }
        _ => {}
    }
}

/// What any request may be answered with, whatever it asks; what a route adds stands at the route.
const ALWAYS: [(&str, &str); 5] = [
    ("400", "A parameter that cannot be read or is out of its bounds"),
    ("401", "A key that is missing or not valid"),
    (
        "404",
        "Something that is not there, or not to be seen with this key",
    ),
    (
        "429",
        "Too many requests, or too many bytes; `Retry-After` says when to come again",
    ),
    ("503", "The database is away, or the answer took too long"),
];
const WITH_A_BODY: [(&str, &str); 4] = [
    ("403", "A key whose scope does not reach so far"),
    ("413", "A body that is too large"),
    ("415", "A body of another content type"),
    ("422", "A body unlike its schema"),
];

/// Documents each status that a caller can be answered with, with the one envelope of errors.
fn document_problems(document: &mut OpenApi) {
    for path in document.paths.paths.values_mut() {
        let reading = path
            .get
            .iter_mut()
            .map(|operation| (operation, &ALWAYS[..], &[][..]));
        let writing = [&mut path.post, &mut path.put, &mut path.delete];
        let writing = writing
            .into_iter()
            .flatten()
            .map(|operation| (operation, &ALWAYS[..], &WITH_A_BODY[..]));
        for (operation, always, with_a_body) in reading.chain(writing) {
            for (status, description) in always.iter().chain(with_a_body) {
                let responses = &mut operation.responses.responses;
                responses
                    .entry((*status).to_owned())
                    .or_insert_with(|| problem(description).into());
            }
        }
    }
}

fn problem(description: &str) -> utoipa::openapi::Response {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
}

/// Serves the document.
pub async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn the_committed_document_is_the_generated_one() {
        let generated = super::document().to_pretty_json().unwrap() + "\n";
        let committed =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/web/openapi.json")).unwrap();
        assert!(
            generated == committed,
            "run `heirloom openapi > web/openapi.json`"
        );
    }
}

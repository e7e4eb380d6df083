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
const REQUESTS: [&str; 3] = ["DiffRequest", "IdentifyRequest", "IdentifyTensor"];

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

/// Every operation may answer with problem details, whatever the cause.
fn document_problems(document: &mut OpenApi) {
    let problem = ResponseBuilder::new()
        .description("Problem details (RFC 9457)")
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name(Problem::name())))
                .build(),
        )
        .build();
    for path in document.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post, &mut path.put, &mut path.delete];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses.insert("default".to_owned(), problem.clone().into());
        }
    }
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

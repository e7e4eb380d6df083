//! The API's documentation as one page that needs no network and no script: written from the OpenAPI document, once.

use super::openapi::document;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use quick_xml::escape::escape;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::sync::LazyLock;

const STYLE: &str = include_str!("docs.css");

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let document = serde_json::to_value(document()).unwrap_or_default();
    page(&document)
});

/// The page.
pub async fn show() -> Html<&'static str> {
    Html(PAGE.as_str())
}

/// Its style sheet: the content security policy lets no style stand in the page itself.
pub async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

fn page(document: &Value) -> String {
    let mut html = Writer::default();
    html.raw("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Heirloom API</title>");
    html.raw("<meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"docs.css\"><main>");
    html.element(
        "h1",
        &format!("Heirloom API {}", text(&document["info"]["version"])),
    );
    html.element("p", text(&document["info"]["description"]));
    html.raw("<p>As a document: <a href=\"openapi.json\">openapi.json</a>. Errors are problem details (RFC 9457). A key is sent as <code>Authorization: Bearer KEY</code>.</p>");
    let operations = operations(document);
    html.raw("<nav><ul>");
    for operation in &operations {
        let name = text(&operation.value["operationId"]);
        html.raw(&format!("<li><a href=\"#{}\">", escape(name)));
        html.text(&operation.title());
        html.raw("</a></li>");
    }
    html.raw("</ul></nav>");
    for operation in &operations {
        html.operation(operation);
    }
    html.element("h2", "Schemas");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        html.schema(name, schema);
    }
    html.raw("</main></html>\n");
    html.html
}

struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    value: &'a Value,
}

impl Operation<'_> {
    fn title(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = entries(&document["paths"]);
    let of_path = |(path, methods): (_, _)| {
        let methods: &Value = methods;
        let path: &String = path;
        entries(methods).map(move |(method, value)| Operation { method, path, value })
    };
    paths.flat_map(of_path).collect()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE).iter()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// HTML in the making; everything but [`Writer::raw`] is escaped.
#[derive(Default)]
struct Writer {
    html: String,
}

impl Writer {
    fn raw(&mut self, html: &str) {
        self.html.push_str(html);
    }

    fn text(&mut self, text: &str) {
        self.html.push_str(&escape(text));
    }

    fn element(&mut self, name: &str, text: &str) {
        let _ = write!(self.html, "<{name}>{}</{name}>", escape(text));
    }

    fn row(&mut self, cells: [&str; 3]) {
        self.raw("<tr><td><code>");
        self.text(cells[0]);
        self.raw("</code></td><td>");
        self.text(cells[1]);
        self.raw("</td><td>");
        self.text(cells[2]);
        self.raw("</td></tr>");
    }

    fn operation(&mut self, operation: &Operation<'_>) {
        let value = operation.value;
        self.raw(&format!(
            "<section id=\"{}\">",
            escape(text(&value["operationId"]))
        ));
        self.element("h2", &operation.title());
        self.element("p", text(&value["summary"]));
        self.element("p", text(&value["description"]));
        self.raw("<table>");
        for parameter in items(&value["parameters"]) {
            let place = match parameter["required"] == true {
                true => "required ",
                false => "",
            };
            let kind = format!(
                "{place}{} in {}",
                type_of(&parameter["schema"]),
                text(&parameter["in"])
            );
            self.row([text(&parameter["name"]), &kind, text(&parameter["description"])]);
        }
        for (kind, body) in entries(&value["requestBody"]["content"]) {
            self.row(["body", &type_of(&body["schema"]), kind]);
        }
        for (status, response) in entries(&value["responses"]) {
            let description = text(&response["description"]);
            let contents: Vec<String> = entries(&response["content"])
                .map(|(kind, content)| format!("{} as {kind}", type_of(&content["schema"])))
                .collect();
            self.row([status, &contents.join(", "), description]);
        }
        self.raw("</table></section>");
    }

    fn schema(&mut self, name: &str, schema: &Value) {
        self.raw(&format!("<section id=\"schema-{}\">", escape(name)));
        self.element("h3", name);
        self.element("p", text(&schema["description"]));
        let words: Vec<&str> = items(&schema["enum"]).iter().map(text).collect();
        self.element("p", &words.join(", "));
        self.raw("<table>");
        let parts = [std::slice::from_ref(schema), items(&schema["allOf"])].concat();
        for part in &parts {
            for (property, value) in entries(&part["properties"]) {
                self.row([property, &type_of(value), text(&value["description"])]);
            }
        }
        self.raw("</table></section>");
    }
}

/// A schema in a word or two.
fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    let variants = [
        items(&schema["oneOf"]),
        items(&schema["anyOf"]),
        items(&schema["allOf"]),
    ]
    .concat();
    if !variants.is_empty() {
        return variants.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind).to_owned(),
    };
    match kind.as_str() {
        "array" => format!("list of {}", type_of(&schema["items"])),
        "" => "any".to_owned(),
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_operation_and_schema_and_loads_nothing_from_elsewhere() {
        let document = serde_json::to_value(document()).unwrap_or_default();
        let page = page(&document);
        for operation in operations(&document) {
            assert!(page.contains(&format!("<h2>{}</h2>", operation.title())));
        }
        for (name, _) in entries(&document["components"]["schemas"]) {
            assert!(page.contains(&format!("<h3>{name}</h3>")));
        }
        assert!(!page.contains("<script") && !page.contains("style=") && !page.contains("src="));
    }

    #[test]
    fn what_the_document_says_is_escaped() {
        let mut writer = Writer::default();
        writer.element("p", "<b> & \"q\"");
        assert_eq!(writer.html, "<p>&lt;b&gt; &amp; &quot;q&quot;</p>");
    }
}

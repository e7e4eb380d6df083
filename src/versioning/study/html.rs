//! The study as one HTML page: tables with bars, no script, nothing fetched.

use super::{Count, PackageMeasures, Study};
use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1a2027;background:#fff}\
h1,h2{line-height:1.2}table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}\
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #dde3e8;vertical-align:top}\
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}td.bar{width:40%}\
td.bar svg{display:block;width:100%;height:.9rem}rect{fill:#2f6f9f}code{font-size:.9em}\
@media(prefers-color-scheme:dark){body{color:#dde3e8;background:#12171c}th,td{border-color:#2b343c}rect{fill:#6fb1e0}}";

pub(super) fn page(study: &Study) -> String {
    let mut page = String::new();
    let source = escape(&study.source);
    page += "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">";
    _ = write!(
        page,
        "<title>Heirloom study: {source}</title><style>{STYLE}</style><h1>How models are named and versioned</h1>"
    );
    _ = write!(
        page,
        "<p>Measured over {source}: {} names.</p>",
        study.names.names
    );
    comparison(&mut page, study);
    let names = &study.names;
    bars(
        &mut page,
        &format!("Conventions ({} distinct)", names.conventions),
        &names.frequent_conventions,
    );
    bars(&mut page, "Names that hold a segment of each kind", &names.kinds);
    bars(
        &mut page,
        &format!("Base models ({} distinct)", names.base_models),
        &names.frequent_base_models,
    );
    bars(&mut page, "Modification methods in names", &names.modifications);
    if let Some(packages) = &study.packages {
        package_tables(&mut page, packages);
    }
    page + "</html>\n"
}

fn comparison(page: &mut String, study: &Study) {
    *page += "<h2>Beside the published study</h2><table><tr><th>measure<th>published<th>here<th>why the two are not one figure";
    for row in &study.comparison {
        let ours = row.ours.as_deref().unwrap_or("not measured");
        _ = write!(
            page,
            "<tr><td>{}<td class=\"n\">{}<td class=\"n\">{}<td>{}",
            escape(row.measure),
            escape(row.published),
            escape(ours),
            escape(row.caution)
        );
    }
    *page += "</table>";
}

fn package_tables(page: &mut String, packages: &PackageMeasures) {
    bars(page, "Packages by hub", &packages.per_hub);
    bars(page, "Relations that lineage inferred", &packages.relations);
    bars(page, "File types (packages that offer one)", &packages.extensions);
    bars(page, "Steps by size", &packages.bumps);
    bars(page, "Kinds of change in major steps", &packages.major_kinds);
    bars(page, "Kinds of change in minor steps", &packages.minor_kinds);
    *page += "<h2>Changes of weights</h2><table><tr><th>year<th>steps<th>weight file changed<th>tensors changed\
              <th>unknown<th>silent<th>silent share";
    let years = packages
        .by_year
        .iter()
        .map(|(year, changes)| (year.to_string(), changes));
    for (year, changes) in years.chain([("all".to_owned(), &packages.changes)]) {
        _ = write!(
            page,
            "<tr><td>{year}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{:.1} %",
            changes.steps,
            changes.weight_file_changed,
            changes.tensors_changed,
            changes.tensors_unknown,
            changes.silent,
            changes.silent_share() * 100.0
        );
    }
    *page += "</table>";
}

/// A table with a bar for each share.
fn bars(page: &mut String, title: &str, counts: &[Count]) {
    if counts.is_empty() {
        return;
    }
    _ = write!(page, "<h2>{}</h2><table>", escape(title));
    let largest = counts
        .iter()
        .map(|count| count.share)
        .fold(f64::MIN_POSITIVE, f64::max);
    for count in counts {
        let width = count.share / largest * 100.0;
        _ = write!(
            page,
            "<tr><td><code>{}</code><td class=\"n\">{}<td class=\"n\">{:.2} %<td class=\"bar\"><svg viewBox=\"0 0 100 10\" \
             preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{:.2} percent\"><rect width=\"{width:.2}\" height=\"10\"/></svg>",
            escape(&count.label),
            count.count,
            count.share * 100.0,
            count.share * 100.0
        );
    }
    *page += "</table>";
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_text() {
        let study = Study::measure("<script>", &["a/<img src=x onerror=alert(1)>-7b"], None);
        let page = study.to_html();
        assert!(!page.contains("<script"));
        assert!(!page.contains("<img"));
    }
}

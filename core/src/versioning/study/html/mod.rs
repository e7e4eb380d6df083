//! The study as one HTML page: tables and inline SVG plots, no script, nothing fetched.

mod plots;

use super::{Count, GroupMeasures, KindContrast, PackageMeasures, Study};
use plots::{columns, rank_frequency};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

pub(super) fn page(study: &Study) -> String {
    let mut page = String::new();
    let source = escape(&study.source);
    page += "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">";
    _ = write!(
        page,
        "<title>Heirloom study: {source}</title><style>{STYLE}</style><main><h1>How models are named and versioned</h1>\
         <p>Measured over {source}: {} names.</p>",
        study.names.names
    );
    comparison(&mut page, study);
    naming(&mut page, study);
    if let Some(packages) = &study.packages {
        package_sections(&mut page, packages);
    }
    page + "</main></html>\n"
}

fn comparison(page: &mut String, study: &Study) {
    *page += "<h2>Beside the published study</h2><p>Reproduced: the same method over the study's own data.</p><table><thead><tr>\
              <th>measure<th>published<th>reproduced<th>here<th>definition</thead>";
    for row in &study.comparison {
        let replicated = row.replicated.as_deref().or(row.missing).unwrap_or("-");
        let ours = row.ours.as_deref().unwrap_or("not measured: needs a crawl");
        _ = write!(
            page,
            "<tr><th scope=\"row\">{}<td>{}<td>{}<td>{}<td>{}",
            escape(row.measure),
            escape(row.published),
            escape(replicated),
            escape(ours),
            escape(row.definition)
        );
    }
    *page += "</table>";
}

fn naming(page: &mut String, study: &Study) {
    let names = &study.names;
    _ = write!(
        page,
        "<h2>Conventions</h2><p>{} distinct; {:.0} expected in a sample of {}.</p>",
        names.conventions, names.practices.distinct, names.practices.sample
    );
    *page += &rank_frequency(&names.convention_ranks);
    bars(page, "Frequent conventions", &names.frequent_conventions);
    bars(page, "Names that hold a segment of each kind", &names.kinds);
    let title = format!("Base models in names ({} distinct)", names.base_models);
    bars(page, &title, &names.frequent_base_models);
    bars(page, "Modification methods in names", &names.modifications);
    bars(
        page,
        "Modification methods by the study's keywords",
        &names.variant_types,
    );
}

fn package_sections(page: &mut String, packages: &PackageMeasures) {
    groups(page, "By hub", &packages.hubs);
    groups(page, "Over time", &packages.years);
    *page += &columns(&packages.years);
    bars(page, "Relations that lineage inferred", &packages.relations);
    bars(page, "Techniques that lineage inferred", &packages.techniques);
    let title = format!("Base models by config ({} distinct)", packages.model_types.len());
    bars(page, &title, &packages.model_types);
    let title = format!(
        "File types ({}), by packages that offer one",
        packages.extensions.len()
    );
    bars(page, &title, &packages.extensions);
    bars(page, "Steps by size", &packages.bumps);
    bars(page, "Kinds of change in major steps", &packages.major_kinds);
    bars(page, "Kinds of change in minor steps", &packages.minor_kinds);
    contrasts(page, &packages.contrasts);
}

/// Documentation gaps and changes of weights, a row a group.
fn groups(page: &mut String, title: &str, groups: &[GroupMeasures]) {
    _ = write!(
        page,
        "<h2>{}</h2><table><thead><tr><th>group<th>packages<th>with card<th>with licence<th>with data sets<th>with base model\
         <th>steps<th>weight file changed<th>not represented<th>values changed<th>unknown<th>silent</thead>",
        escape(title)
    );
    for group in groups {
        _ = write!(
            page,
            "<tr><th scope=\"row\">{}<td class=\"n\">{}",
            escape(&group.label),
            group.packages
        );
        for count in [
            group.with_card,
            group.with_licence,
            group.with_datasets,
            group.with_base_model,
        ] {
            _ = write!(page, "<td class=\"n\">{:.1} %", group.share(count) * 100.0);
        }
        let changes = &group.changes;
        for count in [
            changes.steps,
            changes.weight_file_changed,
            changes.not_represented,
            changes.tensors_changed,
            changes.tensors_unknown,
            changes.silent,
        ] {
            _ = write!(page, "<td class=\"n\">{count}");
        }
    }
    *page += "</table>";
}

fn contrasts(page: &mut String, contrasts: &[KindContrast]) {
    *page += "<h2>Declared major steps against declared minor ones</h2>";
    if contrasts.is_empty() {
        *page += "<p>No steps of both sizes were declared.</p>";
        return;
    }
    *page += "<p>Fisher's exact test for each kind of change; p corrected by Bonferroni.</p><table><thead><tr><th>kind<th>major\
              <th>minor<th>odds ratio<th>p<th>corrected p<th>differs</thead>";
    for contrast in contrasts {
        let odds = contrast
            .odds_ratio
            .map_or_else(|| "-".to_owned(), |odds| format!("{odds:.2}"));
        _ = write!(
            page,
            "<tr><th scope=\"row\">{}<td class=\"n\">{} of {}<td class=\"n\">{} of {}<td class=\"n\">{odds}<td class=\"n\">{:.4}\
             <td class=\"n\">{:.4}<td>{}",
            escape(&contrast.kind),
            contrast.major,
            contrast.major_steps,
            contrast.minor,
            contrast.minor_steps,
            contrast.p_value,
            contrast.adjusted_p_value,
            if contrast.significant { "yes" } else { "no" }
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
            "<tr><th scope=\"row\"><code>{}</code><td class=\"n\">{}<td class=\"n\">{:.2} %<td class=\"bar\"><svg \
             viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"{width:.2}\" height=\"10\"/></svg>",
            escape(&count.label),
            count.count,
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
    use super::super::{PackageFacts, StepFacts};
    use super::*;
    use crate::versioning::{Bump, Reason};

    #[test]
    fn hostile_names_stay_text() {
        let package = PackageFacts {
            hub: "<script>".to_owned(),
            name: "a/<img src=x onerror=alert(1)>-7b".to_owned(),
            year: Some(2024),
            extensions: vec![".<b>".to_owned()],
            steps: vec![StepFacts {
                year: Some(2024),
                tags: Vec::new(),
                bump: Bump::Minor,
                announced: false,
                silent: true,
                weights_changed: Some(true),
                reasons: vec![Reason::new("weights", Bump::Minor, "")],
            }],
            ..PackageFacts::default()
        };
        let page = Study::of_packages("<script>", &[package], None).to_html();
        for hostile in ["<script", "<img", "<b>"] {
            assert!(!page.contains(hostile), "{hostile}");
        }
        // Self-contained: nothing is fetched.
        for fetching in ["http", "src=", "href=", "@import", "url("] {
            let found = page.replace("src=x onerror", "");
            assert!(!found.contains(fetching), "{fetching}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    }
}

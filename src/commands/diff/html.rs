//! The report as one HTML file: no script or style from elsewhere, its pictures as SVG, to be saved as SVG or PNG by a button.

use super::grid::{Grid, heat};
use super::{Comparison, dtypes, most_changed_first, percent, rank, scientific};
use crate::commands::table::{grouped, printable, shape};
use crate::delta::{Histogram, RollUp, TensorDiff};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");
const MOST_CHANGED: usize = 10;

/// The whole page.
pub fn page(comparison: &Comparison) -> String {
    let report = &comparison.report;
    let changed = most_changed_first(report);
    let most = &changed[..MOST_CHANGED.min(changed.len())];
    let sections = [
        verdicts(comparison),
        totals(comparison),
        figure("heat", "Where it changed", &heat_map(&report.tensors)),
        figure(
            "sizes",
            "How large the differences are",
            &histogram_of_all(&report.tensors),
        ),
        most_changed(most),
        roll_ups("Layers", &report.layers),
        roll_ups("Blocks", &report.blocks),
        names("Only in a", &report.removed),
        names("Only in b", &report.added),
        names("Other shape", &report.reshaped),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data: blob:\">\n\
         <title>{b} against {a}</title>\n<style>{STYLE}</style>\n\
         <h1>What changed</h1>\n<p class=\"sides\"><span>a</span> {a}<br><span>b</span> {b}</p>\n{}\n\
         <script>{SCRIPT}</script>\n</html>\n",
        sections.concat(),
        a = escape(&comparison.a),
        b = escape(&comparison.b),
    )
}

/// Text for HTML: names come from files, and files are hostile.
fn escape(text: &str) -> String {
    let text = printable(text);
    let pairs = [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
        ("'", "&#39;"),
    ];
    pairs.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

fn verdicts(comparison: &Comparison) -> String {
    let mut html = String::new();
    if let Some(outcome) = &comparison.outcome {
        html += &format!(
            "<section><h2>Technique</h2><p class=\"verdict\">{}: {} <small>confidence {:.0}%</small></p><p>{}</p></section>\n",
            escape(&format!("{:?}", outcome.relation).to_lowercase()),
            escape(&outcome.technique),
            100.0 * outcome.confidence,
            escape(&outcome.explanation)
        );
    }
    if let Some(bump) = &comparison.bump {
        let reasons = bump.reasons.iter();
        let reasons = reasons.map(|reason| format!("<li>{}</li>", escape(&reason.detail)));
        html += &format!(
            "<section><h2>Version step</h2><p class=\"verdict\">{}</p><ul>{}</ul></section>\n",
            escape(&bump.bump.to_string()),
            reasons.collect::<String>()
        );
    }
    html
}

fn totals(comparison: &Comparison) -> String {
    let report = &comparison.report;
    let rows = [
        (
            "elements changed",
            format!(
                "{} of {}",
                grouped(report.changed_elements),
                grouped(report.elements)
            ),
        ),
        (
            "tensors changed",
            format!("{} of {}", report.changed_tensors, report.tensors.len()),
        ),
        ("|b-a| / |a|", scientific(report.relative_l2)),
        ("|b-a|", format!("{:.4e}", report.l2)),
        ("not finite", grouped(report.non_finite)),
    ];
    let rows = rows.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
    format!("<section><h2>Totals</h2><dl>{}</dl></section>\n", rows.concat())
}

/// A picture with its buttons.
fn figure(id: &str, title: &str, svg: &str) -> String {
    if svg.is_empty() {
        return String::new();
    }
    format!(
        "<section><h2>{title} <button data-save=\"{id}\" data-as=\"svg\">SVG</button> \
         <button data-save=\"{id}\" data-as=\"png\">PNG</button></h2><div class=\"scroll\" id=\"{id}\">{svg}</div></section>\n"
    )
}

/// Roles down, layers across, colour by relative change on a logarithmic scale.
fn heat_map(tensors: &[TensorDiff]) -> String {
    const CELL: usize = 16;
    const LEFT: usize = 300;
    const TOP: usize = 24;
    if tensors.is_empty() {
        return String::new();
    }
    let grid = Grid::new(tensors);
    let width = LEFT + grid.layers.len() * CELL + 8;
    let height = TOP + grid.roles.len() * CELL + 8;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace,monospace\" font-size=\"10\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
    );
    for (column, layer) in grid.layers.iter().enumerate() {
        if let Some(number) = layer.number.filter(|number| number.is_multiple_of(4)) {
            let x = LEFT + column * CELL + CELL / 2;
            svg += &format!(
                "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{number}</text>",
                TOP - 8
            );
        }
    }
    for (row, role) in grid.roles.iter().enumerate() {
        let y = TOP + row * CELL + 12;
        svg += &format!(
            "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
            LEFT - 8,
            escape(role)
        );
    }
    for ((row, column), tensor) in &grid.cells {
        svg += &format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{size}\" height=\"{size}\" rx=\"2\" fill=\"{}\"><title>{}: {}</title></rect>",
            LEFT + column * CELL + 1,
            TOP + row * CELL + 1,
            colour(heat(tensor)),
            escape(&tensor.name),
            scientific(tensor.relative_l2),
            size = CELL - 2,
        );
    }
    svg + "</svg>"
}

/// From cream to brick; grey where nothing changed.
fn colour(heat: Option<f64>) -> String {
    let Some(heat) = heat else {
        return "#e8e8e8".to_owned();
    };
    let mix = |low: f64, high: f64| (low + (high - low) * heat).round() as u8;
    format!(
        "#{:02x}{:02x}{:02x}",
        mix(253.0, 163.0),
        mix(226.0, 32.0),
        mix(196.0, 12.0)
    )
}

/// The histograms of all tensors in one, each pair of a sampled tensor standing for those that were not looked at.
fn histogram_of_all(tensors: &[TensorDiff]) -> String {
    let told: Vec<(&TensorDiff, &Histogram)> = tensors
        .iter()
        .filter_map(|tensor| {
            Some((
                tensor,
                tensor
                    .histogram
                    .as_ref()
                    .filter(|histogram| !histogram.counts.is_empty())?,
            ))
        })
        .collect();
    let Some(lowest) = told.iter().map(|(_, histogram)| histogram.lowest).min() else {
        return String::new();
    };
    let end = |histogram: &Histogram| (histogram.lowest - lowest) as usize + histogram.counts.len();
    let mut counts = vec![
        0.0;
        told.iter()
            .map(|(_, histogram)| end(histogram))
            .max()
            .unwrap_or(0)
    ];
    for (tensor, histogram) in told {
        let weight = tensor.elements as f64 / histogram.pairs.max(1) as f64;
        for (place, count) in histogram.counts.iter().enumerate() {
            counts[(histogram.lowest - lowest) as usize + place] += weight * *count as f64;
        }
    }
    bars(&counts, lowest, 18, 120)
}

/// A bar for each power of two, its exponent below.
fn bars(counts: &[f64], lowest: i32, step: usize, height: usize) -> String {
    let largest = counts.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let labelled = step >= 12;
    let (width, foot) = (counts.len() * step, if labelled { 18 } else { 0 });
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{}\" font-family=\"ui-monospace,monospace\" font-size=\"9\">",
        height + foot
    );
    for (place, count) in counts.iter().enumerate() {
        let bar = count / largest * height as f64;
        svg += &format!(
            "<rect x=\"{}\" y=\"{:.1}\" width=\"{}\" height=\"{bar:.1}\" fill=\"#a3200c\"><title>2^{}: {count:.0}</title></rect>",
            place * step,
            height as f64 - bar,
            step - 1,
            lowest + place as i32,
        );
        if labelled && place % 2 == 0 {
            svg += &format!(
                "<text x=\"{}\" y=\"{}\" fill=\"#555\">{}</text>",
                place * step,
                height + 12,
                lowest + place as i32
            );
        }
    }
    svg + "</svg>"
}

fn most_changed(tensors: &[&TensorDiff]) -> String {
    if tensors.is_empty() {
        return String::new();
    }
    let row = |tensor: &&TensorDiff| {
        let sizes = tensor.histogram.as_ref().map_or_else(String::new, |histogram| {
            let counts: Vec<f64> = histogram.counts.iter().map(|count| *count as f64).collect();
            bars(&counts, histogram.lowest, 4, 22)
        });
        let cells = [
            escape(&tensor.name),
            dtypes(tensor),
            shape(&tensor.shape),
            percent(tensor.changed, tensor.elements),
            scientific(tensor.relative_l2),
            format!("{:.3e}", tensor.max_abs),
            tensor
                .cosine
                .map_or_else(|| "-".to_owned(), |cosine| format!("{cosine:.6}")),
            format!("{:.2}", tensor.bit_distance),
            rank(tensor),
            sizes,
        ];
        format!("<tr><td>{}</td></tr>", cells.join("</td><td>"))
    };
    format!(
        "<section><h2>Most changed</h2><div class=\"scroll\"><table><tr><th>tensor<th>dtype<th>shape<th>changed<th>|b-a|/|a|\
         <th>max |b-a|<th>cosine<th>bits<th>rank<th>sizes</tr>{}</table></div></section>\n",
        tensors.iter().map(row).collect::<String>()
    )
}

fn roll_ups(title: &str, rows: &[RollUp]) -> String {
    if rows.len() < 2 {
        return String::new();
    }
    let row = |row: &RollUp| {
        let name = if row.name.is_empty() {
            "outside any"
        } else {
            &row.name
        };
        let cells = [
            escape(name),
            format!("{} of {}", row.changed_tensors, row.tensors),
            percent(row.changed, row.elements),
            scientific(row.relative_l2),
            format!("{:.3e}", row.max_abs),
        ];
        format!("<tr><td>{}</td></tr>", cells.join("</td><td>"))
    };
    format!(
        "<section><details><summary>{title} ({})</summary><div class=\"scroll\"><table><tr><th>name<th>tensors changed<th>elements\
         <th>|b-a|/|a|<th>max |b-a|</tr>{}</table></div></details></section>\n",
        rows.len(),
        rows.iter().map(row).collect::<String>()
    )
}

fn names(title: &str, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let items: String = names
        .iter()
        .map(|name| format!("<li>{}</li>", escape(name)))
        .collect();
    format!(
        "<section><details><summary>{title} ({})</summary><ul>{items}</ul></details></section>\n",
        names.len()
    )
}

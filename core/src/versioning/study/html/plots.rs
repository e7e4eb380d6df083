//! Inline SVG plots of the report. Every figure stands in a table as well; the plots show its shape.

use super::super::{GroupMeasures, RankedFrequency};
use super::escape;
use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
/// Room for the axes' labels.
const MARGIN: f64 = 44.0;

/// How often the conventions occur, by rank, on logarithmic axes: a straight line is a power law.
pub(super) fn rank_frequency(ranks: &[RankedFrequency]) -> String {
    let (Some(first), Some(last)) = (ranks.first(), ranks.last()) else {
        return String::new();
    };
    let across = Scale::logarithmic(last.rank, WIDTH - 2.0 * MARGIN);
    let up = Scale::logarithmic(first.count, HEIGHT - 2.0 * MARGIN);
    let label = format!(
        "Names by rank of their convention: {} names follow the most frequent one, {} the one of rank {}",
        first.count, last.count, last.rank
    );
    let mut plot = open(&label);
    for decade in across.decades() {
        let x = MARGIN + across.at(decade);
        _ = write!(
            plot,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{MARGIN}\" y2=\"{:.1}\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{decade}</text>",
            HEIGHT - MARGIN,
            HEIGHT - MARGIN + 18.0
        );
    }
    for decade in up.decades() {
        let y = HEIGHT - MARGIN - up.at(decade);
        _ = write!(
            plot,
            "<line x1=\"{MARGIN}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{decade}</text>",
            WIDTH - MARGIN,
            MARGIN - 6.0,
            y + 4.0
        );
    }
    for point in ranks {
        let (x, y) = (
            MARGIN + across.at(point.rank),
            HEIGHT - MARGIN - up.at(point.count),
        );
        _ = write!(plot, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
    }
    close(
        plot,
        "Names (upward) by rank of their convention (rightward), logarithmic.",
    )
}

/// Steps that changed weight files, a column a year: announced, not represented, and where values could not be compared.
pub(super) fn columns(years: &[GroupMeasures]) -> String {
    let years: Vec<&GroupMeasures> = years
        .iter()
        .filter(|year| year.changes.weight_file_changed > 0)
        .collect();
    let Some(tallest) = years.iter().map(|year| year.changes.weight_file_changed).max() else {
        return String::new();
    };
    let mut plot = open(
        "Changes of weight files by year: represented in tag, name, message or card, and not represented",
    );
    let room = (WIDTH - 2.0 * MARGIN) / years.len() as f64;
    let scale = (HEIGHT - 2.0 * MARGIN) / tallest as f64;
    for (position, year) in years.iter().enumerate() {
        let changes = &year.changes;
        let x = MARGIN + room * position as f64 + room * 0.15;
        let width = (room * 0.7).min(64.0);
        let mut foot = HEIGHT - MARGIN;
        let represented = changes.weight_file_changed - changes.not_represented;
        for (count, class) in [(represented, "first"), (changes.not_represented, "second")] {
            let height = count as f64 * scale;
            foot -= height;
            _ = write!(
                plot,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{foot:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            );
        }
        _ = write!(
            plot,
            "<text x=\"{0:.1}\" y=\"{1:.1}\" text-anchor=\"middle\">{2}</text><text x=\"{0:.1}\" y=\"{3:.1}\" \
             text-anchor=\"middle\">{4}</text>",
            x + width / 2.0,
            HEIGHT - MARGIN + 18.0,
            escape(&year.label),
            foot - 6.0,
            changes.weight_file_changed
        );
    }
    close(
        plot,
        "Changes of weight files by year: represented (below) and not represented (above).",
    )
}

fn open(label: &str) -> String {
    format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escape(label)
    )
}

fn close(plot: String, caption: &str) -> String {
    format!("{plot}</svg><figcaption>{caption}</figcaption></figure>")
}

/// Counts from one to `most`, on a logarithmic axis.
struct Scale {
    most: usize,
    length: f64,
}

impl Scale {
    fn logarithmic(most: usize, length: f64) -> Self {
        Self {
            most: most.max(2),
            length,
        }
    }

    fn at(&self, count: usize) -> f64 {
        (count.max(1) as f64).ln() / (self.most as f64).ln() * self.length
    }

    fn decades(&self) -> impl Iterator<Item = usize> + use<> {
        let most = self.most;
        std::iter::successors(Some(1_usize), |decade| decade.checked_mul(10))
            .take_while(move |decade| *decade <= most)
    }
}

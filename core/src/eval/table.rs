//! A [`Score`] as a table for a terminal.

use super::baselines::BaselineScore;
use super::classes::ClassScore;
use super::score::Score;
use std::fmt;

impl fmt::Display for Score {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parents = &self.parents;
        let copies = &self.parents_up_to_copies;
        row(out, "parents F1", Some(parents.f1))?;
        writeln!(
            out,
            "  precision {:.3}, recall {:.3}; copies as one: F1 {:.3}",
            parents.precision, parents.recall, copies.f1
        )?;
        row(out, "direction accuracy", self.direction_accuracy)?;
        row(out, "false parent rate", self.false_parent_rate)?;
        row(out, "relation accuracy", self.relation.accuracy)?;
        row(out, "relation macro-F1", self.relation.macro_f1)?;
        row(out, "technique accuracy", self.technique.accuracy)?;
        row(out, "technique macro-F1", self.technique.macro_f1)?;
        row(out, "verdict accuracy", self.verdict_accuracy)?;
        row(out, "bump accuracy", self.bump_accuracy)?;
        row(out, "silent change F1", self.silent_f1)?;
        row(out, "name segment F1", self.segment_f1)?;
        self.classes(out)?;
        self.parameters(out)?;
        self.calibration(out)
    }
}

fn row(out: &mut fmt::Formatter<'_>, label: &str, value: Option<f64>) -> fmt::Result {
    writeln!(out, "{label:<24}{:>8}", decimals(value))
}

fn decimals(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

fn class_row(label: &str, class: &ClassScore) -> String {
    let ClassScore {
        precision,
        recall,
        f1,
        support,
    } = class;
    format!("{label:<24}{support:>8}{precision:>11.3}{recall:>8.3}{f1:>8.3}")
}

impl Score {
    fn classes(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = |title| {
            format!(
                "\n{title:<24}{:>8}{:>11}{:>8}{:>8}",
                "cases", "precision", "recall", "F1"
            )
        };
        writeln!(out, "{}", header("relation"))?;
        for (label, class) in &self.relation.per_relation {
            writeln!(out, "{}", class_row(label, class))?;
        }
        writeln!(out, "{}  taken for", header("technique"))?;
        for (label, class) in &self.technique.per_technique {
            writeln!(out, "{}{}", class_row(label, class), self.taken_for(label))?;
        }
        Ok(())
    }

    /// What a technique's misses were predicted as.
    fn taken_for(&self, label: &str) -> String {
        let misses = self
            .technique
            .confusion
            .get(label)
            .into_iter()
            .flatten()
            .filter(|(predicted, _)| *predicted != label);
        let list: Vec<String> = misses
            .map(|(predicted, count)| format!("{predicted} ({count})"))
            .collect();
        if list.is_empty() {
            String::new()
        } else {
            format!("  {}", list.join(", "))
        }
    }

    fn parameters(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.params_detail.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\n{:<24}{:>8}{:>11}{:>8}{:>16}{:>16}",
            "parameter", "cases", "recovered", "exact", "relative error", "absolute error"
        )?;
        for (name, score) in &self.params_detail {
            let (relative, absolute) = (
                decimals(score.mean_relative_error),
                decimals(score.mean_absolute_error),
            );
            writeln!(
                out,
                "{name:<24}{:>8}{:>11}{:>8}{relative:>16}{absolute:>16}",
                score.edges, score.recovered, score.exact
            )?;
        }
        Ok(())
    }

    fn calibration(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.calibration.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "\n{:<24}{:>8}{:>11}{:>8}",
            "confidence", "edges", "mean", "right"
        )?;
        for bin in &self.calibration {
            let range = format!("{:.1} to {:.1}", bin.low, bin.low + 0.1);
            writeln!(
                out,
                "{range:<24}{:>8}{:>11.3}{:>8.3}",
                bin.edges, bin.mean_confidence, bin.right
            )?;
        }
        row(out, "calibration error", self.calibration_error)?;
        row(out, "  copies as one", self.calibration_error_up_to_copies)
    }
}

/// Heirloom beside the published methods, by the measures that they have in common.
pub fn baseline_table(scores: &[BaselineScore]) -> String {
    let mut text = format!(
        "{:<24}{:>10}{:>16}{:>14}{:>11}{:>15}\n",
        "parents F1", "all", "copies as one", "same layout", "direction", "false parents"
    );
    for score in scores {
        text += &format!(
            "{:<24}{:>10.3}{:>16.3}{:>14.3}{:>11}{:>15}\n",
            score.name,
            score.parents.f1,
            score.parents_up_to_copies.f1,
            score.parents_of_same_layout.f1,
            decimals(score.direction_accuracy),
            score
                .false_parent_rate
                .map_or_else(|| "-".to_owned(), |rate| format!("{rate:.4}")),
        );
    }
    text
}

//! Model cards: front matter that hubs read, and a text for people.

use std::fmt::Write;

/// What a card says. Empty fields are left out of the front matter.
#[derive(Debug, Clone, Default)]
pub struct Card {
    pub title: String,
    /// As the hub writes it: `mit`, `apache-2.0`.
    pub licence: String,
    pub base_models: Vec<String>,
    /// `finetune`, `quantized`, `merge` or `adapter`.
    pub base_model_relation: Option<&'static str>,
    pub task: Option<&'static str>,
    pub text: String,
}

impl Card {
    /// The README.md.
    pub fn render(&self) -> String {
        let mut out = format!("---\nlicense: {}\n", self.licence.to_lowercase());
        match self.base_models.as_slice() {
            [] => {}
            [base] => _ = writeln!(out, "base_model: {base}"),
            bases => {
                out.push_str("base_model:\n");
                bases.iter().for_each(|base| _ = writeln!(out, "- {base}"));
            }
        }
        if let Some(relation) = self.base_model_relation {
            _ = writeln!(out, "base_model_relation: {relation}");
        }
        if let Some(task) = self.task {
            _ = writeln!(out, "pipeline_tag: {task}");
        }
        _ = write!(out, "---\n\n# {}\n\n{}\n", self.title, self.text.trim());
        out
    }
}

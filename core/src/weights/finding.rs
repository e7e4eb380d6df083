//! Security findings: what a weight file would do to whoever loads it with the usual tools. Heirloom does none of it.

use serde::{Deserialize, Serialize};

/// Something in a weight file that rebuilding tensors does not need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    pub severity: Severity,
    /// The weight file.
    pub file: String,
    /// What its pickle imports: `posix.system`.
    pub import: String,
    /// Whether the pickle calls it, too.
    pub called: bool,
}

/// How much harm an import can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Runs programs, evaluates code, or reaches files and the network.
    Dangerous,
    /// Runs code of some package when loaded: a class of a training framework, most often.
    Suspicious,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = if self.called { "calls" } else { "imports" };
        let advice = match self.severity {
            Severity::Dangerous => "do not load this file with pickle or torch.load",
            Severity::Suspicious => "load this file with weights_only=True",
        };
        write!(
            formatter,
            "{}: the pickle {verb} {}: {advice}",
            self.file, self.import
        )
    }
}

//! What this process counts and times, as Prometheus reads it.
//!
//! Enters: events of jobs and requests, the state of the queue when somebody asks. Leaves: the text of `/metrics`. Kept in one static
//! value, because what is counted happens in every corner of a process and is told about it as a whole.

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::LazyLock;
use std::time::Duration;

/// Media type of what [`Metrics::render`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of the latency of requests, in seconds.
const REQUEST_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];
/// Bounds of the duration of jobs, in seconds: from a package that did not change to one of 100 GB.
const JOB_BUCKETS: [f64; 9] = [0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0];

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// The metrics of this process.
pub fn metrics() -> &'static Metrics {
    &METRICS
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PackageLabels {
    pub hub: String,
    /// unchanged, changed, failed
    pub outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct HubLabels {
    pub hub: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct JobLabels {
    /// crawl, look, package, family, diff
    pub kind: String,
    /// done, failed
    pub outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueueLabels {
    pub kind: String,
    /// waiting, running, failed
    pub state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    pub method: String,
    /// The route with its parameters unfilled, so that there are few.
    pub route: String,
    pub status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    pub route: String,
}

type Histograms<Labels> = Family<Labels, Histogram, fn() -> Histogram>;

/// All metrics, by their field names.
pub struct Metrics {
    registry: Registry,
    pub packages: Family<PackageLabels, Counter>,
    pub revisions: Family<HubLabels, Counter>,
    pub fingerprints: Family<HubLabels, Counter>,
    pub weights_read: Counter,
    pub jobs: Family<JobLabels, Counter>,
    pub job_duration: Histograms<KindLabels>,
    pub queue: Family<QueueLabels, Gauge>,
    pub lineage_due: Gauge,
    pub database: Gauge,
    pub connections: Gauge,
    pub resident: Gauge,
    pub requests: Family<RequestLabels, Counter>,
    pub request_duration: Histograms<RouteLabels>,
}

impl Metrics {
    fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("heirloom"),
            packages: Family::default(),
            revisions: Family::default(),
            fingerprints: Family::default(),
            weights_read: Counter::default(),
            jobs: Family::default(),
            job_duration: Family::new_with_constructor(|| Histogram::new(JOB_BUCKETS)),
            queue: Family::default(),
            lineage_due: Gauge::default(),
            database: Gauge::default(),
            connections: Gauge::default(),
            resident: Gauge::default(),
            requests: Family::default(),
            request_duration: Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS)),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("packages", "Packages taken from a hub", self.packages.clone());
        registry.register("revisions", "Revisions stored", self.revisions.clone());
        registry.register("fingerprints", "Fingerprints made", self.fingerprints.clone());
        registry.register_with_unit(
            "weights_read",
            "Weights read",
            Unit::Bytes,
            self.weights_read.clone(),
        );
        registry.register("jobs", "Jobs worked on", self.jobs.clone());
        registry.register_with_unit(
            "job_duration",
            "How long jobs took",
            Unit::Seconds,
            self.job_duration.clone(),
        );
        registry.register(
            "queue_jobs",
            "Jobs of the queue, over all workers",
            self.queue.clone(),
        );
        registry.register(
            "lineage_due_packages",
            "Packages whose lineage is to be inferred",
            self.lineage_due.clone(),
        );
        registry.register_with_unit(
            "database_size",
            "The database",
            Unit::Bytes,
            self.database.clone(),
        );
        registry.register(
            "database_connections",
            "Connections of this process to the database",
            self.connections.clone(),
        );
        registry.register_with_unit(
            "process_resident_memory",
            "Memory of this process",
            Unit::Bytes,
            self.resident.clone(),
        );
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "How long answers took",
            Unit::Seconds,
            self.request_duration.clone(),
        );
        self
    }

    /// Counts what came of a package.
    pub fn count_package(&self, hub: &str, new_revisions: u64, fingerprints: u64, failed: bool) {
        let outcome = match (failed, new_revisions + fingerprints) {
            (true, _) => "failed",
            (false, 0) => "unchanged",
            (false, _) => "changed",
        };
        let labels = PackageLabels {
            hub: hub.to_owned(),
            outcome: outcome.to_owned(),
        };
        let hub = HubLabels { hub: hub.to_owned() };
        self.packages.get_or_create(&labels).inc();
        self.revisions.get_or_create(&hub).inc_by(new_revisions);
        self.fingerprints.get_or_create(&hub).inc_by(fingerprints);
    }

    /// Counts and times one run of a job.
    pub fn count_job(&self, kind: &str, succeeded: bool, took: Duration) {
        let outcome = if succeeded { "done" } else { "failed" };
        let labels = JobLabels {
            kind: kind.to_owned(),
            outcome: outcome.to_owned(),
        };
        self.jobs.get_or_create(&labels).inc();
        let kind = KindLabels {
            kind: kind.to_owned(),
        };
        self.job_duration.get_or_create(&kind).observe(took.as_secs_f64());
    }

    /// Counts and times one answer.
    pub fn count_request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = RequestLabels {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let route = RouteLabels {
            route: route.to_owned(),
        };
        self.request_duration
            .get_or_create(&route)
            .observe(took.as_secs_f64());
    }

    /// Everything as text.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        self.resident.set(resident_bytes());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Memory of this process as the kernel counts it; 0 where it does not say.
fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok());
    kilobytes.map_or(0, |kilobytes| kilobytes << 10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    /// Names of all metrics, as Prometheus shows them.
    fn names() -> BTreeSet<String> {
        let metrics = Metrics::new();
        metrics.count_package("hf", 1, 1, false);
        metrics.count_job("crawl", true, Duration::from_secs(1));
        metrics.count_request("GET", "/", 200, Duration::from_millis(2));
        let queue = QueueLabels {
            kind: "crawl".to_owned(),
            state: "waiting".to_owned(),
        };
        metrics.queue.get_or_create(&queue).set(1);
        let text = metrics.render().unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split(['{', ' ']).next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_metric_of_the_grafana_dashboard_exists() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana-dashboard.json");
        let dashboard: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let text = dashboard.to_string();
        let known = names();
        let mut named = 0;
        for (at, _) in text.match_indices("heirloom_") {
            let rest = &text[at..];
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap();
            assert!(
                known.contains(&rest[..end]),
                "{} is no metric of {known:?}",
                &rest[..end]
            );
            named += 1;
        }
        assert!(named > 10, "{named}");
    }

    #[test]
    fn a_package_is_counted_by_what_came_of_it() {
        let metrics = Metrics::new();
        metrics.count_package("hf", 0, 0, false);
        metrics.count_package("hf", 2, 1, false);
        metrics.count_package("hf", 2, 1, true);
        let text = metrics.render().unwrap();
        for line in [
            r#"heirloom_packages_total{hub="hf",outcome="unchanged"} 1"#,
            r#"heirloom_packages_total{hub="hf",outcome="changed"} 1"#,
            r#"heirloom_packages_total{hub="hf",outcome="failed"} 1"#,
            r#"heirloom_revisions_total{hub="hf"} 4"#,
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}

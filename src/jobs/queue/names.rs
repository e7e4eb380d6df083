//! Keys and queue names. A key makes a job one of its kind; jobs that share a queue's name take turns, over all workers.

use crate::store::crawls::CrawlPlan;
use sha2::{Digest, Sha256};

/// The queue takes keys of 512 characters.
const MAX_KEY: usize = 500;

/// One crawl of a hub is tended at a time.
pub fn crawl_lane(plan: &CrawlPlan) -> String {
    format!("{} {}", plan.hub, short(&plan.endpoint))
}

/// One of `lanes` lanes of a hub: as many packages are taken at a time, and one package never twice at a time.
pub fn package_lane(plan: &CrawlPlan, package: &str, lanes: u32) -> String {
    let digest = Sha256::digest(package);
    let hash = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
    format!("{} lane {}", crawl_lane(plan), hash % lanes.max(1))
}

pub fn crawl_key(plan: &CrawlPlan) -> anyhow::Result<String> {
    let key = format!("crawl {}", serde_json::to_string(plan)?);
    Ok(match key.chars().count() <= MAX_KEY {
        true => key,
        false => format!("crawl {} {}", plan.hub, short(&key)),
    })
}

/// Queue names hold 128 characters; addresses and folders may be longer.
fn short(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_keeps_its_lane_and_packages_spread() {
        let plan = CrawlPlan {
            hub: "hf".to_owned(),
            endpoint: "https://hub.example".to_owned(),
            author: None,
            search: None,
            limit: None,
            level: crate::fingerprint::Level::Full,
        };
        let lane = |name: &str| package_lane(&plan, name, 4);
        assert_eq!(lane("a/b"), lane("a/b"));
        let lanes: std::collections::BTreeSet<String> =
            (0..100).map(|number| lane(&format!("a/{number}"))).collect();
        assert_eq!(lanes.len(), 4);
        assert!(lanes.iter().all(|lane| lane.len() < 128));
    }
}

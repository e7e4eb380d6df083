//! What an error of a step means for the steps after it.

use crate::store::StoreError;
use heirloom_crawler::HubError;

/// True where no other package would fare better: the database is gone, or a disk is full.
pub fn stops_everything(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let store = cause.downcast_ref::<StoreError>();
        let hub = cause.downcast_ref::<HubError>();
        store.is_some_and(|error| error.is_transient() || matches!(error, StoreError::DiskFull { .. }))
            || matches!(
                hub,
                Some(HubError::DiskFull { .. } | HubError::BudgetSpent { .. })
            )
    })
}

/// True where the same work may succeed later: the network, a rate limit, a database that restarts, a disk that is cleared.
pub fn may_pass(error: &anyhow::Error) -> bool {
    let retryable = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<HubError>()
            .is_some_and(HubError::is_retryable)
    };
    stops_everything(error) || error.chain().any(retryable)
}

//! The registry: a hub's id and, where it differs from the usual one, its endpoint become a [`Hub`].

use crate::{Hub, HubError, cache, dir, hf, modelhub_ai, onnx_zoo, pytorch_hub};
use std::sync::Arc;

/// Ids [`open`] knows.
pub const KNOWN_HUBS: &str = "hf, onnx, pytorch-hub, modelhub-ai, dir, cache";

/// Opens the hub `hub_id` at `endpoint`: a base URL, or a folder for `dir`, `cache` and the hubs that are
/// documents. Without an endpoint, the environment
/// (`HF_ENDPOINT`, `HF_HUB_CACHE`) or the hub's usual place decides.
///
/// The environment's token goes only to the endpoint the environment names, never to another one given here.
pub fn open(hub_id: &str, endpoint: Option<&str>) -> Result<Arc<dyn Hub>, HubError> {
    Ok(match hub_id {
        "hf" => Arc::new(hf::HfHub::new(hf::HfConfig::from_env_for(endpoint))?),
        "onnx" => Arc::new(onnx_zoo::open(endpoint)?),
        "pytorch-hub" => Arc::new(pytorch_hub::open(endpoint)?),
        "modelhub-ai" => Arc::new(modelhub_ai::open(endpoint)?),
        "dir" => Arc::new(dir::DirHub::open(endpoint.unwrap_or("."))?),
        "cache" => match endpoint {
            Some(folder) => Arc::new(cache::CacheHub::open(folder)?),
            None => Arc::new(cache::CacheHub::open(cache::default_folder())?),
        },
        _ => {
            return Err(HubError::UnknownHub {
                hub: hub_id.to_owned(),
                known: KNOWN_HUBS,
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_hub_names_the_known_ones() {
        let error = open("hg", None).err().map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                r#"no hub is called "hg"; the known hubs are hf, onnx, pytorch-hub, modelhub-ai, dir, cache"#
            )
        );
    }
}

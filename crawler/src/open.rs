//! The registry: a hub's id and, where it differs from the usual one, its endpoint become a [`Hub`].

use crate::http::{ClientConfig, Token, same_origin};
use crate::{
    Hub, HubError, cache, civitai, dir, git, hf, kaggle, modelhub_ai, modelscope, modelzoo, ngc, oci,
    onnx_zoo, pytorch_hub,
};
use std::sync::Arc;

/// Ids [`open`] knows.
pub const KNOWN_HUBS: &str = "hf, onnx, pytorch-hub, modelhub-ai, modelzoo, modelscope, ollama, oci, ngc, kaggle, civitai, \
                              dir, git, cache";

/// How to open a hub; the defaults suit its public one.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// A base URL, or a folder for `dir`, `git`, `cache` and the hubs that are documents. Without it the environment
    /// (`HF_ENDPOINT`, `HF_HUB_CACHE`) or the hub's usual place decides.
    pub endpoint: Option<String>,
    /// File bytes that may be read from the network in all; `None` for no limit.
    pub byte_budget: Option<u64>,
}

impl OpenOptions {
    pub(crate) fn endpoint_or<'a>(&'a self, usual: &'a str) -> &'a str {
        self.endpoint.as_deref().unwrap_or(usual)
    }

    /// How to speak to a web hub. The token of the environment goes to the hub's usual origin, never to another one given here.
    pub(crate) fn client(&self, usual: &str, token_variable: Option<&str>) -> ClientConfig {
        let endpoint = self.endpoint_or(usual);
        let token = token_variable
            .filter(|_| same_origin(endpoint, usual))
            .and_then(|variable| Token::new(&std::env::var(variable).ok()?));
        ClientConfig {
            token,
            byte_budget: self.byte_budget,
            ..ClientConfig::usual(endpoint)
        }
    }
}

/// Opens the hub `hub_id`, at `endpoint` where one is given.
pub fn open(hub_id: &str, endpoint: Option<&str>) -> Result<Arc<dyn Hub>, HubError> {
    let options = OpenOptions {
        endpoint: endpoint.map(str::to_owned),
        ..OpenOptions::default()
    };
    open_with(hub_id, &options)
}

/// Opens the hub `hub_id`.
pub fn open_with(hub_id: &str, options: &OpenOptions) -> Result<Arc<dyn Hub>, HubError> {
    Ok(match hub_id {
        "hf" => Arc::new(hf::open(options)?),
        "onnx" => Arc::new(onnx_zoo::open(options)?),
        "pytorch-hub" => Arc::new(pytorch_hub::open(options)?),
        "modelhub-ai" => Arc::new(modelhub_ai::open(options)?),
        "modelzoo" => Arc::new(modelzoo::open(options)?),
        "modelscope" => Arc::new(modelscope::open(options)?),
        "ollama" => Arc::new(oci::open_ollama(options)?),
        "oci" => Arc::new(oci::open(options)?),
        "ngc" => Arc::new(ngc::open(options)?),
        "kaggle" => Arc::new(kaggle::open(options)?),
        "civitai" => Arc::new(civitai::open(options)?),
        "dir" => Arc::new(dir::DirHub::open(options.endpoint_or("."))?),
        "git" => Arc::new(git::Checkouts::open(options.endpoint_or("."))?),
        "cache" => match &options.endpoint {
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
        assert!(
            error.is_some_and(
                |error| error.starts_with(r#"no hub is called "hg"; the known hubs are hf, onnx"#)
            )
        );
    }

    #[test]
    fn every_known_web_hub_opens() {
        for id in KNOWN_HUBS
            .split(", ")
            .filter(|id| !["pytorch-hub", "modelzoo", "dir", "git", "cache"].contains(id))
        {
            let hub = open(id, Some("http://127.0.0.1:9")).map(|hub| hub.id());
            assert_eq!(hub.ok(), Some(id));
        }
    }
}

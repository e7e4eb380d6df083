//! `heirloom mcp`: the catalogue as tools for assistants, over standard input and output (Model Context Protocol).
//!
//! Each tool is a question to the REST API of this process, so that an assistant is told what any other client is; nothing writes.

use super::Global;
use crate::api::{AppState, Config, LocalTrust, router};
use crate::postgres;
use anyhow::Context;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServiceExt, schemars, tool, tool_router};
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use tower::ServiceExt as _;

const MAX_ANSWER_BYTES: usize = 16 << 20;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example, in an assistant's configuration:\n  {\"mcpServers\": {\"heirloom\": {\"command\": \"heirloom\", \"args\": [\"--data-dir\", \"/srv/heirloom\", \"mcp\"]}}}"
)]
pub struct Args {}

pub async fn run(_args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let database = postgres::open(&global.data_dir, global.database_url.as_deref()).await?;
    let config = Config {
        local_trust: LocalTrust::Always,
        ..Config::default()
    };
    let tools = Tools {
        router: router(AppState::new(database.store.clone(), config)),
    };
    let service = tools.serve(rmcp::transport::stdio()).await;
    let service = service.context("the assistant did not begin with MCP's handshake")?;
    service.waiting().await?;
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Clone)]
struct Tools {
    router: Router,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct ModelQuestion {
    /// `owner/name`, or `hub:owner/name`
    model: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct SearchQuestion {
    /// A model's name, or nearly one
    text: String,
}

#[tool_router(server_handler)]
impl Tools {
    #[tool(description = "Find crawled models by name, or by a name that is nearly right")]
    async fn search(&self, Parameters(question): Parameters<SearchQuestion>) -> Result<String, String> {
        self.get(&format!("/search?q={}", encoded(&question.text))).await
    }

    #[tool(
        description = "What a model is, what it was made from with evidence and confidence, and whether its declared base holds"
    )]
    async fn model(&self, Parameters(question): Parameters<ModelQuestion>) -> Result<String, String> {
        self.get(&model_path(&question.model, "")?).await
    }

    #[tool(
        description = "The family of a model: its ancestors, descendants and relatives, and the edges between them"
    )]
    async fn lineage(&self, Parameters(question): Parameters<ModelQuestion>) -> Result<String, String> {
        self.get(&model_path(&question.model, "/lineage")?).await
    }

    #[tool(
        description = "A model's revisions with the version each deserves, the reasons, and silent changes"
    )]
    async fn versions(&self, Parameters(question): Parameters<ModelQuestion>) -> Result<String, String> {
        self.get(&model_path(&question.model, "/revisions")?).await
    }

    #[tool(description = "Models that share weights with one, tensor by tensor")]
    async fn similar(&self, Parameters(question): Parameters<ModelQuestion>) -> Result<String, String> {
        self.get(&model_path(&question.model, "/similar")?).await
    }
}

impl Tools {
    async fn get(&self, path: &str) -> Result<String, String> {
        let operator = ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let request = Request::get(format!("/api/v1{path}"))
            .extension(operator)
            .body(Body::empty());
        let request = request.map_err(|error| error.to_string())?;
        let Ok(answer) = self.router.clone().oneshot(request).await;
        let succeeded = answer.status().is_success();
        let body = to_bytes(answer.into_body(), MAX_ANSWER_BYTES).await;
        let text = String::from_utf8_lossy(&body.map_err(|error| error.to_string())?).into_owned();
        match succeeded {
            true => Ok(text),
            false => Err(text),
        }
    }
}

fn model_path(model: &str, part: &str) -> Result<String, String> {
    let (hub, full_name) = model.split_once(':').unwrap_or(("hf", model));
    let Some((owner, name)) = full_name.split_once('/') else {
        return Err(format!(
            "{model:?} does not name a model; write owner/name or hub:owner/name"
        ));
    };
    Ok(format!(
        "/models/{}/{}/{}{part}",
        encoded(hub),
        encoded(owner),
        encoded(name)
    ))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

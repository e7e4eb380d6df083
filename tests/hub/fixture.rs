//! A small hub folder with history, tags, a gated and a private package, served on loopback.

use heirloom::hubserver::{Access, Options, Running, serve};
use heirloom_crawler::hf::{HfConfig, HfHub};
use heirloom_crawler::{RetryPolicy, Token};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::fs;
use std::path::Path;
use std::time::Duration;

pub const FIRST: &str = "1111111111111111111111111111111111111111";
pub const SECOND: &str = "2222222222222222222222222222222222222222";
pub const GATED: &str = "acme/gated";
pub const PRIVATE: &str = "acme/private";
pub const TOKEN: &str = "hf_test_secret";

pub struct Fixture {
    pub folder: tempfile::TempDir,
    pub hub: Running,
}

pub async fn start() -> Fixture {
    start_with(Options::default()).await
}

/// The folder, served with pages of two, so that every list has several.
pub async fn start_with(options: Options) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    write_packages(folder.path());
    let options = Options {
        page_size: 2,
        access: Access {
            gated: [GATED.to_owned()].into(),
            private: [PRIVATE.to_owned()].into(),
            tokens: [TOKEN.to_owned()].into(),
            ..options.access
        },
        ..options
    };
    let hub = serve(folder.path(), options).await.unwrap();
    Fixture { folder, hub }
}

impl Fixture {
    pub fn client(&self) -> HfHub {
        self.client_with(|_| {})
    }

    pub fn client_with(&self, change: impl FnOnce(&mut HfConfig)) -> HfHub {
        let mut config = HfConfig::new(&self.hub.url);
        config.retry = quick_retries();
        change(&mut config);
        HfHub::new(config).unwrap()
    }

    pub fn client_with_token(&self, token: &str) -> HfHub {
        self.client_with(|config| config.token = Token::new(token))
    }
}

pub fn quick_retries() -> RetryPolicy {
    RetryPolicy {
        first_wait: Duration::from_millis(1),
        ..RetryPolicy::default()
    }
}

/// A safetensors file of one tensor.
pub fn weights(values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = TensorView::new(Dtype::F32, vec![values.len()], &bytes).unwrap();
    safetensors::serialize([("layer.weight", tensor)], None).unwrap()
}

/// Large enough to be read in several pieces.
pub fn new_weights() -> Vec<u8> {
    let values: Vec<f32> = (0..200_000).map(|index| index as f32).collect();
    weights(&values)
}

fn write_packages(root: &Path) {
    let write = |path: &str, content: &[u8]| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write(
        "acme/tiny/README.md",
        b"---\nlicense: apache-2.0\nlibrary_name: transformers\npipeline_tag: text-generation\ntags: [small]\nbase_model: acme/base\nbase_model_relation: finetune\n---\n# Tiny\n",
    );
    write(
        "acme/tiny/config.json",
        br#"{"architectures": ["TinyForCausalLM"], "model_type": "tiny", "hidden_size": 8}"#,
    );
    write("acme/tiny/model.safetensors", &new_weights());
    write("acme/tiny/onnx/deep/model.onnx", b"not really onnx");
    let index = format!(
        r#"[{{"sha": "{FIRST}", "date": "2024-01-01T00:00:00Z", "message": "Add weights", "tags": ["v1.0"]}},
            {{"sha": "{SECOND}", "date": "2024-02-01T12:30:00Z", "message": "Train longer\n\nFor two more epochs.", "authors": ["ann"]}}]"#
    );
    write("acme/tiny/.revisions/index.json", index.as_bytes());
    write(
        &format!("acme/tiny/.revisions/{FIRST}/model.safetensors"),
        &weights(&[1.0, 2.0]),
    );
    write("acme/base/model.safetensors", &weights(&[1.0]));
    write("other/plain/weights.bin", b"0123456789");
    write("acme/gated/README.md", b"# Gated");
    write("acme/gated/model.safetensors", &weights(&[3.0]));
    write("acme/private/model.safetensors", &weights(&[4.0]));
}

//! PyTorch Hub: Markdown cards with front matter; the code they show names a repository, a tag and entry points.
//!
//! Enters: a folder of cards (a checkout of pytorch/hub). Weights are loaded by running a repository's `hubconf.py`, which we do
//! not, so a package's one file is its card. A card's revision is its git blob id; the version tag of its calls is the
//! revision's tag.

use crate::card::front_matter;
use crate::documents::{Document, DocumentHub, Entries, Entry, Kind, Place, Snapshot};
use crate::fields::{string, strings};
use crate::{FileEntry, HubError, OpenOptions, Package, Revision, check_package_name};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

const KIND: Kind = Kind {
    id: "pytorch-hub",
    document_suffix: ".md",
    web_document: "README.md",
    parse,
};
/// Cards of the repository that describe no model.
const NOT_A_MODEL: [&str; 3] = ["_docs_template.md", "README.md", "CONTRIBUTING.md"];

/// A folder of cards. There is no index of them on the web.
pub fn open(options: &OpenOptions) -> Result<DocumentHub, HubError> {
    let folder = options.endpoint_or(".");
    if folder.starts_with("http") {
        return Err(HubError::BadEndpoint {
            endpoint: folder.to_owned(),
            reason: "PyTorch Hub has no index on the web; clone pytorch/hub and name its folder".to_owned(),
        });
    }
    Ok(DocumentHub::new(KIND, Place::open(folder, None, |_| None)?))
}

fn parse(documents: &[Document]) -> Result<Entries, HubError> {
    let mut entries = Entries::default();
    for document in documents {
        if NOT_A_MODEL.contains(&document.name.as_str()) {
            continue;
        }
        match read_card(document) {
            Ok((name, entry)) => {
                entries.packages.insert(name, entry);
            }
            Err(reason) => entries.skipped.push(format!("{}: {reason}", document.name)),
        }
    }
    Ok(entries)
}

/// A call of `torch.hub.load('owner/repository:tag', 'entry')`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LoadCall {
    repository: String,
    tag: Option<String>,
    entry: Option<String>,
}

fn read_card(document: &Document) -> Result<(String, Entry), String> {
    let text = String::from_utf8_lossy(&document.bytes).into_owned();
    let card = front_matter(&text).ok_or("it has no front matter")?;
    let repository = string(&card["github-id"]).ok_or("github-id is missing or no text")?;
    let (owner, _) = repository
        .split_once('/')
        .ok_or("github-id is not owner/repository")?;
    let name = short_name(owner, &document.name);
    let full = format!("{owner}/{name}");
    check_package_name(&full).map_err(|error| error.to_string())?;
    let calls = load_calls(&text);
    let tags: Vec<String> = version_tag(&calls, &repository).into_iter().collect();
    let package = Package {
        owner: owner.to_owned(),
        name: name.to_owned(),
        url: string(&card["github-link"]),
        library: Some("pytorch".to_owned()),
        tags: strings(&card["tags"]),
        papers: paper_links(&text),
        raw: json!({ "card": card, "load": calls.iter().map(LoadCall::to_json).collect::<Vec<_>>() }),
        card: Some(text),
        ..Package::default()
    };
    let snapshot = card_snapshot(document, &package, tags);
    let history = vec![snapshot];
    Ok((full, Entry { package, history }))
}

fn card_snapshot(document: &Document, package: &Package, tags: Vec<String>) -> Snapshot {
    let mut git = Sha1::new();
    git.update(format!("blob {}\0", document.bytes.len()).as_bytes());
    git.update(&document.bytes);
    let blob_id = hex::encode(git.finalize());
    let file = FileEntry {
        path: document.name.clone(),
        size: Some(document.bytes.len() as u64),
        sha256: Some(hex::encode(Sha256::digest(&document.bytes))),
        blob_id: Some(blob_id.clone()),
        xet_hash: None,
    };
    let revision = Revision {
        id: blob_id,
        date: None,
        title: string(&package.raw["card"]["title"]).unwrap_or_default(),
        message: String::new(),
        authors: strings(&package.raw["card"]["author"]),
        tags,
    };
    Snapshot {
        revision,
        files: vec![file],
    }
}

/// `facebookresearch_pytorch-gan-zoo_dcgan.md` of facebookresearch → `pytorch-gan-zoo_dcgan`.
fn short_name<'a>(owner: &str, file: &'a str) -> &'a str {
    let stem = file.strip_suffix(".md").unwrap_or(file);
    match stem.split_once('_') {
        Some((first, rest)) if first.eq_ignore_ascii_case(owner) && !rest.is_empty() => rest,
        _ => stem,
    }
}

/// Every call of `torch.hub.load` in the text whose repository is written out.
fn load_calls(text: &str) -> Vec<LoadCall> {
    text.split("torch.hub.load(")
        .skip(1)
        .filter_map(read_call)
        .collect()
}

fn read_call(arguments: &str) -> Option<LoadCall> {
    let (source, rest) = quoted(arguments)?;
    let (repository, tag) = match source.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag.to_owned())),
        None => (source, None),
    };
    let is_repository = repository.split('/').count() == 2 && !repository.contains(char::is_whitespace);
    let entry = rest
        .trim_start()
        .strip_prefix(',')
        .and_then(quoted)
        .map(|(entry, _)| entry.to_owned());
    is_repository.then(|| LoadCall {
        repository: repository.to_owned(),
        tag,
        entry,
    })
}

/// The text in quotes at the start, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// The tag that all calls of the card's own repository agree on.
fn version_tag(calls: &[LoadCall], repository: &str) -> Option<String> {
    let mut tags = calls
        .iter()
        .filter(|call| call.repository.eq_ignore_ascii_case(repository))
        .map(|call| call.tag.clone());
    let first = tags.next()??;
    tags.all(|tag| tag.as_ref() == Some(&first)).then_some(first)
}

/// Papers as the text links them.
fn paper_links(text: &str) -> Vec<String> {
    let mut papers: Vec<String> = Vec::new();
    for from in text.split("arxiv.org/").skip(1) {
        let id: String = from
            .trim_start_matches("abs/")
            .trim_start_matches("pdf/")
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        let id = id.trim_end_matches('.');
        let paper = format!("arxiv:{id}");
        if id.len() >= 9 && !papers.contains(&paper) {
            papers.push(paper);
        }
    }
    papers
}

impl LoadCall {
    fn to_json(&self) -> Value {
        json!({ "repository": self.repository, "tag": self.tag, "entry": self.entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_name_repository_tag_and_entry() {
        let call = |repository: &str, tag: Option<&str>, entry: Option<&str>| LoadCall {
            repository: repository.into(),
            tag: tag.map(Into::into),
            entry: entry.map(Into::into),
        };
        for (text, expect) in [
            (
                "torch.hub.load('pytorch/vision:v0.10.0', 'alexnet', pretrained=True)",
                vec![call("pytorch/vision", Some("v0.10.0"), Some("alexnet"))],
            ),
            (
                "torch.hub.load(\"a/b\", \"c\")\ntorch.hub.load('a/b',name)",
                vec![call("a/b", None, Some("c")), call("a/b", None, None)],
            ),
            ("torch.hub.load(repo, 'x')", vec![]),
            ("torch.hub.load('unclosed", vec![]),
            ("torch.hub.load(", vec![]),
        ] {
            assert_eq!(load_calls(text), expect, "{text}");
        }
    }

    #[test]
    fn a_version_is_what_all_calls_agree_on() {
        let tag = |text| version_tag(&load_calls(text), "a/b");
        assert_eq!(
            tag("torch.hub.load('a/b:v1', 'x') torch.hub.load('A/b:v1', 'y') torch.hub.load('c/d:v9', 'z')")
                .as_deref(),
            Some("v1")
        );
        assert_eq!(
            tag("torch.hub.load('a/b:v1', 'x') torch.hub.load('a/b:v2', 'y')"),
            None
        );
        assert_eq!(tag("torch.hub.load('a/b', 'x')"), None);
    }

    #[test]
    fn papers_and_names() {
        assert_eq!(
            paper_links(
                "[a](https://arxiv.org/abs/1512.03385). https://arxiv.org/pdf/1512.03385.pdf arxiv.org/list"
            ),
            ["arxiv:1512.03385"]
        );
        assert_eq!(
            short_name("NVIDIA", "nvidia_deeplearningexamples_ssd.md"),
            "deeplearningexamples_ssd"
        );
        assert_eq!(short_name("huggingface", "other.md"), "other");
    }
}

use super::{Reply, Server, answer, digest, file_reply, json, target};
use heirloom_crawler::{HubError, ListFilter, open};
use serde_json::{Value, json as value};
use std::sync::{Arc, Mutex};

const WEIGHTS: &str = "GGUF weights";
const LICENCE: &str = "Apache License";

fn config() -> String {
    value!({"model_format": "gguf", "model_family": "llama", "model_type": "8.0B", "file_type": "Q4_0"})
        .to_string()
}

fn manifest() -> Value {
    let blob = |kind: &str, content: &str| value!({"mediaType": kind, "digest": format!("sha256:{}", digest(content)), "size": content.len()});
    value!({"schemaVersion": 2, "config": blob("application/vnd.docker.container.image.v1+json", &config()), "layers": [
        blob("application/vnd.ollama.image.model", WEIGHTS),
        blob("application/vnd.ollama.image.license", LICENCE)
    ]})
}

fn registry(head: &str) -> Reply {
    let target = target(head);
    if let Some(blob) = target.split("/blobs/sha256:").nth(1) {
        let content = [WEIGHTS.to_owned(), LICENCE.to_owned(), config()];
        return match content.iter().find(|content| digest(content) == blob) {
            Some(content) => file_reply(head, content.as_bytes()),
            None => answer("404 Not Found", "", ""),
        };
    }
    let by_digest = format!(
        "/v2/library/llama3/manifests/sha256:{}",
        digest(&manifest().to_string())
    );
    match target {
        "/v2/library/llama3/manifests/8b" | "/v2/library/llama3/manifests/latest" => {
            json(manifest().to_string())
        }
        other if other == by_digest => json(manifest().to_string()),
        "/v2/_catalog?n=50" => answer(
            "200 OK",
            "link: </v2/_catalog?n=50&last=library%2Fllama3>; rel=\"next\"\r\n",
            value!({"repositories": ["library/llama3", "a/b/c"]}).to_string(),
        ),
        "/v2/_catalog?n=50&last=a%2Fb%2Fc" => json(value!({"repositories": []}).to_string()),
        "/v2/library/llama3/tags/list" => {
            json(value!({"name": "library/llama3", "tags": ["8b", "latest"]}).to_string())
        }
        _ => answer("404 Not Found", "", ""),
    }
}

#[tokio::test]
async fn a_tag_is_a_package_and_its_layers_are_files() {
    let server = Server::start(|_, head| registry(head)).await;
    let hub = open("ollama", Some(&server.url)).unwrap();
    let package = hub.package("library/llama3:8b").await.unwrap();
    assert_eq!(
        (package.hub.as_str(), package.name.as_str()),
        ("ollama", "llama3:8b")
    );
    assert_eq!(package.architecture.as_deref(), Some("llama"));
    let head = package.revision.unwrap();
    assert_eq!(head, digest(&manifest().to_string()));
    let revision = hub.revisions("library/llama3:8b").await.unwrap().swap_remove(0);
    assert_eq!(
        (revision.id.as_str(), revision.tags.as_slice()),
        (head.as_str(), &["8b".to_owned()][..])
    );
    let files = hub.files("library/llama3:8b", &head).await.unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["model.gguf", "LICENSE"]);
    assert_eq!(
        hub.read("library/llama3:8b", &head, "model.gguf", 0..4)
            .await
            .unwrap(),
        "GGUF"
    );
    let folder = tempfile::tempdir().unwrap();
    hub.download("library/llama3:8b", &head, &files[0], &folder.path().join("copy"))
        .await
        .unwrap();
    let missing = hub.files("library/llama3:8b", &"0".repeat(64)).await;
    assert!(
        matches!(missing, Err(HubError::RevisionNotFound { .. })),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_catalogue_is_listed_where_there_is_one() {
    let server = Server::start(|_, head| registry(head)).await;
    let hub = open("oci", Some(&server.url)).unwrap();
    let page = hub.list(&ListFilter::default(), None).await.unwrap();
    assert_eq!(page.names, ["library/llama3:8b", "library/llama3:latest"]);
    assert_eq!((page.skipped.len(), page.next.as_deref()), (1, Some("a/b/c")));
    assert!(
        hub.list(&ListFilter::default(), page.next.as_deref())
            .await
            .unwrap()
            .names
            .is_empty()
    );

    let bare = Server::start(|_, head| match target(head) {
        "/v2/library/llama3/tags/list" => json(value!({"tags": ["8b"]}).to_string()),
        _ => answer("404 Not Found", "", ""),
    })
    .await;
    let hub = open("ollama", Some(&bare.url)).unwrap();
    let refused = hub.list(&ListFilter::default(), None).await;
    assert!(matches!(refused, Err(HubError::NoListing { .. })), "{refused:?}");
    let named = |search: &str| ListFilter {
        author: Some("library".into()),
        search: Some(search.into()),
        ..ListFilter::default()
    };
    assert_eq!(
        hub.list(&named("llama3"), None).await.unwrap().names,
        ["library/llama3:8b"]
    );
    assert_eq!(
        hub.list(&named("llama3:70b"), None).await.unwrap().names,
        ["library/llama3:70b"]
    );
    assert_eq!(
        hub.list(&named("other"), None).await.unwrap().names,
        ["library/other:latest"]
    );
}

/// The token goes to the registry and to nobody else: not to the realm, not to the storage host.
#[tokio::test]
async fn a_challenge_is_met_with_a_token_of_its_realm() {
    let storage = Server::start(|_, head| file_reply(head, WEIGHTS.as_bytes())).await;
    let realm = Server::start(|_, _| json(r#"{"token": "handed-out"}"#)).await;
    let (storage_url, realm_url) = (storage.url.clone(), realm.url.clone());
    let server = Server::start(move |_, head| {
        if !head.to_lowercase().contains("authorization: bearer handed-out") {
            let challenge = format!(
                "www-authenticate: Bearer realm=\"{realm_url}/token\",service=\"r.test\",scope=\"repository:library/llama3:pull\"\r\n"
            );
            return answer("401 Unauthorized", &challenge, "");
        }
        match target(head).contains(&digest(WEIGHTS)) {
            true => answer("307 Temporary Redirect", &format!("location: {storage_url}/x?sig=1\r\n"), ""),
            false => registry(head),
        }
    })
    .await;
    let hub = open("oci", Some(&server.url)).unwrap();
    let head = hub.package("library/llama3:8b").await.unwrap().revision.unwrap();
    assert_eq!(
        hub.read("library/llama3:8b", &head, "model.gguf", 0..4)
            .await
            .unwrap(),
        "GGUF"
    );
    let asked = realm.requests();
    assert_eq!(asked.len(), 1, "one token serves all requests of a package");
    assert!(
        asked[0].contains("service=r.test")
            && asked[0].contains("scope=repository%3alibrary%2fllama3%3apull"),
        "{asked:?}"
    );
    for request in asked.iter().chain(&storage.requests()) {
        assert!(!request.contains("authorization"), "{request}");
    }
}

#[tokio::test]
async fn a_token_that_does_not_help_is_asked_for_once() {
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    let realm = Server::start(move |_, _| {
        *counted.lock().unwrap() += 1;
        json(r#"{"access_token": "useless"}"#)
    })
    .await;
    let realm_url = realm.url.clone();
    let server = Server::start(move |_, _| {
        answer(
            "401 Unauthorized",
            &format!("www-authenticate: Bearer realm=\"{realm_url}\"\r\n"),
            "",
        )
    })
    .await;
    let hub = open("oci", Some(&server.url)).unwrap();
    let refused = hub.package("library/llama3").await;
    assert!(
        matches!(refused, Err(HubError::Unauthorised { .. })),
        "{refused:?}"
    );
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_manifest_that_is_not_its_digest_is_refused() {
    let server = Server::start(|_, head| match target(head).contains("/manifests/sha256:") {
        true => json(value!({"layers": []}).to_string()),
        false => registry(head),
    })
    .await;
    let hub = open("oci", Some(&server.url)).unwrap();
    let refused = hub.files("library/llama3:8b", &"a".repeat(64)).await;
    assert!(
        matches!(refused, Err(HubError::WrongDigest { .. })),
        "{refused:?}"
    );
}

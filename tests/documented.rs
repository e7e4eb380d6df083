//! Every command that the documents or `--help` show is one that the program takes, and those shown with a prompt are run.
//!
//! A `console` block (`$ heirloom …`) runs against the crawled demo, in a folder like the one `make run` leaves. Commands in `sh` blocks
//! and in the examples of `--help` name things a reader has to put in; these are parsed only.
#![allow(clippy::unwrap_used)]

mod harness;

use clap::CommandFactory;
use clap::error::ErrorKind;
use harness::TestDatabase;
use heirloom::commands::Cli;
use heirloom::hubserver;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A command, and where it stands.
struct Documented {
    place: String,
    line: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The lines of all fenced blocks in `language`, those that go on with a backslash joined.
fn blocks(language: &str) -> Vec<Documented> {
    let mut files = pages(&root().join("docs"));
    files.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap().replace("\\\n", " ");
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with("```") {
                inside = line == format!("```{language}");
            } else if inside {
                found.push(Documented {
                    place: file.strip_prefix(root()).unwrap().display().to_string(),
                    line: line.to_owned(),
                });
            }
        }
    }
    found
}

/// The examples in the help of every command.
fn examples(command: &clap::Command) -> Vec<Documented> {
    let help = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let mut found: Vec<Documented> = help
        .lines()
        .filter(|line| line.starts_with("  ") && line.contains("heirloom "))
        .map(|line| Documented {
            place: format!("{} --help", command.get_name()),
            // What is said of an example stands apart from it.
            line: line.trim().split("   ").next().unwrap().to_owned(),
        })
        .collect();
    found.extend(command.get_subcommands().flat_map(examples));
    found
}

/// The calls of our program in a line of shell, as words.
fn calls(line: &str) -> Vec<Vec<String>> {
    let mut words = Vec::new();
    for word in shlex::split(line).unwrap_or_default() {
        if word.starts_with('#') {
            break;
        }
        words.push(word);
    }
    words
        .split(|word| ["&&", "|", ";"].contains(&word.as_str()))
        .filter_map(|call| {
            let call = call.split(|word| word == ">").next()?;
            let program = call.iter().position(|word| !word.contains('='))?;
            let ours = call[program] == "heirloom" || call[program].ends_with("/heirloom");
            ours.then(|| call[program..].to_vec())
        })
        .collect()
}

#[test]
fn documented_commands_are_taken() {
    let mut lines = blocks("sh");
    lines.extend(blocks("console").into_iter().map(|documented| Documented {
        line: documented.line.trim_start_matches("$ ").to_owned(),
        ..documented
    }));
    lines.extend(examples(&Cli::command()));
    let mut parsed = 0;
    for Documented { place, line } in lines {
        for call in calls(&line) {
            // What stands for something the reader puts in (OLD, REF) need not exist.
            let taken = Cli::command().try_get_matches_from(&call);
            if let Err(error) = taken.or_else(|error| match error.kind() {
                ErrorKind::ValueValidation | ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    Ok(clap::ArgMatches::default())
                }
                _ => Err(error),
            }) {
                panic!("{place} shows `{line}`, which is refused: {error}");
            }
            parsed += 1;
        }
    }
    assert!(parsed > 40, "only {parsed} commands were found");
}

#[test]
fn every_page_is_in_the_book_and_every_link_leads_somewhere() {
    let docs = root().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    for page in pages(&docs) {
        let name = page.strip_prefix(&docs).unwrap().display().to_string();
        let listed = name == "SUMMARY.md" || summary.contains(&format!("({name})"));
        assert!(listed, "docs/{name} is missing from docs/SUMMARY.md");
    }
    let mut files = pages(&docs);
    files.extend(
        ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md"].map(|name| root().join(name)),
    );
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
        {
            let outside = link.is_empty() || link.contains("://");
            let target = file.parent().unwrap().join(link);
            assert!(
                outside || target.exists(),
                "{} links to {link}, which is not there",
                file.display()
            );
        }
    }
}

/// A folder as `make run` leaves it, its demo crawled.
struct Sandbox {
    folder: tempfile::TempDir,
    database: TestDatabase,
    hub: hubserver::Running,
}

impl Sandbox {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let demo = folder.path().join(".heirloom/demo");
        heirloom_zoo::demo::write(&demo).unwrap();
        std::fs::create_dir(folder.path().join("target")).unwrap();
        let hub = hubserver::serve(&demo, hubserver::Options::default())
            .await
            .unwrap();
        let sandbox = Self {
            folder,
            database: TestDatabase::new().await,
            hub,
        };
        let crawled = sandbox.run("heirloom crawl hf --quiet").await;
        assert!(
            crawled.status.success(),
            "{}",
            String::from_utf8_lossy(&crawled.stderr)
        );
        sandbox
    }

    async fn run(&self, line: &str) -> Output {
        let bin = Path::new(env!("CARGO_BIN_EXE_heirloom")).parent().unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env(
                "PATH",
                format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()),
            )
            .env("DATABASE_URL", &self.database.url)
            .env("HEIRLOOM_DATA", ".heirloom")
            .env("HF_ENDPOINT", &self.hub.url);
        // The hub answers on this runtime meanwhile.
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_shown_with_a_prompt_run() {
    let sandbox = Sandbox::new().await;
    let mut ran = 0;
    for Documented { place, line } in blocks("console") {
        let Some(command) = line.strip_prefix("$ ") else {
            continue;
        };
        let output = sandbox.run(command).await;
        assert!(
            output.status.success() && !output.stdout.is_empty(),
            "{place} shows `{command}`, which fails here:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        ran += 1;
    }
    assert!(ran >= 8, "only {ran} commands were found");
    sandbox.hub.stop().await;
}

//! `heirloom completions`: what a shell needs to complete our commands and flags.

use super::{Cli, Global, print_text};
use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom completions bash > ~/.local/share/bash-completion/completions/heirloom
  heirloom completions zsh > ~/.zfunc/_heirloom
  heirloom completions fish > ~/.config/fish/completions/heirloom.fish")]
pub struct Args {
    /// The shell to write for.
    shell: Shell,
}

pub async fn run(args: Args, _global: &Global) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "heirloom", &mut script);
    print_text(&String::from_utf8(script).context("the completions are no text")?)?;
    Ok(ExitCode::SUCCESS)
}

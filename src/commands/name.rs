//! `heirloom name`: cuts names into segments; a line a name.

use super::{Global, print_json};
use crate::versioning::{Name, parse_name};
use std::io::{BufRead, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  heirloom name mistralai/Mistral-7B-Instruct-v0.1
  heirloom name --json - < names.txt     one JSON object a line")]
pub struct Args {
    /// Names (owner/name or name), or - to read one a line from standard input.
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

pub async fn run(args: Args, global: &Global) -> anyhow::Result<ExitCode> {
    let from_stdin = args.names == ["-"];
    if global.json && !from_stdin {
        let parsed: Vec<Name> = args.names.iter().map(|name| parse_name(name)).collect();
        print_json(&parsed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut print = |name: &str| write_line(&mut out, &parse_name(name), global.json);
    let written = if from_stdin {
        let mut lines = std::io::stdin().lock().lines();
        lines.try_for_each(|line| print(line?.trim_end()))
    } else {
        args.names.iter().try_for_each(|name| print(name))
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        other => {
            other?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// `name<TAB>convention<TAB>text:kind text:kind`, or one JSON object.
fn write_line(out: &mut impl Write, name: &Name, json: bool) -> std::io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, name)?;
        return writeln!(out);
    }
    write!(out, "{}\t{}\t", name.name, name.convention)?;
    for (position, segment) in name.segments.iter().enumerate() {
        let gap = if position == 0 { "" } else { " " };
        write!(out, "{gap}{}:{}", segment.text, segment.kind.as_str())?;
    }
    writeln!(out)
}

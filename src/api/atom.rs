//! Renders changes as an Atom feed (RFC 4287).

use super::change::{Change, ChangeKind};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A feed of `changes`, newest first.
pub fn render(changes: &[Change]) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 1);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let updated = changes
        .first()
        .map_or(OffsetDateTime::UNIX_EPOCH, |change| change.at);
    writer
        .create_element("feed")
        .with_attribute(("xmlns", "http://www.w3.org/2005/Atom"))
        .write_inner_content(|writer| {
            text(writer, "id", "urn:heirloom:changes")?;
            text(writer, "title", "Changes of models")?;
            text(writer, "updated", &date(updated))?;
            changes.iter().try_for_each(|change| entry(writer, change))
        })?;
    String::from_utf8(writer.into_inner()).map_err(io::Error::other)
}

fn entry(writer: &mut Writer<Vec<u8>>, change: &Change) -> io::Result<()> {
    let path = change.reference.replacen(':', "/", 1);
    let owner = path.split('/').nth(1).unwrap_or_default();
    writer.create_element("entry").write_inner_content(|writer| {
        text(writer, "id", &change.id)?;
        text(writer, "title", &title(change))?;
        text(writer, "updated", &date(change.at))?;
        writer
            .create_element("author")
            .write_inner_content(|writer| text(writer, "name", owner))?;
        writer
            .create_element("link")
            .with_attribute(("href", format!("/models/{path}").as_str()))
            .write_empty()?;
        text(writer, "summary", &change.detail)
    })?;
    Ok(())
}

fn title(change: &Change) -> String {
    let reference = &change.reference;
    match change.kind {
        ChangeKind::SilentChange => format!("{reference} changed its weights silently"),
        ChangeKind::MajorVersion => format!("{reference} broke with its past"),
        ChangeKind::ContradictedBase => format!("{reference} is not made from the base it declares"),
        ChangeKind::NewDescendant => format!("{reference} has a new descendant"),
    }
}

fn text(writer: &mut Writer<Vec<u8>>, name: &str, content: &str) -> io::Result<()> {
    writer
        .create_element(name)
        .write_text_content(BytesText::new(&printable(content)))?;
    Ok(())
}

/// XML 1.0 has no control characters, escaped or not.
pub fn printable(text: &str) -> String {
    let allowed = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    text.chars().filter(allowed).collect()
}

fn date(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_feed_escapes_what_hubs_wrote() {
        let change = Change {
            kind: ChangeKind::SilentChange,
            at: OffsetDateTime::UNIX_EPOCH,
            reference: "hf:lab/base".to_owned(),
            revision: None,
            version: Some("1.2.0".to_owned()),
            detail: "3 of 4 <tensors> & \u{1}more".to_owned(),
            id: "urn:heirloom:change:silent-change:1:1".to_owned(),
        };
        insta::assert_snapshot!(render(&[change]).unwrap());
    }
}

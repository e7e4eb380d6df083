//! Tables on a terminal: columns padded to their widest cell, and names made safe to print.

use std::fmt::Write;

/// Rows of equal length; the first is the header. Columns named in `right` are aligned to the right.
pub fn render(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let separator = if column == 0 { "" } else { "  " };
            let written = if right.contains(&column) {
                write!(line, "{separator}{cell:>width$}")
            } else {
                write!(line, "{separator}{cell:<width$}")
            };
            debug_assert!(written.is_ok(), "a String takes any text");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `name` with control characters escaped: a hub's names must not drive the terminal.
pub fn printable(name: &str) -> String {
    let escape = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    name.chars().map(escape).collect()
}

/// `1 234 567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `768x3072`, or `scalar`.
pub fn shape(shape: &[u64]) -> String {
    if shape.is_empty() {
        return "scalar".to_owned();
    }
    let lengths: Vec<String> = shape.iter().map(u64::to_string).collect();
    lengths.join("x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_padded_to_the_widest_cell() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        let text = render(&[row("name", "count"), row("a.long.name", "7")], &[1]);
        assert_eq!(text, "name         count\na.long.name      7\n");
    }

    #[test]
    fn names_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
    }

    #[test]
    fn numbers_and_shapes_are_readable() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(
            (shape(&[]), shape(&[2, 3])),
            ("scalar".to_owned(), "2x3".to_owned())
        );
    }
}

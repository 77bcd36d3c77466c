//! Texts filled up to the width of their column. (`format!` takes widths below 65 536 only and panics beyond; a name may be longer.)

/// The text at the left of a column of `width` characters; a longer one as it is.
pub fn left(text: &str, width: usize) -> String {
    text.to_owned() + &gap(text, width)
}

/// The text at the right of a column of `width` characters; a longer one as it is.
pub fn right(text: &str, width: usize) -> String {
    gap(text, width) + text
}

fn gap(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_filled_with_spaces_at_any_width() {
        assert_eq!((left("é", 3), right("é", 3)), ("é  ".to_owned(), "  é".to_owned()));
        assert_eq!((left("abc", 2), right("abc", 0)), ("abc".to_owned(), "abc".to_owned()));
        assert_eq!(right("x", 100_000).len(), 100_000);
    }
}

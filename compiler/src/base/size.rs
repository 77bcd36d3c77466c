//! Sizes and numbers of things as people read them.

/// `640 B`, `1.5 KiB`, `2.0 MiB`, `1.2 GiB`.
pub fn bytes(count: usize) -> String {
    let in_units = |shift: u32| count as f64 / (1_u64 << shift) as f64;
    match count {
        0..1024 => format!("{count} B"),
        1024..1_048_576 => format!("{:.1} KiB", in_units(10)),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", in_units(20)),
        _ => format!("{:.1} GiB", in_units(30)),
    }
}

/// `1 column`, `3 columns`: `what` is the word for one.
pub fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::{bytes, counted};

    #[test]
    fn one_thing_is_no_several() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "row")), ["0 rows", "1 row", "2 rows"]);
    }

    #[test]
    fn a_size_has_the_largest_unit_of_which_there_is_one() {
        let sizes = [1023, 1024, 3 << 19, 5 << 29].map(bytes);
        assert_eq!(sizes, ["1023 B", "1.0 KiB", "1.5 MiB", "2.5 GiB"]);
    }
}

//! A page on each code of a mistake and on each lint: what it means, a network that has it and one that has not.
//!
//! `gradc explain E0201` prints one. Adding a code or a lint adds its page: a test reads the sources for codes and elaborates the
//! networks of every page.

#[cfg(test)]
mod tests;

/// Name and text of every page: codes in order, then lints.
macro_rules! pages {
    ($($name:literal)*) => {
        &[$(Page { name: $name, text: include_str!(concat!("codes/", $name, ".md")) }),*]
    };
}

/// One page.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// `E0201`, or the lint's name.
    pub name: &'static str,
    /// Markdown: a heading, what it means, a wrong network and a right one.
    pub text: &'static str,
}

/// All pages.
pub const PAGES: &[Page] = pages! {
    "E0101"
    "E0102"
    "E0103"
    "E0104"
    "E0105"
    "E0106"
    "E0107"
    "E0201"
    "E0202"
    "E0203"
    "E0204"
    "E0205"
    "E0206"
    "E0207"
    "E0208"
    "E0299"
    "E0301"
    "E0302"
    "E0303"
    "E0304"
    "E0305"
    "E0306"
    "E0307"
    "E0401"
    "E0402"
    "E0403"
    "E0404"
    "E0405"
    "E0406"
    "E0407"
    "E0408"
    "E0501"
    "E0502"
    "E0503"
    "E0504"
    "E0505"
    "E0506"
    "E0507"
    "E0508"
    "E0509"
    "E0510"
    "unused_input"
    "unused_value"
    "unused_function"
    "empty_loop"
    "softmax_before_loss"
    "no_softmax_before_loss"
    "selu_without_lecun"
    "dropout_before_batch_norm"
    "deep_sigmoids"
    "bias_before_batch_norm"
    "minimized_mean_error"
    "penalty_on_unscaled"
    "relu_before_loss"
    "error_on_classes"
    "nothing_trained"
    "mean_of_chunks"
    "rows_together"
};

impl Page {
    /// The page of a code or a lint, in any case of letters.
    pub fn find(name: &str) -> Option<&'static Page> {
        PAGES.iter().find(|page| page.name.eq_ignore_ascii_case(name))
    }

    /// What the heading says behind the name.
    pub fn title(&self) -> &'static str {
        let heading = self.text.lines().next().unwrap_or_default();
        heading.split_once(": ").map_or(heading, |(_, title)| title)
    }

    /// The networks of the page, the wrong one first.
    pub fn networks(&self) -> impl Iterator<Item = &'static str> {
        self.text.split("```\n").skip(1).step_by(2)
    }
}

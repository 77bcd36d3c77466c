//! Messages of the library in the words of the command: a setting is a flag here.
//!
//! The library names what a program calls, and knows nothing of flags; this is the one place where a message is put into other words.

use clap::Command;
use gradc::Error;

/// What messages say to who writes a program, and to who writes a command.
const WORDS: [(&str, &str); 17] = [
    ("`.validate(…)`", "`--split`"),
    ("(header)", "(`--header true`)"),
    ("(skip 1)", "(`--skip 1`)"),
    ("(columns)", "(`--columns`)"),
    ("(columns, target)", "(`--columns`, `--target`)"),
    ("(categories)", "(`--categories`)"),
    ("(categories_in_order)", "(`--categories COLUMN=A,B,C`)"),
    (": set the separator", ": set it with `--separator`"),
    ("use `load_matching` to take what fits, or load the file", "load the file"),
    ("take the parameters alone with `load_matching`", "start a training from the parameters alone with `train --init`"),
    ("`load_matching` takes this one as it is", "`train --init` takes this one as it is"),
    ("with `load`, or write checkpoints with `fit.checkpoint(…)`", "with `--init`, or write checkpoints with `--checkpoint`"),
    ("`drop_last()`", "`--drop-last`"),
    ("rename the file, or say its format: data::idx, data::npy, data::npz, data::images", "rename the file"),
    ("(arrays)", "(`--columns`)"),
    ("(targets)", "(`--targets`)"),
    ("(target)", "(`--target`)"),
];

/// Whether an error is one of the command line: of a flag, or of a name that stands alone.
pub fn is_of_the_line(error: &Error, command: &Command) -> bool {
    let Error::Setting { name, .. } = error else { return false };
    let stands_alone = ["FILE", "NAME"].contains(&name.as_str());
    stands_alone || name.starts_with("--") || is_flag(name, &flags(command))
}

/// The message of an error, with the flags of the command where the library names calls and settings.
pub fn in_flags(error: Error, command: &Command) -> String {
    let flags = flags(command);
    let error = match error {
        Error::Setting { name, found, expected } => {
            let name = if is_flag(&name, &flags) { format!("--{}", name.replace('_', "-")) } else { name };
            // What was given may be a name that happens to be a flag's.
            let found = if found.starts_with('`') { found } else { quoted(found, &flags) };
            Error::Setting { name, found, expected: quoted(expected, &flags) }
        }
        other => other,
    };
    WORDS.iter().fold(error.to_string(), |text, (call, flag)| text.replace(call, flag))
}

fn flags(command: &Command) -> Vec<&str> {
    command.get_subcommands().flat_map(Command::get_arguments).filter_map(|flag| flag.get_long()).collect()
}

/// Whether a setting, or the thing of which it is one (`plateau factor`), is a flag here.
fn is_flag(setting: &str, flags: &[&str]) -> bool {
    let first = setting.split(' ').next().unwrap_or_default().replace('_', "-");
    flags.contains(&first.as_str())
}

/// Quoted settings as flags.
fn quoted(text: String, flags: &[&str]) -> String {
    flags.iter().fold(text, |text, flag| text.replace(&format!("`{flag}`"), &format!("`--{flag}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn settings_and_calls_are_flags() {
        let command = crate::Arguments::command();
        let said = |name: &str, found: &str, expected: &str| in_flags(Error::setting(name, found, expected), &command);
        let text = said("patience", "used without a validation set", "accompanied by `.validate(…)`");
        assert_eq!(
            text,
            "`--patience` cannot be used without a validation set\nhelp: `--patience` must be accompanied by `--split`"
        );
        assert!(said("plateau factor", "2", "below 1").starts_with("`--plateau factor` cannot be 2"));
        assert!(said("steps", "given beside `epochs`", "one of the two").contains("beside `--epochs`"));
        // A metric is called as it likes.
        assert!(said("monitor", "`target`", "one of: loss").starts_with("`--monitor` cannot be `target`"));
        assert!(said("rows", "0", "more").starts_with("`rows` cannot be 0"));
    }

    /// Who changes a message of the library changes it here too.
    #[test]
    fn the_library_says_these_words() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/runtime/src");
        let files = [
            "fit.rs",
            "fit/plan.rs",
            "error.rs",
            "data/csv.rs",
            "data/table.rs",
            "data/arrays.rs",
            "data/reader.rs",
            "model.rs",
            "model/files.rs",
            "checkpoint/matching.rs",
        ];
        let texts: Vec<String> =
            files.iter().map(|file| std::fs::read_to_string(format!("{folder}/{file}")).expect(file)).collect();
        for (call, _) in WORDS {
            assert!(texts.iter().any(|text| text.contains(call)), "nothing says {call}");
        }
    }
}

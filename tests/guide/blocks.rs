//! Reading Markdown as far as the guide needs it: fenced blocks, links, headings.

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// What stands behind the opening fence.
    pub info: String,
    /// The line of the opening fence, from 1.
    pub line: usize,
    pub text: String,
}

impl Block {
    /// The first word of the info string.
    pub fn kind(&self) -> &str {
        self.info.split(',').next().unwrap_or_default()
    }
    /// Whether the info string has this word.
    pub fn has(&self, word: &str) -> bool {
        self.info.split(',').any(|part| part == word)
    }
    /// What the info string sets a name to.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.info.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
    }
    /// Commands behind `$ ` (a `\` at the end goes on in the next line), and what is shown below each.
    pub fn commands(&self) -> Vec<(String, String)> {
        let mut commands: Vec<(String, String)> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_string(), String::new())),
                (None, Some((command, _))) if goes_on => *command = format!("{}{line}", command.trim_end_matches('\\')),
                (None, Some((_, shown))) => *shown += &format!("{line}\n"),
                (None, None) => panic!("line {}: a console block begins with a command", self.line),
            }
            goes_on = line.ends_with('\\');
        }
        commands
    }
}

/// The fenced blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (number, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(info) if !is_open => {
                blocks.push(Block { info: info.trim().to_string(), line: number + 1, text: String::new() });
                is_open = true;
            }
            Some(_) => is_open = false,
            None if is_open => blocks.last_mut().expect("one is open").text += &format!("{line}\n"),
            None => {}
        }
    }
    assert!(!is_open, "the last block is not closed");
    blocks
}

/// A page without its fenced blocks.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// What links of a page point to.
pub fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_string).collect()
}

/// Anchors of a page's headings, as mdBook makes them.
pub fn anchors(page: &str) -> Vec<String> {
    let prose = prose(page);
    let headings =
        prose.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    headings
        .map(|heading| {
            let letters = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            letters.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
        })
        .collect()
}

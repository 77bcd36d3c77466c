//! A network's training step as one page: source, graph, loops, memory and machine code side by side. Choosing a line of one lights up
//! what belongs to it in all others.
//!
//! The page is one file that asks nobody for anything. All lines carry the nodes that they serve as `data-n`, in the numbers of the
//! graph that kernels are made from; that is all that the page's script knows.

mod lives;

use super::lines;
use crate::base::place::Source;
use crate::codegen::{Compiled, text};
use crate::draw::svg::{escaped, svg};
use crate::draw::{Options, picture};
use crate::graph::Graph;
use crate::pipeline::Front;
use crate::program::{Assembled, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Instructions beyond which a page would be too large for a browser to be quick.
const INSTRUCTIONS: usize = 16_000;

/// What a page is made from.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    /// Graphs and what rewriting did.
    pub front: &'a Front,
    /// Kernels and memory.
    pub assembled: &'a Assembled,
    /// Compiled functions with their text.
    pub functions: &'a [Compiled],
    /// The user's text.
    pub source: &'a Source,
    /// The target, for the heading.
    pub target: &'a str,
    /// What else the heading says, line by line.
    pub notes: &'a [String],
}

impl Page<'_> {
    /// The page as HTML.
    pub fn html(&self) -> String {
        let found = self.assembled.unit("train").or_else(|| self.assembled.unit("predict"));
        let Some(unit) = found.or(self.assembled.units.first()) else { return String::new() };
        let name = escaped(&self.front.info.name);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{name}: from source to machine code</title>\n<style>\n{}</style>\n",
            include_str!("page.css")
        );
        html += &self.heading(unit);
        panel(&mut html, "source", "what was written", &self.source_lines(&unit.graph));
        let drawn = picture(&unit.graph, Options { lines: None, batch: 64, folded: false });
        panel(&mut html, "graph", "forward, backward, update; bytes for a batch of 64", &svg(&drawn));
        panel(&mut html, "loops", "kernels as nests and blocks", &self.loop_lines(unit));
        let lives = format!("<div class=\"lives\">{}</div>", lives::svg(self.assembled, unit));
        panel(&mut html, "memory", "lifetimes of temporaries by kernel", &lives);
        panel(&mut html, "assembly", "machine instructions", &self.instructions(unit));
        let _ = write!(html, "</main>\n<script>\n{}</script>\n</html>\n", include_str!("page.js"));
        html
    }

    fn heading(&self, unit: &Unit) -> String {
        let (nodes, kernels, target) = (unit.graph.nodes.len(), unit.memory.kernels.len(), escaped(self.target));
        let notes: String = self.notes.iter().map(|note| format!("<p>{}</p>", escaped(note))).collect();
        format!(
            "<header><h1>{}</h1><p>unit {}, {nodes} nodes, {kernels} kernels, target {target}</p>{notes}<p>Click a line, or reach a panel with Tab and go with the arrow keys; Escape lets go.</p><p id=\"status\" role=\"status\"></p></header>\n<main>\n",
            escaped(&self.front.info.name),
            unit.name,
        )
    }

    /// Lines of the declaration with the nodes that come from them.
    fn source_lines(&self, graph: &Graph) -> String {
        let mut nodes: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for id in graph.ids() {
            let line = graph.origin(id).place.rsplit(':').nth(1).and_then(|line| line.parse().ok());
            if let Some(line) = line {
                nodes.entry(line).or_default().insert(id.0);
            }
        }
        let mut html = String::from("<div class=\"text\">");
        for (number, line) in (self.source.first_line()..).zip(self.source.text().lines()) {
            let own = nodes.get(&number).into_iter().flatten().copied();
            let text = format!("<i>{number:>3}</i>  {}", escaped(line));
            paragraph(&mut html, own, &text);
        }
        html + "</div>"
    }

    fn loop_lines(&self, unit: &Unit) -> String {
        let program = crate::loops::text::print(&self.assembled.program, None);
        let mut html = String::from("<div class=\"text\">");
        for line in lines::loops(&program) {
            if !line.kernel.is_some_and(|kernel| unit.memory.kernels.contains(&(kernel as u32))) || line.text.is_empty() {
                continue;
            }
            if line.text.starts_with("kernel ") {
                let _ = writeln!(html, "<p class=\"k\">{}</p>", escaped(line.text));
                continue;
            }
            let (own, remark) = line.text.split_once(" ; ").unwrap_or((line.text, ""));
            let remark = if remark.is_empty() { String::new() } else { format!("  <i>{}</i>", escaped(remark)) };
            paragraph(&mut html, line.node, &(escaped(own.trim_end()) + &remark));
        }
        html + "</div>"
    }

    fn instructions(&self, unit: &Unit) -> String {
        let mut html = String::from("<div class=\"text\">");
        let mut left = INSTRUCTIONS;
        for &kernel in &unit.memory.kernels {
            let Some(function) = self.functions.get(kernel as usize) else { continue };
            let Some(both) = &function.text else { continue };
            let _ =
                writeln!(html, "<p class=\"k\">{}</p>\n<p><i>{}</i></p>", escaped(&function.name), text::Shares::of(&both.lines));
            let mut known = None;
            for line in both.lines.iter().take(left) {
                if let Some(label) = &line.label {
                    let _ = writeln!(html, "<p>{label}:</p>");
                }
                let now = (line.serves, line.made);
                let remark = text::served(line, &|_| None);
                let remark = if known == Some(now) || remark.is_empty() { String::new() } else { format!("  <i>{remark}</i>") };
                known = Some(now);
                let node = match line.serves {
                    crate::codegen::Serves::Node(node) => Some(node),
                    _ => None,
                };
                paragraph(&mut html, node, &format!("  {}{remark}", escaped(&line.text)));
            }
            if both.lines.len() > left {
                html.push_str("<p><i>… the rest stands in `gradc dump --stage 09`</i></p>");
                break;
            }
            left -= both.lines.len();
        }
        html + "</div>"
    }
}

fn panel(html: &mut String, id: &str, about: &str, inside: &str) {
    let _ = writeln!(
        html,
        "<section id=\"{id}\" tabindex=\"0\" aria-label=\"{id}\"><h2>{id} <span>{about}</span></h2>\n{inside}</section>"
    );
}

/// A line; `text` is HTML.
fn paragraph(html: &mut String, nodes: impl IntoIterator<Item = u32>, text: &str) {
    let nodes: Vec<String> = nodes.into_iter().map(|node| node.to_string()).collect();
    let _ = match nodes.is_empty() {
        true => writeln!(html, "<p>{text}</p>"),
        false => writeln!(html, "<p data-n=\"{}\">{text}</p>", nodes.join(" ")),
    };
}

//! The picture as SVG: one file, no fonts, no scripts; light and dark as the reader's system is.

use super::layout::{HEAD, LINE, TOP, layout};
use super::{Part, Picture};
use crate::base::size::bytes;
use std::fmt::Write;

/// Shapes and sizes, and what is not coloured.
const FORM: &str = "\
.graph{font:11px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace}\
.graph text{white-space:pre}\
.graph .title{font-size:15px;font-weight:600}\
.graph .card{stroke-width:1.2}\
.graph .edge{fill:none;stroke-width:1.1}\
.graph .crossing{stroke-width:1.4;opacity:.75}\
.graph .mark{font-size:9.5px}\
.graph .halo{stroke-width:3px}\
.graph .head{font-weight:600}";

/// What is coloured, by which property, light and dark. Where two lines meet, the later one holds. Colours stand where they are used: most programs
/// that show pictures know no variables of CSS.
const COLOURS: [(&str, &str, &str, &str); 16] = [
    (".paper", "fill", "#fff", "#14171d"),
    ("text", "fill", "#1d2330", "#dfe4ee"),
    (".soft", "fill", "#667", "#98a2b5"),
    (".card", "fill", "#f7f8fb", "#1c212b"),
    (".edge", "stroke", "#aab", "#4a5365"),
    (".end-line", "fill", "#aab", "#4a5365"),
    (".halo", "stroke", "#fff", "#14171d"),
    (".forward", "stroke", "#2563a8", "#7db4f0"),
    (".backward", "stroke", "#b4501e", "#f0a070"),
    (".update", "stroke", "#2f7d4f", "#7fcf9f"),
    (".name-forward", "fill", "#2563a8", "#7db4f0"),
    (".name-backward", "fill", "#b4501e", "#f0a070"),
    (".name-update", "fill", "#2f7d4f", "#7fcf9f"),
    (".end-forward", "fill", "#2563a8", "#7db4f0"),
    (".end-backward", "fill", "#b4501e", "#f0a070"),
    (".end-update", "fill", "#2f7d4f", "#7fcf9f"),
];

fn style() -> String {
    let rules = |dark: bool| -> String {
        let rule = |(what, property, light, night): &(&str, &str, &str, &str)| {
            format!(".graph {what}{{{property}:{}}}", if dark { night } else { light })
        };
        COLOURS.iter().map(rule).collect()
    };
    format!("{FORM}{}@media(prefers-color-scheme:dark){{{}}}", rules(false), rules(true))
}

/// The picture; each line of a node has its number as `data-n`.
pub fn svg(picture: &Picture) -> String {
    let layout = layout(picture);
    let (width, height) = (layout.width, layout.height);
    let mut text = format!(
        "<svg class=\"graph\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{0}</title>\n<style>{1}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n<text class=\"title\" x=\"20\" y=\"28\">{0}</text>\n",
        escaped(&picture.title),
        style()
    );
    text.push_str(&arrows());
    for (part, left, _) in &layout.columns {
        let _ = writeln!(text, "<text class=\"title name-{0}\" x=\"{left:.1}\" y=\"{1:.1}\">{0}</text>", part.name(), TOP - 20.0);
    }
    let curves = layout.curves(picture);
    for (edge, curve) in picture.edges.iter().zip(&curves) {
        let part = picture.boxes[edge.from].part.name();
        let class = if curve.crosses { format!("edge crossing {part}") } else { "edge".into() };
        let end = if curve.crosses { part } else { "line" };
        let tensors: Vec<String> = edge.tensors.iter().map(|id| format!("%{}", id.0)).collect();
        let _ = writeln!(
            text,
            "<path class=\"{class}\" d=\"{}\" marker-end=\"url(#end-{end})\"><title>{} to {}: {} ({})</title></path>",
            curve.path,
            escaped(&picture.boxes[edge.from].name),
            escaped(&picture.boxes[edge.to].name),
            bytes(edge.bytes),
            tensors.join(" ")
        );
    }
    for (layer, area) in picture.boxes.iter().zip(&layout.boxes) {
        let part = layer.part.name();
        let (x, y) = (area.x, area.y);
        let _ = writeln!(
            text,
            "<rect class=\"card {part}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"5\"/>\n<text class=\"head name-{part}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            area.width,
            area.height,
            x + 8.0,
            y + 15.0,
            escaped(&layer.name)
        );
        let mut at = y + HEAD + 10.0;
        if !layer.note.is_empty() {
            let _ = writeln!(text, "<text class=\"soft\" x=\"{:.1}\" y=\"{at:.1}\">… {}</text>", x + 8.0, escaped(&layer.note));
            at += LINE;
        }
        for (id, line) in &layer.lines {
            let _ = writeln!(
                text,
                "<text class=\"node\" data-n=\"{}\" x=\"{:.1}\" y=\"{at:.1}\">{}</text>",
                id.0,
                x + 8.0,
                escaped(line)
            );
            at += LINE;
        }
    }
    for (edge, curve) in picture.edges.iter().zip(&curves).filter(|(_, curve)| curve.crosses) {
        let part = picture.boxes[edge.from].part.name();
        let anchor = if layout.boxes[edge.to].x > layout.boxes[edge.from].x { "end" } else { "start" };
        let (x, y) = curve.mark;
        // First what keeps lines away from it: few programs can draw a letter's edge behind the letter.
        for class in ["halo".to_owned(), format!("name-{part}")] {
            let _ = writeln!(
                text,
                "<text class=\"mark {class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
                bytes(edge.bytes)
            );
        }
    }
    text.push_str("</svg>\n");
    text
}

/// Ends of edges, one for each colour.
fn arrows() -> String {
    let names = Part::ALL.map(Part::name).into_iter().chain(["line"]);
    let one = |name: &str| {
        format!(
            "<marker id=\"end-{name}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"end-{name}\" d=\"M0 1L7 4L0 7z\"/></marker>"
        )
    };
    format!("<defs>{}</defs>\n", names.map(one).collect::<String>())
}

/// Text as it may stand in XML and HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

//! The picture as SVG: one file, no fonts, no scripts; light and dark as the reader's system is.

use super::layout::{HEAD, LINE, TOP, layout};
use super::{Part, Picture};
use crate::fusion::text::bytes;
use std::fmt::Write;

/// What every picture looks like; a page that holds one may bring its own.
pub const STYLE: &str = "\
svg.graph{--paper:#fff;--ink:#1d2330;--soft:#667;--line:#aab;--card:#f7f8fb;--forward:#2563a8;--backward:#b4501e;--update:#2f7d4f;\
font:11px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;background:var(--paper)}\
@media(prefers-color-scheme:dark){svg.graph{--paper:#14171d;--ink:#dfe4ee;--soft:#98a2b5;--line:#4a5365;--card:#1c212b;\
--forward:#7db4f0;--backward:#f0a070;--update:#7fcf9f}}\
.graph text{fill:var(--ink);white-space:pre}\
.graph .title{font-size:15px;font-weight:600}\
.graph .soft{fill:var(--soft)}\
.graph .card{fill:var(--card);stroke-width:1.2}\
.graph .edge{fill:none;stroke:var(--line);stroke-width:1.1}\
.graph .crossing{stroke-width:1.4;opacity:.75}\
.graph .mark{font-size:9.5px;paint-order:stroke;stroke:var(--paper);stroke-width:3px}\
.graph .head{font-weight:600}\
.graph .forward{stroke:var(--forward)}.graph .backward{stroke:var(--backward)}.graph .update{stroke:var(--update)}\
.graph .name-forward{fill:var(--forward)}.graph .name-backward{fill:var(--backward)}.graph .name-update{fill:var(--update)}";

/// The picture; each line of a node has its number as `data-n`.
pub fn svg(picture: &Picture) -> String {
    let layout = layout(picture);
    let (width, height) = (layout.width, layout.height);
    let mut text = format!(
        "<svg class=\"graph\" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{0}</title>\n<style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"var(--paper)\"/>\n<text class=\"title\" x=\"20\" y=\"28\">{0}</text>\n",
        escaped(&picture.title)
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
        if layer.hidden > 0 {
            let _ =
                writeln!(text, "<text class=\"soft\" x=\"{:.1}\" y=\"{at:.1}\">… {} nodes before</text>", x + 8.0, layer.hidden);
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
        let _ = writeln!(
            text,
            "<text class=\"mark name-{part}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            bytes(edge.bytes)
        );
    }
    text.push_str("</svg>\n");
    text
}

/// Ends of edges, one for each colour.
fn arrows() -> String {
    let names = Part::ALL.map(Part::name).into_iter().chain(["line"]);
    let one = |name: &str| {
        format!(
            "<marker id=\"end-{name}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 1L7 4L0 7z\" fill=\"var(--{name})\"/></marker>"
        )
    };
    format!("<defs>{}</defs>\n", names.map(one).collect::<String>())
}

/// Text as it may stand in XML and HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

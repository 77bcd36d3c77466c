//! Where boxes and edges stand, in points.

use super::{Edge, Part, Picture};

pub const LINE: f64 = 15.0;
pub const CHARACTER: f64 = 6.65;
pub const HEAD: f64 = 22.0;
const PADDING: f64 = 8.0;
const GAP: f64 = 18.0;
const ROW_GAP: f64 = 34.0;
/// Room between columns, where edges and their bytes stand.
const BETWEEN: f64 = 170.0;
const MARGIN: f64 = 60.0;
pub const TOP: f64 = 84.0;

/// A rectangle.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// A picture with places.
#[derive(Clone, PartialEq, Debug)]
pub struct Layout {
    pub boxes: Vec<Area>,
    /// Left border and width of each column.
    pub columns: Vec<(Part, f64, f64)>,
    pub width: f64,
    pub height: f64,
}

/// Columns by part, rows by layer; boxes of one cell stand below one another.
pub fn layout(picture: &Picture) -> Layout {
    let mut boxes = vec![Area::default(); picture.boxes.len()];
    let mut columns = Vec::new();
    let mut left = MARGIN;
    for part in Part::ALL {
        let own = |number: &usize| picture.boxes[*number].part == part;
        let members: Vec<usize> = (0..boxes.len()).filter(own).collect();
        if members.is_empty() {
            continue;
        }
        let widest = members.iter().flat_map(|number| {
            let layer = &picture.boxes[*number];
            let (name, note) = (layer.name.chars().count() + 4, layer.note.chars().count() + 2);
            layer.lines.iter().map(|(_, line)| line.chars().count()).chain([name, note])
        });
        let width = widest.max().unwrap_or(0) as f64 * CHARACTER + 2.0 * PADDING;
        for &number in &members {
            let layer = &picture.boxes[number];
            let lines = layer.lines.len() + usize::from(!layer.note.is_empty());
            boxes[number] = Area { x: left, y: 0.0, width, height: HEAD + lines as f64 * LINE + PADDING };
        }
        columns.push((part, left, width));
        left += width + BETWEEN;
    }
    let mut top = TOP;
    for row in 0..picture.rows {
        let mut tallest: f64 = 0.0;
        for part in Part::ALL {
            let mut y = top;
            for (number, layer) in picture.boxes.iter().enumerate() {
                if layer.row == row && layer.part == part {
                    boxes[number].y = y;
                    y += boxes[number].height + GAP;
                }
            }
            tallest = tallest.max(y - top - GAP);
        }
        if tallest > 0.0 {
            top += tallest + ROW_GAP;
        }
    }
    Layout { boxes, columns, width: left - BETWEEN + MARGIN, height: top }
}

/// An edge as a curve, and where its mark stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Curve {
    pub path: String,
    pub crosses: bool,
    pub mark: (f64, f64),
}

impl Layout {
    /// The curve of each edge. Edges that share a side of a box leave it at places of their own.
    pub fn curves(&self, picture: &Picture) -> Vec<Curve> {
        (0..picture.edges.len()).map(|number| self.curve(picture, number)).collect()
    }

    fn curve(&self, picture: &Picture, number: usize) -> Curve {
        let edge = &picture.edges[number];
        let (from, to) = (self.boxes[edge.from], self.boxes[edge.to]);
        if crosses(picture, edge) {
            return self.crossing(picture, number);
        }
        let down = to.y > from.y;
        let (start, end) = if down { (from.y + from.height, to.y) } else { (from.y, to.y + to.height) };
        let middle = from.x + from.width / 2.0;
        if (end - start).abs() <= ROW_GAP + 1.0 {
            return Curve {
                path: format!("M{middle:.1} {start:.1}L{middle:.1} {end:.1}"),
                crosses: false,
                mark: (middle, start),
            };
        }
        // Past other boxes on the left, the further the longer.
        let out = (12.0 + 5.0 * (end - start).abs().sqrt() / 6.0).min(MARGIN - 8.0);
        let (y1, y2) = (from.y + from.height / 2.0, to.y + HEAD / 2.0);
        let x = from.x;
        let path = format!("M{x:.1} {y1:.1}C{0:.1} {y1:.1} {0:.1} {y2:.1} {x:.1} {y2:.1}", x - out);
        Curve { path, crosses: false, mark: (x, y1) }
    }

    fn crossing(&self, picture: &Picture, number: usize) -> Curve {
        let edge = &picture.edges[number];
        let (from, to) = (self.boxes[edge.from], self.boxes[edge.to]);
        let right = to.x > from.x;
        let port = |area: Area, mine: &dyn Fn(&Edge) -> bool| {
            let all: Vec<usize> = (0..picture.edges.len()).filter(|one| mine(&picture.edges[*one])).collect();
            let place = all.iter().position(|one| *one == number).unwrap_or(0);
            area.y + HEAD + (area.height - HEAD) * (place as f64 + 0.5) / all.len().max(1) as f64
        };
        let side = |one: &Edge| crosses(picture, one) && (self.boxes[one.to].x > self.boxes[one.from].x) == right;
        let y1 = port(from, &|one| one.from == edge.from && side(one));
        let y2 = port(to, &|one| one.to == edge.to && side(one));
        let (x1, x2) = if right { (from.x + from.width, to.x) } else { (from.x, to.x + to.width) };
        let bend = (x2 - x1) * 0.5;
        let path = format!("M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}", x1 + bend, x2 - bend);
        // Near the end, where edges of one source have parted.
        let mark = (if right { x2 - 6.0 } else { x2 + 6.0 }, y2 - 3.0);
        Curve { path, crosses: true, mark }
    }
}

/// Whether an edge leads from one part of the step to another.
pub fn crosses(picture: &Picture, edge: &Edge) -> bool {
    picture.boxes[edge.from].part != picture.boxes[edge.to].part
}

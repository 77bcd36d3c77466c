//! Curves of a run as an SVG: losses above, metrics below, on white so that dark viewers show them too.

use std::path::Path;

use plotters::coord::ranged1d::{KeyPointHint, Ranged};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use crate::error::{Error, Result};

/// Which of the pictures, one below the other, a curve belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panel {
    /// Above; its axis is logarithmic where the curves span more than a factor of 50 and are positive.
    Loss,
    /// Below, if there is any; its axis is linear.
    Metric,
    /// Below both, its linear axis called so.
    Of(&'static str),
    /// By itself: norms of gradients, on an axis as that of losses.
    Norm,
}

/// A named curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Where it is drawn.
    pub panel: Panel,
    /// Epoch or step, and the value there; a value that is not finite leaves a gap.
    pub points: Vec<(f64, f64)>,
}

/// Plotters places everything on whole pixels. Drawn so many times larger and shown smaller, curves are smooth.
const SCALE: u32 = 16;

const WIDTH: u32 = 760;
/// Where the plots begin and end, left and right.
const LEFT: u32 = 78;
const RIGHT: u32 = 738;

const TITLE_HEIGHT: u32 = 44;
const LOSS_HEIGHT: u32 = 340;
const METRIC_HEIGHT: u32 = 260;

/// Okabe and Ito's colours, told apart with any kind of colour vision; not their yellow, which fades on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Where colours come again, lines are broken: how long a dash and how wide a gap is. Without a gap the line is whole.
const DASHES: [(u32, u32); 4] = [(1, 0), (9, 4), (2, 3), (16, 3)];

const INK: RGBColor = RGBColor(51, 51, 51);
const GRID: RGBColor = RGBColor(226, 226, 226);
const FRAME: RGBColor = RGBColor(150, 150, 150);

/// Writes [`history_svg`] to `path`; also an error if the file cannot be written.
pub fn plot_history(path: impl AsRef<Path>, title: &str, unit: &str, series: &[Series]) -> Result<()> {
    let path = path.as_ref();
    let svg = history_svg(title, unit, series)?;
    std::fs::write(path, svg).map_err(|error| Error::write(path, error))
}

/// The curves as the text of an SVG, `unit` (`epoch` or `step`) along the horizontal axis; equal curves give equal text. An
/// error if no curve has a finite value.
pub fn history_svg(title: &str, unit: &str, series: &[Series]) -> Result<String> {
    let drawable = |panel: Panel| -> Vec<&Series> {
        let curves = series.iter().filter(|series| series.panel == panel);
        curves.filter(|series| !segments(series).is_empty()).collect()
    };
    let mut kinds = vec![Panel::Loss, Panel::Norm, Panel::Metric];
    for series in series.iter().filter(|series| matches!(series.panel, Panel::Of(_))) {
        if !kinds.contains(&series.panel) {
            kinds.push(series.panel);
        }
    }
    let panels: Vec<Vec<&Series>> = kinds.into_iter().map(drawable).collect();
    let panels: Vec<&[&Series]> = panels.iter().map(Vec::as_slice).filter(|panel| !panel.is_empty()).collect();
    if panels.is_empty() {
        let help = "plot a run that did at least one epoch";
        return Err(Error::data("the history holds no finite value", "", help));
    }
    let heights: Vec<u32> = panels.iter().map(|panel| panel[0].panel.height()).collect();
    let height = TITLE_HEIGHT + heights.iter().sum::<u32>();
    let mut svg = String::new();
    draw(&mut svg, height, title, unit, &panels, &heights)
        .map_err(|error| Error::Internal { pass: "plot".to_owned(), text: error.to_string() })?;
    let drawn = format!("width=\"{}\" height=\"{}\"", WIDTH * SCALE, height * SCALE);
    Ok(svg.replacen(&drawn, &format!("width=\"{WIDTH}\" height=\"{height}\""), 1))
}

impl Panel {
    fn height(self) -> u32 {
        match self {
            Panel::Loss | Panel::Norm | Panel::Of(_) => LOSS_HEIGHT,
            Panel::Metric => METRIC_HEIGHT,
        }
    }
}

type Failure = Box<dyn std::error::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw(svg: &mut String, height: u32, title: &str, unit: &str, panels: &[&[&Series]], heights: &[u32]) -> Result<(), Failure> {
    let root = SVGBackend::with_string(svg, (WIDTH * SCALE, height * SCALE)).into_drawing_area();
    root.fill(&WHITE)?;
    let (head, mut rest) = root.split_vertically(TITLE_HEIGHT * SCALE);
    let centred = text(20).pos(Pos::new(HPos::Center, VPos::Center));
    head.draw_text(title, &centred, ((WIDTH * SCALE / 2) as i32, (TITLE_HEIGHT * SCALE * 3 / 5) as i32))?;
    // One horizontal axis for all panels, so that an epoch stands below itself.
    let points = panels.iter().copied().flatten().flat_map(|series| segments(series).concat());
    let across = Axis::whole_numbers(points.map(|point| point.0));
    for (place, (panel, height)) in panels.iter().zip(heights).enumerate() {
        let (area, below) = rest.split_vertically(height * SCALE);
        let last = place + 1 == panels.len();
        draw_panel(&area, panel, &across, if last { unit } else { "" })?;
        rest = below;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(area: &Area, panel: &[&Series], across: &Axis, unit: &str) -> Result<(), Failure> {
    let values = panel.iter().flat_map(|series| segments(series).concat()).map(|point| point.1);
    let (up, upward) = match (panel[0].panel, panel) {
        (Panel::Loss, _) => (Axis::of_losses(values), "loss"),
        (Panel::Of(name), _) => (Axis::linear(values), name),
        (Panel::Norm, _) => (Axis::of_losses(values), "gradient norm"),
        (Panel::Metric, [only]) => (Axis::linear(values), &only.name[..]),
        (Panel::Metric, _) => (Axis::linear(values), "metric"),
    };
    // A lone metric stands beside its axis already.
    let named = if panel.len() == 1 && panel[0].panel == Panel::Metric { &[] } else { panel };
    let (_, plot) = area.split_vertically(draw_names(area, named)? * SCALE);
    let mut chart = ChartBuilder::on(&plot)
        .margin_left(10 * SCALE)
        .margin_right((WIDTH - RIGHT) * SCALE)
        .margin_top(6 * SCALE)
        .margin_bottom(8 * SCALE)
        .x_label_area_size(if unit.is_empty() { 24 } else { 44 } * SCALE)
        .y_label_area_size((LEFT - 10) * SCALE)
        .build_cartesian_2d(Ticks(across.clone()), Ticks(up.clone()))?;
    let (across_label, up_label) = (|x: &f64| across.label(*x), |y: &f64| up.label(*y));
    let mut mesh = chart.configure_mesh();
    mesh.bold_line_style(GRID.stroke_width(SCALE))
        .light_line_style(TRANSPARENT)
        .axis_style(FRAME.stroke_width(SCALE))
        .set_all_tick_mark_size(4 * SCALE)
        .label_style(text(13))
        .axis_desc_style(text(14))
        .x_label_formatter(&across_label)
        .y_label_formatter(&up_label)
        .y_desc(upward);
    if !unit.is_empty() {
        mesh.x_desc(unit);
    }
    mesh.draw()?;
    for (number, series) in panel.iter().enumerate() {
        let (colour, (dash, gap)) = stroke(number);
        for segment in segments(series) {
            let placed: Vec<(f64, f64)> = segment.iter().map(|&(x, y)| (across.place(x), up.place(y))).collect();
            let style = colour.stroke_width(2 * SCALE);
            match placed[..] {
                // A line of one point would not be seen.
                [point] => chart.draw_series([Circle::new(point, 3 * SCALE, colour.filled())])?,
                _ if gap == 0 => chart.draw_series(LineSeries::new(placed, style))?,
                _ => chart.draw_series([DashedPathElement::new(placed, dash * SCALE, gap * SCALE, style)])?,
            };
        }
    }
    Ok(())
}

/// Draws the curves' names in rows above the plot, where they hide no curve; returns the rows' height.
fn draw_names(area: &Area, panel: &[&Series]) -> Result<u32, Failure> {
    const ROW: u32 = 20;
    // More would leave no room for the curves.
    const MOST_ROWS: u32 = 6;
    let pixels = |x: u32| (x * SCALE) as i32;
    let (mut x, mut rows) = (LEFT, 0);
    for (number, series) in panel.iter().enumerate() {
        // A line, the text (7 pixels a character on average), a gap.
        let width = 34 + 7 * series.name.chars().count().min(WIDTH as usize) as u32 + 22;
        if rows == 0 || x + width > RIGHT {
            if rows == MOST_ROWS {
                break;
            }
            (x, rows) = (LEFT, rows + 1);
        }
        let y = pixels(ROW * rows - ROW / 2);
        let (colour, (dash, gap)) = stroke(number);
        let (line, style) = ([(pixels(x), y), (pixels(x + 28), y)], colour.stroke_width(2 * SCALE));
        match gap {
            0 => area.draw(&PathElement::new(line, style))?,
            _ => area.draw(&DashedPathElement::new(line, dash * SCALE, gap * SCALE, style))?,
        }
        area.draw_text(&series.name, &text(13).pos(Pos::new(HPos::Left, VPos::Center)), (pixels(x + 34), y))?;
        x += width;
    }
    Ok(ROW * rows)
}

/// Colour and dash of a panel's curve.
fn stroke(number: usize) -> (RGBColor, (u32, u32)) {
    (COLOURS[number % COLOURS.len()], DASHES[number / COLOURS.len() % DASHES.len()])
}

fn text(size: u32) -> TextStyle<'static> {
    // The backend divides sizes by 1.24 before it writes them.
    ("Helvetica, Arial, sans-serif", f64::from(size * SCALE) * 1.24).into_font().color(&INK)
}

/// The longest runs of points whose values are finite.
fn segments(series: &Series) -> Vec<&[(f64, f64)]> {
    series.points.split(|(x, y)| !x.is_finite() || !y.is_finite()).filter(|segment| !segment.is_empty()).collect()
}

/// An [`Axis`] as plotters wants it; its values are already places on the axis.
struct Ticks(Axis);

impl Ranged for Ticks {
    type FormatOption = plotters::coord::ranged1d::NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (start, end): (i32, i32)) -> i32 {
        let part = (place - self.0.start) / (self.0.end - self.0.start);
        start + (f64::from(end - start) * part).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.0.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.0.start..self.0.end
    }
}

impl plotters::coord::ranged1d::ValueFormatter<f64> for Ticks {
    fn format(place: &f64) -> String {
        place.to_string()
    }
}

#[cfg(test)]
mod tests;

//! Layers by steps as coloured fields, as the text of an SVG.

use super::axis::Axis;
use crate::error::{Error, Result};
use std::fmt::Write as _;

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// Above the picture.
    pub title: String,
    /// Numbers of the steps, ascending.
    pub steps: Vec<u64>,
    /// Names from the lowest row to the highest, and a value a step; what is not above 0 is a field of its own colour.
    pub rows: Vec<(String, Vec<f64>)>,
}

/// Columns of fields at the most; a column then stands for several steps by the mean of their logarithms.
const MOST_COLUMNS: usize = 240;

const WIDTH: f64 = 760.0;
const RIGHT: f64 = 660.0;
const TOP: f64 = 44.0;
/// What stands below the fields: the axis of steps.
const BELOW: f64 = 48.0;

/// Viridis at equal distances: dark is small, light is large, and grey print keeps the order.
const COLOURS: [[f64; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 44.0, 122.0],
    [59.0, 81.0, 139.0],
    [44.0, 113.0, 142.0],
    [33.0, 144.0, 141.0],
    [39.0, 173.0, 129.0],
    [92.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];

/// The colour of 0, and of what is not finite.
const ZERO: &str = "#000000";
const NOT_FINITE: &str = "#d62728";

/// A field: the mean logarithm, or why there is none.
#[derive(Clone, Copy, PartialEq)]
enum Field {
    Log(f64),
    Zero,
    NotFinite,
}

/// The picture; equal values give equal text.
///
/// # Errors
/// If there is no field.
pub fn heat_svg(heat: &Heat) -> Result<String> {
    let steps = heat.steps.len();
    if steps == 0 || heat.rows.is_empty() {
        return Err(Error::data("the diagnosis holds no step of a layer", "", "plot a run that took at least one step"));
    }
    let columns = steps.min(MOST_COLUMNS);
    let part = |column: usize| column * steps / columns..(column + 1) * steps / columns;
    let fields: Vec<Vec<Field>> =
        heat.rows.iter().map(|(_, values)| (0..columns).map(|column| field(&values[part(column)])).collect()).collect();
    let logs = fields.iter().flatten().filter_map(|field| if let Field::Log(log) = field { Some(*log) } else { None });
    let scale = Axis::linear(logs);
    let left = 20.0 + 7.0 * heat.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) as f64;
    let left = left.clamp(60.0, 300.0);
    let row_height = (360.0 / heat.rows.len() as f64).clamp(10.0, 28.0);
    let bottom = TOP + row_height * heat.rows.len() as f64;
    let height = bottom.max(TOP + 160.0) + BELOW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#333333\" \
         shape-rendering=\"crispEdges\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    text(&mut svg, WIDTH / 2.0, 26.0, "middle", &heat.title);
    // Rounded as it is written, so that a field ends where the next one begins.
    let edge = |column: usize| ((left + (RIGHT - left) * column as f64 / columns as f64) * 100.0).round() / 100.0;
    for (number, (row, (name, _))) in fields.iter().zip(&heat.rows).enumerate() {
        let y = bottom - row_height * (number + 1) as f64;
        text(&mut svg, left - 8.0, y + row_height / 2.0 + 4.0, "end", name);
        // Neighbours of one colour are one field.
        let colours: Vec<String> = row.iter().map(|field| colour(*field, &scale)).collect();
        let mut from = 0;
        for run in colours.chunk_by(|a, b| a == b) {
            let to = from + run.len();
            let (x, width) = (edge(from), edge(to) - edge(from));
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{row_height:.2}\" fill=\"{}\"/>",
                run[0]
            );
            from = to;
        }
    }
    let along = Axis::whole_numbers(heat.steps.iter().map(|step| *step as f64));
    for tick in &along.ticks {
        // Of a long run not every step is there: the next one stands for it.
        let at = heat.steps.partition_point(|step| (*step as f64) < *tick);
        if at < steps && heat.steps[0] as f64 <= *tick {
            let x = left + (RIGHT - left) * (at as f64 + 0.5) / steps as f64;
            text(&mut svg, x, bottom + 18.0, "middle", &along.label(*tick));
        }
    }
    text(&mut svg, (left + RIGHT) / 2.0, bottom + 38.0, "middle", "step");
    legend(&mut svg, &scale);
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn field(values: &[f64]) -> Field {
    let positive = values.iter().filter(|value| value.is_finite() && **value > 0.0);
    let logs: Vec<f64> = positive.map(|value| value.log10()).collect();
    if values.iter().any(|value| !value.is_finite()) {
        Field::NotFinite
    } else if logs.is_empty() {
        Field::Zero
    } else {
        Field::Log(logs.iter().sum::<f64>() / logs.len() as f64)
    }
}

fn colour(field: Field, scale: &Axis) -> String {
    let log = match field {
        Field::Zero => return ZERO.into(),
        Field::NotFinite => return NOT_FINITE.into(),
        Field::Log(log) => log,
    };
    let place = (log - scale.start) / (scale.end - scale.start) * (COLOURS.len() - 1) as f64;
    let place = place.clamp(0.0, (COLOURS.len() - 1) as f64);
    let below = (place as usize).min(COLOURS.len() - 2);
    let part = place - below as f64;
    let mix = |channel: usize| {
        let (a, b) = (COLOURS[below][channel], COLOURS[below + 1][channel]);
        (a + part * (b - a)).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}

/// What the colours mean, at the right.
fn legend(svg: &mut String, scale: &Axis) {
    const PARTS: usize = 40;
    const TALL: f64 = 120.0;
    let part = TALL / PARTS as f64;
    for number in 0..PARTS {
        let log = scale.start + (scale.end - scale.start) * (number as f64 + 0.5) / PARTS as f64;
        let y = TOP + TALL - part * (number + 1) as f64;
        let fill = colour(Field::Log(log), scale);
        let _ = writeln!(svg, "<rect x=\"676\" y=\"{y:.2}\" width=\"14\" height=\"{:.2}\" fill=\"{fill}\"/>", part + 0.5);
    }
    for tick in &scale.ticks {
        let y = TOP + TALL * (1.0 - (tick - scale.start) / (scale.end - scale.start));
        let value = 10f64.powf(*tick);
        let label = if tick.fract() == 0.0 { format!("{value:.0e}") } else { format!("{value:.1e}") };
        text(svg, 695.0, y + 4.0, "start", &label);
    }
    for (y, fill, name) in [(TOP + TALL + 14.0, ZERO, "0"), (TOP + TALL + 30.0, NOT_FINITE, "not finite")] {
        let _ = writeln!(svg, "<rect x=\"676\" y=\"{y:.2}\" width=\"14\" height=\"10\" fill=\"{fill}\"/>");
        text(svg, 695.0, y + 9.0, "start", name);
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let safe = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{safe}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(steps: usize, value: impl Fn(usize, usize) -> f64) -> Heat {
        let row = |layer: usize| (format!("h.{layer}"), (0..steps).map(|step| value(layer, step)).collect());
        Heat { title: "a < b".into(), steps: (1..=steps as u64).collect(), rows: (0..3).map(row).collect() }
    }

    #[test]
    fn each_layer_is_named_and_each_colour_explained() {
        let svg = heat_svg(&heat(5, |layer, step| 10f64.powi(layer as i32 - step as i32))).expect("it is drawn");
        for part in ["a &lt; b", "h.0", "h.1", "h.2", ">step<", "not finite", "</svg>"] {
            assert!(svg.contains(part), "{part} is missing in\n{svg}");
        }
        // 7 exponents, and a background.
        let fills = |svg: &str| svg.lines().filter(|line| line.contains("height=\"28.00\"")).count();
        assert_eq!(fills(&svg), 15);
        assert_eq!(fills(&heat_svg(&heat(5, |_, _| 1.0)).expect("it is drawn")), 3, "neighbours of one colour are one field");
    }

    #[test]
    fn a_field_ends_where_the_next_one_begins() {
        let svg = heat_svg(&heat(700, |layer, step| ((layer + 1) * (step * 37 % 101 + 1)) as f64)).expect("it is drawn");
        let number = |line: &str, name: &str| -> f64 {
            let (_, after) = line.split_once(&format!(" {name}=\"")).expect(name);
            after.split('"').next().unwrap().parse().expect("a number")
        };
        let lowest: Vec<&str> =
            svg.lines().filter(|line| line.contains("height=\"28.00\"") && line.contains("y=\"100.00\"")).collect();
        assert!(lowest.len() > 200);
        for pair in lowest.windows(2) {
            let end = number(pair[0], "x") + number(pair[0], "width");
            assert!((end - number(pair[1], "x")).abs() < 1e-9, "{pair:?}");
        }
    }

    #[test]
    fn the_legend_names_values() {
        let svg = heat_svg(&heat(2, |layer, _| [0.05, 0.5, 4.0][layer])).expect("it is drawn");
        for label in [">3.2e0<", ">1e0<", ">3.2e-1<", ">1e-1<"] {
            assert!(svg.contains(label), "{label} is missing in\n{svg}");
        }
    }

    #[test]
    fn what_has_no_logarithm_has_a_colour() {
        let svg = heat_svg(&heat(3, |layer, _| [0.0, f64::NAN, f64::INFINITY][layer])).expect("it is drawn");
        assert_eq!(svg.matches(ZERO).count(), 2);
        assert_eq!(svg.matches(NOT_FINITE).count(), 3);
    }

    #[test]
    fn long_runs_are_drawn_in_few_columns_and_empty_ones_not_at_all() {
        let svg = heat_svg(&heat(10_000, |layer, step| (layer + step + 1) as f64)).expect("it is drawn");
        assert!(svg.lines().count() < 4 * MOST_COLUMNS, "{}", svg.lines().count());
        assert!(heat_svg(&heat(0, |_, _| 1.0)).is_err());
        assert!(heat_svg(&Heat { title: String::new(), steps: vec![1], rows: vec![] }).is_err());
    }
}

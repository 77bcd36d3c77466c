//! Axes with round ticks: where a value lies, which values are marked, how they are written.

/// One axis. *Places* are what is drawn: the values themselves, or their decimal logarithms.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// The places of both ends; `start < end`, both finite.
    pub start: f64,
    pub end: f64,
    /// The places of the ticks, ascending.
    pub ticks: Vec<f64>,
    logarithmic: bool,
    decimals: usize,
}

/// Losses that span more than this factor are drawn on a logarithmic axis.
const WIDE: f64 = 50.0;

/// Beyond this size differences overflow or say nothing; values are drawn at the edge.
const LARGEST: f64 = 1e300;

/// Below this size a twentieth of a difference may be 0.
const SMALLEST: f64 = 1e-300;

impl Axis {
    /// From the least to the greatest of `values`, with a margin of a twentieth on either side.
    pub fn linear(values: impl Iterator<Item = f64>) -> Axis {
        let (least, greatest) = extremes(values);
        let margin = match greatest - least {
            span if span > SMALLEST => span / 20.0,
            _ if least.abs() > SMALLEST => least.abs() / 2.0,
            _ => 1.0,
        };
        Axis::marked(least - margin, greatest + margin, 0.0, 7)
    }

    /// From the least to the greatest of `values` without a margin, ticks at whole numbers.
    pub fn whole_numbers(values: impl Iterator<Item = f64>) -> Axis {
        let (least, greatest) = extremes(values);
        let margin = if least == greatest { 1.0f64.max(least.abs() / 2.0) } else { 0.0 };
        Axis::marked(least - margin, greatest + margin, 1.0, 12)
    }

    /// Logarithmic where `values` are positive and span more than a factor of 50, else linear.
    pub fn of_losses(values: impl Iterator<Item = f64>) -> Axis {
        let values: Vec<f64> = values.collect();
        let (least, greatest) = extremes(values.iter().copied());
        if least <= 0.0 || greatest / least <= WIDE {
            return Axis::linear(values.into_iter());
        }
        let (low, high) = (least.log10(), greatest.log10());
        let margin = (high - low) / 20.0;
        let (start, end) = (low - margin, high + margin);
        let decades = end - start;
        // All of 1, 2, 5 in up to three decades, then powers of ten, then every second, third, … of them.
        let digits: &[f64] = if decades < 3.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let stride = (decades / 8.0).ceil().max(1.0) as i32;
        let first = (start.floor() as i32).div_euclid(stride) * stride;
        let exponents = (first..=end.ceil() as i32).step_by(stride as usize);
        let ticks = exponents.flat_map(|exponent| digits.iter().map(move |digit| digit.log10() + f64::from(exponent)));
        let ticks = ticks.filter(|tick| (start..=end).contains(tick)).collect();
        Axis { start, end, ticks, logarithmic: true, decimals: 0 }
    }

    /// A linear axis with at most `most` ticks at multiples of 1, 2 or 5 times a power of ten, `finest` at the least.
    fn marked(start: f64, end: f64, finest: f64, most: u32) -> Axis {
        let raw = ((end - start) / f64::from(most)).max(finest);
        let exponent = raw.log10().floor();
        let power = 10f64.powf(exponent);
        let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= raw * 0.999_999);
        let step = step.unwrap_or(raw);
        let first = (start / step).ceil();
        let ticks = (0..=most).map(|tick| (first + f64::from(tick)) * step).filter(|tick| *tick <= end + step * 1e-9).collect();
        let decimals = (-(step.log10() + 1e-9).floor()).clamp(0.0, 20.0) as usize;
        Axis { start, end, ticks, logarithmic: false, decimals }
    }

    /// Where `value` lies.
    pub fn place(&self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value.clamp(-LARGEST, LARGEST) }
    }

    /// The value at `place`, written out.
    pub fn label(&self, place: f64) -> String {
        if self.logarithmic {
            let exponent = (place + 1e-9).floor();
            let digit = 10f64.powf(place - exponent).round();
            return match exponent as i32 {
                -3..=-1 => format!("{:.decimals$}", digit * 10f64.powf(exponent), decimals = -exponent as usize),
                0..=3 => format!("{:.0}", digit * 10f64.powf(exponent)),
                exponent => format!("{digit}e{exponent}"),
            };
        }
        let size = self.start.abs().max(self.end.abs());
        if size >= 1e6 || self.decimals > 5 {
            format!("{place:.2e}")
        } else {
            format!("{place:.decimals$}", decimals = self.decimals)
        }
    }
}

/// The least and the greatest of finite `values`; 0 and 0 if there is none.
fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let mut values = values.map(|value| value.clamp(-LARGEST, LARGEST));
    let Some(first) = values.next() else {
        return (0.0, 0.0);
    };
    values.fold((first, first), |(least, greatest), value| (least.min(value), greatest.max(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|&tick| axis.label(tick)).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&Axis::linear([0.0, 1.0].into_iter())), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Axis::linear([0.62, 0.68].into_iter())), ["0.62", "0.63", "0.64", "0.65", "0.66", "0.67", "0.68"]);
        assert_eq!(labels(&Axis::linear([-20.0, 230.0].into_iter())), ["0", "50", "100", "150", "200"]);
    }

    #[test]
    fn epochs_are_whole_numbers() {
        assert_eq!(labels(&Axis::whole_numbers([1.0, 3.0].into_iter())), ["1", "2", "3"]);
        assert_eq!(
            labels(&Axis::whole_numbers([1.0, 60.0].into_iter())),
            ["5", "10", "15", "20", "25", "30", "35", "40", "45", "50", "55", "60"]
        );
        assert_eq!(labels(&Axis::whole_numbers([7.0].into_iter())), ["4", "5", "6", "7", "8", "9", "10"]);
    }

    #[test]
    fn wide_positive_losses_are_drawn_on_a_logarithmic_axis() {
        let axis = Axis::of_losses([0.011, 2.3].into_iter());
        assert_eq!(labels(&axis), ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(labels(&Axis::of_losses([3e-7, 0.3].into_iter())), ["1e-6", "1e-5", "1e-4", "0.001", "0.01", "0.1"]);
        assert_eq!(axis.place(0.1), -1.0);
        for narrow in [[0.1, 5.0], [0.0, 9.0], [-1.0, 99.0]] {
            assert!(!Axis::of_losses(narrow.into_iter()).logarithmic, "{narrow:?}");
        }
    }

    #[test]
    fn extreme_values_keep_the_axis_finite() {
        for values in [
            vec![],
            vec![0.0],
            vec![1e-300, 1e300],
            vec![f64::MAX, f64::MIN],
            vec![1e15, 1e15 + 1.0],
            vec![5e-324],
            vec![0.0, 5e-324],
        ] {
            for axis in [
                Axis::linear(values.iter().copied()),
                Axis::of_losses(values.iter().copied()),
                Axis::whole_numbers(values.iter().copied()),
            ] {
                assert!(axis.start < axis.end && axis.start.is_finite() && axis.end.is_finite(), "{values:?}: {axis:?}");
                assert!(axis.ticks.len() <= 16 && axis.ticks.is_sorted(), "{values:?}: {axis:?}");
            }
        }
    }
}

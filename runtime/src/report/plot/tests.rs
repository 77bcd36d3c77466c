//! What the drawn curves hold.

use super::*;

fn series(name: &str, panel: Panel, value: impl Fn(f64) -> f64) -> Series {
    let points = (1..=40).map(f64::from).map(|epoch| (epoch, value(epoch))).collect();
    Series { name: name.to_owned(), panel, points }
}

fn run() -> Vec<Series> {
    vec![
        series("training", Panel::Loss, |epoch| 2.3 * (-epoch / 8.0).exp() + 0.01),
        series("validation", Panel::Loss, |epoch| if epoch == 20.0 { f64::NAN } else { 2.3 * (-epoch / 8.0).exp() + 0.06 }),
        series("accuracy", Panel::Metric, |epoch| 1.0 - 0.9 * (-epoch / 5.0).exp()),
    ]
}

#[test]
fn equal_curves_give_equal_text() {
    let svg = history_svg("Digits", "epoch", &run()).unwrap();
    assert_eq!(svg, history_svg("Digits", "epoch", &run()).unwrap());
    assert!(svg.starts_with("<svg width=\"760\" height=\"644\" viewBox=\"0 0 12160 10304\""), "{}", &svg[..90]);
    for word in ["Digits", "epoch", "loss", "training", "validation", "accuracy", "0.05"] {
        assert!(svg.contains(&format!("\n{word}\n")), "{word}");
    }
    assert!(!svg.contains("NaN"));
}

#[test]
fn a_gap_parts_a_curve() {
    let svg = history_svg("", "epoch", &run()).unwrap();
    let lines = |svg: &str| svg.matches("#D55E00").count();
    let whole = [run()[0].clone(), series("validation", Panel::Loss, |epoch| 2.3 / epoch)];
    assert_eq!(lines(&svg), lines(&history_svg("", "epoch", &whole).unwrap()) + 1);
}

#[test]
fn many_long_names_take_several_rows() {
    let names: Vec<String> = (0..12).map(|metric| format!("mean_absolute_error_{metric}")).collect();
    let many: Vec<Series> = names.iter().map(|name| series(name, Panel::Metric, |epoch| 1.0 / epoch)).collect();
    let svg = history_svg("", "epoch", &many).unwrap();
    assert!(names.iter().all(|name| svg.contains(&format!("\n{name}\n"))));
    assert!(svg.contains("\nmetric\n"));
    let crowd: Vec<Series> = many.iter().cycle().take(500).cloned().collect();
    assert!(history_svg("", "epoch", &crowd).is_ok());
}

#[test]
fn where_colours_come_again_lines_are_broken() {
    let curves: Vec<Series> = (0..8).map(|number| series(&number.to_string(), Panel::Loss, |epoch| 1.0 / epoch)).collect();
    let lines = |curves: &[Series]| history_svg("", "epoch", curves).unwrap().matches("stroke=\"#0072B2\"").count();
    // The curve and its line in the legend.
    assert_eq!(lines(&curves[..7]), 2);
    assert!(lines(&curves) > 20);
}

#[test]
fn titles_are_escaped() {
    let svg = history_svg("a < b & \"c\"", "step", &run()).unwrap();
    assert!(svg.contains("a &lt; b &amp;"));
}

#[test]
fn small_and_odd_histories_are_drawn() {
    let one = Series { name: "training".to_owned(), panel: Panel::Loss, points: vec![(1.0, 0.7)] };
    assert!(history_svg("", "step", &[one]).unwrap().contains("<circle"));
    for values in [[0.0, 0.0], [5.0, 5.0], [-3.0, 1e12], [1e-300, 1e300], [f64::MAX, f64::MIN], [1.0, f64::INFINITY]] {
        let points = values.iter().enumerate().map(|(epoch, &value)| (epoch as f64, value)).collect();
        let odd = Series { name: "odd".to_owned(), panel: Panel::Loss, points };
        let svg = history_svg("", "step", &[odd.clone(), Series { panel: Panel::Metric, ..odd }]).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{values:?}");
    }
}

#[test]
fn nothing_to_draw_is_an_error() {
    let empty = series("training", Panel::Loss, |_| f64::NAN);
    for series in [vec![], vec![empty]] {
        assert!(history_svg("", "epoch", &series).is_err());
    }
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let error = plot_history("/nowhere/a.svg", "", "epoch", &run()).unwrap_err();
    assert!(error.to_string().contains("cannot write `/nowhere/a.svg`"), "{error}");
}

#[test]
fn whatever_is_drawn_gives_a_picture_or_an_error() {
    let curve = |panel, points: &[(f64, f64)]| Series { name: "x".into(), panel, points: points.to_vec() };
    let extremes = [f64::MIN, -1.0, -5e-324, 0.0, 5e-324, 1e-300, 1.0, 1.0 + f64::EPSILON, 1e300, f64::MAX];
    for panel in [Panel::Loss, Panel::Metric] {
        for x in extremes {
            for y in extremes {
                assert!(history_svg("", "", &[curve(panel, &[(x, y)])]).is_ok(), "{x} {y}");
                for other in extremes {
                    let drawn = history_svg("t", "epoch", &[curve(panel, &[(x, y), (other, x), (1.0, other)])]).unwrap();
                    assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{x} {y} {other}");
                }
            }
        }
        for hollow in [&[][..], &[(f64::NAN, 1.0)], &[(1.0, f64::INFINITY)], &[(f64::NEG_INFINITY, f64::NAN)]] {
            let message = history_svg("", "epoch", &[curve(panel, hollow)]).unwrap_err().to_string();
            assert!(message.contains("no finite value"), "{message}");
        }
    }
    assert!(history_svg("", "", &[]).is_err());
    let long = "é<&\0\n\"".repeat(20_000);
    let named = Series { name: long.clone(), ..curve(Panel::Metric, &[(1.0, 1.0), (2.0, f64::MAX)]) };
    assert!(history_svg(&long, &long, &vec![named; 20]).is_ok());
    let folder = std::env::temp_dir();
    for path in [folder.as_path(), Path::new(""), Path::new("a\0b"), Path::new("/nowhere/at/all.svg")] {
        let message = plot_history(path, "", "", &run()).unwrap_err().to_string();
        assert!(message.contains("cannot write"), "{message}");
    }
}

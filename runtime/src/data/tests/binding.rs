use super::*;

#[test]
fn columns_fill_inputs_then_targets() {
    let table = csv("1,2,3,1\n4,5,6,0\n").read().unwrap();
    // A target may be declared before an input; the columns do not follow it.
    let specs = [target("y", Element::Class(2)), input("a", &[2]), input("b", &[])];
    let data = table.bind(&specs).unwrap();
    assert_eq!(data.columns().map(|column| &column.name[..]).collect::<Vec<_>>(), ["a", "b", "y"]);
    assert_eq!(data.column("a").unwrap().values, Values::F32(vec![1., 2., 4., 5.]));
    assert_eq!(data.column("b").unwrap().values, Values::F32(vec![3., 6.]));
    assert_eq!(data.column("y").unwrap().values, Values::U32(vec![1, 0]));
    data.check(&specs).unwrap();
}

#[test]
fn data_of_another_width_is_refused_with_both_numbers() {
    let table = csv("1,2,3\n").read().unwrap();
    let specs = [input("pixels", &[8, 8]), target("digit", Element::Class(10))];
    let expected = "the data has 3 columns; expected 65: `pixels` f32[8, 8], `digit` class(10)[]";
    says(table.bind(&specs), &[expected, "in a.csv"]);
}

#[test]
fn as_many_columns_are_named_as_targets_as_there_are() {
    let one = [input("x", &[2]), target("y", Element::F32)];
    let bind = |csv: Csv, specs: &[FieldSpec]| csv.read().and_then(|table| table.bind(specs));
    let rows = || csv("a,b,c\n1,2,3\n");
    let data = bind(rows().target("a"), &one).unwrap();
    assert_eq!(data.column("y").unwrap().values, Values::F32(vec![1.]));
    let all = [input("x", &[3])];
    says(bind(rows().target("a").target("b"), &one), &["targets: `a`, `b`; expected 1: `y` f32[]", "in a.csv"]);
    says(bind(rows().target("a"), &all), &["targets: `a`; expected none"]);
    let two = [input("x", &[1]), target("y", Element::F32), target("z", Element::F32)];
    says(bind(rows().target("2"), &two), &["targets: `b`; expected 2: `y` f32[], `z` f32[]"]);
    // A second file stands behind the first: its columns are targets too if one before them is.
    let second = || Csv::of_bytes("b.csv", b"d,e\n4,5\n");
    let three = [input("x", &[2]), FieldSpec { shape: vec![3], ..target("y", Element::F32) }];
    assert_eq!(
        bind(rows().target("a").targets(second()), &three).unwrap().column("y").unwrap().values,
        Values::F32(vec![1., 4., 5.])
    );
    let four = [input("x", &[4]), target("y", Element::F32)];
    assert_eq!(bind(rows().targets(second().target("d")), &four).unwrap().column("y").unwrap().values, Values::F32(vec![4.]));
    says(bind(rows().target("a").targets(second()), &four), &["targets: `a`, `d`, `e`; expected 1"]);
}

#[test]
fn a_length_that_is_none_is_refused_with_its_place() {
    let spec = || FieldSpec { is_target: false, steps: Some(3), ..target("n", Element::U32) };
    let bound = |text| csv(text).read().unwrap().bind(&[spec()]);
    assert_eq!(bound("n\n1\n3\n").unwrap().column("n").unwrap().values, Values::U32(vec![1, 3]));
    says(
        bound("n\n3\n4\n5\n"),
        &["`n` says 4 steps (2 such rows); expected a length in 1..=3", "in a.csv, line 3, column 1", "cut"],
    );
    says(bound("n\n3\n0\n"), &["says 0 steps", "line 3, column 1", "leave rows"]);
    says(bound("n\n3\n1.5\n"), &["the value 1.5; expected an integer", "line 3, column 1"]);
    says(bound("n\n3\nnan\n"), &["the value NaN", "line 3"]);
    let class = FieldSpec { element: Element::Class(9), ..spec() };
    says(csv("n\n3\n8\n").read().unwrap().bind(&[class]), &["says 8 steps", "line 3, column 1"]);
}

#[test]
fn a_number_that_a_loss_does_not_take_is_refused_with_its_place() {
    let asked = |domain| vec![Asked { domain, by: "kl_divergence" }];
    let shares = FieldSpec { shape: vec![2], asked: asked(Domain::Shares), ..target("y", Element::F32) };
    let bound = |text: &'static str, spec: &FieldSpec| csv(text).read().unwrap().bind(&[input("x", &[1]), spec.clone()]);
    let text = "x,a,b\n9,0,1\n9,0.5,0.5\n\n9,0.7,-0.2\n9,2,1\n";
    let expected = "`y` is -0.2 (2 such values); expected numbers from 0 to 1, as kl_divergence takes them";
    says(bound(text, &shares), &[expected, "in a.csv, line 5, column 3", "scale them"]);
    assert!(bound("9,0,1\n9,1,0\n", &shares).is_ok());
    let weight = FieldSpec { asked: asked(Domain::NotNegative), ..target("y", Element::I32) };
    says(bound("9,1\n9,-3\n", &weight), &["`y` is -3 (1 such values)", "line 2, column 2"]);
    // Without a file, rows and elements count from 0.
    let data = Dataset::new().f32("y", &[2], &[0.5, 0.5, 0.5, 1.5]).unwrap();
    says(data.select(&[shares]), &["`y` is 1.5", "in row 1, column 1"]);
}

#[test]
fn every_value_is_checked() {
    let y = |text, element| csv(text).read().unwrap().bind(&[target("y", element)]);
    says(y("y\n0\n10\n", Element::Class(10)), &["label 10; expected a class in 0..=9", "a.csv, line 3, column 1"]);
    says(y("1\n2\n", Element::Class(2)), &["label 2", "start at 1"]);
    says(y("0\n1e20\n", Element::Class(2)), &["the greatest label is 100000000000000000000:"]);
    says(y("1.7\n", Element::Class(3)), &["label 1.7", "a label is a whole number"]);
    says(y("-0.3\n", Element::Class(3)), &["label -0.3", "line 1"]);
    says(y("nan\n", Element::Class(3)), &["label NaN"]);
    says(y("age\n1\nnan\n3\ninf\n", Element::F32), &["age is NaN, in 2 rows of `y`; expected finite", "line 3"]);
    says(y("1e39\n", Element::F32), &["column 1 is 1e39"]);
    says(y("2\n", Element::Bool), &["the value 2; expected 0 or 1"]);
    says(y("3e9\n", Element::I32), &["an integer that fits i32"]);
    says(y("-1\n", Element::U32), &["an integer that fits u32"]);
    let signed = y("-5\n", Element::I32).unwrap();
    assert_eq!(signed.column("y").unwrap().values, Values::U32(vec![-5i32 as u32]));
}

#[test]
fn errors_in_a_second_file_name_that_file() {
    let table = csv("1\n2\n").targets(Csv::of_bytes("b.csv", b"y\n0\n7\n")).read().unwrap();
    says(table.bind(&[input("x", &[]), target("y", Element::Class(2))]), &["in b.csv, line 3, column 1"]);
}

#[test]
fn the_digits_are_there() {
    let data = digits().unwrap();
    assert_eq!(data.rows(), 1797);
    let (Values::F32(pixels), Values::U32(digit)) =
        (&data.column("pixels").unwrap().values, &data.column("digit").unwrap().values)
    else {
        unreachable!("pixels are f32, digits classes")
    };
    assert_eq!(pixels.len(), 1797 * 64);
    assert_eq!(pixels.iter().copied().fold(0.0, f32::max), 16.0);
    assert_eq!(digit[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(digit.iter().filter(|&&class| class == 0).count(), 178);
}

use super::*;

#[test]
fn fields_are_named_and_checked() {
    let data = Dataset::new().f32("x", &[2], &[1., 2., 3., 4.]).unwrap().class("y", 3, &[0, 2]).unwrap();
    assert_eq!(data.rows(), 2);
    assert_eq!(data.column("y").unwrap().values, Values::U32(vec![0, 2]));
    let built = Dataset::builder().f32("x", &[2], &[1., 2., 3., 4.]).class("y", 3, &[0u8, 2]).build().unwrap();
    assert_eq!(built, data);
}

#[test]
fn integers_keep_their_bits_and_truth_values_are_0_and_1() {
    let data = Dataset::new().i32("a", &[], &[-1, 7]).unwrap().bool("b", &[], &[true, false]).unwrap();
    assert_eq!(data.column("a").unwrap().values, Values::U32(vec![u32::MAX, 7]));
    assert_eq!(data.column("b").unwrap().values, Values::U32(vec![1, 0]));
}

#[test]
fn faulty_fields_are_refused() {
    let x = || Dataset::new().f32("x", &[2], &[1., 2., 3., 4.]).unwrap();
    says(Dataset::new().f32("x", &[64], &[0.; 65]), &["`x` has 65 values", "a multiple of 64"]);
    says(Dataset::new().f32("x", &[0], &[]), &["`x` has the shape [0]"]);
    says(Dataset::new().f32("x", &[usize::MAX, 2], &[]), &["as many as memory can hold"]);
    says(x().f32("x", &[], &[1., 2.]), &["two fields are called `x`"]);
    says(x().class("y", 3, &[0, 1, 2]), &["`y` has 3 rows", "2, as the fields before"]);
    says(Dataset::builder().f32("x", &[2], &[0.]).class("y", 1, &[0]).build(), &["`x` has 1 values"]);
}

#[test]
fn labels_out_of_range_come_with_their_row_and_a_reason() {
    let class = |labels: &[i64]| Dataset::new().class("digit", 10, labels);
    says(class(&[1, 10, 3]), &["`digit` has the label 10; expected a class in 0..=9", "in row 1\n", "start at 1"]);
    says(class(&[0, -1]), &["label -1", "in row 1\n", "the least here is -1"]);
    says(class(&[0, 255]), &["label 255", "the greatest label is 255"]);
    says(Dataset::new().class("digit", 10, &[u64::MAX]), &["a class in 0..=9"]);
    says(Dataset::new().classes("words", 5, &[3], &[0, 1, 2, 3, 9, 0]), &["label 9", "in row 1, column 1"]);
}

#[test]
fn a_network_takes_its_fields_by_name_in_its_own_order() {
    let data = Dataset::new().class("y", 3, &[0, 2]).unwrap().f32("x", &[2], &[1., 2., 3., 4.]).unwrap();
    let data = data.bool("unused", &[], &[true, true]).unwrap();
    let bound = data.select(&[input("x", &[2]), target("y", Element::Class(3))]).unwrap();
    assert_eq!(bound.columns().map(|column| &column.name[..]).collect::<Vec<_>>(), ["x", "y"]);
}

#[test]
fn what_does_not_fit_the_network_is_refused() {
    let data = Dataset::new().f32("x", &[3], &[1., f32::NAN, f32::NAN, 3., f32::INFINITY, 0.]).unwrap();
    let data = data.class("y", 12, &[0, 11]).unwrap().f32("z", &[], &[0., 1.]).unwrap();
    says(data.check(&[input("pixels", &[2])]), &["lacks the input `pixels`; expected f32[2]", "`x`, `y`, `z`"]);
    says(data.check(&[input("x", &[4])]), &["`x` has the shape [3]; expected [4]"]);
    says(data.check(&[input("x", &[3])]), &["`x` is NaN (2 such rows)", "in row 0, column 1"]);
    says(data.check(&[target("y", Element::Class(10))]), &["label 11", "in row 1\n"]);
    says(data.check(&[target("z", Element::Class(10))]), &["`z` holds f32; expected class(10)"]);
    says(data.take(0).check(&[]), &["the dataset has no rows"]);
    data.check(&[target("y", Element::Class(20))]).unwrap();
}

use super::*;

fn numbered(rows: u32) -> Dataset {
    let pairs: Vec<f32> = (0..rows).flat_map(|row| [row as f32, -(row as f32)]).collect();
    let data = Dataset::new().f32("x", &[2], &pairs).unwrap();
    data.u32("y", &[], (0..rows).collect::<Vec<_>>()).unwrap()
}

fn order(data: &Dataset) -> Vec<u32> {
    match &data.column("y").unwrap().values {
        Values::U32(values) => values.clone(),
        Values::F32(_) => unreachable!("y holds u32"),
    }
}

#[test]
fn shuffling_keeps_rows_together_and_depends_on_the_seed_only() {
    let data = numbered(50);
    let shuffled = data.shuffled(7);
    assert_eq!(shuffled, data.shuffled(7));
    assert_ne!(order(&shuffled), order(&data.shuffled(8)));
    let pairs: Vec<f32> = order(&shuffled).iter().flat_map(|&row| [row as f32, -(row as f32)]).collect();
    assert_eq!(shuffled.column("x").unwrap().values, Values::F32(pairs));
    let mut sorted = order(&shuffled);
    sorted.sort_unstable();
    assert_eq!(sorted, order(&data));
}

#[test]
fn the_parts_of_a_split_are_the_whole() {
    let data = numbered(1797);
    let [train, valid, test] = data.split([0.7, 0.15, 0.15]).unwrap();
    assert_eq!([train.rows(), valid.rows(), test.rows()], [1258, 269, 270]);
    assert_eq!(train.concat(&valid).unwrap().concat(&test).unwrap(), data);
    let tenths = numbered(10).split([0.1; 10]).unwrap();
    assert!(tenths.iter().all(|part| part.rows() == 1));
}

#[test]
fn faulty_splits_are_refused() {
    let data = numbered(10);
    says(data.split([0.7, 0.2]), &["`split` cannot be [0.7, 0.2]", "whose sum is 1"]);
    says(data.split([1.5, -0.5]), &["positive fractions"]);
    says(data.split([f64::NAN, 0.5]), &["positive fractions"]);
    says(data.split::<0>([]), &["whose sum is 1"]);
    says(data.split([0.99, 0.01]), &["part 2 of the split [0.99, 0.01] of 10 rows is empty"]);
}

#[test]
fn take_and_concat() {
    let data = numbered(5);
    assert_eq!(order(&data.take(2)), [0, 1]);
    assert_eq!(data.take(9), data);
    let other = Dataset::new().u32("y", &[], &[0]).unwrap();
    says(data.concat(&other), &["the second dataset has the fields y: u32[]"]);
    says(data.concat(&Dataset::new()), &["the second dataset has no fields; expected the fields "]);
    says(Dataset::new().concat(&data), &["; expected no fields"]);
}

#[test]
fn folds_leave_each_row_out_once() {
    let data = numbered(11);
    for count in 2..=11 {
        let folds = data.folds(count).unwrap();
        assert_eq!(folds.len(), count);
        let mut left_out = Vec::new();
        for (train, valid) in folds {
            assert!(valid.rows() == 11 / count || valid.rows() == 11_usize.div_ceil(count), "{count}: {}", valid.rows());
            let mut both = [order(&train), order(&valid)].concat();
            both.sort_unstable();
            assert_eq!(both, order(&data), "{count}");
            assert!(order(&train).is_sorted(), "the order stays");
            left_out.extend(order(&valid));
        }
        assert_eq!(left_out, order(&data), "{count}");
    }
    for count in [0, 1, 12, usize::MAX] {
        says(data.folds(count).map(drop), &["`folds`", "at most 11"]);
    }
    assert!(Dataset::new().folds(2).is_err());
}

#[test]
fn rows_are_picked_in_the_order_that_is_asked_for() {
    let data = numbered(5);
    assert_eq!(order(&data.pick(&[4, 0, 0, 2]).unwrap()), [4, 0, 0, 2]);
    assert_eq!(data.pick(&[]).unwrap().rows(), 0);
    says(data.pick(&[1, 5]), &["number 1 of the rows is 5", "0..5"]);
}

#[test]
fn one_label_alone_does_not_say_where_labels_start() {
    says(Dataset::new().class("city", 4, &[1, 4]), &["subtract 1"]);
    says(Dataset::new().class("city", 4, &[4]), &["declare more classes"]);
}

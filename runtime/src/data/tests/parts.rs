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
}

//! The data that stand in the repository's `data/`.

use super::super::idx;
use super::*;

fn path(name: &str) -> String {
    format!("{}/../data/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn sum(data: &Dataset, name: &str) -> f64 {
    match &data.column(name).unwrap().values {
        Values::F32(values) => values.iter().map(|value| f64::from(*value)).sum(),
        Values::U32(values) => values.iter().map(|value| f64::from(*value)).sum(),
    }
}

#[test]
fn mnist_is_read() {
    for (part, rows, first, pixels, labels) in
        [("train", 8000, 3, 209_582_228.0, 35_672.0), ("t10k", 2000, 3, 52_564_372.0, 8_696.0)]
    {
        let images = idx(path(&format!("mnist10k/{part}-images-idx3-ubyte.gz")));
        let files = images.targets(path(&format!("mnist10k/{part}-labels-idx1-ubyte.gz")));
        let data = files.read().unwrap().bind(&[input("pixels", &[784]), target("digit", Element::Class(10))]).unwrap();
        assert_eq!(data.rows(), rows);
        let Values::U32(digits) = &data.column("digit").unwrap().values else { panic!("labels") };
        assert_eq!((digits[0], sum(&data, "pixels"), sum(&data, "digit")), (first, pixels, labels), "{part}");
    }
}

#[test]
fn tables_whose_first_line_is_neither_names_nor_numbers_are_read() {
    for (name, rows, width, classes) in
        [("iris.csv", 150, 4, 3), ("wine_data.csv", 178, 13, 3), ("breast_cancer.csv", 569, 30, 2)]
    {
        let file = Dataset::csv(path(name));
        says(file.clone().read(), &[name, "line 1"]);
        let data = file.skip(1).read().unwrap().bind(&[input("x", &[width]), target("y", Element::Class(classes))]).unwrap();
        assert_eq!((data.rows(), data.columns().len()), (rows, 2));
    }
}

#[test]
fn diabetes_has_its_target_in_a_second_file() {
    let file = Dataset::csv(path("diabetes_data_raw.csv.gz"));
    let file = file.separator(' ').targets(path("diabetes_target.csv.gz"));
    let data = file.read().unwrap().bind(&[input("patient", &[10]), target("progress", Element::F32)]).unwrap();
    assert_eq!(data.rows(), 442);
    assert!((sum(&data, "progress") / 442.0 - 152.133).abs() < 1e-3);
    let Values::F32(patients) = &data.column("patient").unwrap().values else { panic!("numbers") };
    assert_eq!(patients[..4], [59.0, 2.0, 32.1, 101.0]);
}

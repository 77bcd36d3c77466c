//! Columns of names in CSV files.

use rand::Rng as _;

use super::*;
use crate::random::Rng;

const FLOWERS: &str = "width,species\n1.5,virginica\n2,setosa\n3, setosa \n4,versicolor\n";

fn fields(classes: u32) -> [FieldSpec; 2] {
    [input("width", &[]), target("species", Element::Class(classes))]
}

#[test]
fn names_are_classes_in_the_order_of_the_names() {
    for column in ["species", "2"] {
        let data = csv(FLOWERS).categories(column).read().unwrap().bind(&fields(3)).unwrap();
        assert_eq!(data.column("species").unwrap().values, Values::U32(vec![2, 0, 0, 1]));
        assert_eq!(data.column("width").unwrap().values, Values::F32(vec![1.5, 2.0, 3.0, 4.0]));
        assert_eq!(data.class_names("species"), ["setosa", "versicolor", "virginica"]);
        assert!(data.class_names("width").is_empty() && data.class_names("other").is_empty());
    }
}

#[test]
fn names_are_classes_in_the_order_given() {
    let order = ["virginica", "versicolor", "setosa", "unseen"];
    let data = csv(FLOWERS).categories_in_order("species", order).read().unwrap().bind(&fields(4)).unwrap();
    assert_eq!(data.column("species").unwrap().values, Values::U32(vec![0, 2, 2, 1]));
    assert_eq!(data.class_names("species"), order);
    // Two files number their classes alike.
    let other = csv("1,setosa\n").categories_in_order(2, order).read().unwrap().bind(&fields(4)).unwrap();
    assert_eq!(data.concat(&other).unwrap().rows(), 5);
    let sorted = csv("1,a\n2,b\n3,c\n4,d\n").categories(2).read().unwrap().bind(&fields(4)).unwrap();
    says(data.concat(&sorted), &["(a, b, c, d)", "(virginica,"]);
}

#[test]
fn names_survive_selection_and_order_of_columns() {
    let reader = csv("species,width\nb,1\na,2\n").target("species").categories("species");
    let data = reader.read().unwrap().bind(&fields(2)).unwrap().shuffled(5);
    assert_eq!(data.select(&fields(2)).unwrap().class_names("species"), ["a", "b"]);
    let two = csv("a,x\nb,x\n").categories_in_order(1, ["x", "a", "b"]).categories_in_order(2, ["x", "a", "b"]).read().unwrap();
    let words = FieldSpec { shape: vec![2], ..target("words", Element::Class(3)) };
    assert_eq!(two.bind(std::slice::from_ref(&words)).unwrap().columns[0].values, Values::U32(vec![1, 0, 2, 0]));
    let apart = csv("a,x\nb,x\n").categories(1).categories(2).read().unwrap();
    says(apart.bind(&[words]), &["column 1 and column 2", "categories_in_order"]);
    // A second file has options of its own.
    let both = csv("1\n2\n").targets(csv("no\nyes\n").categories(1)).read().unwrap().bind(&fields(2)).unwrap();
    assert_eq!(both.class_names("species"), ["no", "yes"]);
}

#[test]
fn names_that_do_not_fit_are_refused_with_their_line() {
    says(csv(FLOWERS).read(), &["\"virginica\" in `species`", "line 2, column 2", "(categories)"]);
    says(csv(FLOWERS).categories("kind").read(), &["there is no column `kind`"]);
    says(csv("1,a\n2,\n").categories(2).read(), &["an empty cell", "a.csv, line 2, column 2"]);
    says(
        csv(FLOWERS).categories_in_order("species", ["setosa", "versicolor"]).read(),
        &["\"virginica\"", "setosa, versicolor", "line 2"],
    );
    says(csv(FLOWERS).categories_in_order("species", ["a", "a"]).read(), &["`a`", "differ"]);
    says(
        csv("a,species\n1,\"setosa\n2,x \"\"y\"\"\"\n").categories("species").read(),
        &["a name over several lines, \"setosa\\n2", "close the quote", "line 2, column 2"],
    );
    says(csv(FLOWERS).categories("species").read().unwrap().bind(&fields(4)), &["3 classes", "class(4)", "a.csv"]);
    let number = [input("width", &[]), input("species", &[])];
    says(csv(FLOWERS).categories("species").read().unwrap().bind(&number), &["setosa, versicolor, virginica", "`class`"]);
}

/// Files cut off or altered anywhere are read or refused with their name.
#[test]
fn altered_files_of_names_are_read_or_refused() {
    let mut rng = Rng::new(14, 0);
    let mut random = |bound: usize| rng.next_u32() as usize % bound;
    for _ in 0..500 {
        let bytes = altered(FLOWERS.as_bytes().to_vec(), &mut random);
        let read = leaked(bytes, "altered.csv").categories("species").read().and_then(|table| table.bind(&fields(3)));
        match read {
            Ok(data) => assert_eq!(data.class_names("species").len(), 3),
            Err(error) => assert!(error.to_string().contains("help: "), "{error}"),
        }
    }
}

//! The example of the guide reaches what it promises.

use crate::networks::{Digits, digits};

#[test]
fn the_digits_are_recognised_whatever_the_seed() {
    let accuracies = (1..=5).map(|seed| {
        let [train, valid, test] = digits(seed)?;
        let mut net = Digits::options().seed(seed).compile()?;
        net.fit(&train).validate(&valid).batch(64).epochs(60).patience(8).quiet().run()?;
        Ok(net.evaluate(&test)?.accuracy)
    });
    let mut accuracies: Vec<f64> = accuracies.collect::<gradc::Result<_>>().expect("training runs");
    accuracies.sort_by(f64::total_cmp);
    assert!(accuracies[2] >= 0.975, "the median is too low: {accuracies:?}");
    assert!(accuracies[0] >= 0.955, "the least is too low: {accuracies:?}");
}

#[test]
fn what_is_saved_predicts_the_same_elsewhere() {
    let [train, _, test] = digits(1).expect("the data is there");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("digits.safetensors");
    let mut net = Digits::options().compile().expect("it compiles");
    net.fit(&train).batch(64).epochs(2).quiet().run().expect("it trains");
    net.save(&file).expect("it is saved");
    let served = net.predict(&test).expect("it predicts");
    let predictor = Digits::predictor(&file).expect("it is loaded");
    let other = std::thread::scope(|scope| scope.spawn(|| predictor.clone().predict(&test)).join()).expect("no panic");
    assert_eq!(served, other.expect("it predicts"));
    let mut fresh = Digits::options().seed(9).compile().expect("it compiles");
    fresh.load(&file).expect("it fits");
    assert_eq!(served, fresh.predict(&test).expect("it predicts"));
    assert_eq!(served.classes().len(), test.rows());
    assert_eq!(served.row(0).len(), 10);
}

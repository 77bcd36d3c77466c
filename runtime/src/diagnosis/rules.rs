//! From figures to words: each rule with its threshold, the reason for it, and what to change.
//!
//! A rule is a pure function of a [`Diagnosis`]. Thresholds are far from what a healthy network shows, because a verdict that is raised
//! without need is not believed the next time.

use super::{Diagnosis, Figures, Layer, median, percent, scientific};
use std::fmt;

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A value is NaN or infinite.
    NotFinite,
    /// Values or gradients grow from layer to layer, or from step to step.
    Exploding,
    /// Updates throw the parameters about.
    RateTooLarge,
    /// Gradients shrink from layer to layer on the way back.
    Vanishing,
    /// Outputs lie at the limits of their activation.
    Saturated,
    /// Units are 0 for every row.
    Dead,
}

/// A verdict in words.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// What is wrong.
    pub kind: Kind,
    /// In words, such as ``vanishing from `h.7` down``.
    pub text: String,
    /// The layer where it shows most.
    pub layer: String,
    /// What to change.
    pub advice: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  try: {}", self.text, self.advice)
    }
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// What it finds.
    pub kind: Kind,
    /// When, in words; `threshold` is the number in it.
    pub when: &'static str,
    /// The number that decides.
    pub threshold: f64,
    /// Why this number.
    pub reason: &'static str,
    find: fn(&Diagnosis, f64) -> Option<Verdict>,
}

/// Growth over the layers, or from step to step, that is called an explosion.
const EXPLODED: f64 = 1e3;

/// An update, as a share of the parameters, that is called large.
const LARGE_UPDATE: f64 = 0.1;

/// The same, if it happens once.
const HUGE_UPDATE: f64 = 0.25;

/// All rules, the gravest first.
pub static RULES: [Rule; 6] = [
    Rule {
        kind: Kind::NotFinite,
        when: "the loss of a step, or a figure of a layer in it, is NaN or infinite",
        threshold: f64::INFINITY,
        reason: "nothing that follows means anything",
        find: not_finite,
    },
    Rule {
        kind: Kind::Exploding,
        when: "in the first step the spread of values forward, or of their gradients backward, grows by this factor over the layers; or \
               later all gradients together jump by it although no update was large",
        threshold: EXPLODED,
        reason: "initialisers are made to keep the factor at 1; batch norm before twenty relu layers lets gradients grow by about 50 \
                 where layers are wide (Yang et al., 2019) and by up to 300 where they are narrow, and clipping is there for more",
        find: exploding,
    },
    Rule {
        kind: Kind::RateTooLarge,
        when: "updates are this share of a layer's parameters in the median of the steps, or a quarter of them once; or the loss ends at \
               twice what it was at first",
        threshold: LARGE_UPDATE,
        reason: "healthy updates are about 1e-3 of the weights, and at most some 6e-2; a tenth forgets the first weights within ten steps",
        find: rate_too_large,
    },
    Rule {
        kind: Kind::Vanishing,
        when: "a layer's gradient norm is less than this share of the largest above it, in the median of the steps",
        threshold: 1e-3,
        reason: "five sigmoids let (1/4)^5 through, a thousandth: such a layer stands still while the last one learns",
        find: vanishing,
    },
    Rule {
        kind: Kind::Saturated,
        when: "this share of the outputs of a hidden layer is near a limit of its activation, in the median of the steps",
        threshold: 0.5,
        reason: "standard normal inputs saturate 34 % of hard_tanh, 7 % of tanh and 0.03 % of sigmoid; 64 of them under standard normal \
                 weights 65 % of sigmoid",
        find: saturated,
    },
    Rule {
        kind: Kind::Dead,
        when: "this share of a layer's units has died: they are 0 for the whole batch in each step of the last half, and were not in the \
               first step; or of a layer, or of all layers together, more are 0 than chance makes: 1/2 + 2/sqrt(units)",
        threshold: 0.5,
        reason: "behind many relu layers the rows become alike, so that up to half of the units are 0 for a batch by chance, four \
                 standard deviations more in one of ten thousand layers; but few of those that are not will die in a healthy run",
        find: dead,
    },
];

/// What the rules find in a diagnosis.
pub fn verdicts(diagnosis: &Diagnosis) -> Vec<Verdict> {
    RULES.iter().filter_map(|rule| (rule.find)(diagnosis, rule.threshold)).collect()
}

fn verdict(kind: Kind, text: String, layer: &str, advice: String) -> Option<Verdict> {
    Some(Verdict { kind, text, layer: layer.to_string(), advice })
}

// --- what to change --------------------------------------------------------------------------------------------------

/// An activation that does not saturate, weights that suit it, or normalisation.
fn remedy(layer: &Layer) -> String {
    let mut changes = Vec::new();
    if !layer.suited.is_empty() && layer.suited != layer.initializer.split('(').next().unwrap_or_default() {
        changes.push(format!("`init = {}` in place of `{}`", layer.suited, layer.initializer));
    }
    if let (Some(activation), Some(_)) = (layer.activation, layer.limits) {
        changes.push(format!("`relu`, `elu` or `selu` in place of `{activation}`"));
    }
    if !layer.is_normalised {
        changes.push(format!("`batch_norm` behind `{}`", layer.function));
    }
    changes.push("fewer layers, or a way around them (`x + …`)".into());
    changes.truncate(3);
    changes.join("; ")
}

// --- the rules -------------------------------------------------------------------------------------------------------

fn is_finite(figures: &Figures) -> bool {
    let optional = [figures.gradient_norm, figures.weight_norm, figures.update_norm];
    figures.mean.is_finite() && optional.into_iter().flatten().all(f64::is_finite)
}

fn not_finite(diagnosis: &Diagnosis, _: f64) -> Option<Verdict> {
    let moment = diagnosis.steps.iter().find(|moment| !moment.loss.is_finite() || !moment.layers.iter().all(is_finite))?;
    let of = |is_bad: fn(&Figures) -> bool| moment.layers.iter().position(is_bad);
    // Forward first: a value that is not finite spoils every layer behind it, and all gradients.
    let first = of(|figures| !figures.mean.is_finite()).or_else(|| moment.layers.iter().rposition(|figures| !is_finite(figures)));
    let layer = first.map_or("the loss", |layer| diagnosis.layers[layer].name.as_str());
    let place = if first.is_some() { format!("`{layer}`") } else { layer.to_string() };
    let text = format!("first NaN or infinity at step {} in {place}", moment.step);
    let mut advice = "a smaller rate; `clip_global_norm(1.0)`; `standardize()` on the inputs".to_string();
    if let Some(node) = diagnosis.failure.as_ref().and_then(|failure| failure.node.as_ref()) {
        advice += &format!("; the first node was {node}");
    }
    verdict(Kind::NotFinite, text, layer, advice)
}

fn exploding(diagnosis: &Diagnosis, threshold: f64) -> Option<Verdict> {
    let first = diagnosis.steps.first()?;
    let grown = |values: Vec<(usize, f64)>| {
        let mut least = f64::INFINITY;
        let growth = values.into_iter().map(|(layer, value)| {
            least = least.min(if value > 0.0 { value } else { least });
            (layer, value / least)
        });
        growth.filter(|(_, factor)| factor.is_finite()).max_by(|(_, a), (_, b)| a.total_cmp(b))
    };
    let forward: Vec<_> = first.layers.iter().enumerate().map(|(layer, figures)| (layer, figures.deviation)).collect();
    let backward = first.layers.iter().enumerate().rev();
    let backward = backward.filter_map(|(layer, figures)| Some((layer, figures.gradient_deviation?))).collect();
    for (values, what, way) in [(forward, "values", "up to"), (backward, "gradients", "down to")] {
        if let Some((layer, factor)) = grown(values).filter(|(_, factor)| *factor >= threshold) {
            let layer = &diagnosis.layers[layer];
            let text = format!("exploding: {what} grow by a factor of {} {way} `{}`", scientific(factor), layer.name);
            return verdict(Kind::Exploding, text, &layer.name, format!("{}; `clip_global_norm(1.0)`", remedy(layer)));
        }
    }
    let (step, layer, factor) = jump(diagnosis, threshold)?;
    let name = &diagnosis.layers[layer].name;
    let text = format!("exploding: gradients jump by a factor of {} at step {step}, most of all in `{name}`", scientific(factor));
    verdict(Kind::Exploding, text, name, "`clip_global_norm(1.0)`; a smaller rate".into())
}

/// The first step in which the norm of all gradients is so many times its median until then, if no update was large before; and the layer
/// whose gradient is the largest in it. One layer alone may wake up.
fn jump(diagnosis: &Diagnosis, threshold: f64) -> Option<(u64, usize, f64)> {
    /// Steps that make a median.
    const BEFORE: usize = 3;
    let mut before: Vec<f64> = Vec::new();
    for moment in &diagnosis.steps {
        let norms: Vec<f64> = moment.layers.iter().map(|figures| figures.gradient_norm.unwrap_or(0.0)).collect();
        let norm = norms.iter().map(|norm| norm * norm).sum::<f64>().sqrt();
        let usual = median(before.clone()).filter(|usual| *usual > 0.0 && before.len() >= BEFORE);
        if let Some(factor) = usual.map(|usual| norm / usual).filter(|factor| *factor >= threshold) {
            let layer = norms.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?.0;
            return Some((moment.step, layer, factor));
        }
        if moment.layers.iter().filter_map(Figures::update_ratio).any(|ratio| is_large(ratio, LARGE_UPDATE)) {
            return None;
        }
        before.push(norm);
    }
    None
}

fn rate_too_large(diagnosis: &Diagnosis, threshold: f64) -> Option<Verdict> {
    // What explodes before the first update is not the rate's fault.
    if exploding(diagnosis, EXPLODED).is_some() || diagnosis.steps.len() < 2 {
        return None;
    }
    let losses: Vec<f64> = diagnosis.steps.iter().map(|moment| moment.loss).collect();
    let last = median(losses[losses.len() / 2..].to_vec())?;
    let first = losses[0];
    let has_doubled = !last.is_finite() || (first > 0.0 && last > 2.0 * first);
    // A layer that begins at 0 must grow.
    let begins = |layer: &usize| diagnosis.steps[0].layers.get(*layer).is_some_and(|figures| figures.weight_norm != Some(0.0));
    let layers = (0..diagnosis.layers.len()).filter(begins);
    let mut medians = layers.clone().filter_map(|layer| diagnosis.median(layer, Figures::update_ratio));
    let is_usual = medians.any(|ratio| is_large(ratio, threshold));
    let most = |layer: usize| diagnosis.course(layer, Figures::update_ratio).map(|(_, ratio)| ratio).max_by(f64::total_cmp);
    let (layer, ratio) = layers.filter_map(|layer| Some((layer, most(layer)?))).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    if !is_usual && !is_large(ratio, HUGE_UPDATE) && !has_doubled {
        return None;
    }
    let name = &diagnosis.layers[layer].name;
    let most = losses.iter().copied().fold(first, |most, loss| if loss.is_nan() || loss > most { loss } else { most });
    let loss = match most > first || most.is_nan() {
        true => format!("the loss rises from {} to {}", short(first), short(most)),
        false => format!("the loss begins at {}", short(first)),
    };
    let share = if ratio < 10.0 { percent(ratio) } else { format!("{} times the size", scientific(ratio)) };
    let text = format!("rate too large: updates of up to {share} of the weights of `{name}`, {loss}");
    verdict(Kind::RateTooLarge, text, name, "a rate ten times smaller; `clip_global_norm(1.0)`; a warm-up".into())
}

fn is_large(ratio: f64, threshold: f64) -> bool {
    ratio.is_nan() || ratio >= threshold
}

fn short(value: f64) -> String {
    if value.abs() < 1e3 { format!("{value:.3}") } else { scientific(value) }
}

fn vanishing(diagnosis: &Diagnosis, threshold: f64) -> Option<Verdict> {
    let shares = |layer: usize| {
        let of = |moment: &super::Moment| {
            let norm = |figures: &Figures| figures.gradient_norm.filter(|norm| norm.is_finite());
            let above = moment.layers.get(layer + 1..)?.iter().filter_map(norm).fold(0.0, f64::max);
            Some(norm(moment.layers.get(layer)?)? / above).filter(|share| share.is_finite())
        };
        median(diagnosis.steps.iter().filter_map(of).collect())
    };
    // Behind a layer that lets nothing through there is nothing to compare.
    let is_cut = |layer: usize| diagnosis.median(layer, |figures| figures.dead).is_some_and(|dead| dead >= 1.0);
    if (0..diagnosis.layers.len()).any(is_cut) {
        return None;
    }
    let small: Vec<(usize, f64)> = (0..diagnosis.layers.len()).filter_map(|layer| Some((layer, shares(layer)?))).collect();
    let last = small.iter().rfind(|(_, share)| *share < threshold)?.0;
    let least = small.iter().map(|(_, share)| *share).fold(f64::INFINITY, f64::min);
    let layer = &diagnosis.layers[last];
    let text = format!("vanishing from `{}` down: gradients fall to {} of the last layers'", layer.name, scientific(least));
    verdict(Kind::Vanishing, text, &layer.name, remedy(layer))
}

fn saturated(diagnosis: &Diagnosis, threshold: f64) -> Option<Verdict> {
    // The last layer's outputs may be as sure as they like.
    let hidden = 0..diagnosis.layers.len().saturating_sub(1);
    let shares = hidden.filter_map(|layer| Some((layer, diagnosis.median(layer, |figures| figures.saturated)?)));
    let (worst, share) = shares.max_by(|(_, a), (_, b)| a.total_cmp(b)).filter(|(_, share)| *share >= threshold)?;
    let layer = &diagnosis.layers[worst];
    verdict(
        Kind::Saturated,
        format!("saturated: {} of the outputs of `{}`", percent(share), layer.name),
        &layer.name,
        remedy(layer),
    )
}

fn dead(diagnosis: &Diagnosis, threshold: f64) -> Option<Verdict> {
    let half = &diagnosis.steps[diagnosis.steps.len() / 2..];
    // By one or two batches nobody is dead.
    if half.len() < 3 {
        return None;
    }
    let least = |layer: usize| {
        let shares = half.iter().filter_map(|moment| moment.layers.get(layer)?.dead);
        shares.reduce(f64::min)
    };
    let shares: Vec<(usize, f64)> = (0..diagnosis.layers.len()).filter_map(|layer| Some((layer, least(layer)?))).collect();
    let units = |layer: usize| diagnosis.layers[layer].units as f64;
    let all: f64 = shares.iter().map(|(layer, _)| units(*layer)).sum();
    let share = shares.iter().map(|(layer, share)| share * units(*layer)).sum::<f64>() / all;
    let (worst, most) = *shares.iter().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let first = |layer: usize| diagnosis.steps[0].layers.get(layer).and_then(|figures| figures.dead).unwrap_or(0.0);
    let is_beyond_chance = |share: f64, units: f64| share >= (0.5 + 2.0 / units.sqrt()).min(1.0);
    let is_dead = |&(layer, share): &(usize, f64)| share - first(layer) >= threshold || is_beyond_chance(share, units(layer));
    if !is_beyond_chance(share, all) && !shares.iter().any(is_dead) {
        return None;
    }
    let layer = &diagnosis.layers[worst];
    let text = format!("dead units {} in `{}` ({} of all)", percent(most), layer.name, percent(share));
    let activation = layer.activation.unwrap_or("relu");
    let advice =
        format!("a smaller rate; `leaky_relu` or `elu` in place of `{activation}`; `batch_norm` behind `{}`", layer.function);
    verdict(Kind::Dead, text, &layer.name, advice)
}

#[cfg(test)]
mod tests {
    use super::super::Moment;
    use super::*;

    fn layer(name: &str) -> Layer {
        Layer {
            name: name.into(),
            function: "dense",
            activation: Some("relu"),
            limits: None,
            dies: true,
            initializer: "he".into(),
            suited: "he".into(),
            is_normalised: false,
            units: 8,
        }
    }

    /// Two layers, whose gradients and updates are these, by step.
    fn run(steps: &[([f64; 2], [f64; 2])]) -> Diagnosis {
        let figures = |gradient: f64, update: f64| Figures {
            gradient_norm: Some(gradient),
            weight_norm: Some(1.0),
            update_norm: Some(update),
            mean: 0.5,
            deviation: 1.0,
            gradient_mean: Some(0.0),
            gradient_deviation: Some(1.0),
            saturated: None,
            dead: Some(0.1),
        };
        let moment = |(step, (gradients, updates)): (u64, &([f64; 2], [f64; 2]))| Moment {
            step,
            loss: 1.0,
            layers: vec![figures(gradients[0], updates[0]), figures(gradients[1], updates[1])],
        };
        Diagnosis {
            network: "Hand".into(),
            layers: vec![layer("below"), layer("above")],
            steps: (1..).zip(steps).map(moment).collect(),
            failure: None,
        }
    }

    fn kinds(diagnosis: &Diagnosis) -> Vec<Kind> {
        verdicts(diagnosis).iter().map(|verdict| verdict.kind).collect()
    }

    #[test]
    fn gradients_that_jump_explode_unless_an_update_was_large() {
        let calm = ([1.0, 1.0], [1e-3, 1e-3]);
        let jump = ([5e4, 1.0], [1e-3, 1e-3]);
        let diagnosis = run(&[calm, calm, calm, calm, jump]);
        assert_eq!(kinds(&diagnosis), [Kind::Exploding]);
        let text = &verdicts(&diagnosis)[0].text;
        assert_eq!(text, "exploding: gradients jump by a factor of 3.5e4 at step 5, most of all in `below`");
        let thrown = ([1.0, 1.0], [0.5, 1e-3]);
        assert_eq!(kinds(&run(&[calm, calm, calm, thrown, jump])), [Kind::RateTooLarge]);
        // A layer that wakes up is none.
        let asleep = ([1e-2, 1.0], [1e-3, 1e-3]);
        assert!(kinds(&run(&[asleep, asleep, asleep, asleep, ([20.0, 1.0], [1e-3, 1e-3])])).is_empty());
    }

    #[test]
    fn a_layer_that_begins_at_zero_may_grow() {
        let mut diagnosis = run(&[([1.0, 1.0], [0.3, 1e-3]); 4]);
        assert_eq!(kinds(&diagnosis), [Kind::RateTooLarge]);
        diagnosis.steps[0].layers[0].weight_norm = Some(0.0);
        assert!(kinds(&diagnosis).is_empty());
    }

    #[test]
    fn units_die_or_are_more_than_chance_leaves() {
        // Shares of 0 in the layer below, by step; the one above has eight units too.
        let found = |units: usize, shares: [f64; 6]| {
            let mut diagnosis = run(&[([1.0, 1.0], [1e-3, 1e-3]); 6]);
            diagnosis.layers[0].units = units;
            for (moment, share) in diagnosis.steps.iter_mut().zip(shares) {
                moment.layers[0].dead = Some(share);
            }
            kinds(&diagnosis)
        };
        assert_eq!(found(8, [0.0, 0.5, 0.9, 0.8, 0.6, 0.7]), [Kind::Dead]);
        // One batch in which they live is enough.
        assert!(found(8, [0.0, 0.5, 0.9, 0.8, 0.4, 0.7]).is_empty());
        // Most of 16 are 0 by chance now and then, of 400 never.
        assert!(found(16, [0.8; 6]).is_empty());
        assert_eq!(found(400, [0.8; 6]), [Kind::Dead]);
        assert_eq!(found(16, [1.0; 6]), [Kind::Dead]);
    }

    #[test]
    fn the_first_value_that_is_not_finite_has_a_step_and_a_layer() {
        let calm = ([1.0, 1.0], [1e-3, 1e-3]);
        let mut diagnosis = run(&[calm; 5]);
        diagnosis.steps[3].layers[1].mean = f64::NAN;
        let text = &verdicts(&diagnosis)[0].text;
        assert_eq!(text, "first NaN or infinity at step 4 in `above`");
        // Going back, the layer nearest to the loss is the first.
        let mut diagnosis = run(&[calm, ([f64::NAN, f64::INFINITY], [1e-3, 1e-3])]);
        assert_eq!(verdicts(&diagnosis)[0].layer, "above");
        diagnosis.steps.truncate(1);
        diagnosis.steps[0].loss = f64::INFINITY;
        assert_eq!(verdicts(&diagnosis)[0].text, "first NaN or infinity at step 1 in the loss");
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert!(verdicts(&Diagnosis::default()).is_empty());
        assert!(verdicts(&run(&[])).is_empty());
        assert_eq!(run(&[]).to_string().lines().next(), Some("Hand: no step was taken"));
    }
}

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
               later a gradient jumps by it although no update was large",
        threshold: EXPLODED,
        reason: "initialisers are made to keep the factor at 1; batch norm before twenty relu layers lets gradients grow by about 50 \
                 (Yang et al., 2019), and clipping is there for more",
        find: exploding,
    },
    Rule {
        kind: Kind::RateTooLarge,
        when: "updates are this share of a layer's parameters, in the median of the steps; or the loss ends at twice what it was at first",
        threshold: LARGE_UPDATE,
        reason: "healthy updates are about 1e-3 of the weights; a tenth forgets the initial weights within ten steps",
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
        reason: "standard normal inputs saturate 7 % of tanh and 0.03 % of sigmoid; a half passes no gradient where it matters",
        find: saturated,
    },
    Rule {
        kind: Kind::Dead,
        when: "this share of all units that can die is 0 for the whole batch, in each step of the last half; or nine tenths of one layer's",
        threshold: 0.6,
        reason: "behind many relu layers the rows become alike, so that nearly half of the units are 0 for a batch by chance",
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
    let text = format!("exploding: the gradient of `{name}` jumps by a factor of {} at step {step}", scientific(factor));
    verdict(Kind::Exploding, text, name, "`clip_global_norm(1.0)`; a smaller rate".into())
}

/// The first step in which a layer's gradient is so many times its median until then, if no update was large before.
fn jump(diagnosis: &Diagnosis, threshold: f64) -> Option<(u64, usize, f64)> {
    /// Steps that make a median.
    const BEFORE: usize = 3;
    let mut before: Vec<Vec<f64>> = vec![Vec::new(); diagnosis.layers.len()];
    for moment in &diagnosis.steps {
        for (layer, figures) in moment.layers.iter().enumerate() {
            let Some(norm) = figures.gradient_norm else { continue };
            let usual = median(before[layer].clone()).filter(|usual| *usual > 0.0 && before[layer].len() >= BEFORE);
            if let Some(factor) = usual.map(|usual| norm / usual).filter(|factor| *factor >= threshold) {
                return Some((moment.step, layer, factor));
            }
            before[layer].push(norm);
        }
        if moment.layers.iter().filter_map(Figures::update_ratio).any(|ratio| ratio.is_nan() || ratio >= LARGE_UPDATE) {
            return None;
        }
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
    let is_above = |loss: f64| !loss.is_finite() || (first > 0.0 && loss > 2.0 * first);
    let ratios = (0..diagnosis.layers.len()).filter_map(|layer| Some((layer, diagnosis.median(layer, Figures::update_ratio)?)));
    let (layer, ratio) = ratios.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let is_large = ratio.is_nan() || ratio >= threshold;
    if !is_large && !is_above(last) {
        return None;
    }
    let name = &diagnosis.layers[layer].name;
    let most = losses.iter().copied().fold(first, |most, loss| if loss.is_nan() || loss > most { loss } else { most });
    let loss = match most > first || most.is_nan() {
        true => format!("the loss rises from {} to {}", short(first), short(most)),
        false => format!("the loss begins at {}", short(first)),
    };
    let share = if ratio < 10.0 { percent(ratio) } else { format!("{} times the size", scientific(ratio)) };
    let text = format!("rate too large: updates are {share} of the weights of `{name}`, {loss}");
    verdict(Kind::RateTooLarge, text, name, "a rate ten times smaller; `clip_global_norm(1.0)`; a warm-up".into())
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
    let least = |layer: usize| {
        let shares = half.iter().filter_map(|moment| moment.layers.get(layer)?.dead);
        shares.reduce(f64::min)
    };
    let shares: Vec<(usize, f64)> = (0..diagnosis.layers.len()).filter_map(|layer| Some((layer, least(layer)?))).collect();
    let units = |layer: usize| diagnosis.layers[layer].units as f64;
    let all: f64 = shares.iter().map(|(layer, _)| units(*layer)).sum();
    let share = shares.iter().map(|(layer, share)| share * units(*layer)).sum::<f64>() / all;
    let (worst, most) = *shares.iter().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    if share < threshold && most < 0.9 {
        return None;
    }
    let layer = &diagnosis.layers[worst];
    let text = format!("dead units {}: {} of those of `{}`", percent(share), percent(most), layer.name);
    let activation = layer.activation.unwrap_or("relu");
    let advice =
        format!("a smaller rate; `leaky_relu` or `elu` in place of `{activation}`; `batch_norm` behind `{}`", layer.function);
    verdict(Kind::Dead, text, &layer.name, advice)
}

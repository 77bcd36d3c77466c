//! What is legal and yet hardly meant.
//!
//! A lint looks at the calls of the finished network. Each has a name, by which `allow(name);` silences it, and a
//! reason, which the catalogue's page prints.

use super::Elaborator;
use crate::base::diagnostics::Diagnostic;
use crate::base::place::Span;
use crate::graph::{Element, Node, NodeId};
use crate::language::ast::Iteration;
use crate::nn::layers::feature_axis;
use crate::nn::network::Use;
use crate::nn::parameters::{Learned, Source};
use crate::nn::rows::RowsOf;
use crate::nn::{Argument, Family};
use crate::ops::{self, Lowering, Primitive};
use crate::step::penalties_of;

/// All lints with their reasons.
pub const LINTS: &[(&str, &str)] = &[
    ("unused_input", "an input or target that nothing uses is fed for nothing"),
    ("unused_value", "a value that nothing uses is not computed; often another name was meant"),
    ("unused_function", "a function or optimizer that no network calls says nothing; often another name was meant"),
    (EMPTY_LOOP, "a loop without turns leaves everything as it was; often its bounds are the wrong way round"),
    (SOFTMAX_BEFORE_LOSS, "a loss on logits takes the softmax itself; a second one flattens the gradient"),
    (NO_SOFTMAX_BEFORE_LOSS, "a loss on probabilities or their logarithms takes them as they come: of other numbers it is none"),
    (SELU_WITHOUT_LECUN, "selu keeps mean 0 and variance 1 only with weights of variance 1/fan_in"),
    (DROPOUT_BEFORE_BATCH_NORM, "dropout changes the variance in training only, so the running moments are wrong in evaluation"),
    (DEEP_SIGMOIDS, "each sigmoid shrinks the gradient to a quarter at most: the first layers hardly learn"),
    (BIAS_BEFORE_BATCH_NORM, "batch_norm takes the bias out again with the mean"),
    (MINIMIZED_MEAN_ERROR, "signs cancel: a mean error can be lowered without end"),
    (RELU_BEFORE_LOSS, "relu cuts off what lies below 0, and where it is 0 nothing is learned"),
    (PENALTY_ON_UNSCALED, "how large a weight must be depends on the unit of what it reads, and a penalty goes by its size"),
    (NOTHING_TRAINED, "where every parameter is frozen, or the optimizer sets none, a run changes nothing, however long it is"),
    (ERROR_ON_CLASSES, "the distance between class numbers, or between probabilities, is no measure of being wrong"),
    (MEAN_OF_CHUNKS, "rows come in batches: what is no formula of means and sums over rows has no value for all of them"),
    (ROWS_TOGETHER, "rows are served in chunks of any size: a prediction that hangs on other rows changes with them"),
];

const EMPTY_LOOP: &str = "empty_loop";
const SOFTMAX_BEFORE_LOSS: &str = "softmax_before_loss";
const NO_SOFTMAX_BEFORE_LOSS: &str = "no_softmax_before_loss";
const SELU_WITHOUT_LECUN: &str = "selu_without_lecun";
const DROPOUT_BEFORE_BATCH_NORM: &str = "dropout_before_batch_norm";
const DEEP_SIGMOIDS: &str = "deep_sigmoids";
const BIAS_BEFORE_BATCH_NORM: &str = "bias_before_batch_norm";
const MINIMIZED_MEAN_ERROR: &str = "minimized_mean_error";
const RELU_BEFORE_LOSS: &str = "relu_before_loss";
const ERROR_ON_CLASSES: &str = "error_on_classes";
const NOTHING_TRAINED: &str = "nothing_trained";
const PENALTY_ON_UNSCALED: &str = "penalty_on_unscaled";
const MEAN_OF_CHUNKS: &str = "mean_of_chunks";
const ROWS_TOGETHER: &str = "rows_together";

/// As many sigmoids in a row are deep: what comes back through five is at most a thousandth.
const DEEP: usize = 5;

impl<'a> Elaborator<'a> {
    /// Looks for everything that can be seen at training time.
    pub(super) fn lint(&mut self) {
        self.find_makers();
        let mut found = Vec::new();
        for (index, one) in self.network.uses.iter().enumerate() {
            let Some(&span) = self.use_spans.get(&index) else { continue };
            self.lint_call(one, span, &mut found);
        }
        self.lint_served(&mut found);
        self.lint_depth(&mut found);
        self.lint_frozen(&mut found);
        self.warn(found);
    }

    fn warn(&mut self, found: Vec<Diagnostic>) {
        for warning in found {
            // A warning spoils nothing.
            let is_partial = self.is_partial;
            self.report(warning);
            self.is_partial = is_partial;
        }
    }

    /// A loop of the network itself that never turns; in a function it may be the call that asks for no turn.
    pub(super) fn lint_turns(&mut self, over: &Iteration) {
        if self.frames.len() > 1 {
            return;
        }
        let warning = Diagnostic::warning(EMPTY_LOOP, over.span(), "this loop has no turns");
        self.warn(vec![match over {
            Iteration::Range { .. } => {
                warning.help("a range runs upwards and ends before its second number: write `0..3` for three turns")
            }
            Iteration::List { .. } => warning.help("name what it runs over, such as `[64, 32]`, or remove it"),
        }]);
    }

    /// Looks for what changes with the chunks that rows come in: at evaluation time, for in training rows may meet.
    pub(super) fn lint_rows(&mut self) {
        let mut found = Vec::new();
        for report in self.network.reports.iter().filter(|report| !report.is_whole) {
            let Some(&span) = self.measured.get(report.name.as_str()) else { continue };
            let message = format!("`{}` of an epoch or an evaluation is the mean of its batches' values", report.name);
            let warning = Diagnostic::warning(MEAN_OF_CHUNKS, span, message);
            found.push(warning.help("write a formula of `mean(…)` and `sum(…)` over rows, each of which is measured by itself"));
        }
        let last = self.network.predicts.iter().map(|(_, node)| *node).max();
        let rows = last.map(|last| RowsOf::up_to(self.network.builder.graph(), last));
        for ((name, node), &span) in self.network.predicts.iter().zip(&self.served) {
            if rows.as_ref().is_some_and(|rows| !rows.stands_alone(*node)) {
                let message = format!("`{name}` of a row hangs on the other rows that it is served with");
                let warning = Diagnostic::warning(ROWS_TOGETHER, span, message);
                found.push(warning.help("compute it along other axes than that of the rows, which is axis 0"));
            }
        }
        self.warn(found);
    }

    fn lint_call(&self, one: &Use, span: Span, found: &mut Vec<Diagnostic>) {
        let before = self.maker(one.input);
        let before_name = before.map_or("", |(before, _)| before.function.name);
        let because = |warning: Diagnostic| match before {
            Some((_, place)) => warning.because(place, format!("`{before_name}` is here")),
            None => warning,
        };
        match one.function.name {
            "batch_norm" if before_name == "dropout" => {
                let message = "dropout right before batch_norm: the running moments are those of training";
                let warning = because(Diagnostic::warning(DROPOUT_BEFORE_BATCH_NORM, span, message));
                found.push(warning.help("put `dropout` behind `batch_norm`"));
            }
            "batch_norm" if before.is_some_and(|(before, _)| has_asked_bias(before) && self.is_normalised(before, one)) => {
                let message = "batch_norm takes the bias before it out again";
                let warning = because(Diagnostic::warning(BIAS_BEFORE_BATCH_NORM, span, message));
                found.push(warning.help("leave `bias = true` out"));
            }
            "selu" => found.extend(self.without_lecun(one, span)),
            "mean" | "sum" if self.is_minimized(one) && self.is_signed_error(one.input) => {
                let message = "the differences are added with their signs: this can be lowered without end";
                let warning = Diagnostic::warning(MINIMIZED_MEAN_ERROR, span, message);
                found.push(warning.help("take `abs()` of the difference before, or write `mean_squared_error`"));
            }
            _ if one.function.family == Family::Loss => {
                let before = before.map(|(before, _)| before);
                found.extend(softmax_twice(one, span, before_name).map(because));
                found.extend(before.and_then(|before| no_softmax(one, span, before)).map(because));
                if one.function.is_distance {
                    found.extend(self.distance(one, span, before_name));
                }
                if before_name == "relu" {
                    let message = format!("relu right before {} cuts off what lies below 0", one.function.name);
                    found.push(because(Diagnostic::warning(RELU_BEFORE_LOSS, span, message)).help("leave `relu` out"));
                }
            }
            _ => {}
        }
        // Advice on what a penalty does waits until the network stands.
        if !self.diagnostics.has_errors() {
            found.extend(self.unscaled(one, span));
        }
        if one.function.name == "mean_error" && self.is_minimized(one) {
            let message = "a mean error can be lowered without end, since signs cancel";
            found.push(Diagnostic::warning(MINIMIZED_MEAN_ERROR, span, message).help("write `mean_squared_error`"));
        }
    }

    /// Whether batch norm goes along the axis that the weight before it makes.
    fn is_normalised(&self, before: &Use, one: &Use) -> bool {
        feature_axis(&self.network, one.input, &one.call).is_ok_and(|axis| self.network.makes(before, axis))
    }

    fn is_minimized(&self, one: &Use) -> bool {
        self.network.loss.is_some_and(|loss| loss == one.output)
    }

    /// `y - p` or `p - y` for a target y.
    fn is_signed_error(&self, node: NodeId) -> bool {
        let graph = self.network.builder.graph();
        let Node { primitive: Primitive::Sub, operands, .. } = graph.node(node) else { return false };
        operands.iter().any(|operand| graph.node(*operand).primitive == Primitive::Target)
    }

    /// Parameters there are, and none that moves.
    fn lint_frozen(&self, found: &mut Vec<Diagnostic>) {
        let Some(&span) = self.stated.get("using") else { return };
        if let Some(name) = self.idle {
            let message = "no line of this optimizer sets `theta` to anything new: training changes nothing";
            let warning = Diagnostic::warning(NOTHING_TRAINED, name, message).because(span, "used here");
            found.push(warning.help("add a line such as `theta = theta - rate * gradient;`"));
        }
        let mut learned = self.network.learned().peekable();
        if learned.peek().is_none() || self.network.loss.is_none() || !learned.all(|one| one.wanted.frozen) {
            return;
        }
        let warning = Diagnostic::warning(NOTHING_TRAINED, span, "every parameter is frozen: training changes nothing");
        found.push(warning.help("leave `frozen = true` out of the layers that are to learn"));
    }

    /// The call that made a value, and where it stands.
    fn maker(&self, node: NodeId) -> Option<(&Use, Span)> {
        let index = self.makers.get(&node)?;
        self.use_spans.get(index).map(|span| (&self.network.uses[*index], *span))
    }

    /// The last call that made each value; one that hands its receiver on made nothing.
    fn find_makers(&mut self) {
        let made = self.network.uses.iter().enumerate().filter(|(_, one)| one.output != one.input);
        self.makers = made.map(|(index, one)| (one.output, index)).collect();
    }

    fn without_lecun(&self, one: &Use, span: Span) -> Option<Diagnostic> {
        let mut node = one.input;
        loop {
            let (before, place) = self.maker(node)?;
            if before.function.transparent {
                node = before.input;
                continue;
            }
            let init = before.call.inner("init")?;
            if init.name.starts_with("lecun") {
                return None;
            }
            let message = format!("selu keeps its promise with lecun weights only, and these are `{}`", init.name);
            let warning = Diagnostic::warning(SELU_WITHOUT_LECUN, span, message).because(place, "the weights are made here");
            return Some(warning.help("leave `init` out, or write `init = lecun`"));
        }
    }

    fn distance(&self, one: &Use, span: Span, before: &str) -> Option<Diagnostic> {
        let target = one.call.tensor("y")?;
        let is_class = matches!(self.network.builder.ty(target).element, Element::Class(_));
        let is_one_hot = self.maker(target).is_some_and(|(maker, _)| maker.function.name == "one_hot");
        let what = match (is_class, before) {
            (true, _) => "the numbers of classes",
            (false, "softmax") if is_one_hot => "probabilities",
            _ if is_one_hot => "classes",
            (false, "softmax") => "probabilities",
            _ => return None,
        };
        let message = format!("{} measures distances between {what}", one.function.name);
        Some(Diagnostic::warning(ERROR_ON_CLASSES, span, message).help("write `cross_entropy` on logits"))
    }

    /// Weights that something pulls to 0, on an input as it is.
    fn unscaled(&self, one: &Use, span: Span) -> Option<Diagnostic> {
        let weights = self.network.parameters.get(one.parameters.clone())?.iter().filter(|learned| learned.wanted.penalised);
        let force = weights.filter_map(|learned| self.force(learned)).next()?;
        let input = self.unscaled_input(one.input)?;
        let message =
            format!("{force} acts on weights that read `{}` as it is: how much it does depends on the unit", input.name);
        let warning = Diagnostic::warning(PENALTY_ON_UNSCALED, span, message);
        let warning = match self.made.get(&input.node) {
            Some(made) => warning.because(made.span, "nothing scales it on the way"),
            None => warning,
        };
        Some(warning.help(format!("write `{}.standardize()`, or divide it by what it measures", input.name)))
    }

    /// What pulls a parameter to 0: a penalty, or the optimizer's decay.
    fn force(&self, learned: &Learned) -> Option<&'static str> {
        if let Some(applied) = penalties_of(&self.network, learned).first() {
            return Some(applied.penalty.name);
        }
        let is_zero = |node: NodeId| {
            let setting = self.network.settings.iter().find(|setting| setting.node == node);
            setting.map(|setting| setting.value).or(self.network.builder.graph().constant(node)) == Some(0.0)
        };
        let asked = self.network.optimizer.as_ref()?.call.get("weight_decay")?;
        let decays = match (learned.wanted.weight_decay, asked) {
            (Some(own), _) => !is_zero(own),
            (None, Argument::Tensor(node)) => !is_zero(*node),
            (None, other) => !matches!(other, Argument::Number(0.0)),
        };
        (decays && learned.wanted.decayed && !learned.wanted.frozen).then_some("weight_decay")
    }

    /// The input that a value is, read in another order or shape at most. Classes have no unit.
    fn unscaled_input(&self, mut node: NodeId) -> Option<&Source> {
        let graph = self.network.builder.graph();
        loop {
            if let Some(input) = self.network.inputs.iter().find(|input| input.node == node) {
                return Some(input).filter(|input| input.ty.element.is_real());
            }
            let Node { primitive, operands, .. } = graph.node(node);
            match (&ops::record(*primitive).lowering, &operands[..]) {
                (Lowering::View, [operand, ..]) => node = *operand,
                _ => return None,
            }
        }
    }

    fn lint_served(&self, found: &mut Vec<Diagnostic>) {
        for (_, node) in &self.network.predicts {
            let Some((one, span)) = self.maker(*node) else { continue };
            // After a loss on the same value it was said already.
            let is_measured = self.network.uses.iter().any(|other| other.input == *node && other.function.family == Family::Loss);
            if one.function.name == "relu" && !is_measured {
                let message = "what is served is cut off below 0 by relu";
                found.push(Diagnostic::warning(RELU_BEFORE_LOSS, span, message).help("leave `relu` out"));
            }
        }
    }

    /// The longest way through sigmoids, counted along the graph.
    fn lint_depth(&self, found: &mut Vec<Diagnostic>) {
        let graph = self.network.builder.graph();
        let mut depth = vec![0_usize; graph.nodes.len()];
        for id in graph.ids() {
            let node = graph.node(id);
            let below = node.operands.iter().map(|operand| depth[operand.index()]).max().unwrap_or(0);
            depth[id.index()] = below + usize::from(node.primitive == Primitive::Sigmoid);
        }
        let deepest = self.network.uses.iter().enumerate().filter(|(_, one)| one.function.name == "sigmoid");
        let deep = deepest.filter(|(_, one)| depth[one.output.index()] >= DEEP).min_by_key(|(_, one)| depth[one.output.index()]);
        let Some((index, one)) = deep else { return };
        let Some(&span) = self.use_spans.get(&index) else { return };
        let message = format!("{} sigmoids stand one behind the other: gradients vanish", depth[one.output.index()]);
        found.push(Diagnostic::warning(DEEP_SIGMOIDS, span, message).help("write `relu`, or put `batch_norm` between"));
    }
}

fn has_asked_bias(one: &Use) -> bool {
    matches!(one.call.get("bias"), Some(Argument::Flag(true)))
}

/// Whether a loss is told to take probabilities as they come.
fn takes_probabilities(one: &Use) -> bool {
    one.call.word("from") == Some("probabilities")
}

/// A loss that takes a softmax or a sigmoid behind one.
fn softmax_twice(one: &Use, span: Span, before: &str) -> Option<Diagnostic> {
    let (what, help) = match (one.function.name, before) {
        _ if takes_probabilities(one) => return None,
        ("cross_entropy", "softmax") => ("softmax", "leave `softmax` out, or write `from = probabilities`"),
        ("cross_entropy", "log_softmax") => ("softmax", "leave `log_softmax` out, or write `negative_log_likelihood`"),
        ("binary_cross_entropy", "sigmoid") => ("sigmoid", "leave `sigmoid` out, or write `from = probabilities`"),
        _ => return None,
    };
    let message = format!("{} takes the {what} itself, and `{before}` took it already", one.function.name);
    Some(Diagnostic::warning(SOFTMAX_BEFORE_LOSS, span, message).help(help))
}

/// A loss on probabilities or their logarithms behind a call that gives other numbers.
fn no_softmax(one: &Use, span: Span, before: &Use) -> Option<Diagnostic> {
    let (name, before_name) = (one.function.name, before.function.name);
    let is_layer = before.function.width.is_some();
    let (asked, what, help) = match name {
        "cross_entropy" | "binary_cross_entropy" if is_layer && takes_probabilities(one) => {
            ("is told `from = probabilities`", "numbers of any size", "leave `from = probabilities` out")
        }
        "negative_log_likelihood" | "kl_divergence" if before_name == "softmax" => {
            ("takes logarithms of probabilities", "the probabilities themselves", "write `log_softmax` in place of `softmax`")
        }
        "negative_log_likelihood" if is_layer => {
            let help = "write `cross_entropy`, which takes the softmax and the logarithm itself";
            ("takes logarithms of probabilities", "numbers of any size", help)
        }
        "kl_divergence" if is_layer => {
            ("takes logarithms of probabilities", "numbers of any size", "write `.log_softmax()` before it")
        }
        _ => return None,
    };
    let message = format!("{name} {asked}, and `{before_name}` gives {what}");
    Some(Diagnostic::warning(NO_SOFTMAX_BEFORE_LOSS, span, message).help(help))
}

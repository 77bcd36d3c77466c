//! Whether what was elaborated for training and for evaluation is one network.

use crate::base::diagnostics::Diagnostic;
use crate::base::place::Span;
use crate::nn::Network;
use crate::nn::times::agree;

/// The mistake of two networks that are not one at its two times, such as a layer that is wider in training.
pub fn disagreement(training: &Network, evaluation: &Network) -> Option<Diagnostic> {
    let fault = agree(training, evaluation).err()?;
    let parameter = evaluation.parameters.iter().find(|own| fault.value == Some(own.node));
    let span = parameter.and_then(|own| start(&own.place)).unwrap_or(Span::UNKNOWN);
    Some(Diagnostic::error(fault.code, span, fault.message).help(fault.help))
}

/// The character that a place of a graph names, `digits.net:9:25`.
fn start(place: &str) -> Option<Span> {
    let mut parts = place.rsplit(':').map(|part| part.parse::<u32>().ok());
    let (column, line) = (parts.next()??, parts.next()??);
    Some(Span::new((line, column), (line, column + 1)))
}

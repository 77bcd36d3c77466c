//! Training and evaluation are two graphs over one set of data and parameters: what evaluation reads, training has made.

use super::fault::{CANNOT_BUILD, NOT_TRAINED, SHARED_DIFFERS};
use super::parameters::{Learned, Source};
use super::{Fault, Network};

/// Whether two networks are one at its two times. `if training` may leave parameters out, but not make others.
///
/// # Errors
/// Another input, target or parameter in evaluation, or one of another type; it is about a node of the evaluation.
pub fn agree(training: &Network, evaluation: &Network) -> Result<(), Fault> {
    let fields = |network: &Network| -> Vec<String> {
        let shown = |source: &Source| format!("`{}: {}`", source.name, source.ty);
        network.inputs.iter().chain(&network.targets).map(shown).collect()
    };
    let (in_training, in_evaluation) = (fields(training), fields(evaluation));
    if in_training != in_evaluation {
        let [here, there] = [in_training, in_evaluation].map(|fields| fields.join(", "));
        let message = format!("the inputs and targets are {here} in training and {there} in evaluation");
        return Err(Fault::new(CANNOT_BUILD, message).help("declare the same at both times"));
    }
    evaluation.parameters.iter().try_for_each(|own: &Learned| {
        let trained = training.parameters.iter().find(|learned| learned.name == own.name);
        match trained {
            Some(learned) if learned.shape == own.shape => Ok(()),
            Some(learned) => {
                let message = format!("`{}` is {} in training and {} in evaluation", own.name, learned.shape, own.shape);
                Err(Fault::new(SHARED_DIFFERS, message).help("give it one shape, or the two different names").about(own.node))
            }
            None => {
                let message = format!("`{}` is there in evaluation only, where nothing trains it", own.name);
                Err(Fault::new(NOT_TRAINED, message).help("make it outside of `if training`").about(own.node))
            }
        }
    })
}

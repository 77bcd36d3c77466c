//! Scalars of a diagnosis while a run goes on: room for them is there before the first step.

use super::{Diagnosis, Figures, Moment};
use crate::compiled::Compiled;
use crate::workspace::Workspace;
use gradc_compiler::diagnosis::{FIGURES, Layer, layers, output};
use gradc_compiler::loops::BufferId;

/// Most steps that are kept. When there are more, every second one goes, and from then on every second one comes.
const MOST: usize = 1024;

/// Numbers of a step before its figures: step and loss.
const FIRST: usize = 2;

/// What is kept of a run.
#[derive(Debug)]
pub(crate) struct Recorder {
    network: String,
    layers: Vec<Layer>,
    loss: Option<BufferId>,
    /// By layer, then by figure.
    figures: Vec<Option<BufferId>>,
    /// Rows of step, loss, figures.
    rows: Vec<f64>,
    /// The last step's row, which need not be among the others.
    latest: Vec<f64>,
    /// Steps seen, and of how many one is kept.
    seen: u64,
    stride: u64,
}

impl Recorder {
    /// For a run of so many steps; `None` if the step was not compiled to diagnose.
    pub(crate) fn new(compiled: &Compiled, steps: u64) -> Option<Recorder> {
        let network = &compiled.front.networks.0;
        if !network.diagnoses {
            return None;
        }
        let layers = layers(network);
        let find = |name: &str| compiled.assembled.outputs.get(&format!("train.{name}")).copied();
        let all = (0..layers.len()).flat_map(|layer| FIGURES.map(|figure| find(&output(layer, figure))));
        let figures: Vec<_> = all.collect();
        let width = FIRST + figures.len();
        let most = usize::try_from(steps).map_or(MOST, |steps| steps.min(MOST));
        Some(Recorder {
            network: network.name.clone(),
            layers,
            loss: find("loss"),
            figures,
            rows: Vec::with_capacity(most * width),
            latest: Vec::with_capacity(width),
            seen: 0,
            stride: 1,
        })
    }

    fn width(&self) -> usize {
        FIRST + self.figures.len()
    }

    /// After a batch of a step. Of a step that takes several batches the last is kept.
    pub(crate) fn stepped(&mut self, workspace: &Workspace, step: u64) {
        if self.latest.first().is_some_and(|latest| *latest != step as f64) {
            self.keep();
        }
        self.latest.clear();
        let value = |buffer: &Option<BufferId>| {
            let value = buffer.and_then(|buffer| workspace.output(buffer).first().copied());
            value.map_or(f64::NAN, f64::from)
        };
        self.latest.extend([step as f64, value(&self.loss)]);
        self.latest.extend(self.figures.iter().map(value));
    }

    /// Puts the latest row to the others, if its turn has come.
    fn keep(&mut self) {
        let (width, number) = (self.width(), self.seen);
        self.seen += 1;
        if !number.is_multiple_of(self.stride) {
            return;
        }
        if self.rows.len() == MOST * width {
            for row in 0..MOST / 2 {
                self.rows.copy_within(2 * row * width..(2 * row + 1) * width, row * width);
            }
            self.rows.truncate(MOST / 2 * width);
            self.stride *= 2;
            if !number.is_multiple_of(self.stride) {
                return;
            }
        }
        self.rows.extend_from_slice(&self.latest);
    }

    /// The rows as values.
    pub(crate) fn finish(self) -> Diagnosis {
        let moment = |row: &[f64]| {
            let figures = |layer: usize| {
                let place = |figure: usize| layer * FIGURES.len() + figure;
                Figures::of(|wanted| {
                    let figure = FIGURES.iter().position(|figure| *figure == wanted)?;
                    self.figures[place(figure)].map(|_| row[FIRST + place(figure)])
                })
            };
            Moment { step: row[0] as u64, loss: row[1], layers: (0..self.layers.len()).map(figures).collect() }
        };
        let rows = self.rows.chunks(self.width()).chain(self.latest.chunks(self.width()));
        let steps = rows.map(moment).collect();
        Diagnosis { network: self.network, layers: self.layers, steps, failure: None }
    }
}

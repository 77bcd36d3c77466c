//! Blessed texts: what a reviewer has read and found right stands beside its case in `tests/cases`.
//!
//! `BLESS=1 cargo test -p gradc-compiler` writes them anew; the difference is reviewed like any other change.

use crate::graph::Root;
use crate::graph::text::{number, print};
use crate::nn::{Network, choice};
use crate::step::pruned;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The texts of a folder below `tests/cases`, in the order of their names.
pub fn texts(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases").join(folder);
    let entries = fs::read_dir(&folder).expect("the folder of cases can be read");
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "net"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("a case is a text"))).collect()
}

/// Compares with what was blessed, or blesses.
pub fn check(path: &Path, found: &str, failures: &mut Vec<String>) {
    if std::env::var_os("BLESS").is_some() {
        return fs::write(path, found).expect("a blessed text can be written");
    }
    let blessed = fs::read_to_string(path).unwrap_or_default();
    if blessed != found {
        let difference = blessed.lines().zip(found.lines()).find(|(a, b)| a != b);
        failures.push(format!("{}: {difference:?}\n{found}", path.display()));
    }
}

/// Fails with everything that differs, and says how to bless it.
pub fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "{}\nBLESS=1 cargo test -p gradc-compiler writes them", failures.join("\n"));
}

/// Settings, parameters with their initialisers, and the graph of what is asked for.
pub fn shown(network: &Network, origins: bool) -> String {
    let mut text = String::new();
    for setting in &network.settings {
        let declared = if setting.declared { "" } else { "    ; unnamed" };
        let _ = writeln!(text, "setting {} = {}{declared}", setting.name, number(setting.value));
    }
    for learned in network.learned() {
        let initial = choice::show(&choice::choose(network, learned).initializer);
        let _ = writeln!(text, "parameter {} : {} = {initial}", learned.name, learned.shape);
    }
    for penalty in &network.penalties {
        let _ = writeln!(text, "penalty {}", penalty.penalty.name);
    }
    if let Some(optimizer) = &network.optimizer {
        let clips: String = optimizer.clips.iter().map(|clip| format!(".{}", clip.clip.name)).collect();
        let _ = writeln!(text, "using {}{clips}: {}", optimizer.rule.name(), optimizer.rule.formula(&optimizer.call));
    }
    let mut graph = network.builder.graph().clone();
    let output = |name: &str, node| Root::Output { name: name.to_owned(), node };
    graph.roots = network.predicts.iter().map(|(name, node)| output(name, *node)).collect();
    graph.roots.extend(network.loss.map(|node| output("loss", node)));
    graph.roots.extend(network.reports.iter().map(|report| output(&report.name, report.node)));
    graph.roots.extend(network.next_states.iter().map(|&(source, node)| Root::Update { source, node }));
    text + &print(&pruned(&graph), origins)
}

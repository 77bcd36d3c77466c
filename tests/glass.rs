//! What the compiler tells about itself: every byte has a use, and one page leads from the source to each instruction.

use crate::networks::{Digits, Mixed};
use gradc::compiler::codegen::text::Shares;
use gradc::compiler::explain::{life, page::Page};
use gradc::{Declaration, Model, Options};
use std::process::Command;

/// Per cent of a program's bytes that lead back to a node, or to a kernel that is run. Least where a program is little but kernels of one
/// product each, as an orthogonal initialiser's are: a fifth of those is their frame.
const PLACED: f64 = 88.0;

fn compiled(declaration: &Declaration) -> Model {
    Model::from_declaration(declaration, &Options { text: true, ..Options::default() }).expect("it compiles")
}

fn declarations() -> Vec<Declaration> {
    let mut all: Vec<Declaration> =
        [Digits::declaration(), Mixed::declaration()].into_iter().map(|declared| declared.expect("no mistake")).collect();
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for name in ["xor", "images", "sequences", "clipped"] {
        let text = std::fs::read_to_string(cases.join(format!("{name}.net"))).expect("the case is there");
        let source = gradc::compiler::base::place::Source::new(name, &text);
        all.push(Declaration::parse(source).expect("no mistake"));
    }
    all
}

#[test]
fn every_byte_belongs_to_a_function_and_most_to_a_node() {
    for declaration in declarations() {
        let model = compiled(&declaration);
        let mut all = Vec::new();
        for function in model.functions() {
            let lines = &function.text.as_ref().expect("text was asked for").lines;
            let mut end = 0;
            for line in lines {
                assert_eq!(line.offset, end, "{}: a gap before `{}`", function.name, line.text);
                end += line.size;
            }
            assert_eq!(end, function.size, "{}", function.name);
            all.extend(lines.clone());
        }
        let shares = Shares::of(&all);
        assert!(shares.percent() >= PLACED, "{}: {shares}\n{}", model.name(), life::bytes(model.functions()));
    }
}

#[test]
fn nodes_that_instructions_serve_are_in_their_graph() {
    let model = compiled(&Digits::declaration().expect("no mistake"));
    for unit in &model.assembled().units {
        for kernel in &unit.memory.kernels {
            let text = model.functions()[*kernel as usize].text.as_ref().expect("text was asked for");
            for line in &text.lines {
                if let gradc::compiler::codegen::Serves::Node(node) = line.serves {
                    assert!((node as usize) < unit.graph.nodes.len(), "%{node} in kernel {kernel}");
                }
            }
        }
    }
}

/// The page of the digits as a headless Chromium leaves it, opened at a line; `None` if there is no Chromium.
fn opened(page: &std::path::Path, at: &str) -> Option<String> {
    let address = format!("file://{}#{at}", page.display());
    let arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom", &address];
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .find_map(|name| Command::new(name).args(arguments).output().ok())?;
    Some(String::from_utf8_lossy(&browser.stdout).into_owned())
}

/// Lines of a panel that are lit up.
fn lit<'a>(dom: &'a str, panel: &str) -> Vec<&'a str> {
    let inside = dom.split(&format!("<section id=\"{panel}\"")).nth(1).expect("the page has the panel");
    let inside = inside.split("</section>").next().unwrap_or(inside);
    inside.split("\n").filter(|line| line.contains("class=\"lit") || line.contains("class=\"node lit")).collect()
}

#[test]
fn a_page_leads_from_a_line_of_the_source_to_its_instructions_and_back() {
    let declaration = Digits::declaration().expect("no mistake");
    let model = compiled(&declaration);
    let page = Page {
        front: model.front(),
        assembled: model.assembled(),
        functions: model.functions(),
        source: declaration.source(),
        target: "test",
        notes: &["hidden.dense.weight: 12.5 % exact zeros".to_owned()],
    };
    let html = page.html();
    assert!(html.contains("<p>hidden.dense.weight: 12.5 % exact zeros</p>"));
    assert!(html.len() < 2_000_000, "{} bytes", html.len());
    assert!(!html.replace("http://www.w3.org/2000/svg", "").contains("http"), "the page asks for nothing");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("digits.html");
    std::fs::write(&file, html).expect("it is written");
    // Lines that nodes come from: inputs, standardize, hidden, …
    let Some(dom) = opened(&file, "source:3") else {
        eprintln!("skipped: there is no Chromium to open the page with");
        return;
    };
    assert!(lit(&dom, "source").iter().any(|line| line.contains("dense(128)")), "{:?}", lit(&dom, "source"));
    assert!(lit(&dom, "graph").iter().any(|line| line.contains("contract")));
    assert!(lit(&dom, "loops").iter().any(|line| line.contains("product")));
    assert!(!lit(&dom, "memory").is_empty());
    assert!(lit(&dom, "assembly").iter().any(|line| line.contains("call")), "the product is called");
    // And back, from one instruction.
    let dom = opened(&file, "assembly:200").expect("it was there before");
    assert_eq!(lit(&dom, "source").len(), 1);
    assert_eq!(lit(&dom, "graph").len(), 1);
    assert!(!lit(&dom, "loops").is_empty());
}

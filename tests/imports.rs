//! The import graph of `src/`, read from the sources by `syn`: no circle, no upward import, no long function, no long file.
//!
//! `cargo test --test imports -- --nocapture` prints the graph. Tests (`#[cfg(test)]`) may import what they like.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, and this one prints"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::Visit;

/// A module's path below `crate`.
type Module = Vec<String>;
/// Files by name below `src/`, each with the files it imports from.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Rooms from the top down: a room may import from those below it and from itself, never from those above.
const ROOMS: [&str; 35] = [
    "main.rs",
    "app.rs",
    "connect.rs",
    "api/fuzz.rs",
    "api/document.rs",
    "api/serve.rs",
    "api/routes.rs",
    "api/near_routes.rs",
    "api/handlers/",
    "api/doc_formats/",
    "api/tool_docs/",
    "api/models/",
    "api/side_by_side.rs",
    "api/invoke.rs",
    "api/argument_check.rs",
    "api/fan_out.rs",
    "api/response/",
    "api/request/",
    "api/offloaded.rs",
    "api/state.rs",
    "api/openapi/",
    "api/error/",
    "api/paths.rs",
    "demo",
    "mcp/",
    "schema/",
    "caller_connection.rs",
    "shutdown.rs",
    "descriptors.rs",
    "logging",
    "config/",
    "uri_template.rs",
    "offload.rs",
    "yaml.rs",
    "json.rs",
];
const MOST_LINES_OF_A_FILE: usize = 450;
const MOST_LINES_OF_A_FUNCTION: usize = 70;

struct Source {
    /// Below `src/`.
    name: String,
    module: Module,
    lines: usize,
    syntax: syn::File,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: Vec<Source> = paths_below(&root)
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source can be read");
            let below = path.strip_prefix(&root).expect("it is below src");
            Source {
                name: below.to_string_lossy().into_owned(),
                module: module_of(below),
                lines: text.lines().count(),
                syntax: syn::parse_file(&text).expect("a source can be parsed"),
            }
        })
        .collect();
    let tests: BTreeSet<Module> = found.iter().flat_map(test_modules).collect();
    found.retain(|source| !tests.iter().any(|test| source.module.starts_with(test)));
    found
}

fn paths_below(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).expect("a folder of sources can be listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let sources = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "rs"));
    sources
        .chain(folders.iter().flat_map(|folder| paths_below(folder)))
        .collect()
}

fn module_of(file: &Path) -> Module {
    let mut module: Module = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if matches!(
        module.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        module.pop();
    }
    module
}

/// Modules in files of their own that are there for tests alone.
fn test_modules(source: &Source) -> Vec<Module> {
    let modules = source.syntax.items.iter().filter_map(|item| match item {
        syn::Item::Mod(item) if is_for_tests(&item.attrs) => Some(item.ident.to_string()),
        _ => None,
    });
    modules
        .map(|name| [source.module.clone(), vec![name]].concat())
        .collect()
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

// === the graph ===

/// Collects every path of one file that leads into this crate, and how long its functions are.
struct Reader<'a> {
    /// The module that the code at hand is in.
    here: Module,
    files: &'a BTreeMap<Module, String>,
    imports: BTreeSet<String>,
    long_functions: Vec<(String, usize)>,
}

impl Reader<'_> {
    /// The file behind a path: that of its longest beginning which is a module in a file of its own.
    fn note(&mut self, path: &[String]) {
        // `self` alone is a value, `crate` alone a visibility.
        if path.len() < 2 {
            return;
        }
        let mut rest = path;
        let mut module = match rest.split_first() {
            Some((first, after)) if first == "crate" => {
                rest = after;
                Vec::new()
            }
            Some((first, _)) if first == "self" || first == "super" => self.here.clone(),
            _ => return,
        };
        while let Some((first, after)) = rest.split_first()
            && (first == "self" || first == "super")
        {
            if first == "super" {
                module.pop();
            }
            rest = after;
        }
        module.extend_from_slice(rest);
        while !self.files.contains_key(&module) && module.pop().is_some() {}
        self.imports.extend(self.files.get(&module).cloned());
    }

    fn note_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.note_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.note(&with(&name.ident)),
            syn::UseTree::Rename(rename) => self.note(&with(&rename.ident)),
            syn::UseTree::Glob(_) => self.note(before),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.note_tree(before, tree);
                }
            }
        }
    }

    /// Paths among tokens that are no syntax yet: arguments of macros and attributes.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note(&std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                other => {
                    self.note(&std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.note_tokens(group.stream());
                    }
                }
            }
        }
        self.note(&path);
    }

    /// From the signature on: attributes and documentation do not count.
    fn measure(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let lines = body.span().end().line + 1 - signature.span().start().line;
        if lines > MOST_LINES_OF_A_FUNCTION {
            let name = signature.ident.to_string();
            self.long_functions.push((name, lines));
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_for_tests(&item.attrs) {
            return;
        }
        self.here.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.here.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        self.note(&names.collect::<Vec<_>>());
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.note_tokens(call.tokens.clone());
        syn::visit::visit_macro(self, call);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.note_tokens(list.tokens.clone());
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if is_for_tests(&function.attrs) {
            return;
        }
        self.measure(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if is_for_tests(&function.attrs) {
            return;
        }
        self.measure(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }
}

/// The import graph, and functions that are too long.
fn read() -> (Graph, Vec<String>) {
    let sources = sources();
    let modules = sources.iter().filter(|source| source.name != "main.rs");
    let files: BTreeMap<Module, String> = modules
        .map(|source| (source.module.clone(), source.name.clone()))
        .collect();
    let mut graph = Graph::new();
    let mut long = Vec::new();
    for source in &sources {
        let mut reader = Reader {
            here: source.module.clone(),
            files: &files,
            imports: BTreeSet::new(),
            long_functions: Vec::new(),
        };
        reader.visit_file(&source.syntax);
        reader.imports.remove(&source.name);
        graph.insert(source.name.clone(), reader.imports);
        let functions = reader.long_functions.iter();
        long.extend(
            functions.map(|(name, lines)| format!("{}: {name}: {lines} lines", source.name)),
        );
    }
    (graph, long)
}

/// Files from which `from` can be reached along imports, and which it reaches: its circle, without those that have none.
fn circles(graph: &Graph) -> BTreeSet<BTreeSet<&str>> {
    let reachable = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut to_see: Vec<&str> = vec![from];
        while let Some(file) = to_see.pop() {
            for next in graph.get(file).into_iter().flatten() {
                if seen.insert(next.as_str()) {
                    to_see.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = graph
        .keys()
        .map(|file| (file.as_str(), reachable(file)))
        .collect();
    let circle = |file: &&str| -> BTreeSet<&str> {
        let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|all| all.contains(to));
        let others = reached.keys().copied();
        others
            .filter(|other| reaches(file, other) && reaches(other, file))
            .collect()
    };
    reached
        .keys()
        .map(circle)
        .filter(|circle| !circle.is_empty())
        .collect()
}

/// The room of a file, counted from the top.
fn room(file: &str) -> (usize, &'static str) {
    let fitting = ROOMS
        .iter()
        .enumerate()
        .filter(|(_, room)| file.starts_with(**room));
    let (place, room) = fitting
        .max_by_key(|(_, room)| room.len())
        .expect("every file has a room");
    (place, room)
}

// === the rules ===

#[test]
fn no_file_imports_itself_through_others() {
    let (graph, _) = read();
    for (file, imports) in &graph {
        let imports: Vec<&str> = imports.iter().map(String::as_str).collect();
        println!("{file} -> {}", imports.join(", "));
    }
    let circles = circles(&graph);
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn no_room_imports_from_a_room_above_it() {
    let (graph, _) = read();
    let mut upward = Vec::new();
    for (file, imports) in &graph {
        for import in imports {
            let ((here, _), (there, _)) = (room(file), room(import));
            if there < here {
                upward.push(format!("{file} -> {import}"));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn functions_and_files_are_short() {
    let (_, mut long) = read();
    let files = sources()
        .into_iter()
        .filter(|source| source.lines > MOST_LINES_OF_A_FILE);
    long.extend(files.map(|source| format!("{}: {} lines", source.name, source.lines)));
    assert!(long.is_empty(), "{long:#?}");
}

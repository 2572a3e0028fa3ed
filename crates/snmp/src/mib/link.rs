//! From drafts of modules to lines of the table: looks names up in the module itself, along its imports, in
//! the modules loaded with it and in the built-in ones.
//!
//! Vendors' files often forget an import or name a module by an older name, so that a name which its imports
//! don't lead to is taken from whoever defines it. What can't be found is left out and reported.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

use super::files::{MibDiagnostic, MibFile, ModuleChoice};
use super::read::{Draft, DraftArc, DraftDetail, DraftIndex, DraftNode, DraftSyntax, module_names, read_modules};
use super::table::NodeKind;
use super::{Mib, MibNode};
use crate::limits::{MAX_IMPORT_HOPS, MAX_MIB_DIAGNOSTICS};
use crate::oid::Oid;

/// What a set of MIB files says, as a table.
#[derive(Debug)]
pub struct CompiledTable {
    /// The table's text, sorted; see the format in the module's source.
    pub text: String,
    /// The modules in it, sorted.
    pub modules: Vec<String>,
    /// What was left out, and why.
    pub diagnostics: Vec<MibDiagnostic>,
}

/// Makes a table of MIB files. Of files with the same module the first counts. Names that the files don't
/// define are looked up in `built_in`, whose modules are replaced only by undamaged text.
pub fn compile_table(files: &[MibFile], choice: &ModuleChoice, built_in: Option<&Mib>) -> CompiledTable {
    let mut diagnostics = Diagnostics::default();
    let mut drafts = drafts(files, choice, &mut diagnostics);
    drafts.retain(|draft| {
        let keep = !draft.damaged || built_in.is_none_or(|mib| mib.module_index(&draft.name).is_none());
        if !keep {
            diagnostics.add(
                &draft.file,
                None,
                format!("using the built-in {} instead of this damaged one", draft.name),
            );
        }
        keep
    });
    drafts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut linker = Linker::new(&drafts, built_in, diagnostics);
    linker.resolve_oids();
    let text: String = (0..drafts.len()).map(|draft| linker.section(draft)).collect();
    let modules = drafts.iter().map(|draft| draft.name.clone()).collect();
    CompiledTable { text, modules, diagnostics: linker.diagnostics.finish() }
}

/// Reads the chosen modules and those that they import from.
fn drafts(files: &[MibFile], choice: &ModuleChoice, diagnostics: &mut Diagnostics) -> Vec<Draft> {
    let mut where_is: BTreeMap<String, usize> = BTreeMap::new();
    for (at, file) in files.iter().enumerate() {
        match module_names(file) {
            Ok(names) => {
                let looks_like_mib = file.text.windows(3).any(|window| window == b"::=");
                if names.is_empty() && looks_like_mib && *choice == ModuleChoice::All {
                    diagnostics.add(&file.label, None, "no MIB module found in this file".to_owned());
                }
                for name in names {
                    where_is.entry(name).or_insert(at);
                }
            }
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    let mut wanted: Vec<String> = match choice {
        ModuleChoice::All => where_is.keys().cloned().collect(),
        ModuleChoice::Named(names) => names.clone(),
    };
    let mut seen: HashSet<String> = HashSet::new();
    let mut read: HashSet<usize> = HashSet::new();
    let mut drafts: Vec<Draft> = Vec::new();
    let mut left_over: HashMap<String, Draft> = HashMap::new();
    while let Some(name) = wanted.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(&at) = where_is.get(&name) else { continue };
        if read.insert(at) {
            let (found, problems) = read_modules(&files[at]);
            problems.into_iter().for_each(|problem| diagnostics.push(problem));
            for draft in found {
                if where_is.get(&draft.name) == Some(&at) {
                    left_over.entry(draft.name.clone()).or_insert(draft);
                }
            }
        }
        if let Some(draft) = left_over.remove(&name) {
            wanted.extend(draft.imports.iter().map(|(_, module)| module.clone()));
            drafts.push(draft);
        }
    }
    drafts
}

/// Where a name leads.
enum Found<'a> {
    /// A draft and a definition in it.
    Draft(usize, usize),
    BuiltIn(MibNode<'a>),
}

/// How far the OID of a definition is known.
#[derive(Clone)]
enum Resolution {
    Open,
    InWork,
    Known(Box<[u32]>),
    Failed,
}

struct Linker<'a> {
    drafts: &'a [Draft],
    built_in: Option<&'a Mib>,
    modules: HashMap<&'a str, usize>,
    /// By draft: names of nodes and of types, with their places.
    nodes: Vec<HashMap<&'a str, usize>>,
    types: Vec<HashMap<&'a str, usize>>,
    imports: Vec<HashMap<&'a str, &'a str>>,
    oids: Vec<Vec<Resolution>>,
    /// The OIDs of rows: what is an object below one is a column.
    rows: HashSet<Box<[u32]>>,
    diagnostics: Diagnostics,
}

impl<'a> Linker<'a> {
    fn new(drafts: &'a [Draft], built_in: Option<&'a Mib>, diagnostics: Diagnostics) -> Self {
        // The first definition of a name counts.
        let places = |names: &mut dyn Iterator<Item = &'a str>| {
            let mut places = HashMap::new();
            names.enumerate().for_each(|(at, name)| {
                places.entry(name).or_insert(at);
            });
            places
        };
        let imports = |draft: &'a Draft| draft.imports.iter().map(|(name, from)| (name.as_str(), from.as_str()));
        Linker {
            drafts,
            built_in,
            modules: drafts.iter().enumerate().map(|(at, draft)| (draft.name.as_str(), at)).collect(),
            nodes: drafts.iter().map(|draft| places(&mut draft.nodes.iter().map(|node| node.name.as_str()))).collect(),
            types: drafts
                .iter()
                .map(|draft| places(&mut draft.types.iter().map(|known| known.name.as_str())))
                .collect(),
            imports: drafts.iter().map(|draft| imports(draft).collect()).collect(),
            oids: drafts.iter().map(|draft| vec![Resolution::Open; draft.nodes.len()]).collect(),
            rows: HashSet::new(),
            diagnostics,
        }
    }

    fn resolve_oids(&mut self) {
        for draft in 0..self.drafts.len() {
            for (at, node) in self.drafts[draft].nodes.iter().enumerate() {
                self.resolve_oid(draft, at);
                if let (DraftDetail::Row(_), Resolution::Known(arcs)) = (&node.detail, &self.oids[draft][at]) {
                    self.rows.insert(arcs.clone());
                }
            }
        }
    }

    /// Works off a chain of parents without recursion: a file may hold a chain of any length.
    fn resolve_oid(&mut self, draft: usize, node: usize) {
        let mut chain = vec![(draft, node)];
        while let Some(&(draft, node)) = chain.last() {
            if !matches!(self.oids[draft][node], Resolution::Open | Resolution::InWork) {
                chain.pop();
                continue;
            }
            self.oids[draft][node] = Resolution::InWork;
            let definition = &self.drafts[draft].nodes[node];
            let named = definition.oid.iter().rposition(|arc| matches!(arc, DraftArc::Name(..)));
            let parent = match named.map(|at| &definition.oid[at]) {
                Some(DraftArc::Name(module, name)) => self.parent(draft, node, module.as_deref(), name),
                _ => Parent::Known(Vec::new()),
            };
            self.oids[draft][node] = match parent {
                Parent::Open(next) => {
                    chain.push(next);
                    continue;
                }
                Parent::Failed => Resolution::Failed,
                Parent::Known(mut arcs) => {
                    arcs.extend(definition.oid[named.map_or(0, |at| at + 1)..].iter().filter_map(|arc| match arc {
                        DraftArc::Number(number) => Some(*number),
                        DraftArc::Name(..) => None,
                    }));
                    self.checked(draft, definition, arcs)
                }
            };
        }
    }

    fn parent(&mut self, draft: usize, node: usize, module: Option<&str>, name: &str) -> Parent {
        let definition = &self.drafts[draft].nodes[node];
        let message = match self.find(draft, module, name, Space::Nodes) {
            Some(Found::BuiltIn(node)) => return Parent::Known(node.oid().arcs().collect()),
            Some(Found::Draft(other, at)) => match &self.oids[other][at] {
                Resolution::Known(arcs) => return Parent::Known(arcs.to_vec()),
                Resolution::Open => return Parent::Open((other, at)),
                Resolution::Failed => return Parent::Failed,
                Resolution::InWork => format!("`{}` and `{name}` are defined by each other", definition.name),
            },
            None => match root(name) {
                Some(arc) => return Parent::Known(vec![arc]),
                None => format!("`{name}`, above `{}` and what is below it, is not defined", definition.name),
            },
        };
        if self.diagnostics.once(format!("{draft} {name}")) {
            self.diagnostics.add(&self.drafts[draft].file, Some(definition.line), message);
        }
        Parent::Failed
    }

    fn checked(&mut self, draft: usize, definition: &DraftNode, arcs: Vec<u32>) -> Resolution {
        let arcs = generic_trap(&definition.detail, &arcs).unwrap_or(arcs);
        // A root alone is no OID for SNMP, but may be built upon.
        match Oid::from_arcs(&arcs) {
            Err(error) if arcs.len() != 1 => {
                let message = format!("`{}`: {error}", definition.name);
                self.diagnostics.add(&self.drafts[draft].file, Some(definition.line), message);
                Resolution::Failed
            }
            _ => Resolution::Known(arcs.into_boxed_slice()),
        }
    }

    /// Looks a name up: in the module that is given with it, in the module itself, along the imports, and
    /// then wherever it is defined.
    fn find(&self, draft: usize, module: Option<&str>, name: &str, space: Space) -> Option<Found<'a>> {
        if let Some(module) = module {
            return self.find_in(module, name, space);
        }
        if let Some(&at) = self.places(space)[draft].get(name) {
            return Some(Found::Draft(draft, at));
        }
        let mut importer = draft;
        for _ in 0..MAX_IMPORT_HOPS {
            let Some(from) = self.imports[importer].get(name) else { break };
            let from = if self.modules.contains_key(from) { from } else { successor(from) };
            if let Some(found) = self.find_in(from, name, space) {
                return Some(found);
            }
            match self.modules.get(from) {
                Some(&next) => importer = next,
                None => break,
            }
        }
        let built_in = self.built_in.filter(|_| space == Space::Nodes).and_then(|mib| mib.node(name).ok());
        if let Some(node) = built_in {
            return Some(Found::BuiltIn(node));
        }
        let mut defining = self.places(space).iter().enumerate();
        defining.find_map(|(other, places)| Some(Found::Draft(other, *places.get(name)?)))
    }

    fn find_in(&self, module: &str, name: &str, space: Space) -> Option<Found<'a>> {
        match self.modules.get(module) {
            Some(&draft) => Some(Found::Draft(draft, *self.places(space)[draft].get(name)?)),
            None if space == Space::Nodes => Some(Found::BuiltIn(self.built_in?.node_in(module, name)?)),
            None => None,
        }
    }

    fn places(&self, space: Space) -> &[HashMap<&'a str, usize>] {
        match space {
            Space::Nodes => &self.nodes,
            Space::Types => &self.types,
        }
    }

    /// The lines of a module.
    fn section(&mut self, draft: usize) -> String {
        let module = &self.drafts[draft];
        let language = if module.smiv1 { "smiv1" } else { "smiv2" };
        let mut text = format!("module\t{}\t{language}\t{}\n", module.name, module.last_updated);
        if !SMI_MODULES.contains(&module.name.as_str()) {
            text.push_str(&self.type_lines(draft));
        }
        let mut lines: Vec<(Vec<u32>, &str, String)> = Vec::new();
        for (at, node) in module.nodes.iter().enumerate() {
            let Resolution::Known(arcs) = self.oids[draft][at].clone() else { continue };
            if arcs.len() < 2 || self.nodes[draft].get(node.name.as_str()) != Some(&at) {
                continue;
            }
            let oid = arcs.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
            let line = format!("{oid}\t{}\t{}", node.name, self.node_fields(draft, node, &arcs));
            lines.push((arcs.into_vec(), &node.name, line));
        }
        lines.sort();
        for (_, _, line) in lines {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn type_lines(&mut self, draft: usize) -> String {
        let mut lines = BTreeMap::new();
        for (at, definition) in self.drafts[draft].types.iter().enumerate() {
            if self.types[draft].get(definition.name.as_str()) != Some(&at) {
                continue;
            }
            let syntax = self.expression(draft, &definition.syntax, definition.line);
            let hint = match definition.hint.as_str() {
                "" => String::new(),
                hint => format!("\t\"{hint}\""),
            };
            lines.insert(definition.name.as_str(), format!("type\t{}\t{syntax}{hint}\n", definition.name));
        }
        lines.into_values().collect()
    }

    fn node_fields(&mut self, draft: usize, node: &DraftNode, arcs: &[u32]) -> String {
        match &node.detail {
            DraftDetail::Bare(kind) => kind.as_str().to_owned(),
            DraftDetail::Table => NodeKind::Table.as_str().to_owned(),
            DraftDetail::Value { syntax, access, units } => {
                let syntax = self.expression(draft, syntax, node.line);
                let units = if units.is_empty() { String::new() } else { format!("\t{units}") };
                let kind = if self.is_row(&arcs[..arcs.len() - 1]) { NodeKind::Column } else { NodeKind::Scalar };
                format!("{}\t{syntax}\t{}{units}", kind.as_str(), access.as_str())
            }
            DraftDetail::Row(DraftIndex::Augments(row)) => {
                format!("{}\taugments {}", NodeKind::Row.as_str(), self.reference(draft, row, node.line))
            }
            DraftDetail::Row(DraftIndex::Objects(objects)) if objects.is_empty() => NodeKind::Row.as_str().to_owned(),
            DraftDetail::Row(DraftIndex::Objects(objects)) => {
                let part = |(implied, object): &(bool, String)| {
                    let implied = if *implied { "IMPLIED " } else { "" };
                    match base_type(object) {
                        Some(base) => format!("{implied}type:{base}"),
                        None => format!("{implied}{}", self.reference(draft, object, node.line)),
                    }
                };
                let objects: Vec<String> = objects.iter().map(part).collect();
                format!("{}\tindex {}", NodeKind::Row.as_str(), objects.join(","))
            }
            DraftDetail::Notification { objects } => {
                let objects: Vec<_> = objects.iter().map(|name| self.reference(draft, name, node.line)).collect();
                format!("{}\t{}", NodeKind::Notification.as_str(), objects.join(",")).trim_end().to_owned()
            }
        }
    }

    fn is_row(&self, arcs: &[u32]) -> bool {
        let built_in = || {
            let oid = Oid::from_arcs(arcs).ok()?;
            Some(self.built_in?.node_at(oid.as_oid())?.kind() == NodeKind::Row)
        };
        self.rows.contains(arcs) || built_in().unwrap_or(false)
    }

    /// An object as a list has it: with its module if that is another one.
    fn reference(&mut self, draft: usize, name: &str, line: u32) -> String {
        let module = match self.find(draft, None, name, Space::Nodes) {
            Some(Found::Draft(other, _)) => self.drafts[other].name.as_str(),
            Some(Found::BuiltIn(node)) => node.module(),
            None => {
                if self.diagnostics.once(format!("{draft} {name}")) {
                    let message = format!("object `{name}` is not defined");
                    self.diagnostics.add(&self.drafts[draft].file, Some(line), message);
                }
                return name.to_owned();
            }
        };
        if module == self.drafts[draft].name { name.to_owned() } else { format!("{module}::{name}") }
    }

    /// A syntax in the table's notation.
    fn expression(&mut self, draft: usize, syntax: &DraftSyntax, line: u32) -> String {
        let name = syntax.type_name.as_str();
        let local = self.types[draft].contains_key(name);
        let base = base_type(name).filter(|_| !local || SMI_MODULES.contains(&self.drafts[draft].name.as_str()));
        let type_name = match base {
            Some(base) => base.to_owned(),
            None => match self.type_module(draft, name) {
                Some(module) if module == self.drafts[draft].name => name.to_owned(),
                Some(module) => format!("{module}::{name}"),
                None => {
                    if self.diagnostics.once(format!("{draft} {name}")) {
                        let message = format!("type `{name}` is not defined");
                        self.diagnostics.add(&self.drafts[draft].file, Some(line), message);
                    }
                    "?".to_owned()
                }
            },
        };
        format!("{type_name}{}", syntax.refinement)
    }

    fn type_module(&self, draft: usize, name: &str) -> Option<&'a str> {
        let built_in = |module: &str| self.built_in.and_then(|mib| mib.type_owner(Some(module), name));
        let imported = self.imports[draft].get(name).map(|from| successor(from));
        match self.find(draft, None, name, Space::Types) {
            Some(Found::Draft(other, _)) if other == draft || imported == Some(self.drafts[other].name.as_str()) => {
                Some(&self.drafts[other].name)
            }
            Some(Found::Draft(other, _)) => imported.and_then(built_in).or(Some(&self.drafts[other].name)),
            _ => imported.and_then(built_in).or_else(|| self.built_in?.type_owner(None, name)),
        }
    }
}

/// The names that X.660 gives to the top of the tree.
fn root(name: &str) -> Option<u32> {
    match name {
        "ccitt" | "itu-t" => Some(0),
        "iso" => Some(1),
        "joint-iso-ccitt" | "joint-iso-itu-t" => Some(2),
        _ => None,
    }
}

/// The generic traps of SMIv1, `snmp` with 0 and a number up to 5, are below `snmpTraps` (RFC 3584 §3.1).
fn generic_trap(detail: &DraftDetail, arcs: &[u32]) -> Option<Vec<u32>> {
    match (detail, arcs) {
        (DraftDetail::Notification { .. }, &[1, 3, 6, 1, 2, 1, 11, 0, number @ 0..=5]) => {
            Some(vec![1, 3, 6, 1, 6, 3, 1, 1, 5, number + 1])
        }
        _ => None,
    }
}

enum Parent {
    Known(Vec<u32>),
    Open((usize, usize)),
    Failed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Nodes,
    Types,
}

/// The modules that define the SMI itself; their types are the base types.
const SMI_MODULES: [&str; 4] = ["SNMPv2-SMI", "RFC1155-SMI", "RFC1065-SMI", "RFC-1212"];

/// The module that took the place of one which old files import from.
fn successor(module: &str) -> &str {
    match module {
        "RFC1065-SMI" => "RFC1155-SMI",
        "RFC1158-MIB" | "RFC-1213" | "RFC1213" => "RFC1213-MIB",
        "RFC1253-MIB" => "OSPF-MIB",
        "RFC1269-MIB" => "BGP4-MIB",
        "RFC1271-MIB" => "RMON-MIB",
        "RFC1286-MIB" => "BRIDGE-MIB",
        "RFC1315-MIB" => "FRAME-RELAY-DTE-MIB",
        "RFC1398-MIB" => "EtherLike-MIB",
        "RFC1406-MIB" => "DS1-MIB",
        "RFC1407-MIB" => "DS3-MIB",
        "SNMPv2-SMI-v1" => "SNMPv2-SMI",
        "SNMPv2-TC-v1" => "SNMPv2-TC",
        same => same,
    }
}

/// The base type that a type of the SMI stands for.
fn base_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "INTEGER" | "Integer32" => "Integer32",
        "Unsigned32" | "UInteger32" => "Unsigned32",
        "Counter" | "Counter32" => "Counter32",
        "Counter64" => "Counter64",
        "Gauge" | "Gauge32" => "Gauge32",
        "TimeTicks" => "TimeTicks",
        "IpAddress" => "IpAddress",
        "NetworkAddress" => "NetworkAddress",
        "OCTET STRING" | "BIT STRING" | "NsapAddress" => "OCTET STRING",
        "OBJECT IDENTIFIER" | "ObjectName" | "NotificationName" => "OBJECT IDENTIFIER",
        "BITS" => "BITS",
        "Opaque" => "Opaque",
        _ => return None,
    })
}

/// A bounded list, with what was said once.
#[derive(Debug, Default)]
struct Diagnostics {
    list: Vec<MibDiagnostic>,
    dropped: usize,
    said: HashSet<String>,
}

impl Diagnostics {
    fn add(&mut self, file: &str, line: Option<u32>, message: String) {
        self.push(MibDiagnostic { file: file.to_owned(), line, message });
    }

    fn push(&mut self, diagnostic: MibDiagnostic) {
        if self.list.len() < MAX_MIB_DIAGNOSTICS {
            self.list.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    fn once(&mut self, what: String) -> bool {
        self.said.insert(what)
    }

    fn finish(mut self) -> Vec<MibDiagnostic> {
        self.list.sort_by(|a, b| (&a.file, a.line, &a.message).cmp(&(&b.file, b.line, &b.message)));
        if self.dropped > 0 {
            let message = format!("and {} more messages", self.dropped);
            self.list.push(MibDiagnostic { file: String::new(), line: None, message });
        }
        self.list
    }
}

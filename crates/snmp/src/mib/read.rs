//! From the text of MIB files to drafts of modules: the only file that knows the parser (crate `mib-rs`).
//!
//! Only its lexer, its parser with error recovery and its lowering of SMIv1 and SMIv2 to one form are used
//! (RFC 1155, RFC 1212, RFC 1215, RFC 2578 to 2580). Names are looked up in `link`, which can see the
//! built-in modules. A parser that panics costs the file that it panicked on; nesting that would overflow
//! its stack is refused before.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mib_rs::ir::{Constraint, Definition, Module, ObjectType, OidComponent, Range, RangeValue, TypeSyntax};
use mib_rs::token::{SyntaxKind, Token, tokenize_with_config};
use mib_rs::{Access as ParsedAccess, DiagnosticConfig, Language, Severity, SourceDocument, SourceOrigin, SourceSet};

use super::files::{MibDiagnostic, MibFile};
use super::table::{Access, NodeKind};
use crate::limits::{MAX_MIB_NESTING, MAX_MIB_TAGS};

/// A module as its text has it, with names not yet looked up.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    /// The label of the file.
    pub(super) file: String,
    pub(super) smiv1: bool,
    pub(super) last_updated: String,
    /// Symbol and module.
    pub(super) imports: Vec<(String, String)>,
    pub(super) types: Vec<DraftType>,
    pub(super) nodes: Vec<DraftNode>,
    /// Whether the parser had to leave something out.
    pub(super) damaged: bool,
}

#[derive(Debug)]
pub(super) struct DraftType {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) syntax: DraftSyntax,
    pub(super) hint: String,
}

#[derive(Debug)]
pub(super) struct DraftNode {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) oid: Vec<DraftArc>,
    pub(super) detail: DraftDetail,
}

#[derive(Debug)]
pub(super) enum DraftArc {
    Number(u32),
    /// A name, maybe with its module.
    Name(Option<String>, String),
}

#[derive(Debug)]
pub(super) enum DraftDetail {
    Bare(NodeKind),
    Table,
    Row(DraftIndex),
    Value { syntax: DraftSyntax, access: Access, units: String },
    Notification { objects: Vec<String> },
}

#[derive(Debug)]
pub(super) enum DraftIndex {
    /// Whether IMPLIED, and the object.
    Objects(Vec<(bool, String)>),
    Augments(String),
}

/// A type name and a refinement in the table's notation.
#[derive(Debug)]
pub(super) struct DraftSyntax {
    pub(super) type_name: String,
    pub(super) refinement: String,
}

/// The names of the modules in a file. A file that can't be read safely is reported, one that is no MIB file
/// has none.
pub(super) fn module_names(file: &MibFile) -> Result<Vec<String>, MibDiagnostic> {
    if file.text.contains(&0) {
        return Ok(Vec::new());
    }
    guarded(file, |document, config| {
        let (tokens, _) = tokenize_with_config(document, config);
        check_nesting(document, &tokens).map_err(|(line, message)| file.diagnostic(Some(line), message))?;
        let significant: Vec<&Token> = tokens.iter().filter(|token| token.kind != SyntaxKind::Comment).collect();
        let names = significant.iter().enumerate().filter(|(_, token)| token.kind == SyntaxKind::KwDefinitions);
        Ok(names.filter_map(|(at, _)| header_name(document, &significant[..at])).collect())
    })
}

/// The modules of a file, and what is wrong with its text.
pub(super) fn read_modules(file: &MibFile) -> (Vec<Draft>, Vec<MibDiagnostic>) {
    let read = guarded(file, |document, config| {
        let mut drafts = Vec::new();
        let mut diagnostics = Vec::new();
        for parsed in mib_rs::parser::parse(document, config) {
            let module = mib_rs::lower::lower(parsed, document, config);
            let errors: Vec<_> = module.diagnostics.iter().filter(|found| found.severity <= Severity::Error).collect();
            diagnostics.extend(errors.iter().map(|found| {
                let line = found.range.and_then(|range| line_at(document, range.start()));
                file.diagnostic(line, found.message.clone())
            }));
            if !module.name.is_empty() {
                let damaged = !errors.is_empty();
                drafts.push(draft(&module, document, &file.label, damaged));
            }
        }
        Ok((drafts, diagnostics))
    });
    read.unwrap_or_else(|diagnostic| (Vec::new(), vec![diagnostic]))
}

/// Runs the parser's code where its panic is only this file's.
fn guarded<T>(
    file: &MibFile,
    run: impl FnOnce(&SourceDocument, &DiagnosticConfig) -> Result<T, MibDiagnostic>,
) -> Result<T, MibDiagnostic> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut sources = SourceSet::new();
        let text: Arc<[u8]> = Arc::from(file.text.as_slice());
        let inserted = sources.insert(SourceOrigin::memory(file.label.as_str()), file.label.as_str(), text);
        let document = inserted.ok().and_then(|id| sources.get(id));
        let document = document.ok_or_else(|| file.diagnostic(None, "the file is too large".to_owned()))?;
        run(document, &DiagnosticConfig::quiet())
    }));
    outcome.unwrap_or_else(|_| Err(file.diagnostic(None, "the MIB parser failed on this file".to_owned())))
}

/// The parser descends once for each open brace, and once for each tag before a type.
fn check_nesting(document: &SourceDocument, tokens: &[Token]) -> Result<(), (u32, String)> {
    let mut depth = 0_usize;
    let mut tags = 0_usize;
    for token in tokens {
        match token.kind {
            SyntaxKind::LBrace => depth += 1,
            SyntaxKind::RBrace => depth = depth.saturating_sub(1),
            SyntaxKind::LBracket => tags += 1,
            SyntaxKind::ColonColonEqual => tags = 0,
            _ => {}
        }
        if depth > MAX_MIB_NESTING || tags > MAX_MIB_TAGS {
            let line = line_at(document, token.span.start()).unwrap_or(1);
            return Err((line, format!("nested deeper than {MAX_MIB_NESTING} levels")));
        }
    }
    Ok(())
}

/// The name before `DEFINITIONS`, maybe with an OID between.
fn header_name(document: &SourceDocument, before: &[&Token]) -> Option<String> {
    let mut at = before.len().checked_sub(1)?;
    if before[at].kind == SyntaxKind::RBrace {
        at = before.iter().rposition(|token| token.kind == SyntaxKind::LBrace)?.checked_sub(1)?;
    }
    let name = document.slice(before[at].span).ok()?;
    let name = std::str::from_utf8(name).ok()?;
    name.starts_with(|c: char| c.is_ascii_uppercase()).then(|| name.to_owned())
}

fn line_at(document: &SourceDocument, offset: mib_rs::ByteOffset) -> Option<u32> {
    let (line, _) = document.line_column(offset).ok()?;
    line.try_into().ok()
}

fn draft(module: &Module, document: &SourceDocument, file: &str, damaged: bool) -> Draft {
    let mut draft = Draft {
        name: module.name.clone(),
        file: file.to_owned(),
        smiv1: module.language == Language::SMIv1,
        last_updated: "-".to_owned(),
        imports: module.imports.iter().map(|import| (import.symbol.clone(), import.module.clone())).collect(),
        types: Vec::new(),
        nodes: Vec::new(),
        damaged,
    };
    let sequences: HashSet<&str> = module.definitions.iter().filter_map(sequence_name).collect();
    for definition in &module.definitions {
        let line = line_at(document, definition.range().start()).unwrap_or(1);
        if let Definition::ModuleIdentity(identity) = definition {
            draft.last_updated = last_updated(&identity.last_updated);
        }
        if let Definition::TypeDef(definition) = definition {
            if let Some(syntax) = draft_syntax(&definition.syntax) {
                let hint = one_line(&definition.display_hint, false);
                draft.types.push(DraftType { name: definition.name.clone(), line, syntax, hint });
            }
        } else if let Some(node) = draft_node(definition, &sequences, line) {
            draft.nodes.push(node);
        }
    }
    draft
}

fn draft_node(definition: &Definition, sequences: &HashSet<&str>, line: u32) -> Option<DraftNode> {
    let detail = match definition {
        Definition::ObjectType(object) => object_detail(object, sequences)?,
        Definition::Notification(notification) => DraftDetail::Notification { objects: notification.objects.clone() },
        Definition::ModuleIdentity(_) => DraftDetail::Bare(NodeKind::Module),
        Definition::ObjectIdentity(_) => DraftDetail::Bare(NodeKind::Identity),
        Definition::ValueAssignment(_) => DraftDetail::Bare(NodeKind::Node),
        Definition::ObjectGroup(_) | Definition::NotificationGroup(_) => DraftDetail::Bare(NodeKind::Group),
        Definition::ModuleCompliance(_) => DraftDetail::Bare(NodeKind::Compliance),
        Definition::AgentCapabilities(_) => DraftDetail::Bare(NodeKind::Capabilities),
        Definition::TypeDef(_) => return None,
    };
    let oid = match (definition, definition.oid()) {
        (_, Some(oid)) => oid.components.iter().enumerate().map(|(at, arc)| draft_arc(at, arc)).collect(),
        // RFC 3584 §3.1: an SMIv1 trap is the enterprise, 0 and its number.
        (Definition::Notification(trap), None) => {
            let trap = trap.trap_info.as_ref()?;
            let enterprise = DraftArc::Name(None, trap.enterprise.clone());
            vec![enterprise, DraftArc::Number(0), DraftArc::Number(trap.trap_number)]
        }
        _ => return None,
    };
    Some(DraftNode { name: definition.name().to_owned(), line, oid, detail })
}

fn sequence_name(definition: &Definition) -> Option<&str> {
    match definition {
        Definition::TypeDef(known) if matches!(known.syntax, TypeSyntax::Sequence { .. }) => Some(&known.name),
        _ => None,
    }
}

fn object_detail(object: &ObjectType, sequences: &HashSet<&str>) -> Option<DraftDetail> {
    if matches!(object.syntax, TypeSyntax::SequenceOf { .. }) {
        return Some(DraftDetail::Table);
    }
    if !object.augments.is_empty() {
        return Some(DraftDetail::Row(DraftIndex::Augments(object.augments.clone())));
    }
    // A row whose definition forgets the INDEX is still a row.
    let is_row = matches!(&object.syntax, TypeSyntax::TypeRef { name, .. } if sequences.contains(name.as_str()));
    if is_row || !object.index.is_empty() {
        let objects = object.index.iter().map(|item| (item.implied, item.object.clone())).collect();
        return Some(DraftDetail::Row(DraftIndex::Objects(objects)));
    }
    let access = match object.access {
        ParsedAccess::NotAccessible => Access::NotAccessible,
        ParsedAccess::AccessibleForNotify => Access::AccessibleForNotify,
        ParsedAccess::ReadOnly => Access::ReadOnly,
        ParsedAccess::ReadWrite => Access::ReadWrite,
        ParsedAccess::ReadCreate => Access::ReadCreate,
        ParsedAccess::WriteOnly => Access::WriteOnly,
        ParsedAccess::NotImplemented => Access::NotImplemented,
    };
    let syntax = draft_syntax(&object.syntax)?;
    Some(DraftDetail::Value { syntax, access, units: one_line(&object.units, true) })
}

fn draft_arc(at: usize, component: &OidComponent) -> DraftArc {
    match component {
        OidComponent::Number { value, .. } => DraftArc::Number(*value),
        // A label on a later number is a comment on it; the first one starts from what the name stands for.
        OidComponent::NamedNumber { number, .. } | OidComponent::QualifiedNamedNumber { number, .. } if at > 0 => {
            DraftArc::Number(*number)
        }
        OidComponent::Name { name, .. } | OidComponent::NamedNumber { name, .. } => DraftArc::Name(None, name.clone()),
        OidComponent::QualifiedName { module, name, .. } | OidComponent::QualifiedNamedNumber { module, name, .. } => {
            DraftArc::Name(Some(module.clone()), name.clone())
        }
    }
}

/// `None` for SEQUENCE, which only lists the columns of a row again.
fn draft_syntax(syntax: &TypeSyntax) -> Option<DraftSyntax> {
    let of = |type_name: &str, refinement: String| Some(DraftSyntax { type_name: type_name.to_owned(), refinement });
    match syntax {
        TypeSyntax::TypeRef { name, .. } => of(name, String::new()),
        TypeSyntax::OctetString { .. } => of("OCTET STRING", String::new()),
        TypeSyntax::ObjectIdentifier { .. } => of("OBJECT IDENTIFIER", String::new()),
        TypeSyntax::IntegerEnum { base, named_numbers, .. } => {
            let labels = named_numbers.iter().map(|entry| format!("{}({})", entry.name, entry.value));
            of(if base.is_empty() { "INTEGER" } else { base }, labels_text(labels))
        }
        TypeSyntax::Bits { named_bits, .. } => {
            of("BITS", labels_text(named_bits.iter().map(|entry| format!("{}({})", entry.name, entry.position))))
        }
        TypeSyntax::Constrained { base, constraint, .. } => {
            let mut draft = draft_syntax(base)?;
            if draft.refinement.is_empty() {
                draft.refinement = constraint_text(constraint);
            }
            Some(draft)
        }
        TypeSyntax::SequenceOf { .. } | TypeSyntax::Sequence { .. } => None,
    }
}

fn labels_text(labels: impl Iterator<Item = String>) -> String {
    let labels: Vec<String> = labels.collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(" ")) }
}

/// `(0..255|300)`; nothing where an end is not a plain number, since a wrong restriction is worse than none.
fn constraint_text(constraint: &Constraint) -> String {
    let (Constraint::Size { ranges, .. } | Constraint::Range { ranges, .. }) = constraint;
    let text = |range: &Range| {
        let low = bound(&range.min)?;
        let high = range.max.as_ref().map_or(Some(low), bound)?;
        Some(if low == high { low.to_string() } else { format!("{low}..{high}") })
    };
    match ranges.iter().map(text).collect::<Option<Vec<String>>>() {
        Some(ranges) if !ranges.is_empty() => format!("({})", ranges.join("|")),
        _ => String::new(),
    }
}

fn bound(value: &RangeValue) -> Option<i128> {
    match value {
        RangeValue::Signed(number) => Some(i128::from(*number)),
        RangeValue::Unsigned(number) => Some(i128::from(*number)),
        // '7f'H or '0101'B
        RangeValue::Raw(text) => {
            let (digits, radix) = text.strip_prefix('\'')?.split_once('\'')?;
            let radix = match radix {
                "H" | "h" => 16,
                "B" | "b" => 2,
                _ => return None,
            };
            i128::from_str_radix(digits, radix).ok()
        }
        RangeValue::Min | RangeValue::Max => None,
    }
}

/// With four digits of the year, so that texts compare as times.
fn last_updated(text: &str) -> String {
    match text.len() {
        11 if text.is_ascii() => format!("19{text}"),
        13 if text.bytes().all(|c| c.is_ascii_alphanumeric()) => text.to_owned(),
        _ => "-".to_owned(),
    }
}

/// Text that fits a field of the table.
fn one_line(text: &str, fold_blanks: bool) -> String {
    match fold_blanks {
        true => text.split_whitespace().collect::<Vec<_>>().join(" "),
        false if text.contains(|c: char| c.is_control() || c == '"') => String::new(),
        false => text.to_owned(),
    }
}

//! One component file, parsed and checked as far as possible without arguments.

use indexmap::IndexMap;

use super::Argument;
use super::expression::Expression;
use super::ops::{ANY_SIZES, IDENTITY, SYMBOLS, op_names, op_rule};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::nearest::{did_you_mean, nearest, quoted_list};
use crate::span::Span;
use crate::tree::{Entry, Kind, Table, Value};

/// A parsed component file.
#[derive(Clone, Debug)]
pub struct ComponentFile {
    /// Name under which the library knows it.
    pub name: String,
    /// Declared parameters in order.
    pub parameters: IndexMap<String, Span>,
    /// Allowed values of component-valued parameters.
    pub choices: IndexMap<String, Vec<String>>,
    /// Inputs in order: name, sizes.
    pub(super) inputs: IndexMap<String, (Vec<Spanned>, Span)>,
    /// Nodes in order.
    pub(super) nodes: Vec<NodeFile>,
    /// Outputs in order.
    pub(super) outputs: IndexMap<String, Operand>,
    /// Start of the file, for messages about it as a whole.
    pub span: Span,
}

/// A `[[node]]`.
#[derive(Clone, Debug)]
pub(super) struct NodeFile {
    pub name: String,
    pub target: Target,
    pub target_span: Span,
    /// `input` or `inputs` with its value.
    pub operands_span: Option<Span>,
    pub operands: Vec<Operand>,
    pub repeat: Option<Spanned>,
    pub attributes: IndexMap<String, Spanned>,
    pub span: Span,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// `op = "name"`.
    Op(String),
    /// `op = "{parameter}"`.
    OpChoice(String),
    /// `use = "name"`.
    Use(String),
    /// `use = "{parameter}"`.
    UseChoice(String),
}

/// A reference to a value: `name` or `name.result`.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub name: String,
    pub result: Option<String>,
    pub span: Span,
}

/// An unevaluated value and its place.
#[derive(Clone, Debug)]
pub(super) struct Spanned {
    pub template: Template,
    pub span: Span,
}

/// An unevaluated value.
#[derive(Clone, Debug)]
pub(super) enum Template {
    /// Taken as written.
    Literal(Argument),
    /// `"=…"`.
    Expression(Expression),
    /// `"{name}"`.
    Parameter(String),
    /// An array.
    List(Vec<Spanned>),
}

/// Letters, digits, `_` and `-`, not empty, no leading digit: `index` and paths stay unambiguous.
fn is_identifier(text: &str) -> bool {
    text.starts_with(|character: char| character.is_ascii_alphabetic() || character == '_')
        && text.chars().all(|character| {
            character.is_ascii_alphanumeric() || character == '_' || character == '-'
        })
}

impl ComponentFile {
    /// Lowers the TOML tree of a component file.
    ///
    /// # Errors
    /// Everything wrong with the file.
    pub fn lower(name: &str, source: u32, table: &Table) -> Result<Self, Vec<Diagnostic>> {
        let mut reader = Reader {
            diagnostics: Vec::new(),
        };
        let file = reader.file(name, source, table);
        if reader.diagnostics.is_empty() {
            Ok(file)
        } else {
            Err(reader.diagnostics)
        }
    }

    /// Names of inputs in order.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.keys().map(String::as_str)
    }

    /// Names of outputs in order.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.keys().map(String::as_str)
    }

    /// What the parameter takes, in words.
    pub(crate) fn wanted(&self, parameter: &str) -> String {
        match self.choices.get(parameter) {
            Some(choices) => format!("one of {}", quoted_list(choices.iter().map(String::as_str))),
            None => "what the component does with it stands in its file".to_string(),
        }
    }

    /// Every place that may name another component: literal `use`, declared choices and text arguments of calls.
    pub(crate) fn references_mut(&mut self) -> Vec<(&mut String, Span)> {
        let mut found: Vec<(&mut String, Span)> = Vec::new();
        for (name, list) in &mut self.choices {
            let span = self.parameters.get(name).copied().unwrap_or(self.span);
            found.extend(list.iter_mut().map(|choice| (choice, span)));
        }
        for node in &mut self.nodes {
            let is_call = matches!(node.target, Target::Use(_) | Target::UseChoice(_));
            if let Target::Use(target) = &mut node.target {
                found.push((target, node.target_span));
            }
            if is_call {
                for value in node.attributes.values_mut() {
                    if let Template::Literal(Argument::Text(text)) = &mut value.template {
                        found.push((text, value.span));
                    }
                }
            }
        }
        found
    }
}

struct Reader {
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    /// A fault of the file's form; `help` says what would be right.
    fn bad(&mut self, span: impl Into<Option<Span>>, message: impl Into<String>, help: &str) {
        self.diagnostics.push(
            Diagnostic::error(codes::BAD_COMPONENT, message)
                .at(span, "")
                .help(help.to_string()),
        );
    }

    fn file(&mut self, name: &str, source: u32, table: &Table) -> ComponentFile {
        let mut file = ComponentFile {
            name: name.to_string(),
            parameters: IndexMap::new(),
            choices: IndexMap::new(),
            inputs: IndexMap::new(),
            nodes: Vec::new(),
            outputs: IndexMap::new(),
            span: Span::new(source, 0..0),
        };
        const KEYS: [&str; 5] = ["parameters", "choices", "inputs", "node", "outputs"];
        for (key, entry) in &table.entries {
            if !KEYS.contains(&key.as_str()) {
                let message = format!("unknown key `{key}` in a component file");
                let diagnostic = Diagnostic::error(codes::UNKNOWN_KEY, message)
                    .at(entry.key, "")
                    .note(format!("a component file has {}", quoted_list(KEYS)));
                let near = nearest(key, KEYS);
                self.diagnostics
                    .push(match (near.first(), did_you_mean(&near)) {
                        (Some(best), Some(question)) => {
                            diagnostic.patch(question, entry.key, *best)
                        }
                        _ => diagnostic.help("remove it".to_string()),
                    });
            }
        }
        self.parameters(table.get("parameters"), &mut file);
        self.choices(table.get("choices"), &mut file);
        self.inputs(table.get("inputs"), &mut file);
        self.nodes(table.get("node"), &mut file);
        self.outputs(table.get("outputs"), &mut file);
        file
    }

    fn parameters(&mut self, entry: Option<&Entry>, file: &mut ComponentFile) {
        let Some(entry) = entry else {
            self.bad(
                file.span,
                "`parameters` is missing",
                "write `parameters = []` for none",
            );
            return;
        };
        let Kind::Array(items) = &entry.value.kind else {
            self.bad(
                entry.value.span,
                "`parameters` is an array of names",
                r#"`parameters = ["width", "heads"]`"#,
            );
            return;
        };
        for item in items {
            match item.text() {
                Some("index") => self.bad(
                    item.span,
                    "`index` is the repeat index and cannot be a parameter",
                    "name it otherwise",
                ),
                Some(name) if is_identifier(name) && !name.contains('-') => {
                    if file
                        .parameters
                        .insert(name.to_string(), item.span)
                        .is_some()
                    {
                        self.diagnostics.push(
                            Diagnostic::error(
                                codes::DUPLICATE_NAME,
                                format!("parameter `{name}` is declared twice"),
                            )
                            .at(item.span, "")
                            .help("leave one of the two out".to_string()),
                        );
                    }
                }
                _ => self.bad(
                    item.span,
                    "a parameter's name consists of letters, digits and `_`",
                    r#"`parameters = ["width", "heads"]`"#,
                ),
            }
        }
    }

    fn choices(&mut self, entry: Option<&Entry>, file: &mut ComponentFile) {
        let Some(entry) = entry else { return };
        let Some(table) = entry.value.table() else {
            self.bad(
                entry.value.span,
                "`choices` is a table of arrays",
                r#"`[choices]` with `PARAMETER = ["first", "second"]`"#,
            );
            return;
        };
        for (name, choice) in &table.entries {
            if !file.parameters.contains_key(name) {
                self.bad(
                    choice.key,
                    format!("`{name}` is not a parameter of this component"),
                    "declare it in `parameters`",
                );
            }
            let names = match &choice.value.kind {
                Kind::Array(items) => items
                    .iter()
                    .map(|item| item.text().map(str::to_string))
                    .collect::<Option<Vec<_>>>(),
                _ => None,
            };
            match names {
                Some(names) if !names.is_empty() => {
                    file.choices.insert(name.clone(), names);
                }
                _ => self.bad(
                    choice.value.span,
                    "a choice is an array of one or more names",
                    r#"`PARAMETER = ["first", "second"]`"#,
                ),
            }
        }
    }

    fn inputs(&mut self, entry: Option<&Entry>, file: &mut ComponentFile) {
        let Some(entry) = entry else { return };
        let Some(table) = entry.value.table() else {
            self.bad(
                entry.value.span,
                "`inputs` is a table of tensors and their sizes",
                r#"`[inputs]` with `x = ["images", "=width"]`"#,
            );
            return;
        };
        for (name, input) in &table.entries {
            if !is_identifier(name) {
                self.bad(
                    input.key,
                    format!("`{name}` is no name for an input"),
                    "names consist of letters, digits, `_` and `-`",
                );
            }
            let Kind::Array(items) = &input.value.kind else {
                self.bad(
                    input.value.span,
                    "an input is declared by an array of sizes",
                    r#"`x = ["images", "=width"]`"#,
                );
                continue;
            };
            let sizes = items
                .iter()
                .map(|item| self.template(item, file, false))
                .collect::<Vec<_>>();
            for (axis, size) in sizes.iter().enumerate() {
                match &size.template {
                    Template::Literal(Argument::Text(text)) if axis == 0 && text == ANY_SIZES => {}
                    Template::Literal(Argument::Int(_))
                    | Template::Expression(_)
                    | Template::Parameter(_) => {}
                    Template::Literal(Argument::Text(text)) if SYMBOLS.contains(&text.as_str()) => {
                    }
                    _ => self.bad(
                        size.span,
                        format!(
                            "a size is a number, an expression or one of {}",
                            quoted_list(SYMBOLS.iter().copied())
                        ),
                        r#"`["images", "=grid*grid", "=width"]`"#,
                    ),
                }
            }
            file.inputs.insert(name.clone(), (sizes, input.key));
        }
    }

    fn nodes(&mut self, entry: Option<&Entry>, file: &mut ComponentFile) {
        let Some(entry) = entry else { return };
        let Kind::Array(items) = &entry.value.kind else {
            self.bad(
                entry.key,
                "nodes are written as `[[node]]`",
                "`[[node]]` with `name`, `op` or `use`, and `input`",
            );
            return;
        };
        for item in items {
            let Some(table) = item.table() else {
                self.bad(
                    item.span,
                    "nodes are written as `[[node]]`",
                    "`[[node]]` with `name`, `op` or `use`, and `input`",
                );
                continue;
            };
            if let Some(node) = self.node(item.span, table, file) {
                let taken = file.inputs.contains_key(&node.name)
                    || file.nodes.iter().any(|earlier| earlier.name == node.name);
                if taken {
                    let span = table
                        .get("name")
                        .map_or(node.span, |entry| entry.value.span);
                    self.diagnostics.push(
                        Diagnostic::error(
                            codes::DUPLICATE_NAME,
                            format!("the name `{}` is taken", node.name),
                        )
                        .at(span, "")
                        .note("inputs and nodes share one set of names")
                        .patch(
                            "for example",
                            span,
                            format!("\"{}-2\"", node.name),
                        ),
                    );
                }
                file.nodes.push(node);
            }
        }
    }

    fn node(&mut self, span: Span, table: &Table, file: &ComponentFile) -> Option<NodeFile> {
        let name = match table.get("name").map(|entry| &entry.value) {
            None => {
                self.bad(
                    span,
                    "the node has no `name`",
                    r#"add `name = "..."`: it names the result"#,
                );
                return None;
            }
            Some(value) => match value.text() {
                Some(text) if is_identifier(text) => text.to_string(),
                _ => {
                    self.bad(
                        value.span,
                        "a node's name consists of letters, digits, `_` and `-`",
                        "it begins with a letter or `_`",
                    );
                    return None;
                }
            },
        };
        let (target, target_span) = self.target(span, table, file)?;
        let is_call = matches!(target, Target::Use(_) | Target::UseChoice(_));
        let operands = self.operands(table, file);
        let repeat = table
            .get("repeat")
            .map(|entry| self.template(&entry.value, file, false));
        let mut attributes = IndexMap::new();
        const STRUCTURE: [&str; 6] = ["name", "op", "use", "input", "inputs", "repeat"];
        for (key, attribute) in &table.entries {
            if !STRUCTURE.contains(&key.as_str()) {
                let template = self.template(&attribute.value, file, true);
                attributes.insert(key.clone(), template);
            }
        }
        if !is_call {
            self.attributes_known(&target, table, &attributes, file);
        }
        Some(NodeFile {
            name,
            target,
            target_span,
            operands_span: ["inputs", "input"]
                .iter()
                .find_map(|key| table.get(key).map(|entry| entry.value.span)),
            operands,
            repeat,
            attributes,
            span,
        })
    }

    fn target(
        &mut self,
        span: Span,
        table: &Table,
        file: &ComponentFile,
    ) -> Option<(Target, Span)> {
        let (entry, is_op) = match (table.get("op"), table.get("use")) {
            (Some(entry), None) => (entry, true),
            (None, Some(entry)) => (entry, false),
            (Some(_), Some(entry)) => {
                self.bad(
                    entry.key,
                    "a node has `op` or `use`, not both",
                    "`op` names an operation, `use` a component",
                );
                return None;
            }
            (None, None) => {
                self.bad(
                    span,
                    "the node has neither `op` nor `use`",
                    "`op` names an operation, `use` a component",
                );
                return None;
            }
        };
        let value_span = entry.value.span;
        let Some(text) = entry.value.text() else {
            self.bad(
                value_span,
                "`op` and `use` take a name",
                r#"`op = "linear"`, `use = "mlp"` or `use = "{PARAMETER}"`"#,
            );
            return None;
        };
        if let Some(parameter) = parameter_reference(text) {
            let Some(choices) = file.choices.get(parameter) else {
                let message = format!(
                    "`{parameter}` is not listed in `[choices]`, so it cannot choose a node"
                );
                self.bad(value_span, message, "list in `[choices]` what it may be");
                return None;
            };
            if is_op {
                for choice in choices {
                    if choice != IDENTITY && op_rule(choice).is_none() {
                        self.unknown_op(choice, value_span);
                    }
                }
                return Some((Target::OpChoice(parameter.to_string()), value_span));
            }
            return Some((Target::UseChoice(parameter.to_string()), value_span));
        }
        if !is_op {
            return Some((Target::Use(text.to_string()), value_span));
        }
        if op_rule(text).is_none() {
            self.unknown_op(text, value_span);
            return None;
        }
        Some((Target::Op(text.to_string()), value_span))
    }

    fn unknown_op(&mut self, name: &str, span: Span) {
        let diagnostic =
            Diagnostic::error(codes::UNKNOWN_OP, format!("unknown operation `{name}`"))
                .at(span, "");
        let near = nearest(name, op_names());
        self.diagnostics
            .push(match (near.first(), did_you_mean(&near)) {
                (Some(best), Some(question)) => {
                    diagnostic.patch(question, span, format!("\"{best}\""))
                }
                _ => diagnostic.help(format!("there are {}", quoted_list(op_names()))),
            });
    }

    /// Every attribute must belong to the op, or to one of the ops that a parameter may choose.
    fn attributes_known(
        &mut self,
        target: &Target,
        table: &Table,
        attributes: &IndexMap<String, Spanned>,
        file: &ComponentFile,
    ) {
        let ops: Vec<&str> = match target {
            Target::Op(name) => vec![name],
            Target::OpChoice(parameter) => {
                file.choices[parameter].iter().map(String::as_str).collect()
            }
            _ => return,
        };
        let known: Vec<&str> = ops
            .iter()
            .filter_map(|name| op_rule(name))
            .flat_map(|rule| rule.attributes.iter().map(|attribute| attribute.name))
            .collect();
        for key in attributes.keys() {
            if !known.contains(&key.as_str()) {
                let span = table.get(key).map(|entry| entry.key);
                let ops = quoted_list(ops.iter().copied());
                let message = format!("{ops} has no attribute `{key}`");
                let diagnostic = Diagnostic::error(codes::BAD_ATTRIBUTE, message).at(span, "");
                let free = known.iter().filter(|name| !attributes.contains_key(**name));
                let near = nearest(key, free.copied());
                self.diagnostics
                    .push(match (near.first(), did_you_mean(&near)) {
                        (Some(best), Some(question)) => diagnostic.patch(question, span, *best),
                        _ if known.is_empty() => diagnostic.help("remove it".to_string()),
                        _ => diagnostic.help(format!(
                            "remove it; it has {}",
                            quoted_list(known.iter().copied())
                        )),
                    });
            }
        }
    }

    fn operands(&mut self, table: &Table, file: &ComponentFile) -> Vec<Operand> {
        let values: Vec<&Value> = match (table.get("input"), table.get("inputs")) {
            (Some(_), Some(entry)) => {
                self.bad(
                    entry.key,
                    "a node has `input` or `inputs`, not both",
                    r#"`input = "x"` for one operand, `inputs = ["x", "y"]` for several"#,
                );
                return Vec::new();
            }
            (Some(entry), None) => vec![&entry.value],
            (None, Some(entry)) => match &entry.value.kind {
                Kind::Array(items) => items.iter().collect(),
                _ => {
                    self.bad(
                        entry.value.span,
                        "`inputs` is an array of names",
                        r#"`inputs = ["x", "y"]`"#,
                    );
                    return Vec::new();
                }
            },
            (None, None) => Vec::new(),
        };
        values
            .into_iter()
            .filter_map(|value| self.operand(value, file))
            .collect()
    }

    fn operand(&mut self, value: &Value, file: &ComponentFile) -> Option<Operand> {
        let Some(text) = value.text() else {
            self.bad(
                value.span,
                "an operand is the name of an input or of an earlier node",
                r#"`input = "x"`"#,
            );
            return None;
        };
        let (name, result) = match text.split_once('.') {
            Some((name, result)) => (name, Some(result.to_string())),
            None => (text, None),
        };
        let known = || {
            let inputs = file.inputs.keys().map(String::as_str);
            inputs.chain(file.nodes.iter().map(|node| node.name.as_str()))
        };
        if !known().any(|candidate| candidate == name) {
            let message = format!("`{name}` is neither an input nor an earlier node");
            let diagnostic = Diagnostic::error(codes::UNKNOWN_OPERAND, message).at(value.span, "");
            let near = nearest(name, known());
            self.diagnostics
                .push(match (near.first(), did_you_mean(&near)) {
                    (Some(best), Some(question)) => {
                        let meant = match &result {
                            Some(result) => format!("\"{best}.{result}\""),
                            None => format!("\"{best}\""),
                        };
                        diagnostic.patch(question, value.span, meant)
                    }
                    _ => diagnostic.help(format!("known here: {}", quoted_list(known()))),
                });
            return None;
        }
        let is_call = file.nodes.iter().any(|node| {
            node.name == name && matches!(node.target, Target::Use(_) | Target::UseChoice(_))
        });
        if let (Some(result), false) = (&result, is_call) {
            self.diagnostics.push(
                Diagnostic::error(
                    codes::UNKNOWN_OPERAND,
                    format!("`{name}` has a single result, so there is no `{result}`"),
                )
                .at(value.span, "")
                .patch("its result", value.span, format!("\"{name}\"")),
            );
            return None;
        }
        Some(Operand {
            name: name.to_string(),
            result,
            span: value.span,
        })
    }

    fn outputs(&mut self, entry: Option<&Entry>, file: &mut ComponentFile) {
        let table = match entry.map(|entry| &entry.value) {
            Some(value) => match value.table() {
                Some(table) if !table.entries.is_empty() => table,
                _ => {
                    self.bad(
                        value.span,
                        "`outputs` is a table with at least one entry",
                        r#"`[outputs]` with `tokens = "NODE"`"#,
                    );
                    return;
                }
            },
            None => {
                self.bad(
                    file.span,
                    "`[outputs]` is missing",
                    r#"`[outputs]` with `tokens = "NODE"`"#,
                );
                return;
            }
        };
        for (name, output) in &table.entries {
            if let Some(operand) = self.operand(&output.value, file) {
                file.outputs.insert(name.clone(), operand);
            }
        }
    }

    /// Reads a value; `index` is known only where `in_node`, since it belongs to a repeated node.
    fn template(&mut self, value: &Value, file: &ComponentFile, in_node: bool) -> Spanned {
        let template = match &value.kind {
            Kind::Text(text) => self.text_template(text, value.span, file, in_node),
            Kind::Array(items) => Template::List(
                items
                    .iter()
                    .map(|item| self.template(item, file, in_node))
                    .collect(),
            ),
            Kind::Table(_) => {
                self.bad(
                    value.span,
                    "a table has no meaning here",
                    "attributes are numbers, texts, booleans and arrays of these",
                );
                Template::Literal(Argument::Bool(false))
            }
            _ => Template::Literal(value.argument().unwrap_or(Argument::Bool(false))),
        };
        Spanned {
            template,
            span: value.span,
        }
    }

    fn text_template(
        &mut self,
        text: &str,
        span: Span,
        file: &ComponentFile,
        in_node: bool,
    ) -> Template {
        let nothing = || Template::Literal(Argument::Int(0));
        if let Some(expression) = text.strip_prefix('=') {
            return match Expression::parse(expression) {
                Ok(expression) => {
                    for name in expression.names() {
                        self.name_known(&name, span, file, in_node);
                    }
                    Template::Expression(expression)
                }
                Err((message, offset)) => {
                    // The offset is exact for plain strings: a quote and `=` come first.
                    let start = span.start as usize + 2 + offset;
                    let end = (start + 1).min(span.end as usize).max(start);
                    self.diagnostics.push(
                        Diagnostic::error(
                            codes::BAD_EXPRESSION,
                            format!("expression `{expression}`: {message}"),
                        )
                        .at(Span::new(span.source, start..end), "")
                        .help("expressions have integers, parameters, `+ - * / // %`, brackets and functions (docs/components.md)".to_string()),
                    );
                    nothing()
                }
            };
        }
        if let Some(name) = parameter_reference(text) {
            self.name_known(name, span, file, in_node);
            return Template::Parameter(name.to_string());
        }
        Template::Literal(Argument::Text(text.to_string()))
    }

    fn name_known(&mut self, name: &str, span: Span, file: &ComponentFile, in_node: bool) {
        let known = file.parameters.contains_key(name) || (in_node && name == "index");
        if !known {
            let message = format!("`{name}` is not a parameter of this component");
            let near = nearest(name, file.parameters.keys().map(String::as_str));
            let help = did_you_mean(&near);
            let help =
                help.unwrap_or_else(|| format!("declare it: `parameters = [..., \"{name}\"]`"));
            self.diagnostics.push(
                Diagnostic::error(codes::BAD_EXPRESSION, message)
                    .at(span, "")
                    .help(help),
            );
        }
    }
}

/// `name` of `"{name}"`.
fn parameter_reference(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}')
}

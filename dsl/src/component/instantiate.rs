//! Instantiation: a component and its arguments become a flat list of nodes.
//!
//! Every value remembers the assignment in the graph file that gave it, if one did. A fault in an
//! expression therefore points at that assignment, with the component's line as context.

use indexmap::IndexMap;

use super::attribute;
use super::expression::{Expression, Fault};
use super::file::{ComponentFile, NodeFile, Operand, Spanned, Target, Template};
use super::library::Library;
use super::ops::{IDENTITY, op_rule};
use super::{Argument, FlatNode, Instance, Size};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::model::ComponentCall;
use crate::nearest::{did_you_mean, nearest, quoted_list};
use crate::span::Span;

/// Most nodes and calls of one instance.
pub const MOST_NODES: usize = 200_000;
/// Deepest nesting of calls.
pub const DEEPEST_CALLS: usize = 32;
/// Largest size of an axis.
const LARGEST_SIZE: i64 = 1 << 40;
/// Callers that a finding names.
const MOST_CALLERS: usize = 3;
/// Findings after which the rest is not worth reading.
const MOST_FINDINGS: usize = 30;

impl Library {
    /// Instantiates component `name`; paths of nodes begin with `prefix` (empty for none).
    ///
    /// # Errors
    /// Everything wrong with the call, by the rules of `docs/components.md`.
    pub fn instantiate(
        &self,
        name: &str,
        arguments: &IndexMap<String, Argument>,
        prefix: &str,
    ) -> Result<Instance, Vec<Diagnostic>> {
        self.instantiate_at(name, arguments, &IndexMap::new(), prefix)
    }

    /// Instantiates the component of `call`; findings point at the assignments that `call` knows.
    ///
    /// # Errors
    /// As [`Library::instantiate`].
    pub fn instantiate_call(
        &self,
        call: &ComponentCall,
        prefix: &str,
    ) -> Result<Instance, Vec<Diagnostic>> {
        self.instantiate_at(&call.component, &call.arguments, &call.assigned, prefix)
    }

    fn instantiate_at(
        &self,
        name: &str,
        arguments: &IndexMap<String, Argument>,
        assigned: &IndexMap<String, Span>,
        prefix: &str,
    ) -> Result<Instance, Vec<Diagnostic>> {
        let Some(file) = self.get(name) else {
            return Err(vec![self.unknown(name, None)]);
        };
        let mut expander = Expander {
            library: self,
            nodes: Vec::new(),
            diagnostics: Vec::new(),
            expansions: 0,
            stack: Vec::new(),
        };
        let scope: Scope = arguments
            .iter()
            .map(|(parameter, value)| {
                let bound = Bound {
                    value: value.clone(),
                    origin: assigned.get(parameter).copied(),
                    written: None,
                    key: None,
                };
                (parameter.clone(), bound)
            })
            .collect();
        let inputs: IndexMap<String, String> = file
            .input_names()
            .map(|input| (input.to_string(), input.to_string()))
            .collect();
        let expanded = expander.component(file, scope, prefix, inputs, None);
        match expanded {
            Some((sizes, outputs)) if expander.diagnostics.is_empty() => Ok(Instance {
                inputs: sizes,
                nodes: expander.nodes,
                outputs,
            }),
            _ => Err(expander.diagnostics),
        }
    }
}

/// A parameter's value and the assignment that gave it.
#[derive(Clone, Debug)]
struct Bound {
    value: Argument,
    /// The assignment in a graph file.
    origin: Option<Span>,
    /// The argument of the call in a component.
    written: Option<Span>,
    /// The key of that argument.
    key: Option<Span>,
}

type Scope = IndexMap<String, Bound>;

/// Declared sizes of the inputs, and output name to path.
type Expanded = (Vec<(String, Vec<Size>)>, IndexMap<String, String>);

/// What a name in a component stands for: results by name, the first being the plain name's.
type Values = IndexMap<String, IndexMap<String, String>>;

struct Expander<'a> {
    library: &'a Library,
    nodes: Vec<FlatNode>,
    diagnostics: Vec<Diagnostic>,
    expansions: usize,
    /// Components that are being expanded, and the node that called each; the outermost has none.
    stack: Vec<(String, Option<Span>)>,
}

impl Expander<'_> {
    fn report(&mut self, mut diagnostic: Diagnostic) {
        // What is wrong within a component is wrong in a call of it: the way there, nearest first.
        let place = diagnostic.primary.as_ref().map(|label| label.span);
        let marks = |span: Span| place.is_some_and(|place| place.source == span.source);
        let callers = self
            .stack
            .iter()
            .rev()
            .filter_map(|(name, span)| Some((name, (*span)?)));
        for (name, caller) in callers.take(MOST_CALLERS).filter(|(_, span)| !marks(*span)) {
            diagnostic = diagnostic.with(caller, format!("`{name}` is called here"));
        }
        // One wrong value is often used in several places; the first of them is enough.
        let known = self.diagnostics.iter().any(|earlier| {
            earlier.code == diagnostic.code
                && earlier.message == diagnostic.message
                && earlier.primary == diagnostic.primary
        });
        if self.diagnostics.len() < MOST_FINDINGS && !known {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Counts one node or call against the cap.
    fn count(&mut self, span: Span) -> Option<()> {
        self.expansions += 1;
        if self.expansions <= MOST_NODES {
            return Some(());
        }
        self.report(
            Diagnostic::error(
                codes::EXPANSION_CAP,
                format!("the component expands to more than {MOST_NODES} nodes"),
            )
            .at(span, "reached here")
            .help("a smaller depth or `repeat` makes fewer".to_string()),
        );
        None
    }

    /// Expands one call. `None` after a finding.
    fn component(
        &mut self,
        file: &ComponentFile,
        scope: Scope,
        prefix: &str,
        inputs: IndexMap<String, String>,
        caller: Option<Span>,
    ) -> Option<Expanded> {
        if self.stack.iter().any(|(name, _)| *name == file.name) {
            let mut chain: Vec<&str> = self.stack.iter().map(|(name, _)| name.as_str()).collect();
            chain.push(&file.name);
            let diagnostic = Diagnostic::error(
                codes::RECURSION,
                format!("component `{}` calls itself", file.name),
            )
            .at(caller.unwrap_or(file.span), "")
            .note(format!("the chain of calls: {}", chain.join(" > ")))
            .help("`repeat` says one node several times".to_string());
            self.report(diagnostic);
            return None;
        }
        if self.stack.len() >= DEEPEST_CALLS {
            self.report(
                Diagnostic::error(
                    codes::EXPANSION_CAP,
                    format!("component calls are nested more than {DEEPEST_CALLS} deep"),
                )
                .at(caller.unwrap_or(file.span), "")
                .help("`repeat` says one node several times".to_string()),
            );
            return None;
        }
        self.check_arguments(file, &scope, caller)?;
        self.stack.push((file.name.clone(), caller));
        let expanded = self.body(file, &scope, prefix, inputs);
        self.stack.pop();
        expanded
    }

    fn check_arguments(
        &mut self,
        file: &ComponentFile,
        scope: &Scope,
        caller: Option<Span>,
    ) -> Option<()> {
        let before = self.diagnostics.len();
        let missing: Vec<&str> = file
            .parameters
            .keys()
            .filter(|parameter| !scope.contains_key(*parameter))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let declared = file.parameters.get(missing[0]).copied();
            self.report(
                Diagnostic::error(
                    codes::BAD_ARGUMENTS,
                    format!(
                        "component `{}` is called without {}",
                        file.name,
                        quoted_list(missing.iter().copied())
                    ),
                )
                .at(caller.or(declared), "")
                .with(declared, "declared here")
                .help(format!(
                    "pass each, such as `{} = ...`: {}",
                    missing[0],
                    file.wanted(missing[0])
                )),
            );
        }
        for (name, bound) in scope {
            if !file.parameters.contains_key(name) {
                let message = format!("component `{}` has no parameter `{name}`", file.name);
                let key = bound.key.or(bound.origin).or(caller);
                let free = file
                    .parameters
                    .keys()
                    .filter(|known| !scope.contains_key(*known));
                let near = nearest(name, free.map(String::as_str));
                let mut diagnostic = Diagnostic::error(codes::BAD_ARGUMENTS, message)
                    .at(key.or(Some(file.span)), "")
                    .with(file.span, "the component");
                diagnostic = match (near.first(), did_you_mean(&near)) {
                    (Some(best), Some(question)) if bound.key.is_some() => {
                        diagnostic.patch(question, bound.key, *best)
                    }
                    (_, Some(question)) => diagnostic.help(question),
                    (_, None) => diagnostic.help(format!(
                        "remove it; there are {}",
                        quoted_list(file.parameters.keys().map(String::as_str))
                    )),
                };
                self.report(diagnostic);
            } else if let Some(choices) = file.choices.get(name) {
                let chosen = match &bound.value {
                    Argument::Text(text) => text.clone(),
                    other => other.to_string(),
                };
                if !choices.contains(&chosen) {
                    let message = format!(
                        "`{chosen}` is not among the choices of `{name}` in component `{}`",
                        file.name
                    );
                    let mut diagnostic = Diagnostic::error(codes::NOT_A_CHOICE, message)
                        .at(bound.origin.or(bound.written).or(caller), "")
                        .with(file.parameters.get(name).copied(), "declared here")
                        .note(format!(
                            "the choices are {}",
                            quoted_list(choices.iter().map(String::as_str))
                        ));
                    let near = nearest(&chosen, choices.iter().map(String::as_str));
                    let best = near
                        .first()
                        .copied()
                        .or(choices.first().map(String::as_str));
                    let question = did_you_mean(&near).unwrap_or("for example".to_string());
                    // Only a plain text in the file can be replaced by another.
                    let place = bound.origin.or(bound.written);
                    let is_plain = place.is_some_and(|place| {
                        self.library.sources.slice(place).trim_matches(['"', '\'']) == chosen
                    });
                    diagnostic = match (best, is_plain) {
                        (Some(best), true) => {
                            diagnostic.patch(question, place, format!("\"{best}\""))
                        }
                        _ => diagnostic.help(did_you_mean(&near)),
                    };
                    self.report(diagnostic);
                }
            }
        }
        (self.diagnostics.len() == before).then_some(())
    }

    fn body(
        &mut self,
        file: &ComponentFile,
        scope: &Scope,
        prefix: &str,
        inputs: IndexMap<String, String>,
    ) -> Option<Expanded> {
        let mut failed = false;
        let mut sizes = Vec::new();
        for (name, (templates, _)) in &file.inputs {
            let evaluated: Vec<Option<Size>> = templates
                .iter()
                .map(|template| self.size(template, scope))
                .collect();
            match evaluated.into_iter().collect::<Option<Vec<_>>>() {
                Some(evaluated) => sizes.push((name.clone(), evaluated)),
                None => failed = true,
            }
        }
        let mut values: Values = inputs
            .into_iter()
            .map(|(name, path)| (name, IndexMap::from([(String::new(), path)])))
            .collect();
        for node in &file.nodes {
            match self.node(node, scope, prefix, &values) {
                Some(results) => {
                    values.insert(node.name.clone(), results);
                }
                None => {
                    failed = true;
                    // Later nodes may still be checked: the name stands for something.
                    values.insert(
                        node.name.clone(),
                        IndexMap::from([(String::new(), String::new())]),
                    );
                }
            }
        }
        if failed {
            return None;
        }
        let mut outputs = IndexMap::new();
        for (name, operand) in &file.outputs {
            let path = self.operand(operand, &values)?;
            outputs.insert(name.clone(), path);
        }
        Some((sizes, outputs))
    }

    /// Expands one node with its repetitions and returns its results.
    fn node(
        &mut self,
        node: &NodeFile,
        scope: &Scope,
        prefix: &str,
        values: &Values,
    ) -> Option<IndexMap<String, String>> {
        let operands = node
            .operands
            .iter()
            .map(|operand| self.operand(operand, values))
            .collect::<Option<Vec<_>>>()?;
        let path = if prefix.is_empty() {
            node.name.clone()
        } else {
            format!("{prefix}.{}", node.name)
        };
        let Some(repeat) = &node.repeat else {
            return self.instance(node, scope, &path, &operands, None);
        };
        let (count, origin) = self.evaluate(repeat, scope, None)?;
        let count = match count {
            Argument::Int(count) if count >= 0 => count,
            other => {
                self.report(
                    Diagnostic::error(
                        codes::BAD_REPEAT,
                        format!(
                            "`{}` is repeated {other} times; a count is an integer of at least 0",
                            node.name
                        ),
                    )
                    .at(origin.unwrap_or(repeat.span), "")
                    .with(repeat.span, "repeated here")
                    .help("0 leaves the node out".to_string()),
                );
                return None;
            }
        };
        // Said before the work, and at the count that is too large.
        if usize::try_from(count).is_ok_and(|count| count > MOST_NODES) {
            self.report(
                Diagnostic::error(
                    codes::EXPANSION_CAP,
                    format!(
                        "`{}` is repeated {count} times, but a component expands to at most \
                         {MOST_NODES} nodes",
                        node.name
                    ),
                )
                .at(origin.unwrap_or(repeat.span), "")
                .with(repeat.span, "repeated here")
                .help(
                    "a count of layers is meant: each repetition has weights of its own"
                        .to_string(),
                ),
            );
            return None;
        }
        let Some(mut carried) = operands.first().cloned() else {
            self.report(
                Diagnostic::error(
                    codes::BAD_REPEAT,
                    format!("`{}` is repeated but has no operand to chain", node.name),
                )
                .at(repeat.span, "")
                .help(
                    "give it an `input`: each repetition takes what the one before gave"
                        .to_string(),
                ),
            );
            return None;
        };
        let mut results = IndexMap::from([(String::new(), carried.clone())]);
        for index in 0..count {
            let mut operands = operands.clone();
            operands[0] = carried;
            results = self.instance(
                node,
                scope,
                &format!("{path}.{index}"),
                &operands,
                Some(index),
            )?;
            carried = results.values().next().cloned()?;
        }
        Some(results)
    }

    fn instance(
        &mut self,
        node: &NodeFile,
        scope: &Scope,
        path: &str,
        operands: &[String],
        index: Option<i64>,
    ) -> Option<IndexMap<String, String>> {
        self.count(node.span)?;
        let chosen = |parameter: &str| match scope.get(parameter).map(|bound| &bound.value) {
            Some(Argument::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let (name, is_op, is_choice) = match &node.target {
            Target::Op(name) => (name.clone(), true, false),
            Target::OpChoice(parameter) => (chosen(parameter), true, true),
            Target::Use(name) => (name.clone(), false, false),
            Target::UseChoice(parameter) => (chosen(parameter), false, true),
        };
        if is_choice && name == IDENTITY {
            let Some(first) = operands.first() else {
                self.report(
                    Diagnostic::error(codes::BAD_ATTRIBUTE, "`identity` needs an operand")
                        .at(node.span, "")
                        .help("give it an `input`".to_string()),
                );
                return None;
            };
            return Some(IndexMap::from([(String::new(), first.clone())]));
        }
        if is_op {
            return self.op(node, &name, is_choice, scope, path, operands, index);
        }
        let Some(callee) = self.library.get(&name) else {
            let diagnostic = self.library.unknown(&name, Some(node.target_span));
            self.report(diagnostic);
            return None;
        };
        if callee.inputs.len() != operands.len() {
            self.report(
                Diagnostic::error(
                    codes::BAD_ARGUMENTS,
                    format!(
                        "component `{name}` takes {}, not {}",
                        tensors(callee.inputs.len()),
                        operands.len()
                    ),
                )
                .at(node.operands_span.unwrap_or(node.span), "")
                .with(callee.span, "the component")
                .help(format!("it takes {}", quoted_list(callee.input_names()))),
            );
            return None;
        }
        let mut inner = Scope::new();
        for (key, template) in &node.attributes {
            let (value, origin) = self.evaluate(template, scope, index)?;
            let bound = Bound {
                value,
                origin,
                written: Some(template.span),
                key: crate::edit::key(&self.library.sources, template.span),
            };
            inner.insert(key.clone(), bound);
        }
        let inputs = callee
            .input_names()
            .map(str::to_string)
            .zip(operands.iter().cloned())
            .collect();
        let (_, outputs) = self.component(callee, inner, path, inputs, Some(node.span))?;
        Some(outputs)
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one call site, in the line above"
    )]
    fn op(
        &mut self,
        node: &NodeFile,
        name: &str,
        is_choice: bool,
        scope: &Scope,
        path: &str,
        operands: &[String],
        index: Option<i64>,
    ) -> Option<IndexMap<String, String>> {
        // The file check refuses unknown ops, in choices too.
        let rule = op_rule(name)?;
        let (least, most) = rule.operands;
        // A chosen op takes as many operands as it has use for: `rotary` reads positions, `identity` does not.
        let fits = operands.len() >= least && (operands.len() <= most || is_choice);
        if !fits {
            let wanted = if least == most {
                format!("{least}")
            } else {
                format!("{least} to {most}")
            };
            self.report(
                Diagnostic::error(
                    codes::BAD_ARGUMENTS,
                    format!(
                        "operation `{name}` takes {wanted} operands, not {}",
                        operands.len()
                    ),
                )
                .at(node.operands_span.unwrap_or(node.span), "")
                .help(format!("`mm1c explain {name}` says which")),
            );
            return None;
        }
        let mut attributes = IndexMap::new();
        let mut failed = false;
        for declared in rule.attributes {
            let Some(template) = node.attributes.get(declared.name) else {
                if declared.required {
                    failed = true;
                    self.report(
                        Diagnostic::error(
                            codes::BAD_ATTRIBUTE,
                            format!("operation `{name}` needs the attribute `{}`", declared.name),
                        )
                        .at(node.target_span, "")
                        .help(format!(
                            "add `{} = ...`: {}",
                            declared.name,
                            declared.kind.words()
                        )),
                    );
                }
                continue;
            };
            let Some((value, origin)) = self.evaluate(template, scope, index) else {
                failed = true;
                continue;
            };
            match attribute::check(declared.kind, &value) {
                Ok(value) => {
                    attributes.insert(declared.name.to_string(), value);
                }
                Err(wanted) => {
                    failed = true;
                    self.report(
                        Diagnostic::error(
                            codes::BAD_ATTRIBUTE,
                            format!(
                                "attribute `{}` of `{name}` is {wanted}, not `{value}`",
                                declared.name
                            ),
                        )
                        .at(origin.unwrap_or(template.span), "")
                        .with(template.span, "used here")
                        .help(match origin {
                            Some(_) => format!("give the parameter another value: {wanted}"),
                            None => format!("write {wanted}"),
                        }),
                    );
                }
            }
        }
        if failed {
            return None;
        }
        self.nodes.push(FlatNode {
            path: path.to_string(),
            op: name.to_string(),
            inputs: operands.iter().take(most).cloned().collect(),
            attributes,
            span: node.span,
        });
        Some(IndexMap::from([(String::new(), path.to_string())]))
    }

    fn operand(&mut self, operand: &Operand, values: &Values) -> Option<String> {
        // The file check knows every name; a call's outputs are known only now.
        let results = values.get(&operand.name)?;
        let Some(result) = &operand.result else {
            return results.values().next().cloned();
        };
        let found = results.get(result).cloned();
        if found.is_none() && results.values().next().is_none_or(|path| !path.is_empty()) {
            self.report(
                Diagnostic::error(
                    codes::UNKNOWN_OPERAND,
                    format!("`{}` has no output `{result}`", operand.name),
                )
                .at(operand.span, "")
                .help(format!(
                    "it has {}",
                    quoted_list(results.keys().map(String::as_str))
                )),
            );
        }
        found
    }

    /// The value of a template and the assignment that it came from.
    fn evaluate(
        &mut self,
        spanned: &Spanned,
        scope: &Scope,
        index: Option<i64>,
    ) -> Option<(Argument, Option<Span>)> {
        match &spanned.template {
            Template::Literal(value) => Some((value.clone(), None)),
            Template::Parameter(name) if name == "index" => match index {
                Some(index) => Some((Argument::Int(index), None)),
                None => {
                    self.fault(&Fault::Unknown { name: name.clone() }, spanned, scope);
                    None
                }
            },
            Template::Parameter(name) => {
                let bound = scope.get(name)?;
                Some((bound.value.clone(), bound.origin))
            }
            Template::Expression(expression) => {
                let value = self.integer(expression, spanned, scope, index)?;
                let mut origins = expression
                    .names()
                    .into_iter()
                    .filter_map(|name| scope.get(&name)?.origin);
                let origin = origins.next().filter(|_| origins.next().is_none());
                Some((Argument::Int(value), origin))
            }
            Template::List(items) => {
                let mut values = Vec::new();
                let mut first = None;
                for item in items {
                    let (value, origin) = self.evaluate(item, scope, index)?;
                    first = first.or(origin);
                    values.push(value);
                }
                Some((Argument::List(values), first))
            }
        }
    }

    fn integer(
        &mut self,
        expression: &Expression,
        spanned: &Spanned,
        scope: &Scope,
        index: Option<i64>,
    ) -> Option<i64> {
        let lookup = |name: &str| -> Option<Option<i64>> {
            if name == "index" {
                return index.map(Some);
            }
            scope.get(name).map(|bound| match bound.value {
                Argument::Int(value) => Some(value),
                _ => None,
            })
        };
        match expression.evaluate(&lookup) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(&fault, spanned, scope);
                None
            }
        }
    }

    /// Reports a fault at the assignments of the parameters involved.
    fn fault(&mut self, fault: &Fault, spanned: &Spanned, scope: &Scope) {
        let line = spanned.span;
        let mut message = fault.to_string();
        let (code, names, why) = match fault {
            Fault::NotInteger { name } => (
                codes::BAD_EXPRESSION,
                vec![name.clone()],
                "used as an integer here",
            ),
            Fault::Unknown { .. } => {
                message.push_str(" outside a repeated node");
                (codes::BAD_EXPRESSION, Vec::new(), "")
            }
            Fault::Inexact { names, .. } => {
                (codes::INEXACT_DIVISION, names.clone(), "divided here")
            }
            Fault::NotSquare { names, .. } => (
                codes::NOT_SQUARE,
                names.clone(),
                "the exact root is taken here",
            ),
            Fault::Arithmetic { names, .. } => (codes::ARITHMETIC, names.clone(), "computed here"),
        };
        let mut known: Vec<(&String, &Bound, Span)> = names
            .iter()
            .filter_map(|name| {
                let (name, bound) = scope.get_key_value(name)?;
                Some((name, bound, bound.origin.or(bound.written)?))
            })
            .collect();
        // The last is marked as the one to change: rather one that a graph file gives.
        // A number that a component passes is as plain.
        let is_plain = |span: Span| self.library.sources.slice(span).parse::<i64>().is_ok();
        known.sort_by_key(|(_, bound, place)| bound.origin.is_some() || is_plain(*place));
        let mut diagnostic = Diagnostic::error(code, message);
        if let Some((name, bound, origin)) = known.last() {
            diagnostic = diagnostic.at(*origin, format!("`{name}` is {}", bound.value));
            for (name, bound, origin) in &known[..known.len() - 1] {
                diagnostic = diagnostic.with(*origin, format!("`{name}` is {}", bound.value));
            }
            diagnostic = diagnostic.with(line, why);
        } else {
            diagnostic = diagnostic.at(line, why);
            for name in &names {
                if let Some(bound) = scope.get(name) {
                    diagnostic = diagnostic.note(format!("`{name}` is {}", bound.value));
                }
            }
        }
        match fault {
            Fault::NotInteger { .. } => {
                diagnostic = diagnostic.help("expressions take integers only".to_string());
            }
            Fault::Unknown { .. } => {
                let help = "`repeat` gives it the number of the repetition, from 0";
                diagnostic = diagnostic.help(help.to_string());
            }
            Fault::Arithmetic { message, .. } => {
                let divides = message.starts_with("divides");
                let zero = known.last().filter(|_| divides);
                let zero = zero.filter(|it| it.1.value == Argument::Int(0));
                let help = zero.map(|(name, ..)| format!("`{name}` is at least 1"));
                let other = || "change one of the values, or the expression".to_string();
                diagnostic = diagnostic.help(help.unwrap_or_else(other));
            }
            Fault::Inexact { left, right, .. } => {
                // The divisor may be a value that a file gives: then its nearest divisor serves.
                let given = known.last().filter(|(_, bound, origin)| {
                    bound.value == Argument::Int(*right)
                        && self.library.sources.slice(*origin) == right.to_string()
                });
                let divisors = (1..=(*left).clamp(0, 4096)).filter(|part| left % part == 0);
                let nearest = divisors.min_by_key(|part| (part - right).abs());
                diagnostic = match (given, nearest) {
                    (Some((name, _, origin)), Some(nearest)) => diagnostic.patch(
                        format!("a `{name}` that divides {left}"),
                        *origin,
                        nearest.to_string(),
                    ),
                    _ => diagnostic.help(format!(
                        "make one a multiple of the other, or round down by `//`: {}",
                        left.div_euclid(*right)
                    )),
                };
            }
            Fault::NotSquare { .. } => {}
        }
        if let Fault::NotSquare { value, direct, .. } = fault
            && *value > 0
        {
            let root = value.isqrt();
            let (below, above) = (
                root.pow(2),
                root.checked_add(1).and_then(|root| root.checked_pow(2)),
            );
            if let Some(above) = above {
                diagnostic =
                    diagnostic.help(format!("the nearest squares are {below} and {above}"));
                let nearest = if value - below <= above - value {
                    below
                } else {
                    above
                };
                // A patch replaces the written number, so the place must hold just that.
                if let (true, [(_, _, origin)]) = (*direct, known.as_slice())
                    && self.library.sources.slice(*origin) == value.to_string()
                {
                    diagnostic = diagnostic.patch("take the nearest", *origin, nearest.to_string());
                }
            }
        }
        self.report(diagnostic);
    }

    fn size(&mut self, spanned: &Spanned, scope: &Scope) -> Option<Size> {
        let (value, origin) = self.evaluate(spanned, scope, None)?;
        match value {
            Argument::Text(symbol) => Some(Size::Symbol(symbol)),
            Argument::Int(size) if (1..=LARGEST_SIZE).contains(&size) => {
                u64::try_from(size).ok().map(Size::Known)
            }
            other => {
                self.report(
                    Diagnostic::error(
                        codes::BAD_SIZE,
                        format!("a size is {other}; sizes lie between 1 and 2^40"),
                    )
                    .at(origin.unwrap_or(spanned.span), "")
                    .with(spanned.span, "used here")
                    .help("what a component takes has at least 1 of everything".to_string()),
                );
                None
            }
        }
    }
}

/// "1 tensor", "2 tensors".
fn tensors(count: usize) -> String {
    if count == 1 {
        "1 tensor".to_string()
    } else {
        format!("{count} tensors")
    }
}

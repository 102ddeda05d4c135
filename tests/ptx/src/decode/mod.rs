//! From syntax to a [`Program`]: names become rows, labels become places, device functions are
//! expanded where they are called.

mod asynchronous;
mod bits;
mod compare;
mod control;
mod convert;
mod float;
mod instruction;
mod integer;
mod memory;
mod operands;
mod sync;
mod tensor;
mod values;

use std::collections::HashMap;
use std::sync::Arc;

use crate::machine::rows::Class;
use crate::machine::space::{LOCAL_START, SHARED_START};
use crate::parse::ParseError;
use crate::parse::syntax::{Function, Space, Statement, Type, Variable};
use crate::program::{Constant, Inst, NONE, Op, Param, Program, Pure};

pub(crate) use crate::parse::parse;

type Result<T> = std::result::Result<T, ParseError>;

/// Where a variable's first byte is, in its space.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// Index into the module's variables (global and constant memory).
    Module(u32),
    Shared(u32),
    Local(u32),
    /// Parameters of a device function live in local memory.
    Frame(u32),
    Param(u32),
}

#[derive(Clone, Debug)]
enum Binding {
    Register(u32, Class),
    Place(Place),
    Label(usize),
    Targets(Vec<String>),
}

/// The module's variables and functions, shared by its entries.
pub(crate) struct Source<'a> {
    pub variables: &'a [Variable],
    pub functions: &'a [Function],
}

pub(crate) struct Decoder<'a> {
    source: &'a Source<'a>,
    code: Vec<Inst>,
    sources: Vec<(u32, Arc<str>, Arc<str>)>,
    rows: u32,
    constants: HashMap<(Class, Constant), u32>,
    constant_list: Vec<(u32, Class, Constant)>,
    scopes: Vec<HashMap<String, Binding>>,
    labels: Vec<Option<u32>>,
    shared: HashMap<String, u32>,
    local_bytes: u32,
    /// Functions being expanded and the label behind the call.
    calls: Vec<(String, usize)>,
    line: u32,
    guard: (u32, bool),
    carry: Option<u32>,
    ordered: bool,
    /// The instruction is a plain `mov`.
    moving: bool,
    /// Rows of accumulators and of A operands of `wgmma`.
    wgmma_rows: Vec<u32>,
}

fn align(value: u32, to: u32) -> u32 {
    value.next_multiple_of(to.max(1))
}

fn variables(body: &Option<Vec<Statement>>) -> impl Iterator<Item = &Variable> {
    body.iter()
        .flatten()
        .filter_map(|statement| match statement {
            Statement::Variable(variable) => Some(variable),
            _ => None,
        })
}

/// Decodes one entry.
pub(crate) fn decode(source: &Source, entry: &Function) -> Result<Program> {
    let mut shared = HashMap::new();
    let mut end = SHARED_START;
    let mut dynamic_align = 16;
    let bodies = source
        .functions
        .iter()
        .filter(|f| !f.entry || f.name == entry.name);
    let inner = bodies.flat_map(|f| variables(&f.body));
    for variable in source.variables.iter().chain(inner) {
        if variable.space != Space::Shared {
            continue;
        }
        if variable.external {
            dynamic_align = dynamic_align.max(variable.align);
            continue;
        }
        end = align(end, variable.align);
        shared.insert(variable.name.clone(), end);
        end += variable.bytes;
    }
    let dynamic_start = align(end, dynamic_align);
    for variable in source
        .variables
        .iter()
        .filter(|v| v.space == Space::Shared && v.external)
    {
        shared.insert(variable.name.clone(), dynamic_start);
    }

    let mut decoder = Decoder {
        source,
        code: Vec::new(),
        sources: Vec::new(),
        rows: 0,
        constants: HashMap::new(),
        constant_list: Vec::new(),
        scopes: vec![HashMap::new()],
        labels: Vec::new(),
        shared,
        local_bytes: LOCAL_START,
        calls: Vec::new(),
        line: entry.line,
        guard: (NONE, false),
        carry: None,
        ordered: false,
        moving: false,
        wgmma_rows: Vec::new(),
    };
    for (index, variable) in source.variables.iter().enumerate() {
        let place = match variable.space {
            Space::Shared => Place::Shared(decoder.shared[&variable.name]),
            Space::Global | Space::Const => Place::Module(index as u32),
            Space::Local | Space::Param | Space::Generic => {
                return Err(ParseError::new(
                    variable.line,
                    format!(
                        "`{}` is in a space that a module cannot have",
                        variable.name
                    ),
                ));
            }
        };
        decoder.scopes[0].insert(variable.name.clone(), Binding::Place(place));
    }
    let mut params = Vec::new();
    let mut param_bytes = 0;
    decoder.scopes.push(HashMap::new());
    for param in &entry.params {
        param_bytes = align(param_bytes, param.align);
        params.push(Param {
            name: param.name.clone(),
            offset: param_bytes,
            bytes: param.bytes,
        });
        decoder.bind(&param.name, Binding::Place(Place::Param(param_bytes)));
        param_bytes += param.bytes;
    }
    let Some(body) = &entry.body else {
        return Err(ParseError::new(
            entry.line,
            format!("`{}` has no body", entry.name),
        ));
    };
    decoder.body(body)?;
    decoder.emit(Op::Exit, [NONE; 5]);
    decoder.patch()?;
    decoder.mark_touches();
    Ok(Program {
        name: entry.name.clone(),
        code: decoder.code,
        sources: decoder.sources,
        rows: decoder.rows,
        constants: decoder.constant_list,
        params,
        param_bytes,
        local_bytes: align(decoder.local_bytes, 16),
        dynamic_start,
        required_threads: entry.required_threads,
        most_threads: entry.most_threads,
        ordered: decoder.ordered,
    })
}

impl<'a> Decoder<'a> {
    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(ParseError::new(self.line, message))
    }

    fn bind(&mut self, name: &str, binding: Binding) {
        let scope = self
            .scopes
            .last_mut()
            .expect("the module's scope is never popped");
        scope.insert(name.to_string(), binding);
    }

    fn lookup(&self, name: &str) -> Option<&Binding> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    fn new_label(&mut self) -> usize {
        self.labels.push(None);
        self.labels.len() - 1
    }

    fn place_label(&mut self, label: usize) {
        self.labels[label] = Some(self.code.len() as u32);
    }

    /// A new row or pair of rows.
    fn new_row(&mut self, class: Class) -> u32 {
        let slot = self.rows;
        self.rows += if class == Class::Wide { 2 } else { 1 };
        slot
    }

    /// The row of a constant.
    fn constant(&mut self, class: Class, constant: Constant) -> u32 {
        if let Some(&slot) = self.constants.get(&(class, constant)) {
            return slot;
        }
        let slot = self.new_row(class);
        self.constants.insert((class, constant), slot);
        self.constant_list.push((slot, class, constant));
        slot
    }

    fn emit(&mut self, op: Op, args: [u32; 5]) {
        self.emit_reading(op, args, 0);
    }

    fn emit_reading(&mut self, op: Op, args: [u32; 5], reads: u8) {
        let source = self.sources.len().saturating_sub(1) as u32;
        let (guard, negated) = self.guard;
        let moves = self.moving;
        self.code.push(Inst {
            op,
            args,
            reads,
            moves,
            touches: false,
            negated,
            guard,
            source,
        });
    }

    fn emit_pure(&mut self, pure: Pure, result: u32, sources: &[u32]) {
        let mut args = [NONE; 5];
        args[0] = result;
        args[1..1 + sources.len()].copy_from_slice(sources);
        self.emit_reading(Op::Pure(pure.run), args, sources.len() as u8);
    }

    /// Labels become places in the code.
    fn patch(&mut self) -> Result<()> {
        let place = |label: u32| {
            self.labels[label as usize]
                .ok_or_else(|| ParseError::new(self.line, "a branch to a label without a place"))
        };
        for inst in &mut self.code {
            match &mut inst.op {
                Op::Branch(target) => *target = place(*target)?,
                Op::BranchTable(targets) => {
                    for target in targets.iter_mut() {
                        *target = place(*target)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Finds the instructions that use registers of `wgmma`.
    fn mark_touches(&mut self) {
        let mut used = vec![false; self.rows as usize];
        for &row in &self.wgmma_rows {
            used[row as usize] = true;
        }
        let uses = |row: u32| used.get(row as usize).is_some_and(|&used| used);
        for inst in self.code.iter_mut().filter(|inst| !inst.moves) {
            inst.touches = match &inst.op {
                Op::Pure(_) => inst.args.iter().any(|&row| uses(row)),
                Op::Load(access) | Op::Store(access) => {
                    access.elements.iter().any(|&(row, _)| uses(row))
                }
                _ => false,
            };
        }
    }

    fn class(&self, ty: Type) -> Result<Class> {
        Ok(match ty {
            Type::Pred => Class::Predicate,
            Type::B128 => return self.error("registers of 128 bits are not supported"),
            _ if ty.bytes() == 8 => Class::Wide,
            _ => Class::Narrow,
        })
    }

    /// Binds the labels of the innermost block, which may be used before they stand.
    fn bind_labels(&mut self, statements: &[Statement]) {
        let mut depth = 0;
        for statement in statements {
            match statement {
                Statement::Open => depth += 1,
                Statement::Close if depth == 0 => return,
                Statement::Close => depth -= 1,
                Statement::Label(name) if depth == 0 => {
                    let label = self.new_label();
                    self.bind(name, Binding::Label(label));
                }
                Statement::Targets(name, targets) if depth == 0 => {
                    self.bind(name, Binding::Targets(targets.clone()));
                }
                _ => {}
            }
        }
    }

    fn body(&mut self, statements: &[Statement]) -> Result<()> {
        self.bind_labels(statements);
        for (index, statement) in statements.iter().enumerate() {
            match statement {
                Statement::Open => {
                    self.scopes.push(HashMap::new());
                    self.bind_labels(&statements[index + 1..]);
                }
                Statement::Close => {
                    self.scopes.pop();
                }
                Statement::Label(name) => {
                    if let Some(&Binding::Label(label)) = self.lookup(name) {
                        self.place_label(label);
                    }
                }
                Statement::Targets(..) => {}
                Statement::Register(ty, name, count) => {
                    let class = self.class(*ty)?;
                    let Some(count) = count else {
                        let slot = self.new_row(class);
                        self.bind(name, Binding::Register(slot, class));
                        continue;
                    };
                    for number in 0..*count {
                        let slot = self.new_row(class);
                        self.bind(&format!("{name}{number}"), Binding::Register(slot, class));
                    }
                }
                Statement::Variable(variable) => self.variable(variable)?,
                Statement::Undefined(name) => {
                    if let Some(&Binding::Register(slot, class)) = self.lookup(name) {
                        self.emit(Op::Undefined(class), [slot, NONE, NONE, NONE, NONE]);
                    }
                }
                Statement::Instruction(instruction) => {
                    self.line = instruction.line;
                    let opcode = instruction.opcode.join(".").into();
                    self.sources
                        .push((instruction.line, instruction.text.clone(), opcode));
                    self.guard = (NONE, false);
                    if let Some((name, negated)) = &instruction.guard {
                        self.guard = (self.register(name, Class::Predicate)?, *negated);
                    }
                    self.instruction(instruction)?;
                    self.guard = (NONE, false);
                }
            }
        }
        Ok(())
    }

    fn variable(&mut self, variable: &Variable) -> Result<()> {
        let place = match variable.space {
            Space::Shared => Place::Shared(self.shared[&variable.name]),
            Space::Local | Space::Param => {
                self.local_bytes = align(self.local_bytes, variable.align);
                let at = self.local_bytes;
                self.local_bytes += variable.bytes;
                if variable.space == Space::Local {
                    Place::Local(at)
                } else {
                    Place::Frame(at)
                }
            }
            Space::Global | Space::Const | Space::Generic => {
                return self.error(format!(
                    "`{}`: global and constant variables belong outside of functions",
                    variable.name
                ));
            }
        };
        self.bind(&variable.name, Binding::Place(place));
        Ok(())
    }
}

//! Statements and scalars of loop programs in MLIR's terms.
//!
//! A value `n` becomes `%vn`; what one operation needs between becomes `%tn`. Constants and the
//! kernel's arguments and extents are defined once, at the start of the function, so nothing
//! that a body stores can stand between them and their uses.

use std::collections::BTreeSet;

use crate::loops::{Carried, Compare, Function, IndexOp, Operation, Stmt, Type, ValueId};
use crate::target::CpuTarget;

/// The MLIR text of a module with one public function.
///
/// # Errors
/// The function uses a value before its definition, mixes types, or has a register whose lanes
/// are neither 1 nor a multiple of 4.
pub fn module_text(function: &Function, target: &CpuTarget) -> Result<String, String> {
    let mut emitter = Emitter {
        function,
        bf16_dot: target.bf16_dot,
        names: vec![None; function.types.len()],
        rounded: BTreeSet::new(),
        hoisted: BTreeSet::new(),
        prologue: String::new(),
        text: String::new(),
        depth: 1,
        temporaries: 0,
    };
    emitter.block(&function.body)?;
    let name = symbol(&function.name);
    let Emitter { prologue, text, .. } = emitter;
    // Only scratch is never an argument as well; buffers of one call may be the same.
    Ok(format!(
        "func.func {name}(%args: !llvm.ptr {{llvm.noalias}}, %extents: !llvm.ptr {{llvm.noalias}}, \
         %scalars: !llvm.ptr, %begin: i64, %end: i64, %scratch: !llvm.ptr {{llvm.noalias}}) {{\n\
         {prologue}{text}  return\n}}\n"
    ))
}

/// A symbol as MLIR spells it.
fn symbol(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
    if name.chars().all(plain) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return format!("@{name}");
    }
    let mut quoted = String::from("@\"");
    for byte in name.bytes() {
        match byte {
            b'"' | b'\\' | 0..0x20 | 0x7f.. => quoted.push_str(&format!("\\{byte:02X}")),
            _ => quoted.push(char::from(byte)),
        }
    }
    quoted + "\""
}

/// State of one translation.
pub(super) struct Emitter<'a> {
    function: &'a Function,
    /// Whether the target multiplies pairs of bf16 by an instruction.
    pub(super) bf16_dot: bool,
    /// The SSA name of each value; none before its definition.
    names: Vec<Option<String>>,
    /// Values whose lanes are bf16 numbers already.
    pub(super) rounded: BTreeSet<ValueId>,
    /// Names that the prologue defines.
    hoisted: BTreeSet<String>,
    prologue: String,
    text: String,
    depth: usize,
    temporaries: u32,
}

/// What an operation becomes: the right-hand side of a definition, or a name defined before.
pub(super) enum Term {
    Expression(String),
    Known(String),
}

/// `element`, or a vector of so many.
pub(super) fn lanes_of(element: &str, lanes: u32) -> Result<String, String> {
    match lanes {
        1 => Ok(element.to_owned()),
        _ if lanes > 0 && lanes.is_multiple_of(4) => Ok(format!("vector<{lanes}x{element}>")),
        _ => Err(format!(
            "a register of {lanes} lanes; 1 and multiples of 4 exist"
        )),
    }
}

/// MLIR's type of a value of this type.
pub(super) fn mlir_type(ty: Type) -> Result<String, String> {
    match ty {
        Type::Index => Ok("i64".to_owned()),
        Type::Ptr => Ok("!llvm.ptr".to_owned()),
        Type::F32(lanes) => lanes_of("f32", lanes),
        Type::I32(lanes) => lanes_of("i32", lanes),
        Type::Mask(lanes) => lanes_of("i1", lanes),
    }
}

impl Emitter<'_> {
    /// The SSA name of a value.
    pub(super) fn get(&self, value: ValueId) -> Result<String, String> {
        match self.names.get(value.0 as usize) {
            Some(Some(name)) => Ok(name.clone()),
            _ => Err(format!("value {} is used before its definition", value.0)),
        }
    }

    /// The SSA name of a value that must have this type.
    pub(super) fn typed(&self, value: ValueId, ty: Type) -> Result<String, String> {
        match self.ty(value)? {
            found if found == ty => self.get(value),
            found => Err(format!("value {} is {found:?}, not {ty:?}", value.0)),
        }
    }

    /// Declared type of a value.
    pub(super) fn ty(&self, value: ValueId) -> Result<Type, String> {
        self.function
            .types
            .get(value.0 as usize)
            .copied()
            .ok_or_else(|| format!("value {} has no type", value.0))
    }

    fn set(&mut self, value: ValueId, name: String) -> Result<(), String> {
        let slot = self
            .names
            .get_mut(value.0 as usize)
            .ok_or_else(|| format!("value {} has no type", value.0))?;
        *slot = Some(name);
        Ok(())
    }

    pub(super) fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.text.push_str("  ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Defines a name for an expression inside an operation.
    pub(super) fn temporary(&mut self, expression: &str) -> String {
        let name = format!("%t{}", self.temporaries);
        self.temporaries += 1;
        self.line(&format!("{name} = {expression}"));
        name
    }

    /// Defines a name at the start of the function, once.
    fn hoist(&mut self, name: String, expression: &str) -> String {
        if self.hoisted.insert(name.clone()) {
            self.prologue
                .push_str(&format!("  {name} = {expression}\n"));
        }
        name
    }

    pub(super) fn index(&mut self, value: i64) -> String {
        self.hoist(
            format!("%c{value}"),
            &format!("arith.constant {value} : i64"),
        )
    }

    pub(super) fn int(&mut self, value: i32, lanes: u32) -> Result<String, String> {
        self.constant('i', &value.to_string(), "i32", lanes)
    }

    pub(super) fn float(&mut self, value: f32, lanes: u32) -> Result<String, String> {
        // As f64 the digits name the number exactly; MLIR reads them as f64.
        let mut text = format!("{:?}", f64::from(value));
        if !value.is_finite() {
            text = format!("0x{:08X}", value.to_bits());
        } else if !text.contains('.') {
            text = text.replace('e', ".0e");
        }
        self.constant('f', &text, "f32", lanes)
    }

    fn constant(
        &mut self,
        kind: char,
        value: &str,
        element: &str,
        lanes: u32,
    ) -> Result<String, String> {
        let ty = lanes_of(element, lanes)?;
        Ok(match lanes {
            1 => self.hoist(
                format!("%{kind}{value}"),
                &format!("arith.constant {value} : {ty}"),
            ),
            _ => self.hoist(
                format!("%{kind}{value}x{lanes}"),
                &format!("arith.constant dense<{value}> : {ty}"),
            ),
        })
    }

    /// 0, 1, … in lanes.
    pub(super) fn steps(&mut self, lanes: u32) -> Result<String, String> {
        let ty = lanes_of("i32", lanes)?;
        let list: Vec<String> = (0..lanes).map(|lane| lane.to_string()).collect();
        Ok(self.hoist(
            format!("%steps{lanes}"),
            &format!("arith.constant dense<[{}]> : {ty}", list.join(", ")),
        ))
    }

    fn block(&mut self, stmts: &[Stmt]) -> Result<(), String> {
        for stmt in stmts {
            match stmt {
                Stmt::Let(value, operation) => self.define(*value, operation)?,
                Stmt::Store {
                    ptr,
                    offset,
                    value,
                    dtype,
                } => self.store(*ptr, *offset, *value, *dtype)?,
                Stmt::For {
                    variable,
                    low,
                    high,
                    step,
                    carried,
                    body,
                } => self.for_loop(*variable, *low, *high, *step, carried, body)?,
                Stmt::If { condition, body } => {
                    let condition = self.typed(*condition, Type::Mask(1))?;
                    self.line(&format!("scf.if {condition} {{"));
                    self.depth += 1;
                    self.block(body)?;
                    self.depth -= 1;
                    self.line("}");
                }
            }
        }
        Ok(())
    }

    fn define(&mut self, value: ValueId, operation: &Operation) -> Result<(), String> {
        let (term, ty) = self.operation(operation)?;
        let declared = self.ty(value)?;
        if ty != declared {
            return Err(format!(
                "value {} is declared {declared:?} but {operation:?} gives {ty:?}",
                value.0
            ));
        }
        if matches!(operation, Operation::RoundBf16(_)) {
            self.rounded.insert(value);
        }
        let name = match term {
            Term::Known(name) => name,
            Term::Expression(expression) => {
                let name = format!("%v{}", value.0);
                self.line(&format!("{name} = {expression}"));
                name
            }
        };
        self.set(value, name)
    }

    fn for_loop(
        &mut self,
        variable: ValueId,
        low: ValueId,
        high: ValueId,
        step: i64,
        carried: &[Carried],
        body: &[Stmt],
    ) -> Result<(), String> {
        if step <= 0 {
            return Err(format!("a loop with step {step}"));
        }
        let (low, high) = (
            self.typed(low, Type::Index)?,
            self.typed(high, Type::Index)?,
        );
        let step = self.index(step);
        let counter = format!("%v{}", variable.0);
        let (mut starts, mut types) = (Vec::new(), Vec::new());
        for part in carried {
            let ty = self.ty(part.init)?;
            if self.ty(part.inside)? != ty || self.ty(part.result)? != ty {
                return Err(format!("carried value {} changes its type", part.init.0));
            }
            let inside = format!("%v{}", part.inside.0);
            starts.push(format!("{inside} = {}", self.get(part.init)?));
            types.push(mlir_type(ty)?);
            self.set(part.inside, inside)?;
        }
        self.set(variable, counter.clone())?;
        let types = types.join(", ");
        let mut head = format!("scf.for {counter} = {low} to {high} step {step}");
        if let Some(first) = carried.first() {
            let results = match carried.len() {
                1 => format!("%v{} = ", first.result.0),
                count => format!("%v{}:{count} = ", first.result.0),
            };
            head = format!(
                "{results}{head} iter_args({}) -> ({types})",
                starts.join(", ")
            );
        }
        self.line(&format!("{head} : i64 {{"));
        self.depth += 1;
        self.block(body)?;
        let mut nexts = Vec::new();
        for part in carried {
            nexts.push(self.typed(part.next, self.ty(part.init)?)?);
        }
        if !nexts.is_empty() {
            self.line(&format!("scf.yield {} : {types}", nexts.join(", ")));
        }
        self.depth -= 1;
        self.line("}");
        for (number, part) in carried.iter().enumerate() {
            let first = carried[0].result.0;
            let name = match carried.len() {
                1 => format!("%v{first}"),
                _ => format!("%v{first}#{number}"),
            };
            self.set(part.result, name)?;
        }
        Ok(())
    }

    /// Operations of indices and addresses; the rest is lane-wise.
    fn operation(&mut self, operation: &Operation) -> Result<(Term, Type), String> {
        Ok(match operation {
            Operation::Index(value) => (Term::Known(self.index(*value)), Type::Index),
            Operation::Argument(number) => (
                Term::Known(self.argument("arg", *number, "!llvm.ptr")?),
                Type::Ptr,
            ),
            Operation::Extent(number) => (
                Term::Known(self.argument("extent", *number, "i64")?),
                Type::Index,
            ),
            Operation::TileBegin => (Term::Known("%begin".to_owned()), Type::Index),
            Operation::TileEnd => (Term::Known("%end".to_owned()), Type::Index),
            Operation::Scratch => (Term::Known("%scratch".to_owned()), Type::Ptr),
            Operation::IndexOp(op, a, b) => {
                let (a, b) = (self.typed(*a, Type::Index)?, self.typed(*b, Type::Index)?);
                let name = match op {
                    IndexOp::Add => "addi",
                    IndexOp::Sub => "subi",
                    IndexOp::Mul => "muli",
                    IndexOp::Div => "divui",
                    IndexOp::Rem => "remui",
                    IndexOp::Min => "minsi",
                    IndexOp::Max => "maxsi",
                };
                (
                    Term::Expression(format!("arith.{name} {a}, {b} : i64")),
                    Type::Index,
                )
            }
            Operation::Offset(ptr, bytes) => {
                let (ptr, bytes) = (
                    self.typed(*ptr, Type::Ptr)?,
                    self.typed(*bytes, Type::Index)?,
                );
                (
                    Term::Expression(format!(
                        "llvm.getelementptr {ptr}[{bytes}] : (!llvm.ptr, i64) -> !llvm.ptr, i8"
                    )),
                    Type::Ptr,
                )
            }
            Operation::LoadIndex { ptr, offset } => {
                let address = self.address(*ptr, *offset)?;
                let narrow = self.temporary(&format!(
                    "llvm.load {address} {{alignment = 4 : i64}} : !llvm.ptr -> i32"
                ));
                (
                    Term::Expression(format!("arith.extsi {narrow} : i32 to i64")),
                    Type::Index,
                )
            }
            _ => return self.lane_operation(operation),
        })
    }

    /// One of the numbered addresses or extents of the call, which nobody writes during it.
    fn argument(&mut self, kind: &str, number: u32, ty: &str) -> Result<String, String> {
        let number =
            i32::try_from(number).map_err(|_| format!("argument number {number} is too large"))?;
        let place = self.hoist(
            format!("%{kind}{number}_at"),
            &format!("llvm.getelementptr %{kind}s[{number}] : (!llvm.ptr) -> !llvm.ptr, {ty}"),
        );
        Ok(self.hoist(
            format!("%{kind}{number}"),
            &format!("llvm.load {place} : !llvm.ptr -> {ty}"),
        ))
    }

    /// An address some bytes after another.
    pub(super) fn address(&mut self, ptr: ValueId, offset: i64) -> Result<String, String> {
        let ptr = self.typed(ptr, Type::Ptr)?;
        if offset == 0 {
            return Ok(ptr);
        }
        // Constant positions are of 32 bits.
        if i32::try_from(offset).is_ok() {
            return Ok(self.temporary(&format!(
                "llvm.getelementptr {ptr}[{offset}] : (!llvm.ptr) -> !llvm.ptr, i8"
            )));
        }
        let offset = self.index(offset);
        Ok(self.temporary(&format!(
            "llvm.getelementptr {ptr}[{offset}] : (!llvm.ptr, i64) -> !llvm.ptr, i8"
        )))
    }
}

/// MLIR's comparison of integers.
pub(super) fn int_predicate(op: Compare) -> &'static str {
    match op {
        Compare::Eq => "eq",
        Compare::Ne => "ne",
        Compare::Lt => "slt",
        Compare::Le => "sle",
    }
}

/// MLIR's comparison of floats: `une` is the one that holds for NaN.
pub(super) fn float_predicate(op: Compare) -> &'static str {
    match op {
        Compare::Eq => "oeq",
        Compare::Ne => "une",
        Compare::Lt => "olt",
        Compare::Le => "ole",
    }
}

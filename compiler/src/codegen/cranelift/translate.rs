//! Statements and scalars of loop programs in Cranelift's terms.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    self, AbiParam, BlockArg, InstBuilder, MemFlagsData, Signature, UserFuncName, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetIsa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use crate::loops::{Carried, Compare, Function, IndexOp, Operation, Stmt, Type, ValueId};

/// Builds the Cranelift function.
pub(super) fn translate(
    function: &Function,
    isa: &dyn TargetIsa,
    context: &mut FunctionBuilderContext,
) -> Result<ir::Function, String> {
    let mut signature = Signature::new(CallConv::SystemV);
    signature
        .params
        .extend((0..6).map(|_| AbiParam::new(types::I64)));
    let mut clif = ir::Function::with_name_signature(UserFuncName::user(0, 0), signature);
    let mut builder = FunctionBuilder::new(&mut clif, context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let parameters = builder.block_params(entry).to_vec();
    let mut translator = Translator {
        function,
        builder,
        values: vec![Vec::new(); function.types.len()],
        parameters,
    };
    translator.block(&function.body)?;
    translator.builder.ins().return_(&[]);
    translator.builder.finalize(isa.frontend_config());
    Ok(clif)
}

/// State of one translation.
pub(super) struct Translator<'a> {
    pub(super) function: &'a Function,
    pub(super) builder: FunctionBuilder<'a>,
    /// Cranelift's values of each value: one for a scalar, lanes/4 for a register; empty before
    /// the definition.
    values: Vec<Vec<Value>>,
    parameters: Vec<Value>,
}

/// Memory that tiles may write: no alignment is promised and nothing may be moved.
pub(super) fn plain() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// The argument arrays of the call, which nobody writes during it.
fn argument_flags() -> MemFlagsData {
    MemFlagsData::trusted().with_readonly().with_can_move()
}

/// How many Cranelift vectors hold so many lanes; 0 stands for a scalar.
pub(super) fn vectors(lanes: u32) -> Result<u32, String> {
    match lanes {
        1 => Ok(0),
        _ if lanes > 0 && lanes.is_multiple_of(4) => Ok(lanes / 4),
        _ => Err(format!(
            "a register of {lanes} lanes; 1 and multiples of 4 exist"
        )),
    }
}

impl<'a> Translator<'a> {
    /// Cranelift's values of a value.
    pub(super) fn get(&self, value: ValueId) -> Result<Vec<Value>, String> {
        match self.values.get(value.0 as usize) {
            Some(parts) if !parts.is_empty() => Ok(parts.clone()),
            _ => Err(format!("value {} is used before its definition", value.0)),
        }
    }

    /// The one value of a scalar.
    pub(super) fn scalar(&self, value: ValueId) -> Result<Value, String> {
        match self.get(value)?.as_slice() {
            [one] => Ok(*one),
            _ => Err(format!("value {} is not a scalar", value.0)),
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

    fn set(&mut self, value: ValueId, parts: Vec<Value>) -> Result<(), String> {
        let slot = self
            .values
            .get_mut(value.0 as usize)
            .ok_or_else(|| format!("value {} has no type", value.0))?;
        *slot = parts;
        Ok(())
    }

    /// Cranelift's types of a value of this type.
    fn clif_types(ty: Type) -> Result<Vec<ir::Type>, String> {
        let (lanes, one, four) = match ty {
            Type::Index | Type::Ptr => return Ok(vec![types::I64]),
            Type::F32(lanes) => (lanes, types::F32, types::F32X4),
            Type::I32(lanes) => (lanes, types::I32, types::I32X4),
            Type::Mask(lanes) => (lanes, types::I8, types::I32X4),
            Type::Tile => return Err(no_tiles()),
        };
        Ok(match vectors(lanes)? {
            0 => vec![one],
            count => vec![four; count as usize],
        })
    }

    fn block(&mut self, stmts: &[Stmt]) -> Result<(), String> {
        for stmt in stmts {
            match stmt {
                Stmt::Let(value, operation) => {
                    let parts = self.operation(operation)?;
                    let types = Self::clif_types(self.ty(*value)?)?;
                    let agree = parts.len() == types.len()
                        && parts
                            .iter()
                            .zip(&types)
                            .all(|(part, ty)| self.builder.func.dfg.value_type(*part) == *ty);
                    if !agree {
                        return Err(format!(
                            "value {} is declared {:?} but {operation:?} gives something else",
                            value.0,
                            self.ty(*value)?
                        ));
                    }
                    self.set(*value, parts)?;
                }
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
                Stmt::TeamSync => return Err("a CPU has no teams of threads".to_owned()),
                Stmt::TileStore { .. } => return Err(no_tiles()),
                Stmt::If { condition, body } => {
                    let condition = self.scalar(*condition)?;
                    let then = self.builder.create_block();
                    let after = self.builder.create_block();
                    self.builder.ins().brif(condition, then, &[], after, &[]);
                    self.builder.switch_to_block(then);
                    self.builder.seal_block(then);
                    self.block(body)?;
                    self.builder.ins().jump(after, &[]);
                    self.builder.switch_to_block(after);
                    self.builder.seal_block(after);
                }
            }
        }
        Ok(())
    }

    /// The test stands at the end of the body, a first test before the loop.
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
        let (low, high) = (self.scalar(low)?, self.scalar(high)?);
        let inside = self.builder.create_block();
        let after = self.builder.create_block();
        let mut starts = Vec::new();
        for part in carried {
            starts.extend(self.get(part.init)?);
        }
        let enter = self.builder.ins().icmp(IntCC::SignedLessThan, low, high);
        let mut enter_args = vec![BlockArg::Value(low)];
        enter_args.extend(starts.iter().map(|value| BlockArg::Value(*value)));
        let skip_args: Vec<BlockArg> = enter_args[1..].to_vec();
        self.builder
            .ins()
            .brif(enter, inside, &enter_args, after, &skip_args);

        self.builder.switch_to_block(inside);
        let counter = self.builder.append_block_param(inside, types::I64);
        self.set(variable, vec![counter])?;
        for part in carried {
            for (id, block) in [(part.inside, inside), (part.result, after)] {
                let mut parts = Vec::new();
                for ty in Self::clif_types(self.ty(id)?)? {
                    parts.push(self.builder.append_block_param(block, ty));
                }
                self.set(id, parts)?;
            }
        }
        self.block(body)?;
        let mut nexts = Vec::new();
        for part in carried {
            nexts.extend(self.get(part.next)?);
        }
        if nexts.len() != starts.len() {
            return Err("a carried value changes its lanes".to_owned());
        }
        let step = self.builder.ins().iconst(types::I64, step);
        let next = self.builder.ins().iadd(counter, step);
        let again = self.builder.ins().icmp(IntCC::SignedLessThan, next, high);
        let mut again_args = vec![BlockArg::Value(next)];
        again_args.extend(nexts.iter().map(|value| BlockArg::Value(*value)));
        let leave_args: Vec<BlockArg> = again_args[1..].to_vec();
        self.builder
            .ins()
            .brif(again, inside, &again_args, after, &leave_args);
        self.builder.seal_block(inside);
        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
        Ok(())
    }

    /// Operations of indices and addresses; the rest is lane-wise.
    fn operation(&mut self, operation: &Operation) -> Result<Vec<Value>, String> {
        let one = match operation {
            Operation::Index(value) => self.builder.ins().iconst(types::I64, *value),
            Operation::Argument(number) => self.argument(0, *number)?,
            Operation::Extent(number) => self.argument(1, *number)?,
            Operation::TileBegin => self.parameters[3],
            Operation::TileEnd => self.parameters[4],
            Operation::Scratch => self.parameters[5],
            Operation::IndexOp(op, a, b) => self.index_op(*op, *a, *b)?,
            Operation::Offset(ptr, bytes) => {
                let (ptr, bytes) = (self.scalar(*ptr)?, self.scalar(*bytes)?);
                self.builder.ins().iadd(ptr, bytes)
            }
            Operation::LoadIndex { ptr, offset } => {
                let (ptr, offset) = self.address(*ptr, *offset)?;
                self.builder.ins().sload32(plain(), ptr, offset)
            }
            Operation::Compare(op, a, b) if self.ty(*a)? == Type::Index => {
                let (a, b) = (self.scalar(*a)?, self.scalar(*b)?);
                self.builder.ins().icmp(int_condition(*op), a, b)
            }
            Operation::Select(mask, a, b) if self.ty(*a)? == Type::Index => {
                let (mask, a, b) = (self.scalar(*mask)?, self.scalar(*a)?, self.scalar(*b)?);
                self.builder.ins().select(mask, a, b)
            }
            _ => return self.lane_operation(operation),
        };
        Ok(vec![one])
    }

    fn argument(&mut self, array: usize, number: u32) -> Result<Value, String> {
        let offset = i32::try_from(8 * i64::from(number))
            .map_err(|_| format!("argument number {number} is too large"))?;
        let array = self.parameters[array];
        Ok(self
            .builder
            .ins()
            .load(types::I64, argument_flags(), array, offset))
    }

    fn index_op(&mut self, op: IndexOp, a: ValueId, b: ValueId) -> Result<Value, String> {
        let (a, b) = (self.scalar(a)?, self.scalar(b)?);
        let ins = self.builder.ins();
        Ok(match op {
            IndexOp::Add => ins.iadd(a, b),
            IndexOp::Sub => ins.isub(a, b),
            IndexOp::Mul => ins.imul(a, b),
            IndexOp::Div => ins.udiv(a, b),
            IndexOp::Rem => ins.urem(a, b),
            IndexOp::Min | IndexOp::Max => {
                let condition = match op {
                    IndexOp::Min => IntCC::SignedLessThan,
                    _ => IntCC::SignedGreaterThan,
                };
                let first = ins.icmp(condition, a, b);
                self.builder.ins().select(first, a, b)
            }
        })
    }

    /// An address as base and 32-bit offset.
    pub(super) fn address(&mut self, ptr: ValueId, offset: i64) -> Result<(Value, i32), String> {
        let ptr = self.scalar(ptr)?;
        // Room for the vectors of one register after the first.
        if let Ok(small) = i32::try_from(offset)
            && small < i32::MAX - 4096
        {
            return Ok((ptr, small));
        }
        let offset = self.builder.ins().iconst(types::I64, offset);
        Ok((self.builder.ins().iadd(ptr, offset), 0))
    }
}

pub(super) fn no_tiles() -> String {
    "Cranelift has no registers of tiles".to_owned()
}

/// Cranelift's comparison of integers.
pub(super) fn int_condition(op: Compare) -> IntCC {
    match op {
        Compare::Eq => IntCC::Equal,
        Compare::Ne => IntCC::NotEqual,
        Compare::Lt => IntCC::SignedLessThan,
        Compare::Le => IntCC::SignedLessThanOrEqual,
    }
}

/// Cranelift's comparison of floats: `NotEqual` is the one that holds for NaN.
pub(super) fn float_condition(op: Compare) -> FloatCC {
    match op {
        Compare::Eq => FloatCC::Equal,
        Compare::Ne => FloatCC::NotEqual,
        Compare::Lt => FloatCC::LessThan,
        Compare::Le => FloatCC::LessThanOrEqual,
    }
}

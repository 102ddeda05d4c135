//! Loop programs to MLIR text, statement by statement.
//!
//! The text uses `func`, `scf`, `arith`, `math` and `vector`, and reaches memory
//! through `llvm` pointers. Registers of one lane are scalars. Numbers are
//! written as bit patterns, so the text is exact.

use super::CodegenError;
use crate::{
    loops::{
        Compare, FloatBinary, FloatUnary, Function, IndexOp, IntBinary, Operation, Stmt, TEAM,
        Type, ValueId,
    },
    target::CpuTarget,
};
use mm1_package::DType;
use std::fmt::{Display, Write as _};

/// Writes `function` as the text of a module with one public function of the
/// kernel calling convention `(args, extents, scalars, tile_begin, tile_end,
/// scratch)`.
///
/// # Errors
///
/// [`CodegenError::Unsupported`]: a type mismatch, or a number of lanes that
/// `vdpbf16ps` does not have.
pub fn emit_function(function: &Function, target: &CpuTarget) -> Result<String, CodegenError> {
    let mut emitter = Emitter::new(function, target.bf16_dot, false);
    let mut inputs = Inputs::default();
    inputs.scan(&function.body);
    let _ = writeln!(
        emitter.text,
        // Arguments may be one buffer twice; scratch and the arrays are nobody else's.
        "func.func @{}(%args: !llvm.ptr {{llvm.noalias}}, %extents: !llvm.ptr {{llvm.noalias}}, \
         %scalars: !llvm.ptr, %tile_begin: i64, %tile_end: i64, \
         %scratch: !llvm.ptr {{llvm.noalias}}) {{",
        function.name
    );
    // Loaded once, here: LLVM cannot know that no store changes them.
    for index in 0..inputs.arguments {
        emitter.line(format!(
            "%argp{index} = llvm.getelementptr %args[{index}] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr"
        ));
        emitter.line(format!(
            "%arg{index} = llvm.load %argp{index} : !llvm.ptr -> !llvm.ptr"
        ));
    }
    for index in 0..inputs.extents {
        emitter.line(format!(
            "%extp{index} = llvm.getelementptr %extents[{index}] : (!llvm.ptr) -> !llvm.ptr, i64"
        ));
        emitter.line(format!(
            "%ext{index} = llvm.load %extp{index} : !llvm.ptr -> i64"
        ));
    }
    emitter.block(&function.body)?;
    emitter.text.push_str("return\n}\n");
    Ok(emitter.text)
}

/// Writes `function` as the text of a module with one GPU kernel. Its parameters are the
/// addresses of `arguments` buffers, `extents` sizes and the number of tiles; each of the `teams`
/// teams of a block computes one tile, with its scratch in dynamic shared memory. With `blocks` the
/// assembler uses all registers that so many blocks leave each other; else as many as it thinks best.
///
/// # Errors
///
/// [`CodegenError::Unsupported`]: teams of several warps that share a block.
pub fn emit_team_kernel(
    function: &Function,
    arguments: usize,
    extents: usize,
    teams: u32,
    blocks: Option<u32>,
) -> Result<String, CodegenError> {
    let warps = function.warps;
    if (warps > 1 && teams > 1) || !warps.is_power_of_two() || warps > TEAM {
        return Err(CodegenError::Unsupported(format!(
            "{teams} teams of {warps} warps in a block"
        )));
    }
    let blocks = blocks.map_or(String::new(), |blocks| {
        format!(", nvvm.minctasm = {blocks} : i32")
    });
    let mut emitter = Emitter::new(function, false, true);
    let pointers = (0..arguments).map(|index| format!("%arg{index}: !llvm.ptr"));
    let sizes = (0..extents).map(|index| format!("%ext{index}: i64"));
    let parameters: Vec<String> = pointers
        .chain(sizes)
        .chain(["%tiles: i64".to_owned()])
        .collect();
    let threads = teams * warps * TEAM;
    let team = warps * TEAM;
    let scratch = function.scratch_bytes;
    if warps > 1 {
        // What the warps of a team say to each other in `TeamSum` and `TeamMax`.
        let _ = writeln!(
            emitter.text,
            "llvm.mlir.global internal @partials() {{addr_space = 3 : i32, alignment = 16 : i64}} : \
             !llvm.array<{warps} x f32> {{\n%u = llvm.mlir.poison : !llvm.array<{warps} x f32>\n\
             llvm.return %u : !llvm.array<{warps} x f32>\n}}"
        );
    }
    let _ = writeln!(
        emitter.text,
        "llvm.mlir.global external @scratch() {{addr_space = 3 : i32, alignment = 64 : i64}} : \
         !llvm.array<0 x i8>\n\
         llvm.func @{name}({parameters}) attributes {{nvvm.kernel, nvvm.reqntid = array<i32: {threads}>{blocks}}} {{\n\
         %everyone = arith.constant -1 : i32\n\
         %clamp = arith.constant 31 : i32\n\
         %thread32 = nvvm.read.ptx.sreg.tid.x : i32\n\
         %block32 = nvvm.read.ptx.sreg.ctaid.x : i32\n\
         %thread = arith.extui %thread32 : i32 to i64\n\
         %block = arith.extui %block32 : i32 to i64\n\
         %teamsize = arith.constant {team} : i64\n\
         %teams = arith.constant {teams} : i64\n\
         %team = arith.divui %thread, %teamsize : i64\n\
         %member = arith.remui %thread, %teamsize : i64\n\
         %first = arith.muli %block, %teams : i64\n\
         %tile_begin = arith.addi %first, %team : i64\n\
         %one = arith.constant 1 : i64\n\
         %tile_end = arith.addi %tile_begin, %one : i64\n\
         %exists = arith.cmpi ult, %tile_begin, %tiles : i64\n\
         %shared = llvm.mlir.addressof @scratch : !llvm.ptr<3>\n\
         %bytes = arith.constant {scratch} : i64\n\
         %skipped = arith.muli %team, %bytes : i64\n\
         %own = llvm.getelementptr %shared[%skipped] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8\n\
         %scratch = llvm.addrspacecast %own : !llvm.ptr<3> to !llvm.ptr\n\
         scf.if %exists {{",
        name = function.name,
        parameters = parameters.join(", "),
    );
    emitter.block(&function.body)?;
    emitter.text.push_str("}\nllvm.return\n}\n");
    Ok(emitter.text)
}

/// How many arguments and extents a function reads.
#[derive(Default)]
struct Inputs {
    arguments: u32,
    extents: u32,
}

impl Inputs {
    fn scan(&mut self, body: &[Stmt]) {
        for stmt in body {
            match stmt {
                Stmt::Let(_, Operation::Argument(index)) => {
                    self.arguments = self.arguments.max(index + 1);
                }
                Stmt::Let(_, Operation::Extent(index)) => {
                    self.extents = self.extents.max(index + 1);
                }
                Stmt::For { body, .. } | Stmt::If { body, .. } => self.scan(body),
                Stmt::Let(..) | Stmt::Store { .. } | Stmt::TileStore { .. } | Stmt::TeamSync => {}
            }
        }
    }
}

struct Emitter<'a> {
    function: &'a Function,
    bf16_dot: bool,
    /// Whether a team of threads runs the function, and so in registers of aligned memory.
    team: bool,
    text: String,
    /// What each value is called; several may share a name.
    names: Vec<String>,
    /// Which values are bf16 numbers, or their bits: the lower half of each lane is zero, so that
    /// rounding would not change them.
    is_bf16: Vec<bool>,
    temporaries: u32,
}

fn no_team() -> CodegenError {
    CodegenError::Unsupported("a team of threads on a CPU".to_owned())
}

/// `f32` or `vector<8xf32>`.
fn register(element: &str, lanes: u32) -> String {
    if lanes == 1 {
        element.to_owned()
    } else {
        format!("vector<{lanes}x{element}>")
    }
}

fn type_text(ty: Type) -> String {
    match ty {
        Type::Index => "i64".to_owned(),
        Type::Ptr => "!llvm.ptr".to_owned(),
        Type::F32(lanes) => register("f32", lanes),
        Type::I32(lanes) => register("i32", lanes),
        Type::Mask(lanes) => register("i1", lanes),
        Type::Tile => "!llvm.x86_amx".to_owned(),
    }
}

fn lanes_of(ty: Type) -> u32 {
    match ty {
        Type::F32(lanes) | Type::I32(lanes) | Type::Mask(lanes) => lanes,
        Type::Index | Type::Ptr | Type::Tile => 1,
    }
}

impl<'a> Emitter<'a> {
    fn new(function: &'a Function, bf16_dot: bool, team: bool) -> Self {
        Self {
            function,
            bf16_dot,
            team,
            text: String::new(),
            // Without a definition a name stays undeclared, which MLIR reports.
            names: (0..function.types.len())
                .map(|id| format!("%v{id}"))
                .collect(),
            is_bf16: vec![false; function.types.len()],
            temporaries: 0,
        }
    }

    fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.text, "{line}");
    }

    /// Defines a temporary.
    fn temporary(&mut self, expression: impl Display) -> String {
        let name = format!("%t{}", self.temporaries);
        self.temporaries += 1;
        self.line(format_args!("{name} = {expression}"));
        name
    }

    fn name(&self, value: ValueId) -> &str {
        &self.names[value.0 as usize]
    }

    fn ty(&self, value: ValueId) -> Type {
        self.function.ty(value)
    }

    fn alias(&mut self, value: ValueId, name: impl Into<String>) {
        self.names[value.0 as usize] = name.into();
    }

    /// An i32 constant in every lane.
    fn int(&mut self, value: u32, lanes: u32) -> String {
        let ty = register("i32", lanes);
        let value = value as i32;
        if lanes == 1 {
            self.temporary(format_args!("arith.constant {value} : {ty}"))
        } else {
            self.temporary(format_args!("arith.constant dense<{value}> : {ty}"))
        }
    }

    /// An f32 constant in every lane.
    fn float(&mut self, value: f32, lanes: u32) -> String {
        let ty = register("f32", lanes);
        let bits = value.to_bits();
        if lanes == 1 {
            self.temporary(format_args!("arith.constant 0x{bits:08X} : {ty}"))
        } else {
            self.temporary(format_args!("arith.constant dense<0x{bits:08X}> : {ty}"))
        }
    }

    /// `operation a, b : type`.
    fn two(&mut self, operation: &str, a: &str, b: &str, ty: &str) -> String {
        self.temporary(format_args!("{operation} {a}, {b} : {ty}"))
    }

    fn select(&mut self, mask: &str, a: &str, b: &str, lanes: u32, element: &str) -> String {
        let ty = register(element, lanes);
        if lanes == 1 {
            self.temporary(format_args!("arith.select {mask}, {a}, {b} : {ty}"))
        } else {
            let mask_ty = register("i1", lanes);
            self.temporary(format_args!(
                "arith.select {mask}, {a}, {b} : {mask_ty}, {ty}"
            ))
        }
    }

    fn bitcast(&mut self, x: &str, from: &str, to: &str, lanes: u32) -> String {
        let (from, to) = (register(from, lanes), register(to, lanes));
        self.temporary(format_args!("arith.bitcast {x} : {from} to {to}"))
    }

    /// `min` or `max` that give the second operand if either is NaN, which is
    /// what the x86 instructions do.
    fn min_max(&mut self, predicate: &str, a: &str, b: &str, lanes: u32) -> String {
        let ty = register("f32", lanes);
        let mask = self.temporary(format_args!("arith.cmpf {predicate}, {a}, {b} : {ty}"));
        self.select(&mask, a, b, lanes, "f32")
    }

    fn address(&mut self, ptr: ValueId, offset: i64) -> String {
        let ptr = self.name(ptr).to_owned();
        if offset == 0 {
            return ptr;
        }
        self.temporary(format_args!(
            "llvm.getelementptr {ptr}[{offset}] : (!llvm.ptr) -> !llvm.ptr, i8"
        ))
    }

    fn load(&mut self, ptr: &str, element: &str, lanes: u32, align: u32) -> String {
        let ty = register(element, lanes);
        self.temporary(format_args!(
            "llvm.load {ptr} {{alignment = {align} : i64}} : !llvm.ptr -> {ty}"
        ))
    }

    /// f32 bits → bf16 bits in the low half: nearest even, NaN quieted.
    ///
    /// By integers, because the instruction flushes subnormals.
    fn round_bf16(&mut self, x: &str, lanes: u32) -> String {
        let (float, int) = (register("f32", lanes), register("i32", lanes));
        let bits = self.bitcast(x, "f32", "i32", lanes);
        let sixteen = self.int(16, lanes);
        let one = self.int(1, lanes);
        let half = self.int(0x7fff, lanes);
        let quiet = self.int(0x40, lanes);
        let high = self.two("arith.shrui", &bits, &sixteen, &int);
        let odd = self.two("arith.andi", &high, &one, &int);
        let bias = self.two("arith.addi", &odd, &half, &int);
        let sum = self.two("arith.addi", &bits, &bias, &int);
        let rounded = self.two("arith.shrui", &sum, &sixteen, &int);
        let nan = self.two("arith.ori", &high, &quiet, &int);
        let is_nan = self.two("arith.cmpf uno,", x, x, &float);
        self.select(&is_nan, &nan, &rounded, lanes, "i32")
    }

    fn block(&mut self, body: &[Stmt]) -> Result<(), CodegenError> {
        for stmt in body {
            match stmt {
                Stmt::Let(value, operation) => {
                    let name = self.operation(*value, operation)?;
                    self.alias(*value, name);
                    self.is_bf16[value.0 as usize] = match operation {
                        Operation::RoundBf16(_)
                        | Operation::Load {
                            dtype: DType::Bf16, ..
                        } => true,
                        Operation::Int(number, _) => number & 0xffff == 0,
                        Operation::IntBinary(IntBinary::And, a, b) => {
                            self.is_bf16[a.0 as usize] || self.is_bf16[b.0 as usize]
                        }
                        Operation::Bitcast(x) => self.is_bf16[x.0 as usize],
                        _ => false,
                    };
                }
                Stmt::Store {
                    ptr,
                    offset,
                    value,
                    dtype,
                } => self.store(*ptr, *offset, *value, *dtype),
                Stmt::TileStore {
                    ptr,
                    offset,
                    row,
                    value,
                } => {
                    let address = self.address(*ptr, *offset);
                    let shape = self.tile_shape();
                    let row = self.temporary(format_args!("arith.constant {row} : i64"));
                    let value = self.name(*value).to_owned();
                    self.line(format_args!(
                        "llvm.call_intrinsic \"llvm.x86.tilestored64.internal\"({shape}, {address}, {row}, {value}) : \
                         (i16, i16, !llvm.ptr, i64, !llvm.x86_amx) -> ()"
                    ));
                }
                Stmt::TeamSync if self.team => self.sync(),
                Stmt::TeamSync => return Err(no_team()),
                Stmt::If { condition, body } => {
                    let condition = self.name(*condition).to_owned();
                    self.line(format_args!("scf.if {condition} {{"));
                    self.block(body)?;
                    self.line("}");
                }
                Stmt::For {
                    variable,
                    low,
                    high,
                    step,
                    carried,
                    body,
                } => {
                    let step = self.temporary(format_args!("arith.constant {step} : i64"));
                    let (low, high) = (self.name(*low).to_owned(), self.name(*high).to_owned());
                    self.alias(*variable, format!("%v{}", variable.0));
                    let mut header = String::new();
                    if !carried.is_empty() {
                        let inits: Vec<String> = carried
                            .iter()
                            .map(|c| format!("%v{} = {}", c.inside.0, self.name(c.init)))
                            .collect();
                        let types: Vec<String> =
                            carried.iter().map(|c| type_text(self.ty(c.init))).collect();
                        let loop_name = format!("%r{}", variable.0);
                        let _ = write!(
                            header,
                            " iter_args({}) -> ({})",
                            inits.join(", "),
                            types.join(", ")
                        );
                        let _ = write!(self.text, "{loop_name}:{} = ", carried.len());
                        for (index, c) in carried.iter().enumerate() {
                            self.alias(c.inside, format!("%v{}", c.inside.0));
                            self.alias(c.result, format!("{loop_name}#{index}"));
                        }
                    }
                    self.line(format_args!(
                        "scf.for %v{} = {low} to {high} step {step}{header} : i64 {{",
                        variable.0
                    ));
                    self.block(body)?;
                    if !carried.is_empty() {
                        let next: Vec<&str> = carried.iter().map(|c| self.name(c.next)).collect();
                        let types: Vec<String> =
                            carried.iter().map(|c| type_text(self.ty(c.next))).collect();
                        let line = format!("scf.yield {} : {}", next.join(", "), types.join(", "));
                        self.line(line);
                    }
                    self.line("}");
                }
            }
        }
        Ok(())
    }

    /// bf16 numbers as their bits. Picking the odd halves of all words is one instruction for two
    /// registers; a shift and a truncation would be five.
    fn upper_halves(&mut self, x: &str, lanes: u32) -> String {
        let (float, halves) = (register("f32", lanes), register("i16", 2 * lanes));
        let bits = self.temporary(format_args!("vector.bitcast {x} : {float} to {halves}"));
        let odd: Vec<u32> = (0..lanes).map(|lane| 2 * lane + 1).collect();
        self.temporary(format_args!(
            "vector.shuffle {bits}, {bits} {odd:?} : {halves}, {halves}"
        ))
    }

    /// Waits for the threads of the team.
    fn sync(&mut self) {
        match self.function.warps {
            1 => self.line("nvvm.bar.warp.sync %everyone : i32"),
            _ => self.line("nvvm.barrier0"),
        }
    }

    /// Alignment of registers in memory: see [`crate::loops`].
    fn alignment(&self, bytes: u32, lanes: u32) -> u32 {
        match self.team {
            true => (bytes * lanes).min(16),
            false => bytes,
        }
    }

    fn store(&mut self, ptr: ValueId, offset: i64, value: ValueId, dtype: DType) {
        let address = self.address(ptr, offset);
        let name = self.name(value).to_owned();
        let lanes = lanes_of(self.ty(value));
        let align = self.alignment(dtype.size() as u32, lanes);
        let (name, ty) = match dtype {
            DType::F32 => (name, register("f32", lanes)),
            DType::I32 => (name, register("i32", lanes)),
            // The instruction of a card keeps subnormals.
            DType::Bf16 if self.team => {
                let (float, short) = (register("f32", lanes), register("bf16", lanes));
                let name = self.temporary(format_args!("arith.truncf {name} : {float} to {short}"));
                (name, short)
            }
            DType::Bf16 if self.is_bf16[value.0 as usize] && lanes > 1 => {
                (self.upper_halves(&name, lanes), register("i16", lanes))
            }
            DType::Bf16 => {
                let bits = if self.is_bf16[value.0 as usize] {
                    let bits = self.bitcast(&name, "f32", "i32", lanes);
                    let sixteen = self.int(16, lanes);
                    self.two("arith.shrui", &bits, &sixteen, &register("i32", lanes))
                } else {
                    self.round_bf16(&name, lanes)
                };
                let (wide, narrow) = (register("i32", lanes), register("i16", lanes));
                let bits = self.temporary(format_args!("arith.trunci {bits} : {wide} to {narrow}"));
                (bits, narrow)
            }
        };
        self.line(format_args!(
            "llvm.store {name}, {address} {{alignment = {align} : i64}} : {ty}, !llvm.ptr"
        ));
    }

    /// Writes one operation; the name of its result.
    fn operation(&mut self, value: ValueId, operation: &Operation) -> Result<String, CodegenError> {
        let ty = self.ty(value);
        let lanes = lanes_of(ty);
        let own = type_text(ty);
        let name = |emitter: &Self, value: &ValueId| emitter.name(*value).to_owned();
        Ok(match operation {
            Operation::Index(value) => self.temporary(format_args!("arith.constant {value} : i64")),
            Operation::Float(value, lanes) => self.float(*value, *lanes),
            Operation::Int(value, lanes) => self.int(*value as u32, *lanes),
            Operation::Argument(index) => format!("%arg{index}"),
            Operation::Extent(index) => format!("%ext{index}"),
            Operation::Scratch => "%scratch".to_owned(),
            Operation::TileBegin => "%tile_begin".to_owned(),
            Operation::TileEnd => "%tile_end".to_owned(),
            Operation::IndexOp(op, a, b) => {
                let operation = match op {
                    IndexOp::Add => "arith.addi",
                    IndexOp::Sub => "arith.subi",
                    IndexOp::Mul => "arith.muli",
                    IndexOp::Div => "arith.divui",
                    IndexOp::Rem => "arith.remui",
                    IndexOp::Min => "arith.minsi",
                    IndexOp::Max => "arith.maxsi",
                };
                let (a, b) = (name(self, a), name(self, b));
                self.two(operation, &a, &b, "i64")
            }
            Operation::Offset(ptr, bytes) => {
                let (ptr, bytes) = (name(self, ptr), name(self, bytes));
                self.temporary(format_args!(
                    "llvm.getelementptr {ptr}[{bytes}] : (!llvm.ptr, i64) -> !llvm.ptr, i8"
                ))
            }
            Operation::Load {
                ptr,
                offset,
                dtype,
                lanes,
            } => {
                let address = self.address(*ptr, *offset);
                let align = self.alignment(dtype.size() as u32, *lanes);
                match dtype {
                    DType::F32 => self.load(&address, "f32", *lanes, align),
                    DType::I32 => self.load(&address, "i32", *lanes, align),
                    DType::Bf16 if self.team && *lanes > 1 => {
                        self.load_pairs(&address, *lanes, align)
                    }
                    DType::Bf16 => {
                        let bits = self.load(&address, "i16", *lanes, align);
                        let (narrow, wide) = (register("i16", *lanes), register("i32", *lanes));
                        let bits =
                            self.temporary(format_args!("arith.extui {bits} : {narrow} to {wide}"));
                        let sixteen = self.int(16, *lanes);
                        let bits = self.two("arith.shli", &bits, &sixteen, &wide);
                        self.bitcast(&bits, "i32", "f32", *lanes)
                    }
                }
            }
            Operation::LoadIndex { ptr, offset } => {
                let address = self.address(*ptr, *offset);
                let loaded = self.load(&address, "i32", 1, 4);
                self.temporary(format_args!("arith.extsi {loaded} : i32 to i64"))
            }
            Operation::Splat(x, lanes) => {
                let from = type_text(self.ty(*x));
                let x = name(self, x);
                if *lanes == 1 {
                    x
                } else {
                    self.temporary(format_args!("vector.broadcast {x} : {from} to {own}"))
                }
            }
            Operation::Ramp(base, lanes) => {
                let base = name(self, base);
                let base = self.temporary(format_args!("arith.trunci {base} : i64 to i32"));
                if *lanes == 1 {
                    base
                } else {
                    let steps: Vec<String> = (0..*lanes).map(|lane| lane.to_string()).collect();
                    let base =
                        self.temporary(format_args!("vector.broadcast {base} : i32 to {own}"));
                    let steps = steps.join(", ");
                    let steps =
                        self.temporary(format_args!("arith.constant dense<[{steps}]> : {own}"));
                    self.two("arith.addi", &base, &steps, &own)
                }
            }
            Operation::FloatUnary(op, x) => {
                let operation = match op {
                    FloatUnary::Neg => "arith.negf",
                    FloatUnary::Abs => "math.absf",
                    FloatUnary::Sqrt => "math.sqrt",
                    FloatUnary::Nearest => "math.roundeven",
                };
                let x = name(self, x);
                self.temporary(format_args!("{operation} {x} : {own}"))
            }
            Operation::FloatBinary(op, a, b) => {
                let (a, b) = (name(self, a), name(self, b));
                match op {
                    FloatBinary::Add => self.two("arith.addf", &a, &b, &own),
                    FloatBinary::Sub => self.two("arith.subf", &a, &b, &own),
                    FloatBinary::Mul => self.two("arith.mulf", &a, &b, &own),
                    FloatBinary::Div => self.two("arith.divf", &a, &b, &own),
                    FloatBinary::Min => self.min_max("olt", &a, &b, lanes),
                    FloatBinary::Max => self.min_max("ogt", &a, &b, lanes),
                }
            }
            Operation::Fma(a, b, c) => {
                let (a, b, c) = (name(self, a), name(self, b), name(self, c));
                // Not `vector.fma`, which LLVM may split into two roundings.
                self.temporary(format_args!("math.fma {a}, {b}, {c} : {own}"))
            }
            Operation::IntBinary(op, a, b) => {
                let operation = match op {
                    IntBinary::Add => "arith.addi",
                    IntBinary::Sub => "arith.subi",
                    IntBinary::And => "arith.andi",
                    IntBinary::Or => "arith.ori",
                    IntBinary::Xor => "arith.xori",
                    IntBinary::Shl => "arith.shli",
                    IntBinary::ShrU => "arith.shrui",
                };
                let (a, b) = (name(self, a), name(self, b));
                self.two(operation, &a, &b, &own)
            }
            Operation::Bitcast(x) => {
                let from = type_text(self.ty(*x));
                let x = name(self, x);
                self.temporary(format_args!("arith.bitcast {x} : {from} to {own}"))
            }
            Operation::FloatToInt(x) => {
                let x = name(self, x);
                self.float_to_int(&x, lanes)
            }
            Operation::IntToFloat(x) => {
                let from = type_text(self.ty(*x));
                let x = name(self, x);
                self.temporary(format_args!("arith.sitofp {x} : {from} to {own}"))
            }
            Operation::Compare(op, a, b) => {
                let operand = self.ty(*a);
                let from = type_text(operand);
                let (a, b) = (name(self, a), name(self, b));
                let operation = match (operand, op) {
                    (Type::F32(_), Compare::Eq) => "arith.cmpf oeq,",
                    (Type::F32(_), Compare::Ne) => "arith.cmpf une,",
                    (Type::F32(_), Compare::Lt) => "arith.cmpf olt,",
                    (Type::F32(_), Compare::Le) => "arith.cmpf ole,",
                    (_, Compare::Eq) => "arith.cmpi eq,",
                    (_, Compare::Ne) => "arith.cmpi ne,",
                    (_, Compare::Lt) => "arith.cmpi slt,",
                    (_, Compare::Le) => "arith.cmpi sle,",
                };
                self.two(operation, &a, &b, &from)
            }
            Operation::MaskAnd(a, b) => {
                let (a, b) = (name(self, a), name(self, b));
                self.two("arith.andi", &a, &b, &own)
            }
            Operation::Select(mask, a, b) => {
                let mask_ty = self.ty(*mask);
                let (mask, a, b) = (name(self, mask), name(self, a), name(self, b));
                let mask_text = if lanes_of(mask_ty) == 1 {
                    String::new()
                } else {
                    format!("{}, ", type_text(mask_ty))
                };
                self.temporary(format_args!(
                    "arith.select {mask}, {a}, {b} : {mask_text}{own}"
                ))
            }
            Operation::SumLanes(x) => {
                let lanes = lanes_of(self.ty(*x));
                let x = name(self, x);
                self.fold_lanes(x, lanes, |emitter, low, high, lanes| {
                    let ty = register("f32", lanes);
                    emitter.two("arith.addf", low, high, &ty)
                })?
            }
            Operation::MaxLanes(x) => {
                let lanes = lanes_of(self.ty(*x));
                let x = name(self, x);
                self.fold_lanes(x, lanes, |emitter, low, high, lanes| {
                    emitter.min_max("ogt", low, high, lanes)
                })?
            }
            Operation::RoundBf16(x) if self.team => {
                let x = name(self, x);
                let short = register("bf16", lanes);
                let x = self.temporary(format_args!("arith.truncf {x} : {own} to {short}"));
                self.temporary(format_args!("arith.extf {x} : {short} to {own}"))
            }
            Operation::RoundBf16(x) => {
                let x = name(self, x);
                let bits = self.round_bf16(&x, lanes);
                let sixteen = self.int(16, lanes);
                let bits = self.two("arith.shli", &bits, &sixteen, &register("i32", lanes));
                self.bitcast(&bits, "i32", "f32", lanes)
            }
            Operation::DotPairs(acc, a, b) => {
                let (acc, a, b) = (name(self, acc), name(self, a), name(self, b));
                if self.bf16_dot {
                    self.dot_instruction(&acc, &a, &b, lanes)?
                } else {
                    self.dot_imitation(&acc, &a, &b, lanes)
                }
            }
            Operation::TileZero => {
                let shape = self.tile_shape();
                self.temporary(format_args!(
                    "llvm.call_intrinsic \"llvm.x86.tilezero.internal\"({shape}) : (i16, i16) -> {own}"
                ))
            }
            Operation::TileLoad { ptr, offset, row } => {
                let address = self.address(*ptr, *offset);
                let shape = self.tile_shape();
                let row = self.temporary(format_args!("arith.constant {row} : i64"));
                self.temporary(format_args!(
                    "llvm.call_intrinsic \"llvm.x86.tileloadd64.internal\"({shape}, {address}, {row}) : \
                     (i16, i16, !llvm.ptr, i64) -> {own}"
                ))
            }
            Operation::TileDot(acc, a, b) => {
                let (acc, a, b) = (name(self, acc), name(self, a), name(self, b));
                let shape = self.tile_shape();
                let bytes = self.temporary("arith.constant 64 : i16");
                self.temporary(format_args!(
                    "llvm.call_intrinsic \"llvm.x86.tdpbf16ps.internal\"({shape}, {bytes}, {acc}, {a}, {b}) : \
                     (i16, i16, i16, {own}, {own}, {own}) -> {own}"
                ))
            }
            Operation::Member if self.team => "%member".to_owned(),
            Operation::TeamSum(x) if self.team => {
                let x = name(self, x);
                self.fold_team(x, |emitter, a, b| emitter.two("arith.addf", a, b, "f32"))
            }
            Operation::TeamMax(x) if self.team => {
                let x = name(self, x);
                self.fold_team(x, |emitter, a, b| emitter.min_max("ogt", a, b, 1))
            }
            Operation::Member | Operation::TeamSum(_) | Operation::TeamMax(_) => {
                return Err(no_team());
            }
            Operation::Shuffle(a, b, pattern) => {
                let from = self.ty(*a);
                let (a, b) = (name(self, a), name(self, b));
                self.shuffle(&a, &b, from, pattern)
            }
        })
    }

    /// Towards zero, saturating, NaN to 0: LLVM's conversion is undefined
    /// outside the range, so clamp first.
    fn float_to_int(&mut self, x: &str, lanes: u32) -> String {
        let (float, int) = (register("f32", lanes), register("i32", lanes));
        let zero = self.float(0.0, lanes);
        let low = self.float(-2_147_483_648.0, lanes);
        // The largest f32 below 2^31.
        let high = self.float(2_147_483_520.0, lanes);
        let limit = self.int(i32::MAX as u32, lanes);
        let number = self.two("arith.cmpf ord,", x, x, &float);
        let clamped = self.select(&number, x, &zero, lanes, "f32");
        let above = self.two("arith.cmpf ogt,", &clamped, &high, &float);
        let clamped = self.min_max("ogt", &clamped, &low, lanes);
        let clamped = self.min_max("olt", &clamped, &high, lanes);
        let converted = self.temporary(format_args!("arith.fptosi {clamped} : {float} to {int}"));
        self.select(&above, &limit, &converted, lanes, "i32")
    }

    /// Rows and bytes of a row of every tile.
    fn tile_shape(&mut self) -> String {
        let rows = self.temporary("arith.constant 16 : i16");
        let bytes = self.temporary("arith.constant 64 : i16");
        format!("{rows}, {bytes}")
    }

    /// Low half with high half until one lane is left.
    fn fold_lanes(
        &mut self,
        x: String,
        lanes: u32,
        combine: impl Fn(&mut Self, &str, &str, u32) -> String,
    ) -> Result<String, CodegenError> {
        if !lanes.is_power_of_two() {
            return Err(CodegenError::Unsupported(format!(
                "a reduction over {lanes} lanes, not a power of two"
            )));
        }
        let (mut x, mut lanes) = (x, lanes);
        while lanes > 1 {
            let half = lanes / 2;
            let low: Vec<u32> = (0..half).collect();
            let high: Vec<u32> = (half..lanes).collect();
            let low = self.shuffle(&x, &x, Type::F32(lanes), &low);
            let high = self.shuffle(&x, &x, Type::F32(lanes), &high);
            x = combine(self, &low, &high, half);
            lanes = half;
        }
        Ok(x)
    }

    /// Pairs of bf16 as words, which the halves become f32 of by a shift and a mask.
    fn load_pairs(&mut self, address: &str, lanes: u32, align: u32) -> String {
        let words = lanes / 2;
        let ty = register("i32", words);
        let bits = self.load(address, "i32", words, align);
        let (sixteen, high) = (self.int(16, words), self.int(0xffff_0000, words));
        let even = self.two("arith.shli", &bits, &sixteen, &ty);
        let odd = self.two("arith.andi", &bits, &high, &ty);
        let order: Vec<u32> = (0..words).flat_map(|at| [at, words + at]).collect();
        let both = self.shuffle(&even, &odd, Type::I32(words), &order);
        self.bitcast(&both, "i32", "f32", lanes)
    }

    /// Folds over a team: over each warp, then what the warps have.
    fn fold_team(
        &mut self,
        x: String,
        combine: impl Fn(&mut Self, &str, &str) -> String,
    ) -> String {
        let warps = self.function.warps;
        let x = self.fold_warp(x, TEAM, &combine);
        if warps == 1 {
            return x;
        }
        let at = |emitter: &mut Self, number: &str| {
            let base = emitter.temporary("llvm.mlir.addressof @partials : !llvm.ptr<3>");
            emitter.temporary(format_args!(
                "llvm.getelementptr {base}[{number}] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32"
            ))
        };
        let (five, most) = (self.int(5, 1), self.int(TEAM - 1, 1));
        let warp = self.two("arith.shrui", "%thread32", &five, "i32");
        let lane = self.two("arith.andi", "%thread32", &most, "i32");
        let own = at(self, &warp);
        // Every thread of a warp has the same.
        let zero = self.int(0, 1);
        let first = self.two("arith.cmpi eq,", &lane, &zero, "i32");
        self.line(format_args!("scf.if {first} {{"));
        self.line(format_args!(
            "llvm.store {x}, {own} {{alignment = 4 : i64}} : f32, !llvm.ptr<3>"
        ));
        self.line("}");
        self.sync();
        let last = self.int(warps - 1, 1);
        let other = self.two("arith.andi", "%thread32", &last, "i32");
        let other = at(self, &other);
        let part = self.temporary(format_args!(
            "llvm.load {other} {{alignment = 4 : i64}} : !llvm.ptr<3> -> f32"
        ));
        // The next exchange writes what this one reads.
        self.sync();
        self.fold_warp(part, warps, &combine)
    }

    /// Each thread's value with that of the thread at half the distance, down to 1.
    fn fold_warp(
        &mut self,
        mut x: String,
        threads: u32,
        combine: impl Fn(&mut Self, &str, &str) -> String,
    ) -> String {
        let mut distance = threads / 2;
        while distance > 0 {
            let by = self.int(distance, 1);
            let other = self.temporary(format_args!(
                "nvvm.shfl.sync bfly %everyone, {x}, {by}, %clamp : f32 -> f32"
            ));
            x = combine(self, &x, &other);
            distance /= 2;
        }
        x
    }

    /// Lanes of two registers of type `from`; scalars are registers of one lane.
    fn shuffle(&mut self, a: &str, b: &str, from: Type, pattern: &[u32]) -> String {
        let lanes = lanes_of(from);
        let element = match from {
            Type::I32(_) => "i32",
            _ => "f32",
        };
        if let [lane] = pattern {
            let (source, lane) = if *lane < lanes {
                (a, *lane)
            } else {
                (b, *lane - lanes)
            };
            if lanes == 1 {
                return source.to_owned();
            }
            return self.temporary(format_args!(
                "vector.extract {source}[{lane}] : {element} from vector<{lanes}x{element}>"
            ));
        }
        let (a, b) = if lanes == 1 {
            let ty = format!("vector<1x{element}>");
            (
                self.temporary(format_args!("vector.broadcast {a} : {element} to {ty}")),
                self.temporary(format_args!("vector.broadcast {b} : {element} to {ty}")),
            )
        } else {
            (a.to_owned(), b.to_owned())
        };
        self.temporary(format_args!(
            "vector.shuffle {a}, {b} {pattern:?} : vector<{lanes}x{element}>, vector<{lanes}x{element}>"
        ))
    }

    fn dot_instruction(
        &mut self,
        acc: &str,
        a: &str,
        b: &str,
        lanes: u32,
    ) -> Result<String, CodegenError> {
        if lanes == 1 {
            // One lane of the narrowest form.
            let widen = |emitter: &mut Self, x: &str, element: &str| {
                emitter.temporary(format_args!(
                    "vector.broadcast {x} : {element} to vector<4x{element}>"
                ))
            };
            let acc = widen(self, acc, "f32");
            let (a, b) = (widen(self, a, "i32"), widen(self, b, "i32"));
            let wide = self.dot_instruction(&acc, &a, &b, 4)?;
            return Ok(self.temporary(format_args!(
                "vector.extract {wide}[0] : f32 from vector<4xf32>"
            )));
        }
        if ![4, 8, 16].contains(&lanes) {
            return Err(CodegenError::Unsupported(format!(
                "a dot product of bf16 pairs in {lanes} lanes"
            )));
        }
        let pairs = format!("vector<{}xbf16>", lanes * 2);
        let acc_ty = register("f32", lanes);
        let int = register("i32", lanes);
        let a = self.temporary(format_args!("vector.bitcast {a} : {int} to {pairs}"));
        let b = self.temporary(format_args!("vector.bitcast {b} : {int} to {pairs}"));
        Ok(self.temporary(format_args!(
            "llvm.call_intrinsic \"llvm.x86.avx512bf16.dpbf16ps.{}\"({acc}, {a}, {b}) : \
             ({acc_ty}, {pairs}, {pairs}) -> {acc_ty}",
            lanes * 32
        )))
    }

    /// What the instruction does, in its order, by other instructions.
    fn dot_imitation(&mut self, acc: &str, a: &str, b: &str, lanes: u32) -> String {
        let int = register("i32", lanes);
        let float = register("f32", lanes);
        let sixteen = self.int(16, lanes);
        let high = self.int(0xffff_0000, lanes);
        let halves = |emitter: &mut Self, x: &str| {
            let odd = emitter.two("arith.andi", x, &high, &int);
            let even = emitter.two("arith.shli", x, &sixteen, &int);
            (emitter.flush(&odd, lanes), emitter.flush(&even, lanes))
        };
        let (a_odd, a_even) = halves(self, a);
        let (b_odd, b_even) = halves(self, b);
        let acc = self.bitcast(acc, "f32", "i32", lanes);
        let mut acc = self.flush(&acc, lanes);
        for (a, b) in [(a_odd, b_odd), (a_even, b_even)] {
            let sum = self.temporary(format_args!("math.fma {a}, {b}, {acc} : {float}"));
            let bits = self.bitcast(&sum, "f32", "i32", lanes);
            acc = self.flush(&bits, lanes);
        }
        acc
    }

    /// Bits of an f32 → f32, a subnormal as zero of its sign.
    fn flush(&mut self, bits: &str, lanes: u32) -> String {
        let int = register("i32", lanes);
        let exponent = self.int(0x7f80_0000, lanes);
        let sign = self.int(0x8000_0000, lanes);
        let zero = self.int(0, lanes);
        let exponent = self.two("arith.andi", bits, &exponent, &int);
        let tiny = self.two("arith.cmpi eq,", &exponent, &zero, &int);
        let sign = self.two("arith.andi", bits, &sign, &int);
        let flushed = self.select(&tiny, &sign, bits, lanes, "i32");
        self.bitcast(&flushed, "i32", "f32", lanes)
    }
}

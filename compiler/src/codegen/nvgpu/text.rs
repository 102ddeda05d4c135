//! MLIR text in the LLVM dialect: names, constants, blocks, loops.
//!
//! Values are names; the writer invents them. A block whose arguments are carried values is a loop.

use std::fmt::{Display, Write as _};

/// Text of one function body.
#[derive(Default)]
pub(super) struct Text {
    body: String,
    names: u32,
    blocks: u32,
}

/// A value that a loop carries: its first value and its type.
pub(super) type Carried = (String, &'static str);

impl Text {
    /// What was written.
    pub fn finish(self) -> String {
        self.body
    }

    /// One line.
    pub fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.body, "  {line}");
    }

    /// Names the result of an operation.
    pub fn value(&mut self, operation: impl Display) -> String {
        let name = format!("%t{}", self.names);
        self.names += 1;
        self.line(format_args!("{name} = {operation}"));
        name
    }

    /// An integer constant.
    pub fn int(&mut self, value: i64, ty: &str) -> String {
        self.value(format_args!("llvm.mlir.constant({value} : {ty}) : {ty}"))
    }

    /// An f32 constant, by its bits.
    pub fn float(&mut self, value: f32) -> String {
        let bits = value.to_bits();
        self.value(format_args!("llvm.mlir.constant(0x{bits:08X} : f32) : f32"))
    }

    /// `llvm.operation a, b : ty`.
    pub fn two(&mut self, operation: &str, a: &str, b: &str, ty: &str) -> String {
        self.value(format_args!("llvm.{operation} {a}, {b} : {ty}"))
    }

    /// `llvm.operation a, number : ty`.
    pub fn with(&mut self, operation: &str, a: &str, number: i64, ty: &str) -> String {
        let number = self.int(number, ty);
        self.two(operation, a, &number, ty)
    }

    /// Comparison of integers.
    pub fn compare(&mut self, predicate: &str, a: &str, b: &str, ty: &str) -> String {
        self.value(format_args!("llvm.icmp \"{predicate}\" {a}, {b} : {ty}"))
    }

    /// Whether a condition does not hold.
    pub fn not(&mut self, condition: &str) -> String {
        let holds = self.int(1, "i1");
        self.two("xor", condition, &holds, "i1")
    }

    /// a where the condition holds, else b.
    pub fn select(&mut self, condition: &str, a: &str, b: &str, ty: &str) -> String {
        self.value(format_args!("llvm.select {condition}, {a}, {b} : i1, {ty}"))
    }

    /// Smaller of two signed i64.
    pub fn least(&mut self, a: &str, b: &str) -> String {
        self.value(format_args!("llvm.intr.smin({a}, {b}) : (i64, i64) -> i64"))
    }

    /// i64 → i32.
    pub fn narrow(&mut self, a: &str) -> String {
        self.value(format_args!("llvm.trunc {a} : i64 to i32"))
    }

    /// i32 → i64, zeros in front.
    pub fn widen(&mut self, a: &str) -> String {
        self.value(format_args!("llvm.zext {a} : i32 to i64"))
    }

    /// PTX with effects on memory or other threads; operands with their types.
    pub fn effect(&mut self, ptx: &str, constraints: &str, operands: &[(&str, &str)]) {
        let (names, types) = split(operands);
        let clobbered = match constraints {
            "" => "~{memory}".to_owned(),
            others => format!("{others},~{{memory}}"),
        };
        self.line(format_args!(
            "llvm.inline_asm has_side_effects asm_dialect = att \"{ptx}\", \"{clobbered}\" {names} \
             : ({types}) -> ()"
        ));
    }

    /// PTX with effects that gives a value.
    pub fn answer(
        &mut self,
        ptx: &str,
        constraints: &str,
        operands: &[(&str, &str)],
        ty: &str,
    ) -> String {
        let (names, types) = split(operands);
        self.value(format_args!(
            "llvm.inline_asm has_side_effects asm_dialect = att \"{ptx}\", \
             \"{constraints},~{{memory}}\" {names} : ({types}) -> {ty}"
        ))
    }

    /// PTX that only computes.
    pub fn pure(
        &mut self,
        ptx: &str,
        constraints: &str,
        operands: &[(&str, &str)],
        ty: &str,
    ) -> String {
        let (names, types) = split(operands);
        self.value(format_args!(
            "llvm.inline_asm asm_dialect = att \"{ptx}\", \"{constraints}\" {names} \
             : ({types}) -> {ty}"
        ))
    }

    /// An i32 that all lanes of a warp have alike, and the assembler knows it.
    pub fn uniform(&mut self, x: &str) -> String {
        self.answer(
            "shfl.sync.idx.b32 $0, $1, 0, 31, -1;",
            "=r,r",
            &[(x, "i32")],
            "i32",
        )
    }

    /// A block's name.
    pub fn label(&mut self) -> String {
        self.blocks += 1;
        format!("^b{}", self.blocks)
    }

    /// Starts a block.
    pub fn open(&mut self, label: &str) {
        let _ = writeln!(self.body, "{label}:");
    }

    /// Goes to a block without arguments.
    pub fn go(&mut self, label: &str) {
        self.line(format_args!("llvm.br {label}"));
    }

    /// Goes to one of two blocks without arguments.
    pub fn branch(&mut self, condition: &str, then: &str, otherwise: &str) {
        self.line(format_args!(
            "llvm.cond_br {condition}, {then}, {otherwise}"
        ));
    }

    /// Runs `body` where the condition holds.
    pub fn when<E>(
        &mut self,
        condition: &str,
        body: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let (then, after) = (self.label(), self.label());
        self.branch(condition, &then, &after);
        self.open(&then);
        body(self)?;
        self.go(&after);
        self.open(&after);
        Ok(())
    }

    /// The values as they are, or where the condition holds as `body` makes them.
    pub fn revised<E>(
        &mut self,
        condition: &str,
        values: &[String],
        ty: &'static str,
        body: impl FnOnce(&mut Self) -> Result<Vec<String>, E>,
    ) -> Result<Vec<String>, E> {
        let (then, after) = (self.label(), self.label());
        let carried: Vec<Carried> = values.iter().map(|name| (name.clone(), ty)).collect();
        let types = vec![ty; values.len()].join(", ");
        self.line(format_args!(
            "llvm.cond_br {condition}, {then}, {after}({} : {types})",
            values.join(", ")
        ));
        self.open(&then);
        let revised = body(self)?;
        let jump = jump(&after, &revised, &carried);
        self.line(jump);
        let names: Vec<String> = values
            .iter()
            .map(|_| {
                self.names += 1;
                format!("%t{}", self.names - 1)
            })
            .collect();
        let arguments: Vec<String> = names.iter().map(|name| format!("{name}: {ty}")).collect();
        let _ = writeln!(self.body, "{after}({}):", arguments.join(", "));
        Ok(names)
    }

    /// While `goes_on` gives true: `body` makes the next carried values from the present ones.
    /// Returns those after the last round.
    pub fn repeat<E>(
        &mut self,
        carried: &[Carried],
        goes_on: impl FnOnce(&mut Self, &[String]) -> String,
        body: impl FnOnce(&mut Self, &[String]) -> Result<Vec<String>, E>,
    ) -> Result<Vec<String>, E> {
        let (head, inside, after) = (self.label(), self.label(), self.label());
        let first: Vec<String> = carried.iter().map(|(name, _)| name.clone()).collect();
        let jump = jump(&head, &first, carried);
        self.line(jump);
        let names: Vec<String> = carried
            .iter()
            .map(|_| {
                self.names += 1;
                format!("%t{}", self.names - 1)
            })
            .collect();
        let arguments: Vec<String> = names
            .iter()
            .zip(carried)
            .map(|(name, (_, ty))| format!("{name}: {ty}"))
            .collect();
        let _ = match arguments.is_empty() {
            true => writeln!(self.body, "{head}:"),
            false => writeln!(self.body, "{head}({}):", arguments.join(", ")),
        };
        let more = goes_on(self, &names);
        self.branch(&more, &inside, &after);
        self.open(&inside);
        let next = body(self, &names)?;
        let jump = self::jump(&head, &next, carried);
        self.line(jump);
        self.open(&after);
        Ok(names)
    }

    /// Waits until a barrier has passed the phase of this parity.
    pub fn wait(&mut self, barrier: &str, parity: &str) {
        let (again, after) = (self.label(), self.label());
        self.go(&again);
        self.open(&again);
        let passed = self.answer(
            "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [$1], $2; \
             selp.b32 $0, 1, 0, p; }",
            "=r,r,r",
            &[(barrier, "i32"), (parity, "i32")],
            "i32",
        );
        let zero = self.int(0, "i32");
        let passed = self.compare("ne", &passed, &zero, "i32");
        self.branch(&passed, &after, &again);
        self.open(&after);
    }

    /// Starts the bulk copy of a tensor map's box at `coordinates` (i32) to shared memory; its bytes count
    /// for the barrier.
    pub fn copy_box(&mut self, to: &str, map: u32, coordinates: &[String], barrier: &str) {
        let map = format!("%map{map}");
        let mut given: Vec<(&str, &str)> = vec![(to, "i32"), (&map, "!llvm.ptr")];
        given.extend(coordinates.iter().map(|name| (name.as_str(), "i32")));
        given.push((barrier, "i32"));
        let rank = coordinates.len();
        let listed: Vec<String> = (0..rank).map(|number| format!("${}", number + 2)).collect();
        self.effect(
            &format!(
                "cp.async.bulk.tensor.{rank}d.shared::cluster.global.tile\
                 .mbarrier::complete_tx::bytes [$0], [$1, {{{}}}], [${}];",
                listed.join(", "),
                rank + 2
            ),
            &format!("r,l{}", ",r".repeat(rank + 1)),
            &given,
        );
    }

    /// The parameters of a kernel with these numbers of buffers, extents and tensor maps; writes what
    /// makes addresses of the buffers.
    pub fn parameters(&mut self, buffers: usize, extents: u32, maps: usize) -> String {
        let mut parameters: Vec<String> = (0..buffers)
            .map(|number| format!("%p{number}: i64"))
            .collect();
        parameters.extend((0..extents).map(|number| format!("%ext{number}: i64")));
        parameters.push("%tiles: i64".to_owned());
        parameters.extend((0..maps).map(|number| {
            format!(
                "%map{number}: !llvm.ptr {{llvm.align = 64 : i64, \
                 llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}}"
            )
        }));
        for number in 0..buffers {
            self.line(format_args!(
                "%arg{number} = llvm.inttoptr %p{number} : i64 to !llvm.ptr<1>"
            ));
        }
        parameters.join(", ")
    }
}

fn jump(label: &str, values: &[String], carried: &[Carried]) -> String {
    if values.is_empty() {
        return format!("llvm.br {label}");
    }
    let types: Vec<&str> = carried.iter().map(|(_, ty)| *ty).collect();
    format!(
        "llvm.br {label}({} : {})",
        values.join(", "),
        types.join(", ")
    )
}

fn split(operands: &[(&str, &str)]) -> (String, String) {
    let names: Vec<&str> = operands.iter().map(|(name, _)| *name).collect();
    let types: Vec<&str> = operands.iter().map(|(_, ty)| *ty).collect();
    (names.join(", "), types.join(", "))
}

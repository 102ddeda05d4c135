//! MLIR text to machine code: the entry points.

use super::{
    CodeBlob, CodegenError, check::check_operations, ffi, link::link_object, llvm::LlvmBackend,
};
use crate::target::{CpuTarget, GpuTarget, Target};
use melior::{
    Context,
    diagnostic::{Diagnostic, DiagnosticSeverity},
    dialect::DialectRegistry,
    ir::Module,
    pass::{PassManager, conversion, transform},
};
use mlir_sys::{
    MlirDialectHandle, mlirDialectHandleInsertDialect, mlirGetDialectHandle__arith__,
    mlirGetDialectHandle__cf__, mlirGetDialectHandle__func__, mlirGetDialectHandle__index__,
    mlirGetDialectHandle__llvm__, mlirGetDialectHandle__math__, mlirGetDialectHandle__nvvm__,
    mlirGetDialectHandle__scf__, mlirGetDialectHandle__ub__, mlirGetDialectHandle__vector__,
};
use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Compiles one module: MLIR text (dialects `func`, `scf`, `cf`, `arith`,
/// `index`, `vector`, `math`, `ub`, `llvm`) to a blob with one entry per public
/// function. The same text and target give the same bytes.
///
/// Memory is reached through `llvm.load`, `llvm.store` and `llvm.intr.masked.*`
/// on `!llvm.ptr`; there are no memrefs. Of `math` only what is an instruction
/// is accepted (`fma`, `sqrt`, `floor`, …), no `exp` or `sin`.
///
/// Setting up costs milliseconds: where there are several modules, keep a
/// [`Compiler`] or call [`compile_modules`].
///
/// # Errors
///
/// See [`CodegenError`]; the message holds what MLIR or LLVM said.
pub fn compile_module(mlir_text: &str, target: &CpuTarget) -> Result<CodeBlob, CodegenError> {
    Compiler::new(&Target::Cpu(*target))?.compile(mlir_text)
}

/// Compiles modules on up to `threads` threads (at least one); results are in
/// the order of `modules` and do not depend on `threads`.
pub fn compile_modules(
    modules: &[&str],
    target: &CpuTarget,
    threads: usize,
) -> Vec<Result<CodeBlob, CodegenError>> {
    each_module(modules, &Target::Cpu(*target), threads, Compiler::compile)
}

/// Compiles modules for a GPU, each to PTX text; otherwise as [`compile_modules`]. Beside the
/// dialects of [`compile_module`], `nvvm` is accepted.
pub fn compile_modules_to_ptx(
    modules: &[&str],
    target: &GpuTarget,
    threads: usize,
) -> Vec<Result<String, CodegenError>> {
    each_module(modules, &Target::Gpu(*target), threads, Compiler::ptx)
}

fn each_module<T: Send>(
    modules: &[&str],
    target: &Target,
    threads: usize,
    compile: impl Fn(&mut Compiler, &str) -> Result<T, CodegenError> + Sync,
) -> Vec<Result<T, CodegenError>> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<T, CodegenError>>>> =
        modules.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        // A context is bound to its thread, so each thread makes its own.
        let mut compiler = Compiler::new(target);
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(text) = modules.get(index) else {
                break;
            };
            let result = match &mut compiler {
                Ok(compiler) => compile(compiler, text),
                Err(error) => Err(error.clone()),
            };
            if let Ok(mut slot) = results[index].lock() {
                *slot = Some(result);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(modules.len()) {
            scope.spawn(work);
        }
        work();
    });
    results
        .into_iter()
        .map(|slot| {
            slot.into_inner()
                .ok()
                .flatten()
                .expect("the loop leaves no index out, and a panic passes through the scope")
        })
        .collect()
}

/// Compiles modules one after the other for one target, on one thread.
pub struct Compiler {
    // Before the context: the field order is the drop order.
    backend: LlvmBackend,
    context: Context,
    target: Target,
    errors: Rc<RefCell<Vec<String>>>,
}

impl Compiler {
    /// Sets up MLIR and LLVM for `target`.
    ///
    /// # Errors
    ///
    /// LLVM cannot generate code for the target.
    pub fn new(target: &Target) -> Result<Self, CodegenError> {
        let registry = DialectRegistry::new();
        for handle in dialects() {
            // SAFETY: the handle is one of MLIR's own, the registry is live.
            unsafe { mlirDialectHandleInsertDialect(handle, registry.to_raw()) };
        }
        // No threads of its own: parallelism is across modules.
        let context = Context::new_with_registry(&registry, false);
        context.load_all_available_dialects();
        // SAFETY: the context is live and new.
        unsafe { ffi::register_llvm_translation(context.to_raw()) };
        let errors = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&errors);
        context.attach_diagnostic_handler(move |diagnostic| {
            if matches!(diagnostic.severity(), DiagnosticSeverity::Error) {
                sink.borrow_mut().push(describe(&diagnostic));
            }
            // Handled: MLIR prints nothing itself.
            true
        });
        Ok(Self {
            backend: LlvmBackend::new(target)?,
            context,
            target: *target,
            errors,
        })
    }

    /// Compiles one module; see [`compile_module`].
    ///
    /// # Errors
    ///
    /// See [`CodegenError`]. The compiler stays usable.
    pub fn compile(&mut self, mlir_text: &str) -> Result<CodeBlob, CodegenError> {
        let object = self.emit_code(mlir_text)?;
        link_object(&object)
    }

    /// Compiles one module for a GPU to PTX.
    ///
    /// # Errors
    ///
    /// See [`CodegenError`]. The compiler stays usable.
    pub fn ptx(&mut self, mlir_text: &str) -> Result<String, CodegenError> {
        let text = self.emit_code(mlir_text)?;
        let text = text.strip_suffix(&[0]).unwrap_or(&text).to_vec();
        String::from_utf8(text).map_err(|error| CodegenError::Llvm(error.to_string()))
    }

    /// Compiles one module to a relocatable ELF object, for tools that
    /// disassemble, or to PTX; [`Compiler::compile`] goes on to link the object.
    ///
    /// # Errors
    ///
    /// See [`CodegenError`].
    pub fn emit_code(&mut self, mlir_text: &str) -> Result<Vec<u8>, CodegenError> {
        self.errors.borrow_mut().clear();
        if mlir_text.contains('\0') {
            return Err(CodegenError::Parse("zero byte in the text".to_owned()));
        }
        let mut module = Module::parse(&self.context, mlir_text)
            .ok_or_else(|| CodegenError::Parse(self.messages()))?;
        // A failed pass leaves its manager unusable, so each module has its own.
        lowering_passes(&self.context)
            .run(&mut module)
            .map_err(|_| CodegenError::Lower(self.messages()))?;
        check_operations(&module, &self.target)?;
        self.backend
            .emit_code(&module)
            .map_err(|error| match error {
                CodegenError::Llvm(message) => {
                    let mut messages = self.messages();
                    if !messages.is_empty() && !message.is_empty() {
                        messages.push_str("; ");
                    }
                    CodegenError::Llvm(messages + &message)
                }
                other => other,
            })
    }

    fn messages(&self) -> String {
        self.errors.borrow().join("; ")
    }
}

/// Every dialect that module text may use.
fn dialects() -> [MlirDialectHandle; 10] {
    // SAFETY: these functions only return static tables.
    unsafe {
        [
            mlirGetDialectHandle__arith__(),
            mlirGetDialectHandle__cf__(),
            mlirGetDialectHandle__func__(),
            mlirGetDialectHandle__index__(),
            mlirGetDialectHandle__llvm__(),
            mlirGetDialectHandle__math__(),
            mlirGetDialectHandle__nvvm__(),
            mlirGetDialectHandle__scf__(),
            mlirGetDialectHandle__ub__(),
            mlirGetDialectHandle__vector__(),
        ]
    }
}

/// One line with place, message and notes.
fn describe(diagnostic: &Diagnostic<'_>) -> String {
    let mut text = format!("{}: {diagnostic}", diagnostic.location());
    for index in 0..diagnostic.note_count() {
        if let Ok(note) = diagnostic.note(index) {
            text.push_str(&format!(" ({note})"));
        }
    }
    text
}

/// From the accepted dialects down to the LLVM dialect.
fn lowering_passes(context: &Context) -> PassManager<'_> {
    let manager = PassManager::new(context);
    manager.enable_verifier(true);
    for pass in [
        // Vectors first: their lowering makes arith, scf and math operations.
        conversion::create_vector_to_llvm(),
        conversion::create_scf_to_control_flow(),
        conversion::create_math_to_llvm(),
        conversion::create_arith_to_llvm(),
        conversion::create_index_to_llvm(),
        conversion::create_ub_to_llvm(),
        conversion::create_control_flow_to_llvm(),
        conversion::create_func_to_llvm(),
        conversion::create_reconcile_unrealized_casts(),
        transform::create_canonicalizer(),
        transform::create_cse(),
    ] {
        manager.add_pass(pass);
    }
    manager
}

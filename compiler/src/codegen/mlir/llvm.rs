//! LLVM IR to an ELF object or to PTX: attributes, optimisation, instruction selection.

use super::{CodegenError, ffi};
use crate::target::Target;
use melior::ir::Module;
use mlir_sys::{
    LLVMAddAttributeAtIndex, LLVMContextCreate, LLVMContextDispose, LLVMContextRef,
    LLVMContextSetDiagnosticHandler, LLVMCreateEnumAttribute, LLVMCreateStringAttribute,
    LLVMDiagnosticInfoRef, LLVMDisposeMemoryBuffer, LLVMDisposeMessage, LLVMDisposeModule,
    LLVMGetBufferSize, LLVMGetBufferStart, LLVMGetDiagInfoDescription, LLVMGetDiagInfoSeverity,
    LLVMGetEnumAttributeKindForName, LLVMGetFirstFunction, LLVMGetNextFunction, LLVMIsDeclaration,
    LLVMModuleRef, LLVMSetTarget, LLVMValueRef, mlirTranslateModuleToLLVMIR,
};
use std::{
    cell::RefCell,
    ffi::{CStr, CString, c_char, c_void},
    ptr::null_mut,
    sync::Once,
};

/// The triple of a target's code.
fn triple(target: &Target) -> &'static CStr {
    match target {
        Target::Cpu(_) => c"x86_64-unknown-linux-gnu",
        Target::Gpu(_) => c"nvptx64-nvidia-cuda",
    }
}

/// The optimiser's passes, in order.
///
/// Kernels arrive unrolled and in vector form, so nothing here vectorises,
/// unrolls or inlines: the passes clean up after lowering, hoist out of loops
/// and shape addresses. `default<O2>` makes the same code several times slower.
const PASSES: &CStr = c"function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,loop-mssa(loop-rotate,licm),gvn,instcombine<no-verify-fixpoint>,simplifycfg,adce)";

/// The attribute index of the function itself (`LLVMAttributeFunctionIndex`).
const FUNCTION_INDEX: u32 = u32::MAX;

/// The same for a card, whose threads have no vector registers: lanes become scalars, and only
/// memory is reached by several at once.
const CARD_PASSES: &CStr = c"function(sroa,scalarizer,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,loop-mssa(loop-rotate,licm),gvn,instcombine<no-verify-fixpoint>,simplifycfg,adce)";

/// An LLVM context with the machine description of one target.
///
/// It belongs to one thread.
pub struct LlvmBackend {
    target: Target,
    context: LLVMContextRef,
    machine: ffi::TargetMachineRef,
    // Boxed: LLVM keeps the address.
    errors: Box<RefCell<Vec<String>>>,
}

impl LlvmBackend {
    /// Prepares LLVM for `target`.
    ///
    /// # Errors
    ///
    /// LLVM was built without code generation for it.
    pub fn new(target: &Target) -> Result<Self, CodegenError> {
        static INITIALIZE: Once = Once::new();
        // SAFETY: registration runs once and before any other use of the target;
        // strings outlive the calls that read them.
        unsafe {
            INITIALIZE.call_once(|| {
                ffi::LLVMInitializeX86TargetInfo();
                ffi::LLVMInitializeX86Target();
                ffi::LLVMInitializeX86TargetMC();
                ffi::LLVMInitializeX86AsmPrinter();
                ffi::LLVMInitializeNVPTXTargetInfo();
                ffi::LLVMInitializeNVPTXTarget();
                ffi::LLVMInitializeNVPTXTargetMC();
                ffi::LLVMInitializeNVPTXAsmPrinter();
            });
            let machine = create_machine(target)?;
            let context = LLVMContextCreate();
            let errors = Box::new(RefCell::new(Vec::new()));
            let slot: *const RefCell<Vec<String>> = &*errors;
            LLVMContextSetDiagnosticHandler(context, Some(collect), slot.cast_mut().cast());
            Ok(Self {
                target: *target,
                context,
                machine,
                errors,
            })
        }
    }

    /// Turns a verified module of checked operations of the LLVM and NVVM dialects
    /// into an ELF object (CPU) or PTX text (GPU).
    ///
    /// # Errors
    ///
    /// LLVM's message, where translation, verification or emission fails.
    pub fn emit_code(&mut self, module: &Module) -> Result<Vec<u8>, CodegenError> {
        self.errors.borrow_mut().clear();
        // SAFETY: the module is live and verified; translation copies it.
        let raw =
            unsafe { mlirTranslateModuleToLLVMIR(module.as_operation().to_raw(), self.context) };
        if raw.is_null() {
            return Err(self.failure("the LLVM dialect did not translate to LLVM IR".to_owned()));
        }
        let module = LlvmModule(raw);
        self.prepare(&module)?;
        self.optimize(&module)?;
        self.emit(&module)
    }

    /// Names the machine in the module and its functions, then verifies.
    fn prepare(&mut self, module: &LlvmModule) -> Result<(), CodegenError> {
        // SAFETY: module, machine and context are live; a message is freed once.
        unsafe {
            LLVMSetTarget(module.0, triple(&self.target).as_ptr());
            let layout = ffi::LLVMCreateTargetDataLayout(self.machine);
            ffi::LLVMSetModuleDataLayout(module.0, layout);
            ffi::LLVMDisposeTargetData(layout);

            let mut function = LLVMGetFirstFunction(module.0);
            while !function.is_null() {
                if LLVMIsDeclaration(function) == 0 {
                    self.set_attributes(function);
                }
                function = LLVMGetNextFunction(function);
            }

            let mut message = null_mut();
            let broken = ffi::LLVMVerifyModule(module.0, ffi::RETURN_STATUS, &mut message);
            let message = take_message(message);
            if broken != 0 {
                return Err(self.failure(message));
            }
        }
        Ok(())
    }

    /// # Safety
    ///
    /// `function` is a live function of this context.
    unsafe fn set_attributes(&self, function: LLVMValueRef) {
        let width;
        // A loop that clears or copies stays a loop: no calls to memset.
        let mut strings = vec![("no-builtins", "")];
        match &self.target {
            Target::Cpu(target) => {
                width = (target.vector_bytes() * 8).to_string();
                strings.extend([
                    ("target-cpu", target.llvm_cpu),
                    ("target-features", target.features),
                    ("prefer-vector-width", &width),
                ]);
            }
            Target::Gpu(target) => strings.extend([
                ("target-cpu", target.llvm_cpu),
                ("target-features", target.features),
            ]),
        }
        for (key, value) in strings {
            // SAFETY: lengths are those of the strings, which LLVM copies.
            unsafe {
                let attribute = LLVMCreateStringAttribute(
                    self.context,
                    key.as_ptr().cast(),
                    key.len() as u32,
                    value.as_ptr().cast(),
                    value.len() as u32,
                );
                LLVMAddAttributeAtIndex(function, FUNCTION_INDEX, attribute);
            }
        }
        // Without unwinding there are no unwind tables to link.
        let name = "nounwind";
        // SAFETY: as above.
        unsafe {
            let kind = LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
            let attribute = LLVMCreateEnumAttribute(self.context, kind, 0);
            LLVMAddAttributeAtIndex(function, FUNCTION_INDEX, attribute);
        }
    }

    fn optimize(&mut self, module: &LlvmModule) -> Result<(), CodegenError> {
        // SAFETY: module and machine are live; options and message are freed once.
        let message = unsafe {
            let options = ffi::LLVMCreatePassBuilderOptions();
            let passes = match self.target {
                Target::Cpu(_) => PASSES,
                Target::Gpu(_) => CARD_PASSES,
            };
            let error = ffi::LLVMRunPasses(module.0, passes.as_ptr(), self.machine, options);
            ffi::LLVMDisposePassBuilderOptions(options);
            if error.is_null() {
                return Ok(());
            }
            let message = ffi::LLVMGetErrorMessage(error);
            let text = CStr::from_ptr(message).to_string_lossy().into_owned();
            ffi::LLVMDisposeErrorMessage(message);
            text
        };
        Err(self.failure(message))
    }

    fn emit(&mut self, module: &LlvmModule) -> Result<Vec<u8>, CodegenError> {
        let mut message = null_mut();
        let mut buffer = null_mut();
        // SAFETY: module and machine are live; the buffer is copied, then freed.
        let object = unsafe {
            let failed = ffi::LLVMTargetMachineEmitToMemoryBuffer(
                self.machine,
                module.0,
                match self.target {
                    Target::Cpu(_) => ffi::OBJECT_FILE,
                    Target::Gpu(_) => ffi::ASSEMBLY_FILE,
                },
                &mut message,
                &mut buffer,
            );
            if failed != 0 {
                let message = take_message(message);
                return Err(self.failure(message));
            }
            let start = LLVMGetBufferStart(buffer).cast::<u8>();
            let object = std::slice::from_raw_parts(start, LLVMGetBufferSize(buffer)).to_vec();
            LLVMDisposeMemoryBuffer(buffer);
            object
        };
        if self.errors.borrow().is_empty() {
            Ok(object)
        } else {
            Err(self.failure(String::new()))
        }
    }

    /// The error made of `message` and what the diagnostic handler collected.
    fn failure(&mut self, message: String) -> CodegenError {
        let mut parts: Vec<String> = Vec::new();
        if !message.trim().is_empty() {
            parts.push(message.trim().to_owned());
        }
        parts.append(&mut self.errors.borrow_mut());
        CodegenError::Llvm(parts.join("; "))
    }
}

impl Drop for LlvmBackend {
    fn drop(&mut self) {
        // SAFETY: both were created in `new` and are used nowhere else; modules
        // live only inside `emit_code`.
        unsafe {
            ffi::LLVMDisposeTargetMachine(self.machine);
            LLVMContextDispose(self.context);
        }
    }
}

/// An owned LLVM module.
struct LlvmModule(LLVMModuleRef);

impl Drop for LlvmModule {
    fn drop(&mut self) {
        // SAFETY: translation handed over ownership.
        unsafe { LLVMDisposeModule(self.0) }
    }
}

/// # Safety
///
/// LLVM's targets are registered.
unsafe fn create_machine(target: &Target) -> Result<ffi::TargetMachineRef, CodegenError> {
    let invalid = |_| CodegenError::Llvm("a target name holds a zero byte".to_owned());
    let (cpu, features) = match target {
        Target::Cpu(target) => (target.llvm_cpu, target.features),
        Target::Gpu(target) => (target.llvm_cpu, target.features),
    };
    let cpu = CString::new(cpu).map_err(invalid)?;
    let features = CString::new(features).map_err(invalid)?;
    let triple = triple(target).as_ptr();
    // SAFETY: strings outlive the calls, options are freed once.
    unsafe {
        let mut handle = null_mut();
        let mut message = null_mut();
        if ffi::LLVMGetTargetFromTriple(triple, &mut handle, &mut message) != 0 {
            return Err(CodegenError::Llvm(take_message(message)));
        }
        let options = ffi::LLVMCreateTargetMachineOptions();
        ffi::LLVMTargetMachineOptionsSetCPU(options, cpu.as_ptr());
        ffi::LLVMTargetMachineOptionsSetFeatures(options, features.as_ptr());
        ffi::LLVMTargetMachineOptionsSetCodeGenOptLevel(options, ffi::CODEGEN_LEVEL_DEFAULT);
        if let Target::Cpu(_) = target {
            ffi::LLVMTargetMachineOptionsSetRelocMode(options, ffi::RELOC_PIC);
            ffi::LLVMTargetMachineOptionsSetCodeModel(options, ffi::CODE_MODEL_SMALL);
        }
        let machine = ffi::LLVMCreateTargetMachineWithOptions(handle, triple, options);
        ffi::LLVMDisposeTargetMachineOptions(options);
        if machine.is_null() {
            return Err(CodegenError::Llvm(format!(
                "no machine for target `{target}`"
            )));
        }
        Ok(machine)
    }
}

/// Copies and frees a message that LLVM handed over; null is the empty string.
///
/// # Safety
///
/// `message` is null or an LLVM message not freed before.
unsafe fn take_message(message: *mut c_char) -> String {
    if message.is_null() {
        return String::new();
    }
    // SAFETY: by the contract above.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        LLVMDisposeMessage(message);
        text
    }
}

/// Keeps errors. LLVM's own handler would print them and end the process.
unsafe extern "C" fn collect(info: LLVMDiagnosticInfoRef, errors: *mut c_void) {
    // SAFETY: LLVM passes a live diagnostic and the pointer given at
    // registration, which the backend keeps alive.
    unsafe {
        // `LLVMDSError` is 0.
        if LLVMGetDiagInfoSeverity(info) == 0 {
            let message = take_message(LLVMGetDiagInfoDescription(info));
            (*errors.cast::<RefCell<Vec<String>>>())
                .borrow_mut()
                .push(message);
        }
    }
}

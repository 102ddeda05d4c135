//! LLVM-C functions that `mlir-sys` does not declare.
//!
//! `mlir-sys` binds the headers that MLIR's C interface includes, and links all
//! of LLVM. The declarations below follow `llvm-c/Analysis.h`,
//! `llvm-c/TargetMachine.h`, `llvm-c/Target.h`, `llvm-c/Error.h` and
//! `llvm-c/Transforms/PassBuilder.h` of LLVM 22.

use mlir_sys::{LLVMMemoryBufferRef, LLVMModuleRef, MlirContext};
use std::ffi::{c_char, c_int, c_uint, c_void};

/// Handle of a registered target (`LLVMTargetRef`).
pub type TargetRef = *mut c_void;
/// Handle of a target machine (`LLVMTargetMachineRef`).
pub type TargetMachineRef = *mut c_void;
/// Handle of target machine options.
pub type TargetMachineOptionsRef = *mut c_void;
/// Handle of pass builder options.
pub type PassBuilderOptionsRef = *mut c_void;
/// Handle of a data layout.
pub type TargetDataRef = *mut c_void;
/// Handle of an error; null is success.
pub type ErrorRef = *mut c_void;

/// `LLVMReturnStatusAction`: give messages back instead of printing them.
pub const RETURN_STATUS: c_int = 2;
/// `LLVMCodeGenLevelDefault`, as `-O2`.
pub const CODEGEN_LEVEL_DEFAULT: c_int = 2;
/// `LLVMRelocPIC`.
pub const RELOC_PIC: c_int = 2;
/// `LLVMCodeModelSmall`.
pub const CODE_MODEL_SMALL: c_int = 3;
/// `LLVMAssemblyFile`.
pub const ASSEMBLY_FILE: c_int = 0;
/// `LLVMObjectFile`.
pub const OBJECT_FILE: c_int = 1;

unsafe extern "C" {
    pub fn LLVMGetVersion(major: *mut c_uint, minor: *mut c_uint, patch: *mut c_uint);
    pub fn LLVMVerifyModule(
        module: LLVMModuleRef,
        action: c_int,
        message: *mut *mut c_char,
    ) -> c_int;

    pub fn LLVMInitializeX86TargetInfo();
    pub fn LLVMInitializeX86Target();
    pub fn LLVMInitializeX86TargetMC();
    pub fn LLVMInitializeX86AsmPrinter();

    pub fn LLVMInitializeNVPTXTargetInfo();
    pub fn LLVMInitializeNVPTXTarget();
    pub fn LLVMInitializeNVPTXTargetMC();
    pub fn LLVMInitializeNVPTXAsmPrinter();

    pub fn LLVMGetTargetFromTriple(
        triple: *const c_char,
        target: *mut TargetRef,
        message: *mut *mut c_char,
    ) -> c_int;
    pub fn LLVMCreateTargetMachineOptions() -> TargetMachineOptionsRef;
    pub fn LLVMDisposeTargetMachineOptions(options: TargetMachineOptionsRef);
    pub fn LLVMTargetMachineOptionsSetCPU(options: TargetMachineOptionsRef, cpu: *const c_char);
    pub fn LLVMTargetMachineOptionsSetFeatures(
        options: TargetMachineOptionsRef,
        features: *const c_char,
    );
    pub fn LLVMTargetMachineOptionsSetCodeGenOptLevel(
        options: TargetMachineOptionsRef,
        level: c_int,
    );
    pub fn LLVMTargetMachineOptionsSetRelocMode(options: TargetMachineOptionsRef, mode: c_int);
    pub fn LLVMTargetMachineOptionsSetCodeModel(options: TargetMachineOptionsRef, model: c_int);
    pub fn LLVMCreateTargetMachineWithOptions(
        target: TargetRef,
        triple: *const c_char,
        options: TargetMachineOptionsRef,
    ) -> TargetMachineRef;
    pub fn LLVMDisposeTargetMachine(machine: TargetMachineRef);
    pub fn LLVMCreateTargetDataLayout(machine: TargetMachineRef) -> TargetDataRef;
    pub fn LLVMSetModuleDataLayout(module: LLVMModuleRef, layout: TargetDataRef);
    pub fn LLVMDisposeTargetData(layout: TargetDataRef);
    pub fn LLVMTargetMachineEmitToMemoryBuffer(
        machine: TargetMachineRef,
        module: LLVMModuleRef,
        kind: c_int,
        message: *mut *mut c_char,
        buffer: *mut LLVMMemoryBufferRef,
    ) -> c_int;

    pub fn LLVMCreatePassBuilderOptions() -> PassBuilderOptionsRef;
    pub fn LLVMDisposePassBuilderOptions(options: PassBuilderOptionsRef);
    pub fn LLVMRunPasses(
        module: LLVMModuleRef,
        passes: *const c_char,
        machine: TargetMachineRef,
        options: PassBuilderOptionsRef,
    ) -> ErrorRef;
    pub fn LLVMGetErrorMessage(error: ErrorRef) -> *mut c_char;
    pub fn LLVMDisposeErrorMessage(message: *mut c_char);

    // MLIR's C interface registers the translations of *all* dialects or none,
    // which would link each of them. These C++ functions register one each:
    // `mlir::register…DialectTranslation(mlir::MLIRContext &)`. A reference
    // is passed as a pointer.
    #[link_name = "_ZN4mlir33registerBuiltinDialectTranslationERNS_11MLIRContextE"]
    fn register_builtin_dialect_translation(context: *mut c_void);
    #[link_name = "_ZN4mlir30registerLLVMDialectTranslationERNS_11MLIRContextE"]
    fn register_llvm_dialect_translation(context: *mut c_void);
    #[link_name = "_ZN4mlir30registerNVVMDialectTranslationERNS_11MLIRContextE"]
    fn register_nvvm_dialect_translation(context: *mut c_void);
}

/// Lets modules of `context` in the LLVM and NVVM dialects be translated to LLVM IR.
///
/// # Safety
///
/// `context` is a live context, used by this thread alone.
pub unsafe fn register_llvm_translation(context: MlirContext) {
    // SAFETY: a C `MlirContext` holds the `MLIRContext *` in `ptr`
    // (`mlir/CAPI/IR.h`), and the caller vouches that it is live.
    unsafe {
        register_builtin_dialect_translation(context.ptr);
        register_llvm_dialect_translation(context.ptr);
        register_nvvm_dialect_translation(context.ptr);
    }
}

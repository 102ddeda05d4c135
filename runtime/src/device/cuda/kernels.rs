//! From PTX to functions: assembled by the driver on all threads, kept in the cache folder.
//!
//! A kernel's machine code is a file named by the hash of its PTX, the driver's version and the
//! card's architecture, so a second start assembles nothing. A file that is damaged, or that
//! the driver does not take, is made again; a folder that cannot be written is no error.

use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cudarc::driver::sys::{
    self, CUfunction, CUfunction_attribute as Attribute, CUjit_option as JitOption,
};
use mm1_package::{GpuKernel, Kernel, Package, content_hash};

use super::card::Card;
use super::driver::{check, driver};
use super::memory::Stream;
use super::ptx;
use crate::device::DeviceError;

/// Bytes of each of the assembler's two logs.
const LOG_BYTES: usize = 16 << 10;
/// Bytes of the hash in front of a kept file's machine code.
const HASH_BYTES: usize = 32;

// SAFETY: functions belong to a module and may be used from any thread that binds its context.
unsafe impl Send for Function {}

/// A kernel, ready to launch.
#[derive(Clone)]
pub(super) struct Function {
    /// The driver's.
    pub(super) handle: sys::CUfunction,
    /// Threads of a block.
    pub(super) threads: u32,
    /// Dynamic shared memory of a block, bytes.
    pub(super) shared_bytes: u32,
    /// Bytes of each parameter, as the machine code has them.
    pub(super) parameters: Vec<usize>,
}

/// All kernels of a package.
pub(super) struct Kernels {
    /// As numbered in the package.
    pub(super) functions: Vec<Function>,
    /// Bytes of machine code.
    pub(super) code_bytes: u64,
    _modules: Vec<Module>,
}

/// Loaded code.
pub(super) struct Module(pub(super) sys::CUmodule);

// SAFETY: modules belong to a context and may be used from any thread that binds it.
unsafe impl Send for Module {}

impl Module {
    /// Loads machine code, or PTX that ends with a zero.
    ///
    /// # Errors
    /// Code that the driver does not take.
    pub(super) fn load(code: &[u8]) -> Result<Self, DeviceError> {
        let mut module = std::ptr::null_mut();
        driver!(cuModuleLoadDataEx(
            &raw mut module,
            code.as_ptr().cast(),
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut()
        ))?;
        Ok(Self(module))
    }

    /// Loads PTX.
    ///
    /// # Errors
    /// Code that the driver does not take.
    pub(super) fn of_text(text: String) -> Result<Self, DeviceError> {
        Self::load(c_string(text)?.as_bytes_with_nul())
    }

    /// A kernel of the module.
    ///
    /// # Errors
    /// There is none of that name.
    pub(super) fn function(&self, name: &str) -> Result<CUfunction, DeviceError> {
        let name = c_string(name)?;
        let mut function = std::ptr::null_mut();
        driver!(cuModuleGetFunction(
            &raw mut function,
            self.0,
            name.as_ptr()
        ))?;
        Ok(function)
    }

    /// Queues a kernel of the module on so many blocks and threads; `arguments` are the places of its
    /// parameters, each of its parameter's type.
    ///
    /// # Errors
    /// There is none of that name, or a card that has failed.
    pub(super) fn launch(
        &self,
        name: &str,
        [blocks, threads]: [u32; 2],
        arguments: &mut [*mut c_void],
        stream: &Stream,
    ) -> Result<(), DeviceError> {
        let function = self.function(name)?;
        driver!(cuLaunchKernel(
            function,
            blocks,
            1,
            1,
            threads,
            1,
            1,
            0,
            stream.handle,
            arguments.as_mut_ptr(),
            std::ptr::null_mut()
        ))
    }
}

fn c_string(text: impl Into<Vec<u8>>) -> Result<CString, DeviceError> {
    CString::new(text).map_err(|error| DeviceError::Kernel(error.to_string()))
}

impl Drop for Module {
    fn drop(&mut self) {
        // A drop cannot report.
        let _ = driver!(cuModuleUnload(self.0));
    }
}

/// A module and how it came to be.
struct Assembled {
    module: Module,
    code_bytes: u64,
    /// What the linker said where the PTX had to be loaded without it.
    refused: Option<String>,
}

impl Kernels {
    /// Loads every kernel of a checked package on `threads` threads.
    ///
    /// # Errors
    /// PTX that driver or card do not take, with the assembler's log.
    pub(super) fn load(
        card: &Card,
        package: &Package,
        threads: usize,
        cache: Option<&Path>,
    ) -> Result<Self, DeviceError> {
        let kernels: Vec<(&Kernel, &GpuKernel, &str)> = package
            .kernels
            .iter()
            .map(|kernel| {
                let (gpu, text) = text(package, kernel)?;
                Ok((kernel, gpu, text))
            })
            .collect::<Result<_, DeviceError>>()?;
        let newest = kernels.iter().map(|(_, _, text)| ptx::version(text)).max();
        card.check(&package.target, newest.unwrap_or_default())?;
        let folder = cache.map(|folder| folder.join("cubin"));
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, Result<Assembled, DeviceError>)>> = Mutex::new(Vec::new());
        let work = || {
            let bound = card.bind();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((kernel, _, text)) = kernels.get(index) else {
                    return;
                };
                let result = match &bound {
                    Ok(()) => assemble(card, kernel, text, folder.as_deref()),
                    Err(error) => Err(DeviceError::Call(error.to_string())),
                };
                if let Ok(mut done) = done.lock() {
                    done.push((index, result));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(kernels.len()) {
                scope.spawn(work);
            }
            work();
        });
        let mut done = done.into_inner().unwrap_or_default();
        done.sort_by_key(|(index, _)| *index);
        let mut loaded = Self {
            functions: Vec::with_capacity(kernels.len()),
            code_bytes: 0,
            _modules: Vec::with_capacity(kernels.len()),
        };
        let mut refused = None;
        for ((_, result), (kernel, gpu, _)) in done.into_iter().zip(&kernels) {
            let assembled = result?;
            loaded
                .functions
                .push(function(&assembled.module, kernel, gpu)?);
            loaded.code_bytes += assembled.code_bytes;
            loaded._modules.push(assembled.module);
            refused = refused.or(assembled.refused);
        }
        if loaded.functions.len() != kernels.len() {
            return Err(DeviceError::Kernel(
                "a thread that loads kernels died".into(),
            ));
        }
        if let Some(log) = refused {
            eprintln!(
                "warning: the driver's linker does not take this PTX, so no machine code is kept: \
                 {log}"
            );
        }
        Ok(loaded)
    }
}

/// A kernel's launch and PTX, both of which the package's checks promise.
fn text<'a>(
    package: &'a Package,
    kernel: &'a Kernel,
) -> Result<(&'a GpuKernel, &'a str), DeviceError> {
    let fault = || {
        DeviceError::OtherCard(format!(
            "the package was compiled for {}: kernel `{}` has no PTX; compile the model for \
             cuda:sm_90a",
            package.target, kernel.name
        ))
    };
    let gpu = kernel.gpu.as_ref().ok_or_else(fault)?;
    let range = kernel.entry as usize..(kernel.entry + gpu.ptx_bytes) as usize;
    let bytes = package.code.get(range).ok_or_else(fault)?;
    Ok((gpu, std::str::from_utf8(bytes).map_err(|_| fault())?))
}

/// Machine code from the cache, or by the driver's linker, or by its loader.
fn assemble(
    card: &Card,
    kernel: &Kernel,
    text: &str,
    folder: Option<&Path>,
) -> Result<Assembled, DeviceError> {
    let path = folder.map(|folder| kept_path(folder, text, card.driver, card.capability));
    if let Some(code) = path.as_deref().and_then(read_kept)
        && let Ok(module) = Module::load(&code)
    {
        return Ok(Assembled {
            module,
            code_bytes: code.len() as u64,
            refused: None,
        });
    }
    let ptx = CString::new(text).map_err(|_| {
        DeviceError::Kernel(format!("kernel `{}`: its PTX has a zero byte", kernel.name))
    })?;
    let link = |target| {
        let code = link(kernel, &ptx, target)?;
        Ok::<_, DeviceError>((Module::load(&code)?, code))
    };
    // The card's own target first; a driver may take that for the one without its own features.
    let linked = link(None).or_else(|error| match architecture(card.capability) {
        Some(target) => link(Some(target)),
        None => Err(error),
    });
    match linked {
        Ok((module, code)) => {
            if let Some(path) = path {
                keep(&path, &code);
            }
            Ok(Assembled {
                module,
                code_bytes: code.len() as u64,
                refused: None,
            })
        }
        // The loader's own answer decides; it also has the better log.
        Err(refused) => {
            let mut log = Log::new();
            let mut module = std::ptr::null_mut();
            let loaded = driver!(cuModuleLoadDataEx(
                &raw mut module,
                ptx.as_ptr().cast(),
                log.options.len() as u32,
                log.options.as_mut_ptr(),
                log.values.as_mut_ptr()
            ));
            match loaded {
                Ok(()) => Ok(Assembled {
                    module: Module(module),
                    code_bytes: 0,
                    refused: Some(refused.to_string()),
                }),
                Err(error) => Err(DeviceError::Kernel(format!(
                    "the driver refuses kernel `{}` (k{}): {error}\n{}",
                    kernel.name,
                    kernel.hash,
                    log.text()
                ))),
            }
        }
    }
}

/// Buffers that the assembler writes to, and the options that say so.
struct Log {
    info: Vec<u8>,
    error: Vec<u8>,
    options: Vec<JitOption>,
    /// Values are passed as addresses, sizes among them; the driver writes sizes back.
    values: Vec<*mut c_void>,
}

/// The linker's word for all features of a card of this compute capability.
fn architecture(capability: u32) -> Option<sys::CUjit_target> {
    (capability == 90).then_some(sys::CUjit_target::CU_TARGET_COMPUTE_90A)
}

impl Log {
    fn new() -> Self {
        let mut info = vec![0; LOG_BYTES];
        let mut error = vec![0; LOG_BYTES];
        let values = vec![
            info.as_mut_ptr().cast(),
            LOG_BYTES as *mut c_void,
            error.as_mut_ptr().cast(),
            LOG_BYTES as *mut c_void,
        ];
        Self {
            info,
            error,
            options: vec![
                JitOption::CU_JIT_INFO_LOG_BUFFER,
                JitOption::CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
                JitOption::CU_JIT_ERROR_LOG_BUFFER,
                JitOption::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
            ],
            values,
        }
    }

    /// What was written, errors first.
    fn text(&self) -> String {
        let of = |bytes: &[u8]| {
            let end = bytes.iter().position(|&byte| byte == 0);
            String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())])
                .trim()
                .to_string()
        };
        let parts = [of(&self.error), of(&self.info)];
        let said: Vec<String> = parts.into_iter().filter(|it| !it.is_empty()).collect();
        match said.is_empty() {
            true => "the assembler says nothing".into(),
            false => said.join("\n"),
        }
    }
}

/// A linker at work.
struct Link(sys::CUlinkState);

impl Drop for Link {
    fn drop(&mut self) {
        // A drop cannot report.
        let _ = driver!(cuLinkDestroy(self.0));
    }
}

/// Assembles one PTX module to machine code.
fn link(
    kernel: &Kernel,
    ptx: &CString,
    target: Option<sys::CUjit_target>,
) -> Result<Vec<u8>, DeviceError> {
    // Outlives the linker, which writes to it: declared first, dropped last.
    let mut log = Log::new();
    if let Some(target) = target {
        log.options.push(JitOption::CU_JIT_TARGET);
        log.values.push(target as usize as *mut c_void);
    }
    let fault = |error: DeviceError, log: &Log| {
        let text = log.text();
        DeviceError::Kernel(format!("kernel `{}`: {error}\n{text}", kernel.name))
    };
    let mut state = std::ptr::null_mut();
    driver!(cuLinkCreate_v2(
        log.options.len() as u32,
        log.options.as_mut_ptr(),
        log.values.as_mut_ptr(),
        &raw mut state
    ))
    .map_err(|error| fault(error, &log))?;
    let link = Link(state);
    let name = CString::new(format!("k{}.ptx", kernel.hash)).unwrap_or_default();
    let bytes = ptx.as_bytes_with_nul();
    driver!(cuLinkAddData_v2(
        link.0,
        sys::CUjitInputType::CU_JIT_INPUT_PTX,
        bytes.as_ptr().cast_mut().cast(),
        bytes.len(),
        name.as_ptr(),
        0,
        std::ptr::null_mut(),
        std::ptr::null_mut()
    ))
    .map_err(|error| fault(error, &log))?;
    let (mut code, mut size) = (std::ptr::null_mut(), 0usize);
    driver!(cuLinkComplete(link.0, &raw mut code, &raw mut size))
        .map_err(|error| fault(error, &log))?;
    if code.is_null() || size == 0 {
        return Err(fault(
            DeviceError::Call("cuLinkComplete gave no code".into()),
            &log,
        ));
    }
    // SAFETY: the linker owns `size` bytes there until it is destroyed, which is below.
    let code = unsafe { std::slice::from_raw_parts(code.cast::<u8>(), size) }.to_vec();
    drop(link);
    Ok(code)
}

/// The entry of a loaded kernel, allowed its shared memory and sure to fit the card.
fn function(module: &Module, kernel: &Kernel, gpu: &GpuKernel) -> Result<Function, DeviceError> {
    let fault = |what: String| {
        DeviceError::Kernel(format!(
            "kernel `{}` (k{}): {what}",
            kernel.name, kernel.hash
        ))
    };
    let handle = module
        .function(&format!("k{}", kernel.hash))
        .map_err(|error| fault(error.to_string()))?;
    if gpu.shared_bytes > 0 {
        let attribute = Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        driver!(cuFuncSetAttribute(
            handle,
            attribute,
            gpu.shared_bytes as i32
        ))
        .map_err(|error| {
            fault(format!(
                "{error} for {} bytes of shared memory",
                gpu.shared_bytes
            ))
        })?;
    }
    let get = |attribute| -> Result<i32, DeviceError> {
        let mut value = 0;
        driver!(cuFuncGetAttribute(&raw mut value, attribute, handle))
            .map_err(|error| fault(error.to_string()))?;
        Ok(value)
    };
    let mut blocks = 0;
    driver!(cuOccupancyMaxActiveBlocksPerMultiprocessor(
        &raw mut blocks,
        handle,
        gpu.threads as i32,
        gpu.shared_bytes as usize
    ))
    .map_err(|error| fault(error.to_string()))?;
    if blocks < 1 {
        return Err(fault(format!(
            "no block of {} threads with {} registers each, {} bytes of dynamic and {} of static \
             shared memory fits a multiprocessor",
            gpu.threads,
            get(Attribute::CU_FUNC_ATTRIBUTE_NUM_REGS)?,
            gpu.shared_bytes,
            get(Attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)?
        )));
    }
    Ok(Function {
        handle,
        threads: gpu.threads,
        shared_bytes: gpu.shared_bytes,
        parameters: parameters(handle).map_err(|error| fault(error.to_string()))?,
    })
}

/// Bytes of each parameter of a function.
fn parameters(function: sys::CUfunction) -> Result<Vec<usize>, DeviceError> {
    let mut sizes = Vec::new();
    loop {
        let (mut offset, mut size) = (0usize, 0usize);
        // SAFETY: the function is loaded, and the driver writes the two numbers.
        let status = unsafe {
            sys::cuFuncGetParamInfo(function, sizes.len(), &raw mut offset, &raw mut size)
        };
        match status {
            sys::CUresult::CUDA_SUCCESS => sizes.push(size),
            // There is no such parameter: those before it are all.
            sys::CUresult::CUDA_ERROR_INVALID_VALUE => return Ok(sizes),
            status => {
                check("cuFuncGetParamInfo", status)?;
            }
        }
    }
}

/// Where the machine code of `text` is kept.
fn kept_path(folder: &Path, text: &str, driver: i32, capability: u32) -> PathBuf {
    let machine = format!("{driver} sm_{capability}");
    let key = content_hash([text.as_bytes(), machine.as_bytes()]);
    folder.join(format!("{key}.cubin"))
}

/// Machine code of a kept file that is whole.
fn read_kept(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(path).ok()?;
    let code = bytes.split_off(HASH_BYTES.min(bytes.len()));
    (!code.is_empty() && blake3::hash(&code).as_bytes() == bytes.as_slice()).then_some(code)
}

/// Keeps machine code; a reader never sees half of it.
fn keep(path: &Path, code: &[u8]) {
    let Some(folder) = path.parent() else {
        return;
    };
    let mut bytes = blake3::hash(code).as_bytes().to_vec();
    bytes.extend_from_slice(code);
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&temporary, bytes))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // What cannot be kept is assembled again next time.
        let _ = std::fs::remove_file(&temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_code_is_kept_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = kept_path(&folder.path().join("cubin"), "text", 13_000, 90);
        assert_eq!(read_kept(&path), None);
        keep(&path, b"machine code");
        assert_eq!(read_kept(&path).as_deref(), Some(&b"machine code"[..]));
        for damage in [&b""[..], &[1; 31], &[1; 32], &[1; 40]] {
            std::fs::write(&path, damage).unwrap();
            assert_eq!(read_kept(&path), None);
        }
        let nowhere = Path::new("/proc/nowhere/k.cubin");
        keep(nowhere, b"machine code");
        assert_eq!(read_kept(nowhere), None);
    }

    #[test]
    fn text_driver_and_card_name_the_file() {
        let path = |text, driver, card| kept_path(Path::new("c"), text, driver, card);
        let first = path("a", 13_000, 90);
        assert_eq!(first, path("a", 13_000, 90));
        for other in [
            path("b", 13_000, 90),
            path("a", 13_010, 90),
            path("a", 13_000, 100),
        ] {
            assert_ne!(first, other);
        }
    }
}

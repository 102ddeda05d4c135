//! The driver's calls: start, memory, streams and events, code.
//!
//! All take what the driver's own functions take; addresses are the caller's to answer for.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Mutex;

use mm1_ptx::{TensorMap, TensorType};

use super::{
    BYTES, Call, Function, INVALID_PTX, INVALID_VALUE, NOT_FOUND, OK, OUT_OF_MEMORY, PROCESSORS,
    Status, card,
};

/// Instructions executed when an event was recorded.
pub struct Event(u64);

/// PTX under way to a module.
pub struct Link(Vec<u8>);

/// Layouts of host memory by address.
static HOST: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// Something that is neither null nor used.
fn token() -> *mut c_void {
    std::ptr::dangling_mut::<u64>().cast()
}

/// Stores a result where the caller wants it.
unsafe fn give<T>(to: *mut T, value: T) -> Status {
    // SAFETY: the driver's functions take addresses to write to.
    unsafe { to.write(value) };
    OK
}

fn status(result: Result<(), String>) -> Status {
    match result {
        Ok(()) => OK,
        Err(fault) => {
            eprintln!("emulated card: {fault}");
            INVALID_VALUE
        }
    }
}

// ------------------------------------------------------------------------------------------- start

#[unsafe(no_mangle)]
unsafe extern "C" fn cuInit(_flags: u32) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDriverGetVersion(to: *mut i32) -> Status {
    unsafe { give(to, 13_000) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorName(status: Status, to: *mut *const c_char) -> Status {
    let name = match status {
        OUT_OF_MEMORY => c"CUDA_ERROR_OUT_OF_MEMORY",
        INVALID_PTX => c"CUDA_ERROR_INVALID_PTX",
        NOT_FOUND => c"CUDA_ERROR_NOT_FOUND",
        INVALID_VALUE => c"CUDA_ERROR_INVALID_VALUE",
        _ => c"CUDA_ERROR_LAUNCH_FAILED",
    };
    unsafe { give(to, name.as_ptr()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorString(_status: Status, to: *mut *const c_char) -> Status {
    unsafe { give(to, c"the emulator says why on standard error".as_ptr()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetCount(to: *mut i32) -> Status {
    unsafe { give(to, 1) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGet(to: *mut i32, number: i32) -> Status {
    match number {
        0 => unsafe { give(to, 0) },
        _ => INVALID_VALUE,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetName(to: *mut c_char, bytes: i32, _device: i32) -> Status {
    let name = c"emulated card".to_bytes_with_nul();
    if (bytes as usize) < name.len() {
        return INVALID_VALUE;
    }
    unsafe { std::ptr::copy_nonoverlapping(name.as_ptr(), to.cast(), name.len()) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetAttribute(to: *mut i32, attribute: i32, _device: i32) -> Status {
    let value = match attribute {
        16 => PROCESSORS,
        // Compute capability 9.0.
        75 => 9,
        76 => 0,
        _ => return INVALID_VALUE,
    };
    unsafe { give(to, value) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDevicePrimaryCtxRetain(to: *mut *mut c_void, _device: i32) -> Status {
    unsafe { give(to, token()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDevicePrimaryCtxRelease_v2(_device: i32) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuCtxSetCurrent(_context: *mut c_void) -> Status {
    OK
}

// ------------------------------------------------------------------------------------------ memory

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> Status {
    let used: u64 = card(|card| card.sizes.values().sum());
    unsafe {
        give(free, (BYTES - used) as usize);
        give(total, BYTES as usize)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemAlloc_v2(to: *mut u64, bytes: usize) -> Status {
    let address = card(|card| {
        let used: u64 = card.sizes.values().sum();
        if bytes == 0 || used + bytes as u64 > BYTES {
            return None;
        }
        let address = card.memory.alloc(bytes);
        card.sizes.insert(address, bytes as u64);
        Some(address)
    });
    match address {
        Some(address) => unsafe { give(to, address) },
        None => OUT_OF_MEMORY,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemFree_v2(address: u64) -> Status {
    card(|card| {
        card.sizes.remove(&address);
        status(card.memory.free(address))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemHostAlloc(to: *mut *mut c_void, bytes: usize, _flags: u32) -> Status {
    let Ok(layout) = Layout::from_size_align(bytes.max(1), 256) else {
        return INVALID_VALUE;
    };
    // SAFETY: the layout is not empty.
    let memory = unsafe { alloc(layout) };
    if memory.is_null() {
        return OUT_OF_MEMORY;
    }
    let mut host = HOST.lock().unwrap_or_else(|it| it.into_inner());
    host.insert(memory.addr(), layout.size());
    unsafe { give(to, memory.cast()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemFreeHost(memory: *mut c_void) -> Status {
    let mut host = HOST.lock().unwrap_or_else(|it| it.into_inner());
    let layout = host.remove(&memory.addr());
    let layout = layout.and_then(|bytes| Layout::from_size_align(bytes, 256).ok());
    match layout {
        // SAFETY: allocated above with this layout.
        Some(layout) => unsafe { dealloc(memory.cast(), layout) },
        None => return INVALID_VALUE,
    }
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyHtoDAsync_v2(
    to: u64,
    from: *const c_void,
    bytes: usize,
    _stream: *mut c_void,
) -> Status {
    let data = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes) };
    card(|card| status(card.memory.write(to, data)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyDtoHAsync_v2(
    to: *mut c_void,
    from: u64,
    bytes: usize,
    _stream: *mut c_void,
) -> Status {
    let data = unsafe { std::slice::from_raw_parts_mut(to.cast::<u8>(), bytes) };
    card(|card| {
        let read = card.memory.read_partly(from, bytes);
        // A card gives whatever is in bytes that nobody wrote.
        status(read.map(|read| {
            for (to, from) in data.iter_mut().zip(read) {
                *to = from.unwrap_or(0xa5);
            }
        }))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyDtoDAsync_v2(
    to: u64,
    from: u64,
    bytes: usize,
    _stream: *mut c_void,
) -> Status {
    card(|card| {
        let read = card.memory.read_partly(from, bytes);
        status(read.and_then(|read| {
            let mut at = 0;
            for run in read.chunk_by(|a, b| a.is_some() == b.is_some()) {
                let known: Vec<u8> = run.iter().flatten().copied().collect();
                if !known.is_empty() {
                    card.memory.write(to + at, &known)?;
                }
                at += run.len() as u64;
            }
            Ok(())
        }))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemsetD8Async(
    to: u64,
    value: u8,
    bytes: usize,
    _stream: *mut c_void,
) -> Status {
    card(|card| status(card.memory.write(to, &vec![value; bytes])))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemsetD32Async(
    to: u64,
    value: u32,
    words: usize,
    _stream: *mut c_void,
) -> Status {
    card(|card| status(card.memory.write(to, &value.to_le_bytes().repeat(words))))
}

// ------------------------------------------------------------------------------ streams and events

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamCreate(to: *mut *mut c_void, _flags: u32) -> Status {
    unsafe { give(to, token()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamDestroy_v2(_stream: *mut c_void) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamSynchronize(_stream: *mut c_void) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamWaitEvent(
    _stream: *mut c_void,
    _event: *mut Event,
    _flags: u32,
) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventCreate(to: *mut *mut Event, _flags: u32) -> Status {
    unsafe { give(to, Box::into_raw(Box::new(Event(0)))) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventDestroy_v2(event: *mut Event) -> Status {
    drop(unsafe { Box::from_raw(event) });
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventRecord(event: *mut Event, _stream: *mut c_void) -> Status {
    unsafe { give(event, Event(card(|card| card.executed))) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventSynchronize(_event: *mut Event) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventElapsedTime_v2(
    to: *mut f32,
    from: *const Event,
    until: *const Event,
) -> Status {
    let executed = unsafe { (*until).0 - (*from).0 };
    // Milliseconds; no launch takes no time.
    unsafe { give(to, executed.max(1) as f32 * 1e-6) }
}

// -------------------------------------------------------------------------------------------- code

#[unsafe(no_mangle)]
unsafe extern "C" fn cuLinkCreate_v2(
    _options: u32,
    _names: *mut i32,
    _values: *mut *mut c_void,
    to: *mut *mut Link,
) -> Status {
    unsafe { give(to, Box::into_raw(Box::new(Link(Vec::new())))) }
}

#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn cuLinkAddData_v2(
    link: *mut Link,
    _kind: i32,
    data: *const c_void,
    bytes: usize,
    _name: *const c_char,
    _options: u32,
    _names: *mut i32,
    _values: *mut *mut c_void,
) -> Status {
    let text = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), bytes) };
    unsafe { (*link).0 = text.to_vec() };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuLinkComplete(
    link: *mut Link,
    to: *mut *mut c_void,
    bytes: *mut usize,
) -> Status {
    unsafe {
        let code = &mut (*link).0;
        give(bytes, code.len());
        give(to, code.as_mut_ptr().cast())
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuLinkDestroy(link: *mut Link) -> Status {
    drop(unsafe { Box::from_raw(link) });
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleLoadDataEx(
    to: *mut *mut Function,
    image: *const c_char,
    _options: u32,
    _names: *mut i32,
    _values: *mut *mut c_void,
) -> Status {
    // Machine code is the PTX, which ends with a zero.
    let text = unsafe { CStr::from_ptr(image) }.to_string_lossy();
    match Function::parse(&text) {
        Ok(function) => unsafe { give(to, Box::into_raw(Box::new(function))) },
        Err(fault) => {
            eprintln!("emulated card: {fault}");
            INVALID_PTX
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleUnload(function: *mut Function) -> Status {
    drop(unsafe { Box::from_raw(function) });
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleGetFunction(
    to: *mut *mut Function,
    module: *mut Function,
    name: *const c_char,
) -> Status {
    let wanted = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    match unsafe { (*module).name == wanted } {
        true => unsafe { give(to, module) },
        false => NOT_FOUND,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuFuncSetAttribute(
    _function: *mut Function,
    _attribute: i32,
    _value: i32,
) -> Status {
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuFuncGetAttribute(
    to: *mut i32,
    _attribute: i32,
    _function: *mut Function,
) -> Status {
    unsafe { give(to, 32) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuFuncGetParamInfo(
    function: *mut Function,
    number: usize,
    offset: *mut usize,
    size: *mut usize,
) -> Status {
    let function = unsafe { &*function };
    match function.parameters.get(number).copied() {
        Some(bytes) => unsafe {
            give(offset, 0);
            give(size, bytes)
        },
        None => INVALID_VALUE,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    to: *mut i32,
    _function: *mut Function,
    _threads: i32,
    shared: usize,
) -> Status {
    unsafe { give(to, i32::from(shared <= 227 << 10)) }
}

#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn cuLaunchKernel(
    function: *mut Function,
    x: u32,
    y: u32,
    z: u32,
    threads: u32,
    threads_y: u32,
    threads_z: u32,
    shared: u32,
    _stream: *mut c_void,
    arguments: *const *const c_void,
    _extra: *mut c_void,
) -> Status {
    if [y, z, threads_y, threads_z] != [1; 4] || x == 0 || threads == 0 {
        return INVALID_VALUE;
    }
    unsafe { Call::new(function, [x, threads, shared], arguments) }.run()
}

#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn cuTensorMapEncodeTiled(
    to: *mut [u8; 128],
    kind: i32,
    rank: u32,
    base: u64,
    dims: *const u64,
    strides: *const u64,
    box_dims: *const u32,
    steps: *const u32,
    _interleave: i32,
    swizzle: i32,
    _promotion: i32,
    _fill: i32,
) -> Status {
    let rank = rank as usize;
    let kind = match kind {
        3 => TensorType::I32,
        7 => TensorType::F32,
        9 => TensorType::Bf16,
        _ => return INVALID_VALUE,
    };
    let swizzle = [0, 32, 64, 128].get(swizzle as usize).copied().unwrap_or(1);
    // SAFETY: the driver's function takes `rank` numbers each, one less of the strides.
    let encoded = unsafe {
        TensorMap::encode(
            kind,
            base,
            std::slice::from_raw_parts(dims, rank),
            std::slice::from_raw_parts(strides, rank.saturating_sub(1)),
            std::slice::from_raw_parts(box_dims, rank),
            std::slice::from_raw_parts(steps, rank),
            swizzle,
        )
    };
    match encoded {
        Ok(bytes) => unsafe { give(to, bytes) },
        Err(fault) => status(Err(fault)),
    }
}

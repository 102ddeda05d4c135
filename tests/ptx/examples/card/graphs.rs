//! The driver's calls for graphs of launches, one after another.

use std::ffi::c_void;

use super::{Call, Function, INVALID_VALUE, OK, Status};

/// `CUDA_KERNEL_NODE_PARAMS`, second version.
#[repr(C)]
pub struct Node {
    function: *mut Function,
    grid: [u32; 3],
    block: [u32; 3],
    shared: u32,
    arguments: *const *const c_void,
    extra: *mut c_void,
    kernel: *mut c_void,
    context: *mut c_void,
}

/// Launches in order, and whether each is on.
#[derive(Clone, Default)]
pub struct Graph(Vec<(Call, bool)>);

impl Node {
    unsafe fn call(&self) -> Call {
        let shape = [self.grid[0], self.block[0], self.shared];
        // SAFETY: a node has what a launch has.
        unsafe { Call::new(self.function, shape, self.arguments) }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphCreate(to: *mut *mut Graph, _flags: u32) -> Status {
    unsafe { to.write(Box::into_raw(Box::default())) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphDestroy(graph: *mut Graph) -> Status {
    drop(unsafe { Box::from_raw(graph) });
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphAddKernelNode_v2(
    to: *mut usize,
    graph: *mut Graph,
    before: *const usize,
    befores: usize,
    node: *const Node,
) -> Status {
    unsafe {
        let steps = &mut (*graph).0;
        // Each waits for the one before.
        let follows = match befores {
            0 => steps.is_empty(),
            _ => befores == 1 && *before == steps.len(),
        };
        if !follows {
            return INVALID_VALUE;
        }
        steps.push(((*node).call(), true));
        to.write(steps.len());
    }
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphInstantiateWithFlags(
    to: *mut *mut Graph,
    graph: *const Graph,
    _flags: u64,
) -> Status {
    unsafe { to.write(Box::into_raw(Box::new((*graph).clone()))) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphExecDestroy(graph: *mut Graph) -> Status {
    drop(unsafe { Box::from_raw(graph) });
    OK
}

/// The step that a node means.
unsafe fn step<'a>(graph: *mut Graph, node: usize) -> Option<&'a mut (Call, bool)> {
    // SAFETY: the graph is the caller's.
    let graph = unsafe { &mut *graph };
    graph.0.get_mut(node.wrapping_sub(1))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphNodeSetEnabled(graph: *mut Graph, node: usize, on: u32) -> Status {
    match unsafe { step(graph, node) } {
        Some(step) => step.1 = on != 0,
        None => return INVALID_VALUE,
    }
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphExecKernelNodeSetParams_v2(
    graph: *mut Graph,
    node: usize,
    with: *const Node,
) -> Status {
    match unsafe { step(graph, node) } {
        Some(step) => step.0 = unsafe { (*with).call() },
        None => return INVALID_VALUE,
    }
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphLaunch(graph: *mut Graph, _stream: *mut c_void) -> Status {
    let steps = unsafe { &(*graph).0 };
    let on = steps.iter().filter(|(_, on)| *on);
    on.map(|(call, _)| call.run())
        .find(|it| *it != OK)
        .unwrap_or(OK)
}

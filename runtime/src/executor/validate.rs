//! Checks a package before anything trusts its numbers.
//!
//! A package may come from anywhere. What the runtime itself does with its indices, offsets
//! and sizes is safe after these checks; what the machine code does is as trusted as any
//! program that one starts.

mod gpu;

use std::collections::BTreeSet;

use mm1_package::{DType, Extent, ExtentRef, Launch, Package, Slot, Tensor};

use super::ExecutorError;

/// Name of the region that [`Package::constants`] fills.
pub(super) const CONSTANTS: &str = "constants";
/// Regions in which a trained parameter has the offset that it has in `parameters`, unless tensors
/// of their own lie there.
pub(super) const LIKE_PARAMETERS: [&str; 3] = ["gradients", "moment1", "moment2"];
/// Alignment of every slot, bytes.
const SLOT_ALIGNMENT: u64 = 64;

/// Returns what contradicts what, if anything.
pub(super) fn check(package: &Package) -> Result<(), ExecutorError> {
    check_all(package).map_err(ExecutorError::Invalid)
}

fn check_all(package: &Package) -> Result<(), String> {
    unique("region", package.regions.iter().map(|it| &it.name))?;
    unique("extent", package.extents.iter().map(|it| &it.name))?;
    unique("tensor", package.tensors.iter().map(|it| &it.name))?;
    unique("program", package.programs.iter().map(|it| &it.name))?;
    check_extents(&package.extents)?;
    check_constants(package)?;
    for tensor in &package.tensors {
        check_tensor(package, tensor)
            .map_err(|what| format!("tensor `{}`: {what}", tensor.name))?;
    }
    for kernel in &package.kernels {
        if kernel.entry >= package.code.len() as u64 {
            return Err(format!(
                "kernel `{}` starts at byte {} of {} bytes of code",
                kernel.name,
                kernel.entry,
                package.code.len()
            ));
        }
        gpu::check_kernel(package, kernel)
            .map_err(|what| format!("kernel `{}`: {what}", kernel.name))?;
    }
    for program in &package.programs {
        for name in program.inputs.iter().chain(&program.outputs) {
            if package.tensor(name).is_none() {
                return Err(format!(
                    "program `{}` names tensor `{name}`, which does not exist",
                    program.name
                ));
            }
        }
        for launch in &program.launches {
            check_launch(package, launch).map_err(|what| {
                format!(
                    "launch `{}` of program `{}`: {what}",
                    launch.name, program.name
                )
            })?;
        }
    }
    Ok(())
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("two {what}s are called `{name}`"));
        }
    }
    Ok(())
}

/// A derived extent must follow from an earlier one, so that one pass computes all values.
fn check_extents(extents: &[Extent]) -> Result<(), String> {
    for (index, extent) in extents.iter().enumerate() {
        if i64::try_from(extent.bound).is_err() {
            return Err(format!("extent `{}` has no sane bound", extent.name));
        }
        if let Some((base, _)) = extent.derived
            && base as usize >= index
        {
            return Err(format!(
                "extent `{}` is derived from extent {base}, which does not come before it",
                extent.name
            ));
        }
    }
    Ok(())
}

fn check_constants(package: &Package) -> Result<(), String> {
    let room = package
        .region(CONSTANTS)
        .map_or(0, |index| package.regions[index as usize].bytes);
    let given = package.constants.len() as u64;
    if given > room {
        return Err(format!(
            "{given} bytes of constants for a region of {room} bytes"
        ));
    }
    Ok(())
}

fn check_tensor(package: &Package, tensor: &Tensor) -> Result<(), String> {
    let mut bytes = tensor.dtype.size();
    for dim in &tensor.dims {
        let size = bound(*dim, &package.extents)?;
        // An empty axis must not hide an overflow of the others: strides use them.
        bytes = bytes
            .checked_mul(size.max(1))
            .filter(|&bytes| i64::try_from(bytes).is_ok())
            .ok_or("its size overflows")?;
    }
    if tensor
        .dims
        .iter()
        .any(|dim| dim.bound(&package.extents) == 0)
    {
        bytes = 0;
    }
    let end = slot_end(package, tensor.slot, bytes)?;
    if tensor.parameter.as_ref().is_some_and(|it| it.trained) {
        if tensor.dtype != DType::F32 {
            return Err(format!("a trained parameter is f32, not {}", tensor.dtype));
        }
        for like in LIKE_PARAMETERS {
            let Some(index) = package.region(like) else {
                continue;
            };
            let room = package.regions[index as usize].bytes;
            let is_flat = package.states(like).next().is_none();
            if is_flat && room > 0 && end > room {
                return Err(format!("it ends at byte {end}, region `{like}` has {room}"));
            }
        }
    }
    Ok(())
}

fn check_launch(package: &Package, launch: &Launch) -> Result<(), String> {
    let kernel = package
        .kernels
        .get(launch.kernel as usize)
        .ok_or_else(|| format!("kernel {} of {}", launch.kernel, package.kernels.len()))?;
    for slot in &launch.args {
        slot_end(package, *slot, 0)?;
    }
    for extent in &launch.extents {
        bound(*extent, &package.extents)?;
    }
    let mut tiles: u64 = 1;
    for axis in &launch.tiles {
        if axis.tile == 0 {
            return Err("a tile of 0 elements".into());
        }
        let count = bound(axis.extent, &package.extents)?.div_ceil(axis.tile);
        tiles = tiles
            .checked_mul(count.max(1))
            .filter(|&tiles| i64::try_from(tiles).is_ok())
            .ok_or("the number of tiles overflows")?;
    }
    gpu::check_launch(package, kernel, launch)
}

/// Checks that `bytes` bytes at `slot` lie within its region; returns the byte past them.
fn slot_end(package: &Package, slot: Slot, bytes: u64) -> Result<u64, String> {
    let region = package
        .regions
        .get(slot.region as usize)
        .ok_or_else(|| format!("region {} of {}", slot.region, package.regions.len()))?;
    if !slot.offset.is_multiple_of(SLOT_ALIGNMENT) {
        return Err(format!(
            "offset {} in region `{}` is no multiple of {SLOT_ALIGNMENT}",
            slot.offset, region.name
        ));
    }
    slot.offset
        .checked_add(bytes)
        .filter(|&end| end <= region.bytes)
        .ok_or_else(|| {
            format!(
                "{bytes} bytes at offset {} do not fit region `{}` of {} bytes",
                slot.offset, region.name, region.bytes
            )
        })
}

/// [`ExtentRef::bound`] for numbers that nobody has checked yet.
fn bound(extent: ExtentRef, extents: &[Extent]) -> Result<u64, String> {
    let value = match extent {
        ExtentRef::Fixed(value) => Some(value),
        ExtentRef::Scaled { index, scale } => extents
            .get(index as usize)
            .ok_or_else(|| format!("extent {index} of {}", extents.len()))?
            .bound
            .checked_mul(scale),
    };
    value
        .filter(|&value| i64::try_from(value).is_ok())
        .ok_or_else(|| "a size overflows".to_string())
}

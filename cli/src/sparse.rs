//! A dense decoder's weights in a mixture of experts: each expert is a copy of the MLP.

use std::path::Path;

use mm1_dsl::model::{Model, Moe};
use mm1_runtime::checkpoint::tensors::TensorsFile;
use mm1_runtime::executor::Executor;

use crate::failure::Failure;
use crate::{tensors, weights};

/// Where a parameter of a mixture of experts starts.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// As the dense decoder's parameter of this name.
    Same(String),
    /// So many copies of it.
    Copies(String, usize),
    /// As drawn: a dense decoder has nothing for it.
    Drawn,
}

/// Where the parameter `name` starts: `decoder.layers.L` holds `every` blocks of the dense decoder.
fn start(moe: &Moe, name: &str) -> Start {
    let parts = |text: &str| -> Option<(u64, String)> {
        let (number, rest) = text.split_once('.')?;
        Some((number.parse().ok()?, rest.to_owned()))
    };
    let Some((layer, rest)) = name.strip_prefix("decoder.layers.").and_then(parts) else {
        return Start::Same(name.to_owned());
    };
    let first = layer * moe.every;
    let block = |place: u64, rest: &str| format!("decoder.blocks.{}.{rest}", first + place);
    if let Some((place, rest)) = rest.strip_prefix("before.").and_then(parts) {
        return Start::Same(block(place, &rest));
    }
    if let Some((place, rest)) = rest.strip_prefix("after.").and_then(parts) {
        return Start::Same(block(moe.offset + 1 + place, &rest));
    }
    match rest.strip_prefix("sparse.") {
        None => Start::Same(name.to_owned()),
        Some(rest) if rest.starts_with("moe.router.") => Start::Drawn,
        Some(rest) => match rest.strip_prefix("moe.experts.") {
            Some(rest) => Start::Copies(
                block(moe.offset, &format!("mlp.{rest}")),
                moe.experts as usize,
            ),
            None => Start::Same(block(moe.offset, rest)),
        },
    }
}

/// Reads a dense decoder from a file; returns how many tensors were taken.
///
/// # Errors
/// A file that cannot be read, or that lacks a tensor or has it in another size.
pub fn copy_dense(
    model: &Model,
    moe: &Moe,
    executor: &mut Executor,
    path: &Path,
) -> Result<usize, Failure> {
    let mut file = TensorsFile::open(path)?;
    let mut taken = 0;
    for (name, dims) in weights::parameters(model, "decoder")? {
        let (theirs, copies) = match start(moe, &name) {
            Start::Same(theirs) => (theirs, 1),
            Start::Copies(theirs, copies) => (theirs, copies),
            Start::Drawn => continue,
        };
        let fault = |what: String| {
            let place = format!("`{theirs}`, from which `{name}` starts, {what}");
            Failure::new(format!("`init.decoder`: `{}`: {place}", path.display()))
        };
        if !file.tensors().contains_key(&theirs) {
            return Err(fault("is missing".to_owned()));
        }
        let values = tensors::read_f32(&mut file, &theirs)?;
        let wanted = dims.iter().product::<u64>() as usize / copies;
        if values.len() != wanted {
            return Err(fault(format!(
                "has {} elements instead of {wanted}",
                values.len()
            )));
        }
        executor.write(&name, &values.repeat(copies))?;
        taken += 1;
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_places_and_experts_are_copies() {
        let moe = Moe {
            experts: 4,
            every: 3,
            offset: 1,
            top_k: 2,
            capacity_factor: None,
            group: "micro-batch".to_owned(),
            load_balance_weight: 0.0,
            load_balance_convention: "first-choice".to_owned(),
            load_balance_layers: "mean".to_owned(),
            router_z_weight: 0.0,
            from_dense: true,
        };
        let same = |name: &str| Start::Same(name.to_owned());
        for (ours, theirs) in [
            ("decoder.norm.weight", same("decoder.norm.weight")),
            (
                "decoder.layers.2.before.0.qkv.weight",
                same("decoder.blocks.6.qkv.weight"),
            ),
            (
                "decoder.layers.2.after.0.mlp.down.weight",
                same("decoder.blocks.8.mlp.down.weight"),
            ),
            (
                "decoder.layers.1.sparse.norm_2.weight",
                same("decoder.blocks.4.norm_2.weight"),
            ),
            (
                "decoder.layers.1.sparse.moe.experts.gate_up.weight",
                Start::Copies("decoder.blocks.4.mlp.gate_up.weight".to_owned(), 4),
            ),
            ("decoder.layers.1.sparse.moe.router.weight", Start::Drawn),
        ] {
            assert_eq!(start(&moe, ours), theirs, "{ours}");
        }
    }
}

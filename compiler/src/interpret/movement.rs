//! Data movement.

use super::{Tensor, index_or_nothing, same};

/// Row-major distances between neighbours along each axis.
fn strides(dims: &[u64]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis] as usize;
    }
    strides
}

/// Reads `x` at `Σ position · strides` for every position of `dims` in row-major order.
fn read_strided(x: &[f64], dims: &[u64], strides: &[usize]) -> Vec<f64> {
    let total: u64 = dims.iter().product();
    let mut position = vec![0u64; dims.len()];
    let mut offset = 0;
    let mut data = Vec::with_capacity(total as usize);
    for _ in 0..total {
        data.push(x[offset]);
        for axis in (0..dims.len()).rev() {
            position[axis] += 1;
            offset += strides[axis];
            if position[axis] < dims[axis] {
                break;
            }
            offset -= strides[axis] * dims[axis] as usize;
            position[axis] = 0;
        }
    }
    data
}

pub(super) fn transpose(permutation: &[usize], x: &Tensor) -> Result<Tensor, String> {
    let mut sorted = permutation.to_vec();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..x.dims.len()) {
        return Err(format!("{permutation:?} does not permute {:?}", x.dims));
    }
    let old = strides(&x.dims);
    let dims: Vec<u64> = permutation.iter().map(|axis| x.dims[*axis]).collect();
    let new: Vec<usize> = permutation.iter().map(|axis| old[*axis]).collect();
    let data = read_strided(&x.data, &dims, &new);
    Ok(Tensor { dims, data })
}

pub(super) fn broadcast(x: &Tensor, dims: &[u64]) -> Result<Tensor, String> {
    if x.dims == dims {
        return Ok(x.clone());
    }
    let old = strides(&x.dims);
    let added = dims
        .len()
        .checked_sub(x.dims.len())
        .ok_or_else(|| format!("sizes {:?} do not stretch to {dims:?}", x.dims))?;
    let mut new = vec![0; dims.len()];
    for (axis, size) in x.dims.iter().enumerate() {
        if *size == dims[added + axis] {
            new[added + axis] = old[axis];
        } else if *size != 1 {
            return Err(format!("sizes {:?} do not stretch to {dims:?}", x.dims));
        }
    }
    let data = read_strided(&x.data, dims, &new);
    Ok(Tensor {
        dims: dims.to_vec(),
        data,
    })
}

pub(super) fn slice(axis: usize, start: u64, x: &Tensor, dims: &[u64]) -> Result<Tensor, String> {
    let fits = x.dims.len() == dims.len()
        && axis < dims.len()
        && (0..dims.len()).all(|other| other == axis || dims[other] == x.dims[other]);
    if !fits {
        return Err(format!("sizes {dims:?} are no slice of {:?}", x.dims));
    }
    let length = dims[axis];
    // A chunk that lies wholly past a run-time size is empty.
    if length > 0
        && start
            .checked_add(length)
            .is_none_or(|end| end > x.dims[axis])
    {
        return Err(format!(
            "elements {start} .. {start} + {length} of an axis of {}",
            x.dims[axis]
        ));
    }
    let mut data = Vec::new();
    if dims.iter().all(|size| *size > 0) {
        let inner: u64 = dims[axis + 1..].iter().product();
        let (begin, chunk) = ((start * inner) as usize, (length * inner) as usize);
        for outer in x.data.chunks_exact((x.dims[axis] * inner) as usize) {
            data.extend_from_slice(&outer[begin..begin + chunk]);
        }
    }
    Ok(Tensor {
        dims: dims.to_vec(),
        data,
    })
}

pub(super) fn concat(axis: usize, parts: &[&Tensor], dims: &[u64]) -> Result<Tensor, String> {
    let mut total = 0;
    for part in parts {
        let fits = part.dims.len() == dims.len()
            && axis < dims.len()
            && (0..dims.len()).all(|other| other == axis || dims[other] == part.dims[other]);
        if !fits {
            return Err(format!("part {:?} does not fit {dims:?}", part.dims));
        }
        total += part.dims[axis];
    }
    if dims.get(axis) != Some(&total) {
        return Err(format!(
            "the parts give {total} along axis {axis} of {dims:?}"
        ));
    }
    let outer: u64 = dims[..axis].iter().product();
    let inner: u64 = dims[axis + 1..].iter().product();
    let mut data = Vec::with_capacity((outer * total * inner) as usize);
    for row in 0..outer as usize {
        for part in parts {
            data.extend_from_slice(part.row(row, (part.dims[axis] * inner) as usize));
        }
    }
    Ok(Tensor {
        dims: dims.to_vec(),
        data,
    })
}

pub(super) fn gather_rows(table: &Tensor, indices: &Tensor) -> Result<Tensor, String> {
    let [rows, width] = table.dims[..] else {
        return Err(format!("a table of sizes {:?}", table.dims));
    };
    let mut data = Vec::with_capacity(indices.data.len() * width as usize);
    for index in &indices.data {
        match index_or_nothing(*index, rows as usize)? {
            Some(row) => data.extend_from_slice(table.row(row, width as usize)),
            None => data.resize(data.len() + width as usize, 0.0),
        }
    }
    let mut dims = indices.dims.clone();
    dims.push(width);
    Tensor::new(dims, data)
}

pub(super) fn scatter_add_rows(
    updates: &Tensor,
    indices: &Tensor,
    dims: &[u64],
) -> Result<Tensor, String> {
    let [rows, width] = dims[..] else {
        return Err(format!("a result of sizes {dims:?}"));
    };
    let mut wanted = indices.dims.clone();
    wanted.push(width);
    same("the updates", updates, &wanted)?;
    let mut result = Tensor::zeros(dims);
    let width = width as usize;
    for (update, index) in indices.data.iter().enumerate() {
        if let Some(row) = index_or_nothing(*index, rows as usize)? {
            let target = &mut result.data[row * width..(row + 1) * width];
            for (sum, x) in target.iter_mut().zip(updates.row(update, width)) {
                *sum += x;
            }
        }
    }
    Ok(result)
}

pub(super) fn update_rows(
    table: &Tensor,
    rows: &Tensor,
    positions: &Tensor,
) -> Result<Tensor, String> {
    let ([batch, length, inner @ ..], [_, new, ..]) = (&table.dims[..], &rows.dims[..]) else {
        return Err("a table and rows of rank 2 or more are needed".to_owned());
    };
    let mut wanted = vec![*batch, *new];
    same("positions", positions, &wanted)?;
    wanted.extend_from_slice(inner);
    same("the rows", rows, &wanted)?;
    let width = inner.iter().product::<u64>() as usize;
    let (length, new) = (*length as usize, *new as usize);
    let mut result = table.clone();
    for (row, position) in positions.data.iter().enumerate() {
        if let Some(position) = index_or_nothing(*position, length)? {
            let target = (row / new * length + position) * width;
            result.data[target..target + width].copy_from_slice(rows.row(row, width));
        }
    }
    Ok(result)
}

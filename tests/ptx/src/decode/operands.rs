//! Operands to rows.

use super::{Binding, Decoder, Place, Result};
use crate::machine::rows::Class;
use crate::parse::syntax::{Operand, Space};
use crate::program::{AddressRow, Constant, NONE, Special};

/// The space and the address constant of a place.
fn place_constant(place: Place, offset: i64) -> (Space, Constant) {
    let at = |base: u32| Constant::Bits((i64::from(base) + offset) as u64);
    match place {
        Place::Module(index) => (Space::Global, Constant::Variable(index, offset)),
        Place::Shared(base) => (Space::Shared, at(base)),
        Place::Local(base) => (Space::Local, at(base)),
        Place::Frame(base) => (Space::Local, at(base)),
        Place::Param(base) => (Space::Param, at(base)),
    }
}

fn special(name: &str) -> Option<Special> {
    let component = |rest: &str| match rest {
        ".x" => Some(0),
        ".y" => Some(1),
        ".z" => Some(2),
        _ => None,
    };
    for (prefix, make) in [
        ("%tid", Special::Thread as fn(u8) -> Special),
        ("%ntid", Special::Threads),
        ("%ctaid", Special::Block),
        ("%nctaid", Special::Blocks),
        ("%clusterid", Special::Block),
        ("%nclusterid", Special::Blocks),
    ] {
        if let Some(component) = name.strip_prefix(prefix).and_then(component) {
            return Some(make(component));
        }
    }
    // Clusters have one block.
    if name
        .strip_prefix("%cluster_ctaid")
        .and_then(component)
        .is_some()
    {
        return Some(Special::Zero);
    }
    if name
        .strip_prefix("%cluster_nctaid")
        .and_then(component)
        .is_some()
    {
        return Some(Special::One);
    }
    Some(match name {
        "%laneid" => Special::Lane,
        "%warpid" => Special::Warp,
        "%nwarpid" => Special::Warps,
        "%lanemask_eq" => Special::LaneMaskEqual,
        "%lanemask_lt" => Special::LaneMaskLess,
        "%lanemask_le" => Special::LaneMaskLessEqual,
        "%lanemask_gt" => Special::LaneMaskGreater,
        "%lanemask_ge" => Special::LaneMaskGreaterEqual,
        "%dynamic_smem_size" => Special::DynamicShared,
        "%total_smem_size" => Special::TotalShared,
        "%smid" | "%gridid" | "%cluster_ctarank" => Special::Zero,
        "%nsmid" | "%cluster_nctarank" => Special::One,
        _ => return None,
    })
}

impl Decoder<'_> {
    /// The row of a register of a class.
    pub(super) fn register(&self, name: &str, class: Class) -> Result<u32> {
        match self.lookup(name) {
            Some(&Binding::Register(slot, found)) if found == class => Ok(slot),
            Some(&Binding::Register(_, found)) => self.error(format!(
                "`{name}` is a {found:?} register, but the instruction needs a {class:?} one"
            )),
            Some(_) => self.error(format!("`{name}` is not a register")),
            None => self.error(format!("`{name}` is not declared")),
        }
    }

    /// Row and class of a register of any class.
    pub(super) fn any_register(&mut self, operand: &Operand) -> Result<(u32, Class)> {
        match operand {
            Operand::Name(name, 0) => match self.lookup(name) {
                Some(&Binding::Register(slot, class)) => Ok((slot, class)),
                _ => self.error(format!("`{name}` is not a register")),
            },
            Operand::Sink => Ok((NONE, Class::Narrow)),
            other => self.error(format!("{other:?} is not a register")),
        }
    }

    /// The row that a result goes to; a sink gets a row that nobody reads.
    pub(super) fn target(&mut self, operand: &Operand, class: Class) -> Result<u32> {
        match operand {
            Operand::Name(name, 0) => self.register(name, class),
            Operand::Sink => Ok(self.new_row(class)),
            other => self.error(format!("{other:?} cannot be written")),
        }
    }

    /// The row of something that is read.
    pub(super) fn value(&mut self, operand: &Operand, class: Class) -> Result<u32> {
        let constant = match operand {
            Operand::Integer(bits) => Constant::Bits(match class {
                Class::Narrow => bits & 0xFFFF_FFFF,
                Class::Wide => *bits,
                Class::Predicate => u64::from(*bits != 0) * 0xFFFF_FFFF,
            }),
            Operand::Float32(bits) if class == Class::Narrow => Constant::Bits((*bits).into()),
            Operand::Float32(bits) if class == Class::Wide => {
                Constant::Bits(f64::from(f32::from_bits(*bits)).to_bits())
            }
            Operand::Float64(bits) if class == Class::Wide => Constant::Bits(*bits),
            Operand::Float64(bits) if class == Class::Narrow => {
                Constant::Bits((f64::from_bits(*bits) as f32).to_bits().into())
            }
            Operand::Name(name, offset) => {
                if let Some(special) = special(name)
                    && *offset == 0
                    && class != Class::Predicate
                {
                    return Ok(self.constant(class, Constant::Special(special)));
                }
                match self.lookup(name) {
                    Some(&Binding::Place(place)) if class != Class::Predicate => {
                        place_constant(place, *offset).1
                    }
                    _ if *offset != 0 => {
                        return self.error(format!("`{name}` is not a variable"));
                    }
                    _ => return self.register(name, class),
                }
            }
            other => return self.error(format!("{other:?} cannot be a {class:?} operand")),
        };
        Ok(self.constant(class, constant))
    }

    /// The place of a variable.
    pub(super) fn place(&self, name: &str) -> Result<Place> {
        match self.lookup(name) {
            Some(&Binding::Place(place)) => Ok(place),
            _ => self.error(format!("`{name}` is not a variable")),
        }
    }

    /// The row and offset of `[…]`, and its space where a variable gives it away.
    pub(super) fn address(&mut self, operand: &Operand) -> Result<(AddressRow, Option<Space>)> {
        let Operand::Address(address) = operand else {
            return self.error(format!("{operand:?} is not an address"));
        };
        let offset = address.offset;
        let Some(base) = &address.base else {
            let slot = self.constant(Class::Wide, Constant::Bits(0));
            return Ok((
                AddressRow {
                    slot,
                    class: Class::Wide,
                    offset,
                },
                None,
            ));
        };
        match self.lookup(base) {
            Some(&Binding::Register(slot, class)) if class != Class::Predicate => Ok((
                AddressRow {
                    slot,
                    class,
                    offset,
                },
                None,
            )),
            Some(&Binding::Place(place)) => {
                let (space, constant) = place_constant(place, 0);
                let slot = self.constant(Class::Wide, constant);
                Ok((
                    AddressRow {
                        slot,
                        class: Class::Wide,
                        offset,
                    },
                    Some(space),
                ))
            }
            _ => self.error(format!(
                "`{base}` is neither an address register nor a variable"
            )),
        }
    }
}

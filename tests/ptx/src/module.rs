//! A parsed module and its entries.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::decode::{Source, decode, parse};
use crate::memory::Memory;
use crate::parse::ParseError;
use crate::parse::syntax::{Space, Variable};
use crate::program::Program;

/// PTX text, parsed and decoded.
pub struct Module {
    id: u64,
    pub(crate) programs: Vec<Program>,
    variables: Vec<Variable>,
}

/// A parameter of a launch.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// `.u64`, an address among them.
    U64(u64),
    /// `.u32`.
    U32(u32),
    /// `.f32`.
    F32(f32),
    /// Any other, by its bytes; a tensor map is 128.
    Bytes(Vec<u8>),
}

impl Param {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Param::U64(value) => value.to_le_bytes().into(),
            Param::U32(value) => value.to_le_bytes().into(),
            Param::F32(value) => value.to_le_bytes().into(),
            Param::Bytes(bytes) => bytes.clone(),
        }
    }
}

impl Module {
    /// Parses and decodes every entry of a module.
    ///
    /// # Errors
    /// If the text is no PTX, or uses what the emulator does not know.
    pub fn parse(text: &str) -> Result<Module, ParseError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let syntax = parse(text)?;
        let source = Source {
            variables: &syntax.variables,
            functions: &syntax.functions,
        };
        let entries = syntax.functions.iter().filter(|function| function.entry);
        let programs = entries
            .map(|entry| decode(&source, entry))
            .collect::<Result<_, _>>()?;
        Ok(Module {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            programs,
            variables: syntax.variables,
        })
    }

    /// Names of the entries, in the order of the text.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.programs.iter().map(|program| program.name.as_str())
    }

    /// Addresses of the module's variables in `memory`, which holds them from the first launch on.
    pub(crate) fn place_variables(&self, memory: &mut Memory) -> Vec<u64> {
        let mut addresses = Vec::new();
        for (index, variable) in self.variables.iter().enumerate() {
            if !matches!(variable.space, Space::Global | Space::Const) {
                addresses.push(0);
                continue;
            }
            let key = (self.id, index as u32);
            let address = match memory.variables.get(&key) {
                Some(&address) => address,
                None => {
                    // Variables without an initializer are zero.
                    let mut data = variable.init.clone();
                    data.resize(variable.bytes as usize, 0);
                    let address = memory.alloc_from(&data);
                    if variable.space == Space::Const {
                        memory.set_read_only(address);
                    }
                    memory.variables.insert(key, address);
                    address
                }
            };
            addresses.push(address);
        }
        addresses
    }
}

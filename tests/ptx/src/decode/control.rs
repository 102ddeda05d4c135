//! Branches and calls.

use std::collections::HashMap;

use super::{Binding, Decoder, Result};
use crate::machine::rows::Class;
use crate::parse::syntax::{Instruction, Operand};
use crate::program::{NONE, Op};

impl Decoder<'_> {
    pub(super) fn label(&self, name: &str) -> Result<usize> {
        match self.lookup(name) {
            Some(&Binding::Label(label)) => Ok(label),
            _ => self.error(format!("`{name}` is not a label")),
        }
    }

    pub(super) fn branch_table(&mut self, i: &Instruction) -> Result<()> {
        let Operand::Name(name, 0) = self.operand(i, 1)? else {
            return self.unknown(i);
        };
        let Some(Binding::Targets(names)) = self.lookup(name).cloned() else {
            return self.error(format!("`{name}` is not a list of branch targets"));
        };
        let mut targets = Vec::new();
        for name in &names {
            targets.push(self.label(name)? as u32);
        }
        let index = self.value(self.operand(i, 0)?, Class::Narrow)?;
        self.emit(
            Op::BranchTable(targets.into()),
            [NONE, index, NONE, NONE, NONE],
        );
        Ok(())
    }

    /// Expands the function in place; its parameters are the caller's parameter variables.
    pub(super) fn call(&mut self, i: &Instruction) -> Result<()> {
        let mut groups = Vec::new();
        let mut name = None;
        for operand in &i.operands {
            match operand {
                Operand::Group(list) => groups.push((name.is_some(), list)),
                Operand::Name(word, 0) if name.is_none() => name = Some(word),
                _ => return self.error("only direct calls are supported"),
            }
        }
        let Some(name) = name else {
            return self.error("`call` without a function");
        };
        let source = self.source;
        let found = source
            .functions
            .iter()
            .find(|f| f.name == *name && f.body.is_some());
        let Some(function) = found else {
            return self.error(format!(
                "`{name}` has no body in this module: only direct calls are supported"
            ));
        };
        if self.calls.iter().any(|(active, _)| active == name) {
            return self.error(format!("`{name}` calls itself, which is not supported"));
        }
        let mut scope = HashMap::new();
        for (is_argument, list) in groups {
            let formal = if is_argument {
                &function.params
            } else {
                &function.returns
            };
            if formal.len() != list.len() {
                return self.error(format!(
                    "`{name}` is called with {} parameters, but has {}",
                    list.len(),
                    formal.len()
                ));
            }
            for (variable, operand) in formal.iter().zip(list) {
                let Operand::Name(actual, 0) = operand else {
                    return self.error("parameters of a call must be `.param` variables");
                };
                let place = self.place(actual)?;
                scope.insert(variable.name.clone(), Binding::Place(place));
            }
        }
        let behind = self.new_label();
        let guard = self.guard;
        if guard.0 != NONE {
            // Threads that do not call go past the whole body.
            self.guard = (guard.0, !guard.1);
            self.emit(Op::Branch(behind as u32), [NONE; 5]);
            self.guard = (NONE, false);
        }
        let outer = std::mem::take(&mut self.scopes);
        self.scopes = vec![outer[0].clone(), scope];
        self.calls.push((name.clone(), behind));
        self.body(function.body.as_deref().unwrap_or_default())?;
        self.calls.pop();
        self.scopes = outer;
        self.place_label(behind);
        self.guard = guard;
        Ok(())
    }
}

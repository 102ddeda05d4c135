//! ELF object to position-independent blob.
//!
//! The object's instructions and read-only data are laid out one after the
//! other and the references among them resolved. Everything that would need a
//! real linker or loader is refused.

use super::{CodeBlob, CodegenError};
use object::{
    Object, ObjectSection, ObjectSymbol, RelocationKind, RelocationTarget, SectionFlags,
    SectionIndex, SectionKind, SymbolKind, SymbolScope, elf::SHF_ALLOC, read::elf::ElfFile64,
};

/// Memory routines that instruction selection may call although nothing asked
/// for them; System V calling convention, direction flag clear on entry.
const ROUTINES: [(&str, &[u8]); 3] = [
    (
        "memcpy",
        // mov rax, rdi; mov rcx, rdx; rep movsb; ret
        &[0x48, 0x89, 0xf8, 0x48, 0x89, 0xd1, 0xf3, 0xa4, 0xc3],
    ),
    (
        "memmove",
        &[
            0x48, 0x89, 0xf8, // mov rax, rdi
            0x48, 0x89, 0xd1, // mov rcx, rdx
            0x48, 0x89, 0xfa, // mov rdx, rdi
            0x48, 0x29, 0xf2, // sub rdx, rsi
            0x48, 0x39, 0xca, // cmp rdx, rcx: source below and overlapping?
            0x72, 0x03, // jb backwards
            0xf3, 0xa4, // rep movsb
            0xc3, // ret
            0x48, 0x8d, 0x7c, 0x0f, 0xff, // backwards: lea rdi, [rdi + rcx - 1]
            0x48, 0x8d, 0x74, 0x0e, 0xff, // lea rsi, [rsi + rcx - 1]
            0xfd, // std
            0xf3, 0xa4, // rep movsb
            0xfc, // cld
            0xc3, // ret
        ],
    ),
    (
        "memset",
        &[
            0x49, 0x89, 0xf8, // mov r8, rdi
            0x48, 0x89, 0xd1, // mov rcx, rdx
            0x89, 0xf0, // mov eax, esi
            0xf3, 0xaa, // rep stosb
            0x4c, 0x89, 0xc0, // mov rax, r8
            0xc3, // ret
        ],
    ),
];

/// Links one relocatable x86-64 ELF object into a blob.
///
/// # Errors
///
/// [`CodegenError::Link`]: the object has writable data, an undefined symbol
/// other than `memcpy`, `memmove` and `memset`, or a reference that depends on
/// the load address.
pub fn link_object(object: &[u8]) -> Result<CodeBlob, CodegenError> {
    let file: ElfFile64 = ElfFile64::parse(object).map_err(malformed)?;
    let mut linker = Linker {
        bytes: Vec::new(),
        sections: Vec::new(),
        routines: [None; ROUTINES.len()],
    };
    linker.lay_out(&file)?;
    linker.resolve(&file)?;
    let entries = linker.entries(&file)?;
    Ok(CodeBlob {
        bytes: linker.bytes,
        entries,
    })
}

fn malformed(error: object::read::Error) -> CodegenError {
    CodegenError::Link(format!("malformed object: {error}"))
}

struct Linker {
    bytes: Vec<u8>,
    /// Where each loaded section went.
    sections: Vec<(SectionIndex, usize)>,
    /// Where each of [`ROUTINES`] went, if something calls it.
    routines: [Option<usize>; ROUTINES.len()],
}

impl Linker {
    /// Copies instructions first, then read-only data, in the object's order.
    fn lay_out(&mut self, file: &ElfFile64) -> Result<(), CodegenError> {
        let is_text = |kind| kind == SectionKind::Text;
        let is_data = |kind| {
            matches!(
                kind,
                SectionKind::ReadOnlyData | SectionKind::ReadOnlyString
            )
        };
        for section in file.sections() {
            let name = section.name().map_err(malformed)?;
            let kind = section.kind();
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
                continue;
            };
            let loaded = sh_flags & SHF_ALLOC == SHF_ALLOC && section.size() != 0;
            // Kernels never unwind.
            let tables = name == ".eh_frame";
            if loaded && !tables && !is_text(kind) && !is_data(kind) {
                return Err(CodegenError::Link(format!(
                    "section `{name}` is neither code nor read-only data"
                )));
            }
        }
        self.place(file, is_text)?;
        // Data on lines of its own, away from instructions.
        self.pad(CodeBlob::ALIGNMENT, 0);
        self.place(file, is_data)
    }

    fn place(
        &mut self,
        file: &ElfFile64,
        wanted: impl Fn(SectionKind) -> bool,
    ) -> Result<(), CodegenError> {
        for section in file.sections() {
            let kind = section.kind();
            if !wanted(kind) || section.size() == 0 || section.name() == Ok(".eh_frame") {
                continue;
            }
            let align = usize::try_from(section.align().max(1)).unwrap_or(usize::MAX);
            if align > CodeBlob::ALIGNMENT {
                return Err(CodegenError::Link(format!(
                    "a section wants an alignment of {align} bytes, {} is the most",
                    CodeBlob::ALIGNMENT
                )));
            }
            // `int3` between functions stops a stray jump.
            self.pad(align, if kind == SectionKind::Text { 0xcc } else { 0 });
            self.sections.push((section.index(), self.bytes.len()));
            self.bytes
                .extend_from_slice(section.data().map_err(malformed)?);
        }
        Ok(())
    }

    fn pad(&mut self, align: usize, value: u8) {
        self.bytes
            .resize(self.bytes.len().next_multiple_of(align), value);
    }

    fn section_offset(&self, index: SectionIndex) -> Option<usize> {
        self.sections
            .iter()
            .find(|(section, _)| *section == index)
            .map(|&(_, offset)| offset)
    }

    fn resolve(&mut self, file: &ElfFile64) -> Result<(), CodegenError> {
        for (index, base) in self.sections.clone() {
            let section = file.section_by_index(index).map_err(malformed)?;
            for (offset, relocation) in section.relocations() {
                let pc_relative = matches!(
                    relocation.kind(),
                    RelocationKind::Relative | RelocationKind::PltRelative
                );
                if !pc_relative || relocation.size() != 32 {
                    return Err(CodegenError::Link(format!(
                        "reference {:?} is not relative to the program counter",
                        relocation.flags()
                    )));
                }
                let RelocationTarget::Symbol(symbol) = relocation.target() else {
                    return Err(CodegenError::Link(
                        "a reference without a symbol".to_owned(),
                    ));
                };
                let symbol = file.symbol_by_index(symbol).map_err(malformed)?;
                let target = self.symbol_offset(&symbol)?;
                let place = base + usize::try_from(offset).unwrap_or(usize::MAX / 2);
                // Offsets in a blob are far below 2^31; the check keeps it true.
                let value = target as i64 + relocation.addend() - place as i64;
                let (Ok(value), Some(slot)) =
                    (i32::try_from(value), self.bytes.get_mut(place..place + 4))
                else {
                    return Err(CodegenError::Link("a reference out of range".to_owned()));
                };
                slot.copy_from_slice(&value.to_le_bytes());
            }
        }
        Ok(())
    }

    /// Where a symbol is in the blob; a memory routine is added when first met.
    fn symbol_offset<'data>(
        &mut self,
        symbol: &impl ObjectSymbol<'data>,
    ) -> Result<usize, CodegenError> {
        let name = symbol.name().map_err(malformed)?;
        if symbol.is_undefined() {
            let Some(routine) = ROUTINES.iter().position(|(known, _)| *known == name) else {
                return Err(CodegenError::Link(format!("undefined symbol `{name}`")));
            };
            if let Some(offset) = self.routines[routine] {
                return Ok(offset);
            }
            self.pad(16, 0xcc);
            let offset = self.bytes.len();
            self.bytes.extend_from_slice(ROUTINES[routine].1);
            self.routines[routine] = Some(offset);
            return Ok(offset);
        }
        let section = symbol
            .section_index()
            .and_then(|index| self.section_offset(index))
            .ok_or_else(|| {
                CodegenError::Link(format!("symbol `{name}` is outside code and data"))
            })?;
        Ok(section + usize::try_from(symbol.address()).unwrap_or(usize::MAX / 2))
    }

    /// The public functions by name.
    fn entries(&mut self, file: &ElfFile64) -> Result<Vec<(String, usize)>, CodegenError> {
        let mut entries = Vec::new();
        for symbol in file.symbols() {
            if symbol.kind() == SymbolKind::Text
                && symbol.is_definition()
                && symbol.scope() != SymbolScope::Compilation
            {
                let name = symbol.name().map_err(malformed)?.to_owned();
                entries.push((name, self.symbol_offset(&symbol)?));
            }
        }
        entries.sort();
        Ok(entries)
    }
}

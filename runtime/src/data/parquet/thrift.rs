//! Thrift's compact protocol, as far as page headers and the depth of a schema need it.
//!
//! Nothing is allocated, nothing recurses past [`DEPTH`], and every step consumes a byte.

/// Levels of structures and lists that are walked into; a page header has three.
const DEPTH: u8 = 16;
/// Levels of groups that a schema may have; the reader of footers recurses by them.
const SCHEMA_DEPTH: usize = 64;

/// Why bytes are no such message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThriftFault {
    /// They end inside it.
    Short,
    /// They contradict the protocol.
    Malformed,
}

type Result<T> = std::result::Result<T, ThriftFault>;

/// The first numbers of a page's header, and field and numbers of the structure for its type.
pub(super) type PageNumbers = ([Option<i64>; 3], Option<(i64, [Option<i64>; 7])>);

/// The types of fields.
const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;

/// A message and how far it is read.
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
    /// Bytes read.
    pub(super) at: usize,
}

impl<'a> Compact<'a> {
    /// Before the first byte.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = self.bytes.get(self.at).ok_or(ThriftFault::Short)?;
        self.at += 1;
        Ok(*byte)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ThriftFault::Malformed)
    }

    fn pass(&mut self, length: u64) -> Result<()> {
        let left = (self.bytes.len() - self.at) as u64;
        if length > left {
            return Err(ThriftFault::Short);
        }
        self.at += length as usize;
        Ok(())
    }

    /// An integer of any width.
    fn integer(&mut self) -> Result<i64> {
        let raw = self.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// Type and number of the next field after field `last`; `None` at the structure's end.
    fn field(&mut self, last: i64) -> Result<Option<(u8, i64)>> {
        let byte = self.byte()?;
        if byte == STOP {
            return Ok(None);
        }
        let number = match byte >> 4 {
            0 => self.integer()?,
            step => last.wrapping_add(i64::from(step)),
        };
        Ok(Some((byte & 0x0f, number)))
    }

    /// Type of the elements and length of a list.
    fn list(&mut self) -> Result<(u8, u64)> {
        let byte = self.byte()?;
        let length = match byte >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        Ok((byte & 0x0f, length))
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Result<()> {
        if depth == 0 {
            return Err(ThriftFault::Malformed);
        }
        match kind {
            // The value of a boolean field is its type.
            TRUE | FALSE => Ok(()),
            BYTE => self.pass(1),
            I16..=I64 => self.varint().map(|_| ()),
            DOUBLE => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | SET => {
                let (kind, length) = self.list()?;
                for _ in 0..length {
                    match kind {
                        TRUE | FALSE => self.pass(1)?,
                        _ => self.skip(kind, depth - 1)?,
                    }
                }
                Ok(())
            }
            // Neither headers nor what stands before a schema have maps.
            MAP => Err(ThriftFault::Malformed),
            STRUCT => self.fields(|it, kind, _| it.skip(kind, depth - 1)),
            _ => Err(ThriftFault::Malformed),
        }
    }

    /// Calls `visit` with type and number of each field of a structure; it reads or skips the value.
    fn fields(&mut self, mut visit: impl FnMut(&mut Self, u8, i64) -> Result<()>) -> Result<()> {
        let mut last = 0;
        while let Some((kind, number)) = self.field(last)? {
            visit(self, kind, number)?;
            last = number;
        }
        Ok(())
    }

    /// An integer or boolean field; anything else is no such field.
    fn number(&mut self, kind: u8) -> Result<i64> {
        match kind {
            TRUE => Ok(1),
            FALSE => Ok(0),
            I16..=I64 => self.integer(),
            _ => Err(ThriftFault::Malformed),
        }
    }

    /// The first `N` fields of a structure, where they are numbers and there.
    pub(super) fn numbers<const N: usize>(&mut self) -> Result<[Option<i64>; N]> {
        let mut found = [None; N];
        self.fields(|it, kind, number| {
            let slot = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
            match slot.and_then(|slot| found.get_mut(slot)) {
                Some(slot) if kind <= I64 => *slot = Some(it.number(kind)?),
                _ => it.skip(kind, DEPTH)?,
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// As [`Compact::numbers`] of a page's header: its own numbers, and those of the structure for its
    /// type of page, each with the number of its field.
    pub(super) fn page(&mut self) -> Result<PageNumbers> {
        let mut own = [None; 3];
        let mut inner = None;
        self.fields(|it, kind, number| {
            match (kind, number) {
                (I16..=I64, 1..=3) => own[number as usize - 1] = Some(it.number(kind)?),
                (STRUCT, 5 | 7 | 8) => inner = Some((number, it.numbers()?)),
                _ => it.skip(kind, DEPTH)?,
            }
            Ok(())
        })?;
        Ok((own, inner))
    }

    /// Whether the schema of a file's footer nests its groups so deep that reading it would need a
    /// deep stack.
    pub(super) fn schema_is_deep(&mut self) -> Result<bool> {
        let mut deep = false;
        self.fields(|it, kind, number| {
            if (kind, number) != (LIST, 2) {
                // What follows the schema may be long; what comes before it is a number.
                return match number {
                    1 => it.skip(kind, DEPTH),
                    _ => Err(ThriftFault::Short),
                };
            }
            let (_, length) = it.list()?;
            // Children still to come, group by group.
            let mut open: Vec<i64> = Vec::new();
            for _ in 0..length {
                while open.last() == Some(&0) {
                    open.pop();
                }
                if let Some(left) = open.last_mut() {
                    *left -= 1;
                }
                let [.., children] = it.numbers::<5>()?;
                if children.unwrap_or(0) > 0 {
                    open.push(children.unwrap_or(0));
                }
                if open.len() > SCHEMA_DEPTH {
                    deep = true;
                    return Err(ThriftFault::Short);
                }
            }
            // Enough is known.
            Err(ThriftFault::Short)
        })
        .or_else(|fault| match fault {
            ThriftFault::Short => Ok(()),
            ThriftFault::Malformed => Err(fault),
        })?;
        Ok(deep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field 2 of a footer: a list of groups of one child each.
    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = vec![0x15, 2, 0x19, 0xfc];
        let mut length = depth;
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        for _ in 0..depth {
            bytes.extend([0x48, 1, b'g', 0x15, 2, 0]);
        }
        bytes
    }

    #[test]
    fn deep_schemas_are_seen_without_a_deep_stack() {
        for (depth, deep) in [(3, false), (60, false), (70, true), (1_000_000, true)] {
            let bytes = nested(depth);
            assert_eq!(Compact::new(&bytes).schema_is_deep(), Ok(deep), "{depth}");
        }
    }

    #[test]
    fn numbers_are_found_among_other_fields() {
        // 1: 7, 2: "ab", 3: -1, 20: true, end.
        let bytes = [0x15, 14, 0x18, 2, b'a', b'b', 0x15, 1, 0x01, 40, 0];
        let mut it = Compact::new(&bytes);
        assert_eq!(it.numbers::<3>(), Ok([Some(7), None, Some(-1)]));
        assert_eq!(it.at, bytes.len());
        for cut in 0..bytes.len() {
            let short = Compact::new(&bytes[..cut]).numbers::<3>();
            assert_eq!(short, Err(ThriftFault::Short), "{cut}");
        }
    }
}

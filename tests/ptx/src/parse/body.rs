//! Bodies of functions: statements, instructions and their operands.

use super::lexer::Kind;
use super::parser::{Parser, Result, number, space};
use super::syntax::{Address, Instruction, Operand, Statement, Type};

impl Parser<'_> {
    pub(super) fn body(&mut self) -> Result<Vec<Statement>> {
        let mut statements = Vec::new();
        let mut depth = 1;
        while depth > 0 {
            let Some(token) = self.peek().cloned() else {
                return self.error("a body without its `}`");
            };
            match &token.kind {
                Kind::Mark('{') => {
                    self.at += 1;
                    depth += 1;
                    statements.push(Statement::Open);
                }
                Kind::Mark('}') => {
                    self.at += 1;
                    depth -= 1;
                    if depth > 0 {
                        statements.push(Statement::Close);
                    }
                }
                Kind::Mark(';') => self.at += 1,
                Kind::Mark('@') => {
                    let instruction = self.instruction()?;
                    statements.push(Statement::Instruction(instruction));
                }
                Kind::Undefined(register) => {
                    self.at += 1;
                    statements.push(Statement::Undefined(register.clone()));
                }
                Kind::Word(word) => self.statement(word, &mut statements)?,
                other => return self.error(format!("unexpected {other:?}")),
            }
        }
        Ok(statements)
    }

    fn statement(&mut self, word: &str, statements: &mut Vec<Statement>) -> Result<()> {
        match word {
            ".loc" | ".file" => self.skip_line(),
            ".pragma" => self.skip_statement(),
            ".reg" => {
                self.at += 1;
                self.registers(statements)?;
            }
            _ if space(word).is_some() => {
                statements.extend(self.variables(false)?.into_iter().map(Statement::Variable));
            }
            _ => {
                let next = self.tokens.get(self.at + 1).map(|token| &token.kind);
                if next == Some(&Kind::Mark(':')) {
                    self.at += 2;
                    if self.peek_word() == Some(".branchtargets") {
                        self.at += 1;
                        let mut targets = vec![self.word()?];
                        while self.take_mark(',') {
                            targets.push(self.word()?);
                        }
                        self.expect(';')?;
                        statements.push(Statement::Targets(word.to_string(), targets));
                    } else if matches!(self.peek_word(), Some(".calltargets" | ".callprototype")) {
                        self.skip_statement();
                    } else {
                        statements.push(Statement::Label(word.to_string()));
                    }
                } else {
                    statements.push(Statement::Instruction(self.instruction()?));
                }
            }
        }
        Ok(())
    }

    /// `.b32 %r<5>, %x;` after `.reg`.
    fn registers(&mut self, statements: &mut Vec<Statement>) -> Result<()> {
        let word = self.word()?;
        let Some(ty) = Type::named(word.trim_start_matches('.')) else {
            return self.error(format!("unknown type `{word}`"));
        };
        loop {
            let name = self.word()?;
            let mut count = None;
            if self.take_mark('<') {
                count = Some(self.integer()? as u32);
                self.expect('>')?;
            }
            statements.push(Statement::Register(ty, name, count));
            if !self.take_mark(',') {
                break;
            }
        }
        self.expect(';')
    }

    fn instruction(&mut self) -> Result<Instruction> {
        let (first, line) = (self.at, self.line());
        let mut guard = None;
        if self.take_mark('@') {
            let negated = self.take_mark('!');
            guard = Some((self.word()?, negated));
        }
        let opcode: Vec<String> = self.word()?.split('.').map(str::to_string).collect();
        let mut operands = Vec::new();
        while !self.take_mark(';') {
            operands.push(self.operand()?);
            if !self.is_mark(';') {
                self.expect(',')?;
            }
        }
        let text = &self.text[self.tokens[first].start..self.tokens[self.at - 1].end];
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Instruction {
            guard,
            opcode,
            operands,
            line,
            text: text.into(),
        })
    }

    fn list(&mut self, end: char) -> Result<Vec<Operand>> {
        let mut list = Vec::new();
        while !self.take_mark(end) {
            list.push(self.operand()?);
            if !self.is_mark(end) {
                self.expect(',')?;
            }
        }
        Ok(list)
    }

    pub(super) fn operand(&mut self) -> Result<Operand> {
        if self.take_mark('{') {
            return Ok(Operand::Vector(self.list('}')?));
        }
        if self.take_mark('(') {
            return Ok(Operand::Group(self.list(')')?));
        }
        if self.take_mark('[') {
            return self.address();
        }
        if self.take_mark('!') {
            return Ok(Operand::Not(self.word()?));
        }
        let negative = self.take_mark('-');
        let Some(token) = self.peek().cloned() else {
            return self.error("an operand is missing");
        };
        let operand = match token.kind {
            Kind::Number(text) => {
                self.at += 1;
                match number(&text, token.line)? {
                    Operand::Integer(value) if negative => Operand::Integer(value.wrapping_neg()),
                    Operand::Float32(bits) if negative => Operand::Float32(bits ^ (1 << 31)),
                    Operand::Float64(bits) if negative => Operand::Float64(bits ^ (1 << 63)),
                    operand => operand,
                }
            }
            Kind::Word(word) if !negative => {
                self.at += 1;
                if word == "_" {
                    Operand::Sink
                } else {
                    self.name(word)?
                }
            }
            other => return self.error(format!("unexpected {other:?} as an operand")),
        };
        if self.take_mark('|') {
            return Ok(Operand::Pair(Box::new(operand), Box::new(self.operand()?)));
        }
        Ok(operand)
    }

    fn name(&mut self, word: String) -> Result<Operand> {
        if self.take_mark('+') {
            return Ok(Operand::Name(word, self.integer()?));
        }
        Ok(Operand::Name(word, 0))
    }

    fn address(&mut self) -> Result<Operand> {
        let mut address = Address {
            base: None,
            offset: 0,
            coordinates: Vec::new(),
        };
        if self.peek_word().is_some() {
            address.base = Some(self.word()?);
            if self.take_mark('+') || self.is_mark('-') {
                address.offset = self.integer()?;
            }
        } else {
            address.offset = self.integer()?;
        }
        if self.take_mark(',') {
            self.expect('{')?;
            address.coordinates = self.list('}')?;
        }
        self.expect(']')?;
        Ok(Operand::Address(address))
    }
}

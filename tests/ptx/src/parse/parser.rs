//! Tokens to syntax. Directives for debuggers and assemblers are skipped.

use super::ParseError;
use super::lexer::{Kind, Token, tokens};
use super::syntax::{Function, Operand, Space, Type, Variable};

/// Variables of the module and its functions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Syntax {
    pub variables: Vec<Variable>,
    pub functions: Vec<Function>,
}

pub(super) struct Parser<'a> {
    pub text: &'a str,
    pub tokens: Vec<Token>,
    pub at: usize,
}

pub(super) type Result<T> = std::result::Result<T, ParseError>;

/// Parses a module.
pub(crate) fn parse(text: &str) -> Result<Syntax> {
    let mut parser = Parser {
        text,
        tokens: tokens(text)?,
        at: 0,
    };
    let mut syntax = Syntax::default();
    let mut external = false;
    while let Some(token) = parser.peek() {
        let line = token.line;
        let word = match &token.kind {
            Kind::Word(word) => word.clone(),
            Kind::Undefined(_) => {
                parser.at += 1;
                continue;
            }
            other => return Err(ParseError::new(line, format!("unexpected {other:?}"))),
        };
        match word.as_str() {
            ".version" | ".target" | ".address_size" | ".file" | ".loc" => parser.skip_line(),
            ".visible" | ".weak" | ".common" => parser.at += 1,
            ".extern" => {
                external = true;
                parser.at += 1;
                continue;
            }
            ".section" => parser.skip_braces()?,
            ".pragma" => parser.skip_statement(),
            ".alias" => return Err(ParseError::new(line, "`.alias` is not supported")),
            ".entry" | ".func" => {
                parser.at += 1;
                let function = parser.function(word == ".entry", line)?;
                syntax.functions.push(function);
            }
            _ if space(&word).is_some() => {
                let variables = parser.variables(external)?;
                syntax.variables.extend(variables);
            }
            _ => return Err(ParseError::new(line, format!("unknown directive `{word}`"))),
        }
        external = false;
    }
    Ok(syntax)
}

pub(super) fn space(word: &str) -> Option<Space> {
    Some(match word {
        ".global" => Space::Global,
        ".shared" => Space::Shared,
        ".local" => Space::Local,
        ".const" => Space::Const,
        ".param" => Space::Param,
        _ => return None,
    })
}

/// The value of a number's text.
pub(super) fn number(text: &str, line: u32) -> Result<Operand> {
    let bad = || ParseError::new(line, format!("`{text}` is not a number"));
    let hex = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| bad());
    if let Some(digits) = text.strip_prefix("0f").or_else(|| text.strip_prefix("0F")) {
        return Ok(Operand::Float32(hex(digits)? as u32));
    }
    if let Some(digits) = text.strip_prefix("0d").or_else(|| text.strip_prefix("0D")) {
        return Ok(Operand::Float64(hex(digits)?));
    }
    if text.contains('.') {
        return text
            .parse()
            .map(|v: f64| Operand::Float64(v.to_bits()))
            .map_err(|_| bad());
    }
    let text = text.trim_end_matches('U');
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return Ok(Operand::Integer(hex(digits)?));
    }
    if let Some(digits) = text.strip_prefix("0b") {
        return u64::from_str_radix(digits, 2)
            .map(Operand::Integer)
            .map_err(|_| bad());
    }
    text.parse().map(Operand::Integer).map_err(|_| bad())
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn line(&self) -> u32 {
        self.peek()
            .or(self.tokens.last())
            .map_or(1, |token| token.line)
    }

    pub(super) fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(ParseError::new(self.line(), message))
    }

    pub(super) fn is_mark(&self, mark: char) -> bool {
        matches!(self.peek(), Some(Token { kind: Kind::Mark(m), .. }) if *m == mark)
    }

    pub(super) fn take_mark(&mut self, mark: char) -> bool {
        let found = self.is_mark(mark);
        self.at += found as usize;
        found
    }

    pub(super) fn expect(&mut self, mark: char) -> Result<()> {
        if self.take_mark(mark) {
            return Ok(());
        }
        let found = self.peek().map(|token| token.kind.clone());
        self.error(format!("expected `{mark}`, found {found:?}"))
    }

    pub(super) fn peek_word(&self) -> Option<&str> {
        match self.peek() {
            Some(Token {
                kind: Kind::Word(word),
                ..
            }) => Some(word),
            _ => None,
        }
    }

    pub(super) fn word(&mut self) -> Result<String> {
        match self.peek() {
            Some(Token {
                kind: Kind::Word(word),
                ..
            }) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            other => {
                let found = other.map(|token| token.kind.clone());
                self.error(format!("expected a name, found {found:?}"))
            }
        }
    }

    /// An integer, perhaps negative.
    pub(super) fn integer(&mut self) -> Result<i64> {
        let negative = self.take_mark('-');
        let Some(Token {
            kind: Kind::Number(text),
            line,
            ..
        }) = self.peek().cloned()
        else {
            return self.error("expected a number");
        };
        self.at += 1;
        match number(&text, line)? {
            Operand::Integer(value) if negative => Ok((value as i64).wrapping_neg()),
            Operand::Integer(value) => Ok(value as i64),
            _ => self.error(format!("`{text}` is not an integer")),
        }
    }

    pub(super) fn skip_line(&mut self) {
        let line = self.line();
        while self.peek().is_some_and(|token| token.line == line) {
            self.at += 1;
        }
    }

    pub(super) fn skip_statement(&mut self) {
        while self.peek().is_some() && !self.take_mark(';') {
            self.at += 1;
        }
    }

    fn skip_braces(&mut self) -> Result<()> {
        while self.peek().is_some() && !self.is_mark('{') {
            self.at += 1;
        }
        self.expect('{')?;
        let mut depth = 1;
        while depth > 0 {
            if self.peek().is_none() {
                return self.error("`{` without `}`");
            }
            depth += i32::from(self.is_mark('{')) - i32::from(self.is_mark('}'));
            self.at += 1;
        }
        Ok(())
    }

    /// A variable's declaration up to its name and size; the current token is the space.
    fn declaration(&mut self, external: bool) -> Result<Variable> {
        let line = self.line();
        let word = self.word()?;
        let Some(space) = space(&word) else {
            return self.error(format!("`{word}` is no state space"));
        };
        let (mut align, mut element, mut lanes) = (None, None, 1);
        loop {
            let Some(word) = self.peek_word() else {
                return self.error("expected a variable");
            };
            if !word.starts_with('.') {
                break;
            }
            let word = self.word()?;
            match &word[1..] {
                "align" => align = Some(self.integer()? as u32),
                "ptr" => {
                    // What a pointer points to says nothing of the parameter itself.
                    while let Some(".global" | ".shared" | ".local" | ".const" | ".param") =
                        self.peek_word()
                    {
                        self.at += 1;
                    }
                    if self.peek_word() == Some(".align") {
                        self.at += 1;
                        self.integer()?;
                    }
                }
                "v2" => lanes = 2,
                "v4" => lanes = 4,
                name => match Type::named(name) {
                    Some(ty) => element = Some(ty),
                    None => return self.error(format!("unknown type `.{name}`")),
                },
            }
        }
        let name = self.word()?;
        let Some(element) = element else {
            return self.error(format!("`{name}` has no type"));
        };
        let mut count = lanes;
        while self.take_mark('[') {
            if self.take_mark(']') {
                count = 0;
                continue;
            }
            count *= self.integer()? as u32;
            self.expect(']')?;
        }
        Ok(Variable {
            space,
            name,
            align: align.unwrap_or(element.bytes() * lanes),
            bytes: element.bytes() * count,
            init: Vec::new(),
            has_init: !external && matches!(space, Space::Global | Space::Const),
            external,
            line,
        })
        .and_then(|variable| self.initializer(variable, element))
    }

    fn initializer(&mut self, mut variable: Variable, element: Type) -> Result<Variable> {
        if !self.take_mark('=') {
            return Ok(variable);
        }
        variable.has_init = true;
        let braces = self.take_mark('{');
        loop {
            let bits = match self.operand()? {
                Operand::Integer(value) => value,
                Operand::Float32(bits) => bits.into(),
                Operand::Float64(bits) => bits,
                other => {
                    return self.error(format!(
                        "`{}` is initialized with {other:?}; only numbers are supported",
                        variable.name
                    ));
                }
            };
            variable
                .init
                .extend(&bits.to_le_bytes()[..element.bytes() as usize]);
            if !braces || !self.take_mark(',') {
                break;
            }
        }
        if braces {
            self.expect('}')?;
        }
        if variable.bytes == 0 {
            variable.bytes = variable.init.len() as u32;
        }
        Ok(variable)
    }

    /// `.shared .align 4 .b8 a[8], b[4];`
    pub(super) fn variables(&mut self, external: bool) -> Result<Vec<Variable>> {
        let variable = self.declaration(external)?;
        if self.is_mark(',') {
            return self.error("several variables in one declaration are not supported");
        }
        self.expect(';')?;
        Ok(vec![variable])
    }

    fn parameters(&mut self) -> Result<Vec<Variable>> {
        let mut list = Vec::new();
        if !self.take_mark('(') {
            return Ok(list);
        }
        while !self.take_mark(')') {
            list.push(self.declaration(false)?);
            self.take_mark(',');
        }
        Ok(list)
    }

    fn triple(&mut self) -> Result<[u32; 3]> {
        let mut sizes = [self.integer()? as u32, 1, 1];
        for size in &mut sizes[1..] {
            if self.take_mark(',') {
                *size = self.integer()? as u32;
            }
        }
        Ok(sizes)
    }

    fn function(&mut self, entry: bool, line: u32) -> Result<Function> {
        let returns = if entry {
            Vec::new()
        } else {
            self.parameters()?
        };
        let name = self.word()?;
        let params = self.parameters()?;
        let mut function = Function {
            name,
            entry,
            returns,
            params,
            body: None,
            required_threads: None,
            most_threads: None,
            cluster: None,
            line,
        };
        loop {
            if self.take_mark(';') {
                return Ok(function);
            }
            if self.take_mark('{') {
                break;
            }
            let word = match self.peek().map(|token| token.kind.clone()) {
                Some(Kind::Undefined(_)) => {
                    self.at += 1;
                    continue;
                }
                _ => self.word()?,
            };
            match word.as_str() {
                ".reqntid" => function.required_threads = Some(self.triple()?),
                ".maxntid" => function.most_threads = Some(self.triple()?),
                ".reqnctapercluster" => function.cluster = Some(self.triple()?),
                ".minnctapersm" | ".maxnreg" | ".maxnctapersm" | ".maxclusterrank" => {
                    self.integer()?;
                }
                ".noreturn" | ".explicitcluster" | ".blocksareclusters" => {}
                ".pragma" => self.skip_statement(),
                _ => return self.error(format!("unknown directive `{word}`")),
            }
        }
        function.body = Some(self.body()?);
        Ok(function)
    }
}

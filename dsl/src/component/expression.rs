//! Integer expressions of the component language: `=2*width/heads`, `=isqrt(image_tokens)`.

use std::fmt;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A literal.
    Number(i64),
    /// A parameter, or `index` within a repeated node.
    Name(String),
    /// Two operands.
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// The negative.
    Negate(Box<Expression>),
    /// A function of one or two operands.
    Call(Function, Vec<Expression>),
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`, without remainder.
    Divide,
    /// `//`, rounded down.
    Floor,
    /// `%`, with the sign of the divisor.
    Modulo,
}

/// Functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `min(a, b)`
    Min,
    /// `max(a, b)`
    Max,
    /// `isqrt(n)`, exact.
    Root,
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A name is bound to something that is no integer.
    NotInteger {
        /// The name.
        name: String,
    },
    /// A name is bound to nothing.
    Unknown {
        /// The name.
        name: String,
    },
    /// `/` with a remainder.
    Inexact {
        /// Dividend.
        left: i64,
        /// Divisor.
        right: i64,
        /// Parameters in the division.
        names: Vec<String>,
    },
    /// `isqrt` of a number that is no square.
    NotSquare {
        /// The number.
        value: i64,
        /// Parameters in the operand.
        names: Vec<String>,
        /// Whether the operand is a parameter and nothing else.
        direct: bool,
    },
    /// A division by zero or a result beyond 64 bits.
    Arithmetic {
        /// What happened.
        message: &'static str,
        /// Parameters involved.
        names: Vec<String>,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInteger { name } => write!(formatter, "`{name}` is not an integer"),
            Self::Unknown { name } => write!(formatter, "`{name}` has no value"),
            Self::Inexact { left, right, .. } => {
                write!(formatter, "{left} is not divisible by {right}")
            }
            Self::NotSquare { value, .. } => write!(formatter, "{value} is not a square number"),
            Self::Arithmetic { message, .. } => write!(formatter, "the expression {message}"),
        }
    }
}

impl Expression {
    /// Parses the text after `=`.
    ///
    /// # Errors
    /// A message and the byte offset in `text` that it is about.
    pub fn parse(text: &str) -> Result<Self, (String, usize)> {
        let mut parser = Parser {
            text,
            position: 0,
            depth: 0,
        };
        let expression = parser.sum()?;
        parser.skip_space();
        if parser.position < text.len() {
            return Err((
                format!("unexpected `{}`", parser.rest_character()),
                parser.position,
            ));
        }
        Ok(expression)
    }

    /// Names that the expression reads, in order of appearance.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.collect_names(&mut names);
        names
    }

    fn collect_names(&self, names: &mut Vec<String>) {
        match self {
            Self::Number(_) => {}
            Self::Name(name) => {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            Self::Negate(operand) => operand.collect_names(names),
            Self::Binary(_, left, right) => {
                left.collect_names(names);
                right.collect_names(names);
            }
            Self::Call(_, operands) => {
                for operand in operands {
                    operand.collect_names(names);
                }
            }
        }
    }

    /// The value, with names looked up by `lookup`: `None` for an unknown name, `Some(None)` for one
    /// that is no integer.
    ///
    /// # Errors
    /// The first [`Fault`] from the left.
    pub fn evaluate(&self, lookup: &dyn Fn(&str) -> Option<Option<i64>>) -> Result<i64, Fault> {
        match self {
            Self::Number(value) => Ok(*value),
            Self::Name(name) => match lookup(name) {
                Some(Some(value)) => Ok(value),
                Some(None) => Err(Fault::NotInteger { name: name.clone() }),
                None => Err(Fault::Unknown { name: name.clone() }),
            },
            Self::Negate(operand) => operand
                .evaluate(lookup)?
                .checked_neg()
                .ok_or_else(|| self.arithmetic("overflows 64 bits")),
            Self::Binary(operator, left, right) => {
                let left = left.evaluate(lookup)?;
                let right = right.evaluate(lookup)?;
                self.binary(*operator, left, right)
            }
            Self::Call(function, operands) => {
                let values = operands
                    .iter()
                    .map(|operand| operand.evaluate(lookup))
                    .collect::<Result<Vec<_>, _>>()?;
                match (function, values.as_slice()) {
                    (Function::Min, [left, right]) => Ok(*left.min(right)),
                    (Function::Max, [left, right]) => Ok(*left.max(right)),
                    (Function::Root, [value]) if *value >= 0 && value.isqrt().pow(2) == *value => {
                        Ok(value.isqrt())
                    }
                    (_, values) => Err(Fault::NotSquare {
                        value: values.first().copied().unwrap_or(0),
                        names: self.names(),
                        direct: matches!(operands.first(), Some(Self::Name(_))),
                    }),
                }
            }
        }
    }

    fn binary(&self, operator: Operator, left: i64, right: i64) -> Result<i64, Fault> {
        let overflow = || self.arithmetic("overflows 64 bits");
        let by_zero = matches!(
            operator,
            Operator::Divide | Operator::Floor | Operator::Modulo
        ) && right == 0;
        if by_zero {
            return Err(self.arithmetic("divides by zero"));
        }
        match operator {
            Operator::Add => left.checked_add(right).ok_or_else(overflow),
            Operator::Subtract => left.checked_sub(right).ok_or_else(overflow),
            Operator::Multiply => left.checked_mul(right).ok_or_else(overflow),
            Operator::Divide => match left.checked_rem(right) {
                Some(0) => left.checked_div(right).ok_or_else(overflow),
                Some(_) => Err(Fault::Inexact {
                    left,
                    right,
                    names: self.names(),
                }),
                None => Err(overflow()),
            },
            Operator::Floor | Operator::Modulo => {
                let quotient = left.checked_div(right).ok_or_else(overflow)?;
                let remainder = left - quotient * right;
                let below = remainder != 0 && (remainder < 0) != (right < 0);
                Ok(match (operator, below) {
                    (Operator::Floor, true) => quotient - 1,
                    (Operator::Floor, false) => quotient,
                    (_, true) => remainder + right,
                    (_, false) => remainder,
                })
            }
        }
    }

    fn arithmetic(&self, message: &'static str) -> Fault {
        Fault::Arithmetic {
            message,
            names: self.names(),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => write!(formatter, "{value}"),
            Self::Name(name) => formatter.write_str(name),
            Self::Negate(operand) => write!(formatter, "-({operand})"),
            Self::Binary(operator, left, right) => {
                let sign = match operator {
                    Operator::Add => "+",
                    Operator::Subtract => "-",
                    Operator::Multiply => "*",
                    Operator::Divide => "/",
                    Operator::Floor => "//",
                    Operator::Modulo => "%",
                };
                write!(formatter, "({left} {sign} {right})")
            }
            Self::Call(function, operands) => {
                let name = match function {
                    Function::Min => "min",
                    Function::Max => "max",
                    Function::Root => "isqrt",
                };
                let operands: Vec<String> = operands.iter().map(ToString::to_string).collect();
                write!(formatter, "{name}({})", operands.join(", "))
            }
        }
    }
}

/// Deepest nesting of parentheses, calls and signs.
const DEEPEST: usize = 64;
/// Longest expression, bytes; it bounds the depth of chained operators.
const LONGEST: usize = 1000;

struct Parser<'a> {
    text: &'a str,
    position: usize,
    depth: usize,
}

type Parsed = Result<Expression, (String, usize)>;

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.position..]
    }

    fn rest_character(&self) -> char {
        self.rest().chars().next().unwrap_or(' ')
    }

    fn skip_space(&mut self) {
        self.position = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.position += token.len();
        }
        found
    }

    fn sum(&mut self) -> Parsed {
        if self.text.len() > LONGEST {
            return Err((format!("longer than {LONGEST} bytes"), 0));
        }
        let mut left = self.product()?;
        loop {
            let operator = if self.take("+") {
                Operator::Add
            } else if self.take("-") {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            let right = self.product()?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.factor()?;
        loop {
            let operator = if self.take("*") {
                Operator::Multiply
            } else if self.take("//") {
                Operator::Floor
            } else if self.take("/") {
                Operator::Divide
            } else if self.take("%") {
                Operator::Modulo
            } else {
                return Ok(left);
            };
            let right = self.factor()?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn factor(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(("nested too deeply".to_string(), self.position));
        }
        let factor = self.factor_inner();
        self.depth -= 1;
        factor
    }

    fn factor_inner(&mut self) -> Parsed {
        if self.take("-") {
            return Ok(Expression::Negate(Box::new(self.factor()?)));
        }
        if self.take("(") {
            let inner = self.sum()?;
            return self.close(inner);
        }
        let start = self.position;
        let length = self
            .rest()
            .find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
            .unwrap_or(self.rest().len());
        let word = self.rest()[..length].to_string();
        self.position += length;
        if word.is_empty() {
            let found = if start == self.text.len() {
                "unexpected end".to_string()
            } else {
                format!("unexpected `{}`", self.rest_character())
            };
            return Err((found, start));
        }
        if word.starts_with(|character: char| character.is_ascii_digit()) {
            return word
                .parse()
                .map(Expression::Number)
                .map_err(|_| (format!("`{word}` is no 64-bit integer"), start));
        }
        if !self.take("(") {
            return Ok(Expression::Name(word));
        }
        let (function, count) = match word.as_str() {
            "min" => (Function::Min, 2),
            "max" => (Function::Max, 2),
            "isqrt" => (Function::Root, 1),
            _ => {
                let message = format!("unknown function `{word}`; there are `min`, `max`, `isqrt`");
                return Err((message, start));
            }
        };
        let mut operands = vec![self.sum()?];
        while self.take(",") {
            operands.push(self.sum()?);
        }
        if operands.len() != count {
            let message = format!("`{word}` takes {count} operands, not {}", operands.len());
            return Err((message, start));
        }
        self.close(Expression::Call(function, operands))
    }

    fn close(&mut self, inner: Expression) -> Parsed {
        if self.take(")") {
            Ok(inner)
        } else {
            Err(("`)` is missing".to_string(), self.position))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<i64, Fault> {
        Expression::parse(text)
            .expect("parses")
            .evaluate(&|name| match name {
                "width" => Some(Some(768)),
                "heads" => Some(Some(12)),
                "label" => Some(None),
                _ => None,
            })
    }

    #[test]
    fn operators_bind_as_in_arithmetic() {
        assert_eq!(value("1 + 2*3 - 4"), Ok(3));
        assert_eq!(value("-(width/heads) % 5"), Ok(1));
        assert_eq!(value("-7 // 2"), Ok(-4));
        assert_eq!(value("7 // 2 * 2"), Ok(6));
        assert_eq!(value("max(isqrt(144), min(3, 4))"), Ok(12));
    }

    #[test]
    fn division_and_root_are_exact() {
        assert!(matches!(
            value("width / 7"),
            Err(Fault::Inexact {
                left: 768,
                right: 7,
                ..
            })
        ));
        assert!(matches!(
            value("isqrt(145)"),
            Err(Fault::NotSquare {
                value: 145,
                direct: false,
                ..
            })
        ));
        assert!(matches!(
            value("isqrt(0-4)"),
            Err(Fault::NotSquare { value: -4, .. })
        ));
        assert!(matches!(
            value("isqrt(width)"),
            Err(Fault::NotSquare { direct: true, .. })
        ));
    }

    #[test]
    fn faults_do_not_panic() {
        assert!(matches!(value("1 / 0"), Err(Fault::Arithmetic { .. })));
        assert!(matches!(value("1 % 0"), Err(Fault::Arithmetic { .. })));
        assert!(matches!(
            value("9223372036854775807 + 1"),
            Err(Fault::Arithmetic { .. })
        ));
        assert!(matches!(
            value("(0-9223372036854775807-1) // -1"),
            Err(Fault::Arithmetic { .. })
        ));
        assert!(matches!(
            value("isqrt(9223372036854775807)"),
            Err(Fault::NotSquare { .. })
        ));
        assert!(matches!(value("label"), Err(Fault::NotInteger { .. })));
        assert!(matches!(value("depth"), Err(Fault::Unknown { .. })));
    }

    #[test]
    fn bad_text_is_refused() {
        for text in [
            "",
            "1 +",
            "(1",
            "1)",
            "2x",
            "root(4)",
            "min(1)",
            "é",
            "99999999999999999999",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
        assert!(Expression::parse(&"(".repeat(500)).is_err());
        assert!(Expression::parse(&"1+".repeat(5000)).is_err());
    }
}

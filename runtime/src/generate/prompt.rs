//! Prompts as a person types them: text with `<image:FILE>` where a picture stands.

use std::path::PathBuf;

use crate::engine::RunError;

/// A piece of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptPart {
    /// A picture file.
    Image(PathBuf),
    /// Text, without the blanks that separate it from pictures.
    Text(String),
}

const OPEN: &str = "<image:";

/// Splits `prompt` into pictures and text, in order.
///
/// # Errors
/// `<image:` without `>`, or without a file.
pub fn parse_prompt(prompt: &str) -> Result<Vec<PromptPart>, RunError> {
    let mut parts = Vec::new();
    let mut rest = prompt;
    while let Some(at) = rest.find(OPEN) {
        push_text(&mut parts, &rest[..at]);
        let inside = &rest[at + OPEN.len()..];
        let end = inside.find('>').ok_or_else(|| {
            RunError::Invalid(format!(
                "`{}` in the prompt has no closing `>`",
                &rest[at..]
            ))
        })?;
        let file = inside[..end].trim();
        if file.is_empty() {
            return Err(RunError::Invalid(
                "`<image:>` in the prompt names no file".into(),
            ));
        }
        parts.push(PromptPart::Image(PathBuf::from(file)));
        rest = &inside[end + 1..];
    }
    push_text(&mut parts, rest);
    Ok(parts)
}

fn push_text(parts: &mut Vec<PromptPart>, text: &str) {
    let text = text.trim();
    if !text.is_empty() {
        parts.push(PromptPart::Text(text.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(file: &str) -> PromptPart {
        PromptPart::Image(file.into())
    }

    fn text(text: &str) -> PromptPart {
        PromptPart::Text(text.into())
    }

    #[test]
    fn pictures_and_text_keep_their_order() {
        assert_eq!(
            parse_prompt("<image:a.jpg> A photo of").expect("legal"),
            [image("a.jpg"), text("A photo of")]
        );
        assert_eq!(
            parse_prompt("one: <image:a b.png><image: ../c.jpg >two").expect("legal"),
            [
                text("one:"),
                image("a b.png"),
                image("../c.jpg"),
                text("two")
            ]
        );
        assert_eq!(
            parse_prompt("a < b > c").expect("legal"),
            [text("a < b > c")]
        );
        assert_eq!(parse_prompt("  ").expect("legal"), []);
    }

    #[test]
    fn faults_are_named() {
        let error = parse_prompt("see <image:a.jpg").expect_err("not closed");
        assert!(error.to_string().contains("closing"));
        let error = parse_prompt("<image: > x").expect_err("no file");
        assert!(error.to_string().contains("no file"));
    }
}

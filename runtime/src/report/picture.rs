//! Pictures inside a page: PNG bytes as `data:` addresses.

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = u32::from(group[0]) << 16
            | u32::from(*group.get(1).unwrap_or(&0)) << 8
            | u32::from(*group.get(2).unwrap_or(&0));
        for i in 0..4 {
            if i <= group.len() {
                let index = word >> (18 - 6 * i) & 63;
                out.push(char::from(ALPHABET[index as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// A `data:image/png` address of an RGB picture, or `None` where `rgb` is not
/// `width`·`height`·3 bytes.
pub fn png_data_uri(rgb: &[u8], width: u32, height: u32) -> Option<String> {
    if width == 0 || height == 0 || rgb.len() as u64 != u64::from(width) * u64::from(height) * 3 {
        return None;
    }
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(rgb, width, height, ExtendedColorType::Rgb8)
        .ok()?;
    Some(format!("data:image/png;base64,{}", base64(&png)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_matches_the_standards_vectors() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_picture_becomes_a_png() {
        let uri = png_data_uri(&[255, 0, 0, 0, 255, 0], 2, 1).expect("the sizes fit");
        // The first six bytes of every PNG.
        assert!(uri.starts_with("data:image/png;base64,iVBORw0K"));
        assert_eq!(png_data_uri(&[0; 5], 2, 1), None);
    }
}

//! From picture files to the encoder's input.
//!
//! JPEG and PNG only. Every fault of a file is a value ([`ImageError`]); sizes are checked
//! before pixels are allocated. Embedded colour profiles and EXIF orientation are not
//! applied.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::ImageDecoder;
use serde::{Deserialize, Serialize};

use crate::data::tiles::Tiles;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Longest accepted side, pixels.
pub const MAX_SIDE: usize = 16_384;
/// Most pixels accepted in one picture.
pub const MAX_PIXELS: usize = 40_000_000;

/// An RGB picture, 8 bits per channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height * width * 3` bytes, row by row.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// The picture as a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, ImageError> {
        use image::ImageEncoder;
        let mut bytes = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        let (width, height) = (self.width as u32, self.height as u32);
        if self.rgb.len() != self.width * self.height * 3 {
            return refuse("PNG: the picture's bytes do not match its size");
        }
        encoder
            .write_image(&self.rgb, width, height, image::ExtendedColorType::Rgb8)
            .map_err(|e| ImageError(format!("PNG: {e}")))?;
        Ok(bytes)
    }
}

/// Why a picture was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageError(pub String);

impl std::fmt::Display for ImageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ImageError {}

fn refuse<T>(why: impl Into<String>) -> Result<T, ImageError> {
    Err(ImageError(why.into()))
}

/// Decodes a JPEG or PNG, told apart by its first bytes.
///
/// Grey becomes RGB; transparent pixels are laid over white; 16 bits become 8; the first
/// picture of an animation counts. CMYK, other formats, sides above [`MAX_SIDE`], more
/// than [`MAX_PIXELS`] pixels and damaged files are errors.
pub fn decode(bytes: &[u8]) -> Result<Picture, ImageError> {
    // The decoders are young parsers of hostile input: their panics must not end a run.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
            decode_jpeg(bytes)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            decode_png(bytes)
        } else if bytes.is_empty() {
            refuse("empty file")
        } else {
            refuse("neither JPEG nor PNG")
        }
    }));
    decoded.unwrap_or_else(|_| refuse("the decoder failed on this file"))
}

/// Checks sizes read from a header.
fn check_size(width: usize, height: usize) -> Result<(), ImageError> {
    if width == 0 || height == 0 {
        return refuse(format!("picture of {width} by {height} pixels"));
    }
    if width.max(height) > MAX_SIDE || width.saturating_mul(height) > MAX_PIXELS {
        return refuse(format!(
            "{width} by {height} pixels: more than {MAX_SIDE} on a side or {MAX_PIXELS} in all"
        ));
    }
    Ok(())
}

fn decode_jpeg(bytes: &[u8]) -> Result<Picture, ImageError> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let fault = |e| ImageError(format!("JPEG: {e:?}"));
    decoder.decode_headers().map_err(fault)?;
    let Some(info) = decoder.info() else {
        return refuse("JPEG: no picture header");
    };
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    check_size(width, height)?;
    match decoder.input_colorspace() {
        Some(ColorSpace::CMYK | ColorSpace::YCCK) => {
            // Adobe files store inks inverted, others do not: a guess would give wrong colours.
            return refuse("JPEG: CMYK pictures are not supported; convert to RGB");
        }
        Some(ColorSpace::Luma | ColorSpace::YCbCr | ColorSpace::RGB) => {}
        other => return refuse(format!("JPEG: colour space {other:?} is not supported")),
    }
    let rgb = decoder.decode().map_err(fault)?;
    if rgb.len() != width * height * 3 {
        return refuse("JPEG: decoded size differs from the header");
    }
    Ok(Picture { width, height, rgb })
}

fn decode_png(bytes: &[u8]) -> Result<Picture, ImageError> {
    let fault = |e| ImageError(format!("PNG: {e}"));
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    // 16-bit RGBA takes 8 bytes per pixel.
    limits.max_alloc = Some(MAX_PIXELS as u64 * 8 + (1 << 20));
    let decoder =
        image::codecs::png::PngDecoder::with_limits(Cursor::new(bytes), limits).map_err(fault)?;
    let (width, height) = decoder.dimensions();
    check_size(width as usize, height as usize)?;
    let picture = image::DynamicImage::from_decoder(decoder).map_err(fault)?;
    let rgb = if picture.color().has_alpha() {
        let over_white = |c: u8, a: u8| {
            let (c, a) = (u32::from(c), u32::from(a));
            ((c * a + 255 * (255 - a) + 127) / 255) as u8
        };
        let rgba = picture.into_rgba8();
        rgba.pixels()
            .flat_map(|p| [0, 1, 2].map(|i| over_white(p.0[i], p.0[3])))
            .collect()
    } else {
        picture.into_rgb8().into_raw()
    };
    Ok(Picture {
        width: width as usize,
        height: height as usize,
        rgb,
    })
}

/// How a picture becomes a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Stretch both sides.
    Squash,
    /// Take the middle square.
    Crop,
    /// Scale the whole picture in, and fill the rest with the mean (0 once normalised).
    Pad,
}

impl Fit {
    /// The value of a configuration word, or `None`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "squash" => Self::Squash,
            "crop" => Self::Crop,
            "pad" => Self::Pad,
            _ => return None,
        })
    }
}

/// Resampling filter; all but nearest are antialiased when shrinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Cubic convolution with a = −1/2.
    Bicubic,
    /// Triangle.
    Bilinear,
    /// Nearest sample.
    Nearest,
}

impl Filter {
    /// The value of a configuration word, or `None`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "bicubic" => Self::Bicubic,
            "bilinear" => Self::Bilinear,
            "nearest" => Self::Nearest,
            _ => return None,
        })
    }
}

/// How pictures become the encoder's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Way to a square.
    pub fit: Fit,
    /// Resampling filter.
    pub filter: Filter,
    /// Mean per channel of RGB scaled to [0, 1].
    pub mean: [f64; 3],
    /// Standard deviation per channel, > 0.
    pub std: [f64; 3],
    /// Sub-images.
    pub tiles: Tiles,
}

/// Scales a picture to `side` by `side` and normalises it: `[3, side, side]`, channel by
/// channel, (v / 255 − mean) / std.
pub fn prepare(
    picture: &Picture,
    side: usize,
    config: &ImageConfig,
) -> Result<Vec<f32>, ImageError> {
    prepare_to(picture, side, side, config)
}

/// As [`prepare`], to any rectangle: `[3, to_height, to_width]`.
pub fn prepare_to(
    picture: &Picture,
    to_width: usize,
    to_height: usize,
    config: &ImageConfig,
) -> Result<Vec<f32>, ImageError> {
    let (width, height) = (picture.width as f64, picture.height as f64);
    let (wide, high) = (to_width as f64, to_height as f64);
    let mut options = ResizeOptions::new().resize_alg(match config.filter {
        Filter::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
        Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Filter::Nearest => ResizeAlg::Nearest,
    });
    let (mut inner_width, mut inner_height) = (to_width, to_height);
    match config.fit {
        Fit::Squash => {}
        Fit::Crop => {
            let scale = (width / wide).min(height / high);
            let (taken, tall) = (wide * scale, high * scale);
            options = options.crop((width - taken) / 2.0, (height - tall) / 2.0, taken, tall);
        }
        Fit::Pad => {
            let scale = (wide / width).min(high / height);
            inner_width = ((width * scale).round() as usize).clamp(1, to_width);
            inner_height = ((height * scale).round() as usize).clamp(1, to_height);
        }
    }
    let same = (picture.width, picture.height) == (inner_width, inner_height);
    let scaled;
    let pixels: &[u8] = if same {
        &picture.rgb
    } else {
        scaled = resize(picture, inner_width, inner_height, &options)?;
        &scaled
    };
    let (left, top) = ((to_width - inner_width) / 2, (to_height - inner_height) / 2);
    let mut out = vec![0.0f32; 3 * to_width * to_height];
    for channel in 0..3 {
        let table: [f32; 256] = std::array::from_fn(|v| {
            ((v as f64 / 255.0 - config.mean[channel]) / config.std[channel]) as f32
        });
        for row in 0..inner_height {
            let at = (channel * to_height + top + row) * to_width + left;
            let from = &pixels[row * inner_width * 3..(row + 1) * inner_width * 3];
            for (to, pixel) in out[at..at + inner_width]
                .iter_mut()
                .zip(from.chunks_exact(3))
            {
                *to = table[usize::from(pixel[channel])];
            }
        }
    }
    Ok(out)
}

fn resize(
    picture: &Picture,
    width: usize,
    height: usize,
    options: &ResizeOptions,
) -> Result<Vec<u8>, ImageError> {
    let fault = |e: &dyn std::fmt::Display| ImageError(format!("resize: {e}"));
    let source = ImageRef::new(
        picture.width as u32,
        picture.height as u32,
        &picture.rgb,
        PixelType::U8x3,
    )
    .map_err(|e| fault(&e))?;
    let mut target = Image::new(width as u32, height as u32, PixelType::U8x3);
    Resizer::new()
        .resize(&source, &mut target, options)
        .map_err(|e| fault(&e))?;
    Ok(target.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::jpeg;

    const PLAIN: ImageConfig = ImageConfig {
        fit: Fit::Squash,
        filter: Filter::Bicubic,
        mean: [0.0; 3],
        std: [1.0; 3],
        tiles: Tiles::None,
    };

    fn gradient(width: usize, height: usize) -> Picture {
        let rgb = (0..width * height)
            .flat_map(|i| {
                [
                    (i % width * 255 / width) as u8,
                    (i / width * 255 / height) as u8,
                    9,
                ]
            })
            .collect();
        Picture { width, height, rgb }
    }

    #[test]
    fn jpegs_are_decoded_or_refused() {
        for (components, wanted) in [(1, [144; 3]), (3, [144; 3])] {
            let picture = decode(&jpeg(components, 48, 24)).expect("decodes");
            assert_eq!((picture.width, picture.height), (48, 24));
            assert_eq!(picture.rgb[..3], wanted);
        }
        let error = decode(&jpeg(4, 48, 24)).expect_err("four inks");
        assert!(error.0.contains("CMYK"), "{error}");
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = jpeg(1, 64, 64);
        for cut in [0, 1, 2, 3, 20, whole.len() / 2, whole.len() - 12] {
            assert!(
                decode(&whole[..cut]).is_err(),
                "cut at {cut} of {}",
                whole.len()
            );
        }
        let whole = gradient(8, 8).png().expect("encodes");
        assert_eq!(decode(&whole), Ok(gradient(8, 8)));
        for cut in [9, 30, whole.len() / 2] {
            assert!(decode(&whole[..cut]).is_err());
        }
        let mut flipped = whole;
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0x10;
        assert!(decode(&flipped).is_err());
        assert!(decode(b"GIF89a").is_err());
    }

    #[test]
    fn bombs_are_refused_before_they_unfold() {
        let mut bomb = jpeg(1, 8, 8);
        let size = bomb
            .windows(2)
            .position(|w| w == [0xFF, 0xC0])
            .expect("frame header")
            + 5;
        bomb[size..size + 4].copy_from_slice(&[0x3F, 0xFF, 0x3F, 0xFF]);
        let error = decode(&bomb).expect_err("268 Mpx");
        assert!(error.0.contains("more than"), "{error}");
    }

    #[test]
    fn transparency_is_laid_over_white() {
        let clear = image::RgbaImage::from_pixel(2, 2, image::Rgba([0, 0, 0, 0]));
        let mut bytes = Vec::new();
        clear
            .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png)
            .expect("encodes");
        assert_eq!(decode(&bytes).expect("decodes").rgb, vec![255; 12]);
    }

    #[test]
    fn fits() {
        let same = prepare(&gradient(4, 4), 4, &PLAIN).expect("prepares");
        assert_eq!(same[1], 63.0 / 255.0);
        assert_eq!(same[16 + 4], 63.0 / 255.0);

        let normal = ImageConfig {
            mean: [0.5, 0.5, 0.5],
            std: [0.25; 3],
            ..PLAIN
        };
        let out = prepare(&gradient(4, 4), 4, &normal).expect("prepares");
        assert_eq!(out[0], -2.0);

        let pad = ImageConfig {
            fit: Fit::Pad,
            ..normal
        };
        let out = prepare(&gradient(8, 4), 8, &pad).expect("prepares");
        assert!(out[..16].iter().all(|&v| v == 0.0) && out[48..64].iter().all(|&v| v == 0.0));
        assert_eq!(out[16], -2.0);

        let crop = ImageConfig {
            fit: Fit::Crop,
            filter: Filter::Nearest,
            ..PLAIN
        };
        let out = prepare(&gradient(8, 4), 4, &crop).expect("prepares");
        // Columns 2 to 5 of 8.
        let expected = [2, 3, 4, 5].map(|i| (i * 255 / 8) as f32 / 255.0);
        assert_eq!(out[..4], expected);

        for filter in [Filter::Bicubic, Filter::Bilinear, Filter::Nearest] {
            let config = ImageConfig { filter, ..PLAIN };
            let out = prepare(&gradient(100, 1), 3, &config).expect("prepares");
            assert!((out[1] - 0.5).abs() < 0.02, "{filter:?} {}", out[1]);
        }
        prepare(&gradient(1000, 1), 8, &pad).expect("a thin picture still fits");
    }
}

//! Picture files and shards made by hand, whole and broken.

use std::io::Cursor;
use std::path::Path;

/// A PNG whose colours depend on `seed`.
pub fn png(seed: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(20, 20, |x, y| {
        image::Rgb([seed.wrapping_mul(37), (x * 12) as u8, (y * 12) as u8 ^ seed])
    });
    let mut out = Cursor::new(Vec::new());
    picture
        .write_to(&mut out, image::ImageFormat::Png)
        .expect("a buffer takes everything");
    out.into_inner()
}

/// A grey JPEG of 128 × 128 pixels: one code of one bit says "no difference", for the mean of a
/// block and for its other frequencies alike.
pub fn jpeg() -> Vec<u8> {
    const SIDE: u16 = 128;
    let mut out = vec![0xff, 0xd8];
    let mut segment = |marker: u8, body: &[&[u8]]| {
        let body = body.concat();
        out.extend([0xff, marker]);
        out.extend((body.len() as u16 + 2).to_be_bytes());
        out.extend(body);
    };
    segment(0xdb, &[&[0], &[8; 64]]);
    let side = SIDE.to_be_bytes();
    segment(0xc0, &[&[8], &side, &side, &[1, 1, 0x11, 0]]);
    for class in [0x00, 0x10] {
        segment(0xc4, &[&[class, 1], &[0; 15], &[0]]);
    }
    segment(0xda, &[&[1, 1, 0, 0, 63, 0]]);
    let blocks = usize::from(SIDE / 8) * usize::from(SIDE / 8);
    out.extend(vec![0; blocks * 2 / 8]);
    out.extend([0xff, 0xd9]);
    out
}

/// The same, cut off in the middle of its picture data.
pub fn truncated_jpeg() -> Vec<u8> {
    let mut bytes = jpeg();
    bytes.truncate(bytes.len() - 40);
    bytes
}

/// A tar file of the given entries.
pub fn tar(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in entries {
        let mut head = [0; 512];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[100..107].copy_from_slice(b"0000644");
        head[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        head[156] = b'0';
        head[257..265].copy_from_slice(b"ustar\x0000");
        head[148..156].fill(b' ');
        let sum: u32 = head.iter().map(|&byte| u32::from(byte)).sum();
        head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend(head);
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// Writes a picture and its caption.
pub fn put(folder: &Path, stem: &str, extension: &str, picture: &[u8], caption: &str) {
    std::fs::write(folder.join(format!("{stem}.{extension}")), picture).expect("writable");
    std::fs::write(folder.join(format!("{stem}.txt")), caption).expect("writable");
}

//! Files for the tests of this module, made by hand.

/// A baseline JPEG whose first component is 144 everywhere and whose others are 128.
/// One code word per block: `0` repeats the mean, `10` + 8 bits sets it.
pub(crate) fn jpeg(components: u8, width: u16, height: u16) -> Vec<u8> {
    let mut out = vec![0xFF, 0xD8];
    let mut segment = |marker: u8, body: &[u8]| {
        out.extend([0xFF, marker]);
        out.extend((body.len() as u16 + 2).to_be_bytes());
        out.extend(body);
    };
    let mut table = vec![0];
    table.extend([1; 64]);
    segment(0xDB, &table);
    let [h, w] = [height, width].map(u16::to_be_bytes);
    let mut frame = vec![8, h[0], h[1], w[0], w[1], components];
    for id in 1..=components {
        frame.extend([id, 0x11, 0]);
    }
    segment(0xC0, &frame);
    let mut direct = vec![0x00, 1, 1];
    direct.extend([0; 14]);
    direct.extend([0, 8]);
    segment(0xC4, &direct);
    let mut alternating = vec![0x10, 1];
    alternating.extend([0; 15]);
    alternating.push(0);
    segment(0xC4, &alternating);
    let mut scan = vec![components];
    for id in 1..=components {
        scan.extend([id, 0]);
    }
    scan.extend([0, 63, 0]);
    segment(0xDA, &scan);
    let units = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    let mut bits = String::new();
    for unit in 0..units {
        for component in 0..components {
            bits += match (unit, component) {
                (0, 0) => "10100000000",
                _ => "00",
            };
        }
    }
    for byte in bits.as_bytes().chunks(8) {
        let text = format!("{:1<8}", String::from_utf8_lossy(byte));
        out.push(u8::from_str_radix(&text, 2).expect("bits"));
    }
    out.extend([0xFF, 0xD9]);
    out
}

/// A tar file of named entries.
pub(crate) fn tar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, *bytes)
            .expect("appends");
    }
    builder.into_inner().expect("finishes")
}

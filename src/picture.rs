//! Looks at the first bytes of an image: what it is, and how large it will be when it is decoded.
//!
//! Nothing is decoded and nothing is reserved; what a header says of itself is the only thing that is believed, and it
//! decides what browsers are told the bytes are. What is no raster image of these four kinds is refused: an SVG is a
//! document with scripts.

/// A raster image that browsers show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Its media type.
    pub media: &'static str,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// What these bytes are; `None` when they are no PNG, JPEG, GIF or WebP with a size.
pub fn look(bytes: &[u8]) -> Option<Picture> {
    let found = |media| move |(width, height)| Picture { media, width, height };
    let picture = png(bytes)
        .map(found("image/png"))
        .or_else(|| jpeg(bytes).map(found("image/jpeg")))
        .or_else(|| gif(bytes).map(found("image/gif")))
        .or_else(|| webp(bytes).map(found("image/webp")))?;
    (picture.width > 0 && picture.height > 0).then_some(picture)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// PNG (third edition), section 11.2.1: the header is the first chunk.
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?;
    Some((u32::from_be_bytes(array(rest, 0)?), u32::from_be_bytes(array(rest, 4)?)))
}

/// GIF89a, section 18: the logical screen.
fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"GIF87a").or_else(|| bytes.strip_prefix(b"GIF89a"))?;
    Some((u16::from_le_bytes(array(rest, 0)?).into(), u16::from_le_bytes(array(rest, 2)?).into()))
}

/// ITU-T T.81, section B.1.1.4: segments, one of which begins the frame.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = bytes.strip_prefix(b"\xff\xd8").map(|_| 2)?;
    loop {
        let [mark, kind] = array(bytes, at)?;
        match (mark, kind) {
            // Any number of these may stand before a marker.
            (0xff, 0xff) => at += 1,
            // Alone, without a length.
            (0xff, 0x01 | 0xd0..=0xd7) => at += 2,
            // The beginning of a frame, in one of its forms; three of the numbers are other tables.
            (0xff, 0xc0..=0xcf) if ![0xc4, 0xc8, 0xcc].contains(&kind) => {
                let height = u16::from_be_bytes(array(bytes, at + 5)?);
                let width = u16::from_be_bytes(array(bytes, at + 7)?);
                return Some((width.into(), height.into()));
            }
            // The image begins or ends without a frame.
            (0xff, 0x00 | 0xd8 | 0xd9 | 0xda) => return None,
            (0xff, _) => {
                let length = u16::from_be_bytes(array(bytes, at + 2)?);
                at += 2 + usize::from(length).max(2);
            }
            (_, _) => return None,
        }
    }
}

/// RFC 9649, sections 2.5 to 2.7: the simple forms, lossy and lossless, and the extended one.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let rest = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WEBP")?;
    let content = rest.get(8..)?;
    match array(rest, 0)? {
        [b'V', b'P', b'8', b' '] => {
            let frame = content.get(3..)?.strip_prefix(b"\x9d\x01\x2a")?;
            let side = |at| Some(u32::from(u16::from_le_bytes(array(frame, at)?) & 0x3fff));
            Some((side(0)?, side(2)?))
        }
        [b'V', b'P', b'8', b'L'] => {
            let bits = u32::from_le_bytes(array(content.strip_prefix(b"\x2f")?, 0)?);
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        [b'V', b'P', b'8', b'X'] => {
            let side = |at| {
                let [low, middle, high] = array(content, at)?;
                Some(u32::from_le_bytes([low, middle, high, 0]) + 1)
            };
            Some((side(4)?, side(7)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*, sample::select};

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\x02\0\0\x03\x04\x08\x06\0\0\0";
    const GIF: &[u8] = b"GIF89a\x02\x01\x04\x03\0\0\0";
    const JPEG: &[u8] =
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xff\xc2\0\x11\x08\x03\x04\x01\x02\x03";
    const LOSSY: &[u8] = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x02\x41\x04\x43";
    const LOSSLESS: &[u8] = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x01\xc1\xc0\0";
    const EXTENDED: &[u8] = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x01\x01\0\x03\x03\0";

    #[test]
    fn images_are_known_by_their_first_bytes() {
        for (bytes, media) in [
            (PNG, "image/png"),
            (GIF, "image/gif"),
            (JPEG, "image/jpeg"),
            (LOSSY, "image/webp"),
            (LOSSLESS, "image/webp"),
            (EXTENDED, "image/webp"),
        ] {
            assert_eq!(look(bytes), Some(Picture { media, width: 0x102, height: 0x304 }), "{bytes:?}");
            let cut = (0..bytes.len() - 4).find_map(|end| look(&bytes[..end]).filter(|_| end < bytes.len() / 2));
            assert_eq!(cut, None, "half of it is no image");
        }
    }

    #[test]
    fn what_is_no_image_is_none() {
        for bytes in [
            &b""[..],
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"<!doctype html><script>alert(1)</script>",
            b"%PDF-1.7",
            b"\xff\xd8\xff\xd9",
            b"\xff\xd8\xff\xe0\0\0",
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\0\0\0\0\0\x08",
            b"\0\0\0\x1cftypavif",
        ] {
            assert_eq!(look(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            start in select(vec![PNG, GIF, JPEG, LOSSY, LOSSLESS, EXTENDED, b"\xff\xd8".as_slice()]),
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            rest in vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = [start, &rest].concat();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            look(&bytes);
        }
    }
}

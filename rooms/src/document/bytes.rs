//! The encoding beneath: lib0's variable-length numbers, strings and byte strings.

/// The bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a legal encoding")]
pub struct Bad;

/// Largest number that JavaScript holds exactly.
const SAFE: u64 = (1 << 53) - 1;

/// Reads from the front. Lengths are compared with what is left, never reserved.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// From the beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Bad`] at the end.
    pub fn byte(&mut self) -> Result<u8, Bad> {
        let (first, rest) = self.rest.split_first().ok_or(Bad)?;
        self.rest = rest;
        Ok(*first)
    }

    /// So many bytes.
    ///
    /// # Errors
    /// [`Bad`] when there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Bad> {
        if count > self.rest.len() {
            return Err(Bad);
        }
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    /// A number: seven bits a byte, the least significant first, up to 2^53 - 1.
    ///
    /// # Errors
    /// [`Bad`] when it is larger, or cut short.
    pub fn varuint(&mut self) -> Result<u64, Bad> {
        let mut number = 0u64;
        for shift in (0..56).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return if number <= SAFE { Ok(number) } else { Err(Bad) };
            }
        }
        Err(Bad)
    }

    /// A number that counts clocks: up to 2^31 - 1, as decoders keep them in 32 bits.
    ///
    /// # Errors
    /// [`Bad`] when it is larger.
    pub fn clock(&mut self) -> Result<u32, Bad> {
        self.varuint().and_then(|number| i32::try_from(number).map_err(|_| Bad)).map(i32::unsigned_abs)
    }

    /// How many things follow, of which each has `least` bytes or more.
    ///
    /// # Errors
    /// [`Bad`] when there cannot be as many.
    pub fn count(&mut self, least: usize) -> Result<u32, Bad> {
        let count = self.clock()?;
        if count as usize > self.rest.len() / least.max(1) { Err(Bad) } else { Ok(count) }
    }

    /// Bytes behind their length.
    ///
    /// # Errors
    /// [`Bad`] when there are fewer.
    pub fn bytes(&mut self) -> Result<&'a [u8], Bad> {
        let length = self.clock()?;
        self.take(length as usize)
    }

    /// Text behind its length.
    ///
    /// # Errors
    /// [`Bad`] when it is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Bad> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Bad)
    }

    /// Passes over a signed number: six bits and a sign, then seven bits a byte.
    ///
    /// # Errors
    /// [`Bad`] when it has more than 53 bits or so, or is cut short.
    pub fn pass_varint(&mut self) -> Result<(), Bad> {
        for _ in 0..8 {
            if self.byte()? < 0x80 {
                return Ok(());
            }
        }
        Err(Bad)
    }
}

/// Writes a number.
pub fn put_varuint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Writes bytes behind their length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varuint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_larger_ones_than_javascript_holds_do_not() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), SAFE] {
            let mut out = Vec::new();
            put_varuint(&mut out, number);
            assert_eq!(Reader::new(&out).varuint(), Ok(number));
            assert!(Reader::new(&out[..out.len() - 1]).varuint().is_err());
        }
        let mut out = Vec::new();
        put_varuint(&mut out, SAFE + 1);
        assert!(Reader::new(&out).varuint().is_err());
        assert!(Reader::new(&[0xff; 20]).varuint().is_err());
    }

    #[test]
    fn a_count_is_compared_with_what_is_left() {
        assert_eq!(Reader::new(&[3, 0, 0, 0]).count(1), Ok(3));
        assert!(Reader::new(&[3, 0, 0]).count(1).is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x07, 0]).count(1).is_err());
    }
}

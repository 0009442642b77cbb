//! Who a process is among the nodes of a deployment.

use std::{fmt, str::FromStr};

/// One life of a node: made anew at every start, and whenever its lease in the store ran out. What is said or written
/// under an older one counts for nothing, so that a node that was frozen cannot speak for the present.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId([u8; 16]);

impl BootId {
    /// 128 random bits.
    ///
    /// # Panics
    /// When the system has no randomness: nothing that needs an identity may begin then.
    pub fn fresh() -> Self {
        Self(crate::random::bytes())
    }

    /// As it travels.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// As it travels.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// 32 lower-case hexadecimal digits, as it is stored and logged.
impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootId({self})")
    }
}

/// What a text is that is no boot id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a boot id is 32 lower-case hexadecimal digits")]
pub struct NoBootId;

impl FromStr for BootId {
    type Err = NoBootId;

    fn from_str(text: &str) -> Result<Self, NoBootId> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NoBootId),
        };
        let mut bytes = [0; 16];
        if text.len() != 2 * bytes.len() {
            return Err(NoBootId);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_is_read_as_it_is_written_and_nothing_else_is() {
        let boot = BootId::fresh();
        assert_eq!(boot.to_string().parse(), Ok(boot));
        assert_ne!(boot, BootId::fresh());
        let text = boot.to_string().to_uppercase();
        for bad in ["", "0", &text[1..], &format!("{boot}0"), "GG000000000000000000000000000000", "éééééééééééééééé"]
        {
            assert_eq!(bad.parse::<BootId>(), Err(NoBootId), "{bad}");
        }
    }
}

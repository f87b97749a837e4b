//! Bytes of a snapshot: little varints and columns. The reader trusts nothing and never asks for more memory than the bytes
//! that are left could fill.

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {why}")]
pub struct WireError {
    pub at: usize,
    pub why: &'static str,
}

#[derive(Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn int(&mut self, value: i64) {
        self.uint(((value << 1) ^ (value >> 63)) as u64);
    }

    pub fn text(&mut self, value: &str) {
        self.uint(value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    pub fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub fn list<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.uint(values.len() as u64);
        values.iter().for_each(|value| write(self, value));
    }

    /// A column of numbers as planes of bytes, lowest first: like bytes come to stand together, and compress.
    pub fn planes(&mut self, width: usize, values: impl Iterator<Item = u64> + Clone) {
        for plane in 0..width {
            self.0.extend(values.clone().map(|value| (value >> (8 * plane)) as u8));
        }
    }
}

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn fail<T>(&self, why: &'static str) -> Result<T, WireError> {
        Err(WireError { at: self.at, why })
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        match self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += len;
                Ok(taken)
            }
            None => self.fail("it ends too early"),
        }
    }

    pub fn byte(&mut self) -> Result<u8, WireError> {
        Ok(self.take(1)?[0])
    }

    pub fn flag(&mut self) -> Result<bool, WireError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => self.fail("neither yes nor no"),
        }
    }

    pub fn uint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        self.fail("a number is too long")
    }

    /// A number that fits its type.
    pub fn num<T: TryFrom<u64>>(&mut self) -> Result<T, WireError> {
        let value = self.uint()?;
        T::try_from(value).or_else(|_| self.fail("a number is too large"))
    }

    pub fn int(&mut self) -> Result<i64, WireError> {
        let value = self.uint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub fn text(&mut self) -> Result<String, WireError> {
        let len = self.num()?;
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map(str::to_owned).or_else(|_| self.fail("a text is not UTF-8"))
    }

    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, WireError>) -> Result<Option<T>, WireError> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// At most `most` rows: a row takes more memory than its shortest form takes bytes.
    pub fn list<T>(
        &mut self,
        most: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let len: usize = self.num()?;
        if len > most || len > self.bytes.len() - self.at {
            return self.fail("a list is longer than it may be, or than what is left");
        }
        // Grows as rows are really there.
        let mut rows = Vec::with_capacity(len.min(1024));
        for _ in 0..len {
            rows.push(read(self)?);
        }
        Ok(rows)
    }

    /// A column of numbers that [`Writer::planes`] wrote, `WIDTH` bytes each, through `make`.
    pub fn planes<const WIDTH: usize, T>(
        &mut self,
        len: usize,
        make: impl Fn([u8; WIDTH]) -> T,
    ) -> Result<Vec<T>, WireError> {
        let Some(total) = len.checked_mul(WIDTH) else { return self.fail("a column is too long") };
        let bytes = self.take(total)?;
        let planes: [&[u8]; WIDTH] = std::array::from_fn(|plane| &bytes[plane * len..(plane + 1) * len]);
        Ok((0..len).map(|row| make(planes.map(|plane| plane[row]))).collect())
    }

    pub fn end(&self) -> Result<(), WireError> {
        if self.at == self.bytes.len() { Ok(()) } else { self.fail("there is more than there should be") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(u: u64, i: i64, text in ".{0,20}") {
            let mut writer = Writer::default();
            writer.uint(u);
            writer.int(i);
            writer.text(&text);
            writer.planes(8, [u, 7].into_iter());
            let mut reader = Reader::new(&writer.0);
            prop_assert_eq!(reader.uint().unwrap(), u);
            prop_assert_eq!(reader.int().unwrap(), i);
            prop_assert_eq!(reader.text().unwrap(), text);
            prop_assert_eq!(reader.planes(2, u64::from_le_bytes).unwrap(), vec![u, 7]);
            reader.end().unwrap();
        }
    }
}

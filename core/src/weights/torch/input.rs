//! The bytes of a pickle, taken in order; nothing is taken that the file does not hold.

use super::super::section::Section;
use super::pickle::Fault;
use std::io::{BufReader, Read};

/// Numbers and names on a line of their own (protocol 0) are short.
const MAX_LINE_BYTES: usize = 1 << 16;

pub(super) struct Input {
    reader: BufReader<Section>,
    /// Bytes not taken yet.
    left: u64,
    /// Bytes taken.
    pub position: u64,
}

impl Input {
    pub fn new(section: Section, length: u64) -> Self {
        Self {
            reader: BufReader::new(section),
            left: length,
            position: 0,
        }
    }

    fn claim(&mut self, length: u64) -> Result<(), Fault> {
        if length > self.left {
            return Err(Fault::EndsEarly);
        }
        self.left -= length;
        self.position += length;
        Ok(())
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.claim(N as u64)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub fn byte(&mut self) -> Result<u8, Fault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    pub fn text(&mut self, length: u64) -> Result<String, Fault> {
        self.claim(length)?;
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes)?;
        // Python allows lone surrogates there; a name with one is still a name.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn skip(&mut self, length: u64) -> Result<(), Fault> {
        self.claim(length)?;
        let skipped = std::io::copy(&mut (&mut self.reader).take(length), &mut std::io::sink())?;
        if skipped == length {
            Ok(())
        } else {
            Err(Fault::EndsEarly)
        }
    }

    /// Up to the next line feed, which is taken and left out.
    pub fn line(&mut self) -> Result<String, Fault> {
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
                byte if bytes.len() < MAX_LINE_BYTES => bytes.push(byte),
                _ => return Err(Fault::LongLine),
            }
        }
    }
}

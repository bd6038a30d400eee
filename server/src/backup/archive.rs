//! The encrypted file around a backup: a header, then sealed chunks, the last of them marked.
//!
//! The key is Argon2id (RFC 9106) of the passphrase and a random salt; each chunk is sealed with
//! ChaCha20-Poly1305 (RFC 8439) under a nonce of its number and whether it is the last, and with the header
//! as associated data. Chunks cannot be cut off, left out, reordered or mixed from two files unseen.

use std::io::{self, Read, Write};

use anyhow::{Context, Result, bail};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::keys::random;

const MAGIC: &[u8; 16] = b"sitewarden-bak-1";
const SALT: usize = 16;
const HEADER: usize = MAGIC.len() + SALT;
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
/// 64 MiB, three passes, one lane: the second recommendation of RFC 9106, section 4.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// Seals what is written to it.
pub(super) struct Writer<W> {
    inner: W,
    seal: Seal,
    chunk: Vec<u8>,
}

/// Opens what [`Writer`] sealed.
pub(super) struct Reader<R> {
    inner: R,
    seal: Seal,
    sealed: Vec<u8>,
    chunk: Vec<u8>,
    at: usize,
    last: bool,
}

struct Seal {
    key: LessSafeKey,
    header: [u8; HEADER],
    number: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(mut inner: W, passphrase: &str) -> Result<Self> {
        let mut header = [0; HEADER];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[MAGIC.len()..].copy_from_slice(&random::<SALT>());
        inner.write_all(&header)?;
        Ok(Self { inner, seal: Seal::new(header, passphrase)?, chunk: Vec::with_capacity(CHUNK + TAG) })
    }

    /// Writes the last chunk and returns what is below.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn put(&mut self, last: bool) -> io::Result<()> {
        let (nonce, aad) = self.seal.next(last);
        self.seal
            .key
            .seal_in_place_append_tag(nonce, aad, &mut self.chunk)
            .map_err(|_| io::Error::other("a chunk cannot be sealed"))?;
        self.inner.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk goes out only when more follows: the last one must be known as the last.
        if self.chunk.len() == CHUNK {
            self.put(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<R: Read> Reader<R> {
    pub(super) fn new(mut inner: R, passphrase: &str) -> Result<Self> {
        let mut header = [0; HEADER];
        inner.read_exact(&mut header).context("this is not a backup: it is too short")?;
        if &header[..MAGIC.len()] != MAGIC {
            bail!("this is not a backup of this release: it begins otherwise");
        }
        let mut reader = Self {
            inner,
            seal: Seal::new(header, passphrase)?,
            sealed: Vec::new(),
            chunk: Vec::new(),
            at: 0,
            last: false,
        };
        // The first chunk tells a wrong passphrase from a torn file.
        reader.sealed = reader.sealed_chunk()?;
        reader.fill().context("the passphrase is wrong, or the beginning of the file is damaged")?;
        Ok(reader)
    }

    /// Opens the next chunk. It is the last one when nothing follows it.
    fn fill(&mut self) -> io::Result<()> {
        let following = self.sealed_chunk()?;
        self.last = following.is_empty();
        let mut sealed = std::mem::replace(&mut self.sealed, following);
        let (nonce, aad) = self.seal.next(self.last);
        let length = self
            .seal
            .key
            .open_in_place(nonce, aad, &mut sealed)
            .map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, "the file is cut or damaged; use another copy")
            })?
            .len();
        sealed.truncate(length);
        (self.chunk, self.at) = (sealed, 0);
        Ok(())
    }

    fn sealed_chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(CHUNK + TAG);
        self.inner.by_ref().take((CHUNK + TAG) as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            if self.last {
                return Ok(0);
            }
            self.fill()?;
        }
        let given = into.len().min(self.chunk.len() - self.at);
        into[..given].copy_from_slice(&self.chunk[self.at..self.at + given]);
        self.at += given;
        Ok(given)
    }
}

impl Seal {
    fn new(header: [u8; HEADER], passphrase: &str) -> Result<Self> {
        let params =
            Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut key = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), &header[MAGIC.len()..], &mut key)
            .map_err(|error| anyhow::anyhow!("cannot derive a key from the passphrase: {error}"))?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| anyhow::anyhow!("not a key"))?;
        Ok(Self { key: LessSafeKey::new(key), header, number: 0 })
    }

    fn next(&mut self, last: bool) -> (Nonce, Aad<[u8; HEADER]>) {
        let mut nonce = [0; NONCE_LEN];
        nonce[..8].copy_from_slice(&self.number.to_be_bytes());
        nonce[8] = u8::from(last);
        self.number += 1;
        (Nonce::assume_unique_for_key(nonce), Aad::from(self.header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), "open sesame").unwrap();
        writer.write_all(body).unwrap();
        writer.finish().unwrap()
    }

    fn open(file: &[u8], passphrase: &str) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        Reader::new(file, passphrase)?.read_to_end(&mut body)?;
        Ok(body)
    }

    #[test]
    fn what_went_in_comes_out_at_every_length_around_a_chunk() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK] {
            let body: Vec<u8> = (0..length).map(|n| n as u8).collect();
            assert_eq!(open(&sealed(&body), "open sesame").unwrap(), body, "{length}");
        }
    }

    #[test]
    fn a_cut_an_altered_and_a_strange_file_are_refused() {
        let whole = sealed(&vec![7; 2 * CHUNK + 9]);
        let cut = open(&whole[..HEADER + CHUNK + TAG], "open sesame").unwrap_err();
        assert!(format!("{cut:#}").contains("cut or damaged"), "{cut:#}");
        let mut altered = whole.clone();
        altered[HEADER + CHUNK + TAG + 5] ^= 1;
        assert!(open(&altered, "open sesame").is_err());
        let wrong = open(&whole, "open barley").unwrap_err();
        assert!(format!("{wrong:#}").contains("passphrase is wrong"), "{wrong:#}");
        assert!(
            format!("{:#}", open(b"PK\x03\x04 and so on, a zip file", "x").unwrap_err())
                .contains("not a backup")
        );
    }
}

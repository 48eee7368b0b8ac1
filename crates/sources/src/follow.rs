//! Logs that grow: what was written since the last look, decoded. No clock and no waiting: the caller looks when it likes.
//!
//! A file is followed as plain bytes. One that is packed or binary (an event journal in place, a rotated archive) cannot be read
//! from its middle: it is read whole once it has kept its size from one look to the next.
use crate::{
    Decode, Decoded, Head, Setting, Source,
    reader::{HEAD_BYTES, claim, packed},
};
use ampleur_event::EventBatch;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// Bytes at the start of a file that tell it from another under the same name.
const MARK: usize = 256;
/// Bytes read at a time.
const PIECE: usize = 1 << 20;
/// A record that is longer is given up: what follows its next line end is read.
const RECORD: usize = 16 << 20;

/// The files, as far as a follower needs them; another one in tests.
pub trait Disk {
    /// # Errors
    /// The file is not there or cannot be asked.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// Fills as much of `into` as is there from `offset` on; fewer bytes are no error.
    ///
    /// # Errors
    /// The file is not there or cannot be read.
    fn read(&self, path: &Path, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

/// The disk of this machine.
pub struct Local;

impl Disk for Local {
    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(std::fs::metadata(path)?.len())
    }
    fn read(&self, path: &Path, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut f = File::open(path)?;
        f.seek(SeekFrom::Start(offset))?;
        f.read(into)
    }
}

/// What one look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing new, or not enough of it to tell its format.
    Nothing,
    /// This many bytes were taken in.
    Grown(u64),
    /// The file is another one now, shorter or with another beginning; it was begun anew.
    Anew(u64),
    /// Packed or binary: to be read whole, now that it keeps its size.
    Whole,
}

/// One file being followed.
#[derive(Default)]
pub struct Follower {
    mark: Vec<u8>,
    source: Option<&'static dyn Source>,
    decoder: Option<Box<dyn Decode>>,
    /// Offset of `pending` in the file.
    base: u64,
    pending: Vec<u8>,
    out: Decoded,
    whole: bool,
    /// Begun anew, and not said yet: a look may fail on its way.
    anew: bool,
    /// No format claims its beginning.
    unknown: bool,
    /// Size at the last look, and when it was last read whole.
    size: u64,
    taken: u64,
    /// Records that could not be decoded so far.
    pub rejects: u64,
}

impl Follower {
    /// Name of the format, once it is known.
    pub fn format(&self) -> Option<&'static str> {
        self.source.map(Source::name)
    }

    /// What was read whole could not be read to its end: the next look says so again.
    pub fn again(&mut self) {
        self.taken = 0;
    }

    /// Looks once. Events go to `give` in the order of the file; after an error the next look goes on where this one stopped.
    ///
    /// # Errors
    /// The file cannot be read now.
    pub fn look(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        format: Option<&'static dyn Source>,
        setting: &Setting,
        give: &mut dyn FnMut(&'static str, &EventBatch),
    ) -> io::Result<Look> {
        let size = disk.len(path)?;
        let before = std::mem::replace(&mut self.size, size);
        if size < self.base + self.pending.len() as u64 || self.another(disk, path)? {
            *self = Follower {
                size,
                rejects: self.rejects,
                anew: true,
                ..Follower::default()
            };
        }
        if self.whole {
            return Ok(if size == before && size != self.taken {
                self.taken = size;
                Look::Whole
            } else {
                Look::Nothing
            });
        }
        if self.unknown {
            return Ok(Look::Nothing);
        }
        let mut bytes = 0;
        loop {
            let have = self.pending.len();
            let at = self.base + have as u64;
            let room = usize::try_from(size.saturating_sub(at)).map_or(PIECE, |n| n.min(PIECE));
            self.pending.resize(have + room, 0);
            let got = if room == 0 {
                Ok(0)
            } else {
                disk.read(path, at, &mut self.pending[have..])
            };
            self.pending
                .truncate(have + got.as_ref().map_or(0, |n| (*n).min(room)));
            let got = got?;
            bytes += got as u64;
            if self.mark.len() < MARK && self.base == 0 {
                self.mark = self.pending[..self.pending.len().min(MARK)].to_vec();
            }
            if self.decoder.is_none() && !self.begin(format, setting) {
                if got == 0 || self.whole || self.unknown {
                    break;
                }
                continue;
            }
            self.decode(give);
            if got == 0 {
                break;
            }
        }
        Ok(match (std::mem::take(&mut self.anew), bytes) {
            (true, _) => Look::Anew(bytes),
            (false, 0) => Look::Nothing,
            (false, _) => Look::Grown(bytes),
        })
    }

    fn another(&self, disk: &dyn Disk, path: &Path) -> io::Result<bool> {
        if self.mark.is_empty() || self.whole {
            return Ok(false);
        }
        let mut now = [0; MARK];
        let got = disk.read(path, 0, &mut now[..self.mark.len()])?;
        // A short read says nothing about what it did not read.
        Ok(now[..got] != self.mark[..got])
    }

    /// Opens the decoder, once there is enough to tell the format by.
    fn begin(&mut self, format: Option<&'static dyn Source>, setting: &Setting) -> bool {
        if packed(&self.pending) {
            self.whole = true;
            self.pending = vec![];
            return false;
        }
        let skip = if self.pending.starts_with(&[0xEF, 0xBB, 0xBF]) {
            3
        } else {
            0
        };
        let bytes = &self.pending[skip..];
        let enough = bytes.contains(&b'\n') || bytes.len() >= HEAD_BYTES;
        let head = Head {
            bytes: &bytes[..bytes.len().min(HEAD_BYTES)],
            whole: bytes.len() <= HEAD_BYTES,
        };
        let known = || claim(&head, setting, format);
        let Some((source, decoder)) = enough.then(known).flatten() else {
            // More of it may still tell, up to the size of a head.
            if self.pending.len() >= HEAD_BYTES {
                self.unknown = true;
                self.pending = vec![];
            }
            return false;
        };
        self.source = Some(source);
        self.decoder = Some(decoder);
        self.base += skip as u64;
        self.pending.drain(..skip);
        true
    }

    fn decode(&mut self, give: &mut dyn FnMut(&'static str, &EventBatch)) {
        let (Some(decoder), Some(source)) = (&mut self.decoder, self.source) else {
            return;
        };
        let mut from = 0;
        while from < self.pending.len() {
            self.out.base = self.base + from as u64;
            let taken = decoder.decode(&self.pending[from..], false, &mut self.out);
            from += taken.min(self.pending.len() - from);
            if taken == 0 {
                break;
            }
        }
        if self.pending.len() - from > RECORD {
            let line = self.pending[from..].iter().position(|b| *b == b'\n');
            from = line.map_or(self.pending.len(), |n| from + n + 1);
            self.rejects += 1;
        }
        self.rejects += self.out.rejects.len() as u64;
        if !self.out.events.is_empty() {
            give(source.name(), &self.out.events);
        }
        self.out.events.clear();
        self.out.rejects.clear();
        self.base += from as u64;
        self.pending.drain(..from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    /// Reads at most `step` bytes at a time and fails every third time.
    struct Faulty {
        bytes: RefCell<Vec<u8>>,
        step: usize,
        turn: Cell<u32>,
    }
    impl Disk for Faulty {
        fn len(&self, _: &Path) -> io::Result<u64> {
            Ok(self.bytes.borrow().len() as u64)
        }
        fn read(&self, _: &Path, offset: u64, into: &mut [u8]) -> io::Result<usize> {
            self.turn.set(self.turn.get() + 1);
            if self.turn.get().is_multiple_of(3) {
                return Err(io::Error::other("the disk is away"));
            }
            let bytes = self.bytes.borrow();
            let from = &bytes[(offset as usize).min(bytes.len())..];
            let n = from.len().min(into.len()).min(self.step);
            into[..n].copy_from_slice(&from[..n]);
            Ok(n)
        }
    }

    fn line(n: usize) -> String {
        format!(
            "203.0.113.{} - u{n} [10/Oct/2025:13:{:02}:36 +0000] \"GET /r/{n} HTTP/1.1\" 200 {n}\n",
            n % 250,
            n % 60
        )
    }
    fn seen(f: &mut Follower, disk: &Faulty, times: &mut Vec<(u64, u64)>) -> Vec<Look> {
        let mut out = vec![];
        for _ in 0..400 {
            let looked = f.look(
                disk,
                Path::new("x"),
                None,
                &Setting::default(),
                &mut |_, b| times.extend(b.iter().map(|e| (e.offset, e.len))),
            );
            if let Ok(l) = looked {
                out.push(l);
            }
        }
        out
    }

    #[test]
    fn every_line_once_however_the_file_grows_and_the_disk_fails() {
        let text: String = (0..60).map(line).collect();
        let whole = crate::reader::decode_bytes(
            crate::by_name("http-access").unwrap(),
            text.as_bytes(),
            &Setting::default(),
        );
        let expected: Vec<(u64, u64)> = whole.events.iter().map(|e| (e.offset, e.len)).collect();
        assert_eq!(expected.len(), 60);
        for step in [7, 64, 5000] {
            let disk = Faulty {
                bytes: RefCell::new(vec![]),
                step,
                turn: Cell::new(0),
            };
            let (mut f, mut got) = (Follower::default(), vec![]);
            for part in text.as_bytes().chunks(501) {
                disk.bytes.borrow_mut().extend_from_slice(part);
                seen(&mut f, &disk, &mut got);
            }
            assert_eq!(got, expected, "{step} bytes at a time");
            assert_eq!(f.rejects, 0);
            // Rotated in place: another beginning under the same name.
            *disk.bytes.borrow_mut() = line(77).into_bytes();
            let looks = seen(&mut f, &disk, &mut got);
            assert!(looks.iter().any(|l| matches!(l, Look::Anew(_))));
            assert_eq!(got.len(), 61);
        }
    }

    #[test]
    fn a_packed_file_is_read_whole_once_it_keeps_its_size() {
        let disk = Faulty {
            bytes: RefCell::new(vec![0x1F, 0x8B, 8, 0, 1]),
            step: 100,
            turn: Cell::new(0),
        };
        let mut f = Follower::default();
        let looks = seen(&mut f, &disk, &mut vec![]);
        assert_eq!(looks.iter().filter(|l| **l == Look::Whole).count(), 1);
        disk.bytes.borrow_mut().extend_from_slice(&[2; 90]);
        let looks = seen(&mut f, &disk, &mut vec![]);
        assert_eq!(looks.iter().filter(|l| **l == Look::Whole).count(), 1);
    }
}

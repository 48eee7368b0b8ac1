//! Readers of hostile documents in a process of their own: one that takes too long is ended and started again, one that breaks
//! down takes nothing with it.
//!
//! The process is this program with arguments the caller gives; it runs [`serve_documents`] over its standard streams. A store
//! of mail stays in the hands of this side: the process asks for the parts it wants, so it needs no path and no memory for all.
use ampleur_content::extract::{
    Bookmark, Direct, Frame, Kind, Risky, Seekable, Unit, Why, read_frame, write_ask, write_frame,
    write_next,
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsString,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How to start the process.
#[derive(Debug, Clone)]
pub struct Apart {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Longest a document may take, plus a second for each megabyte.
    pub patience: Duration,
}

impl Apart {
    /// A reader for one thread.
    pub fn reader(&self) -> Box<dyn Risky + Send> {
        Box::new(Reader {
            how: self.clone(),
            process: None,
        })
    }
}

struct Reader {
    how: Apart,
    process: Option<Process>,
}

struct Process {
    child: Arc<Mutex<Child>>,
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
    watch: Arc<(Mutex<Watch>, Condvar)>,
}

#[derive(Default)]
struct Watch {
    until: Option<Instant>,
    over: bool,
}

impl Process {
    fn start(how: &Apart) -> io::Result<Process> {
        let mut child = Command::new(&how.program)
            .args(&how.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let to = BufWriter::with_capacity(1 << 16, child.stdin.take().ok_or_else(gone)?);
        let from = BufReader::with_capacity(1 << 16, child.stdout.take().ok_or_else(gone)?);
        let child = Arc::new(Mutex::new(child));
        let watch = Arc::new((Mutex::new(Watch::default()), Condvar::new()));
        let (c, w) = (child.clone(), watch.clone());
        std::thread::spawn(move || watchman(&c, &w));
        Ok(Process {
            child,
            to,
            from,
            watch,
        })
    }
    fn until(&self, t: Option<Instant>) {
        self.watch
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .until = t;
        self.watch.1.notify_all();
    }
}

/// Ends the child when its time is up; ends itself with the process.
fn watchman(child: &Mutex<Child>, watch: &(Mutex<Watch>, Condvar)) {
    let mut w = watch.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if w.over {
            return;
        }
        w = match w.until {
            None => watch.1.wait(w).unwrap_or_else(PoisonError::into_inner),
            Some(t) => {
                let now = Instant::now();
                if now >= t {
                    let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
                    return;
                }
                watch
                    .1
                    .wait_timeout(w, t - now)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        {
            let mut w = self.watch.0.lock().unwrap_or_else(PoisonError::into_inner);
            w.over = true;
        }
        self.watch.1.notify_all();
        let mut c = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = c.kill();
        let _ = c.wait();
    }
}

impl Risky for Reader {
    fn read(&mut self, kind: Kind, bytes: &[u8], out: &mut dyn FnMut(Unit<'_>)) -> Result<(), Why> {
        let more = Duration::from_secs(bytes.len() as u64 >> 20);
        self.ask(word(kind), bytes, more, &mut io::empty(), out)
            .map(|_| ())
    }

    fn step(
        &mut self,
        file: &mut dyn Seekable,
        len: u64,
        from: Bookmark,
        out: &mut dyn FnMut(Unit<'_>),
    ) -> Result<Option<Bookmark>, Why> {
        let mut place = vec![];
        for n in [len, from.node, from.work, from.told] {
            place.extend_from_slice(&n.to_le_bytes());
        }
        self.ask(STORE, &place, Duration::ZERO, file, out)
    }
}

impl Reader {
    fn ask(
        &mut self,
        what: &str,
        bytes: &[u8],
        more: Duration,
        file: &mut dyn Seekable,
        out: &mut dyn FnMut(Unit<'_>),
    ) -> Result<Option<Bookmark>, Why> {
        let mut process = match self.process.take() {
            Some(p) => p,
            None => Process::start(&self.how).map_err(|_| Why::Stopped)?,
        };
        let patience = self.how.patience + more;
        process.until(Some(Instant::now() + patience));
        match exchange(&mut process, patience, what, bytes, file, out) {
            Ok(r) => {
                process.until(None);
                self.process = Some(process);
                r
            }
            // Ended by the watchman or by itself: the next document gets a new one.
            Err(_) => Err(Why::Stopped),
        }
    }
}

/// A step of a store, as it travels.
const STORE: &str = "store";
/// Bytes of a store that are asked for at once, and how many such pieces are kept.
const PIECE: u64 = 1 << 16;
const PIECES_KEPT: usize = 64;
/// Bytes one step may ask for; the largest message with all inside it needs a fraction.
const ASKED_MAX: u64 = 16 << 30;

/// The word a kind travels as.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Pdf => "pdf",
        Kind::Zip => "zip",
        Kind::Ole => "ole",
        Kind::SevenZip => "7z",
        Kind::Mail => "mail",
        _ => "other",
    }
}

fn exchange(
    p: &mut Process,
    patience: Duration,
    what: &str,
    bytes: &[u8],
    file: &mut dyn Seekable,
    out: &mut dyn FnMut(Unit<'_>),
) -> io::Result<Result<Option<Bookmark>, Why>> {
    write_frame(&mut p.to, Some(&Unit::Fields(&[(what, bytes)])))?;
    p.to.flush()?;
    let began = Instant::now();
    let mut last = None;
    let mut next = None;
    let mut asked = 0u64;
    loop {
        match read_frame(&mut p.from)? {
            Frame::Text(t) => out(Unit::Text(&t)),
            Frame::End => out(Unit::End),
            Frame::Table => out(Unit::Table),
            Frame::TableEnd => out(Unit::TableEnd),
            Frame::Row(cells) => {
                let refs: Vec<&[u8]> = cells.iter().map(Vec::as_slice).collect();
                out(Unit::Row(&refs));
            }
            Frame::Fields(f) => {
                let refs: Vec<(&str, &[u8])> =
                    f.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
                out(Unit::Fields(&refs));
            }
            Frame::Member(m) => out(Unit::Member(&m)),
            // The last reason before the end may be that of the document itself.
            Frame::Why(w) => {
                if let Some(before) = last.replace(w) {
                    out(Unit::Why(before));
                }
            }
            Frame::Ask(at, n) => {
                asked = asked.saturating_add(n);
                if n > PIECE || asked > ASKED_MAX {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let mut part = vec![];
                file.seek(SeekFrom::Start(at))?;
                (&mut *file).take(n).read_to_end(&mut part)?;
                write_frame(&mut p.to, Some(&Unit::Text(&part)))?;
                p.to.flush()?;
                // A second more for each megabyte, as for other documents.
                let more = Duration::from_secs(asked >> 20);
                p.until(Some(began + patience + more));
            }
            Frame::Next(n) => next = Some(n),
            Frame::Done => {
                return Ok(match (last, next) {
                    (Some(w), None) => Err(w),
                    (why, next) => {
                        if let Some(w) = why {
                            out(Unit::Why(w));
                        }
                        Ok(next)
                    }
                });
            }
        }
    }
}

/// The other side: reads documents from `input` until it ends, tells their parts to `output`.
///
/// # Errors
/// When the other side goes away or speaks another language.
pub fn serve_documents(input: &mut dyn Read, output: &mut dyn Write) -> io::Result<()> {
    let output = RefCell::new(output);
    loop {
        let frame = match read_frame(input) {
            Ok(f) => f,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        };
        let Frame::Fields(f) = frame else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        for (name, bytes) in f {
            let mut failed = None;
            let mut tell = |u: Unit<'_>| {
                if failed.is_none()
                    && let Err(e) = write_frame(&mut **output.borrow_mut(), Some(&u))
                {
                    failed = Some(e);
                }
            };
            let r = if name == STORE {
                let numbers: Vec<u64> = bytes
                    .chunks_exact(8)
                    .map(|b| b.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
                    .collect();
                let [len, node, work, told] = numbers[..] else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                let mut file = Afar {
                    input: &mut *input,
                    output: &output,
                    at: 0,
                    len,
                    pieces: BTreeMap::new(),
                    uses: 0,
                };
                let from = Bookmark { node, work, told };
                Direct.step(&mut file, len, from, &mut tell)
            } else {
                let kind = match &*name {
                    "pdf" => Kind::Pdf,
                    "zip" => Kind::Zip,
                    "ole" => Kind::Ole,
                    "7z" => Kind::SevenZip,
                    "mail" => Kind::Mail,
                    _ => Kind::Unknown,
                };
                Direct.read(kind, &bytes, &mut tell).map(|()| None)
            };
            if let Some(e) = failed {
                return Err(e);
            }
            let mut o = output.borrow_mut();
            match r {
                Ok(Some(next)) => write_next(&mut **o, next)?,
                Ok(None) => {}
                Err(w) => write_frame(&mut **o, Some(&Unit::Why(w)))?,
            }
            write_frame(&mut **o, None)?;
            o.flush()?;
        }
    }
}

/// A store the other side holds, read in pieces; the pieces used last are kept.
struct Afar<'a, 'o> {
    input: &'a mut dyn Read,
    output: &'a RefCell<&'o mut dyn Write>,
    at: u64,
    len: u64,
    /// Piece → when it was used last, its bytes.
    pieces: BTreeMap<u64, (u64, Vec<u8>)>,
    uses: u64,
}

impl Afar<'_, '_> {
    fn fetch(&mut self, piece: u64) -> io::Result<()> {
        {
            let mut o = self.output.borrow_mut();
            write_ask(&mut **o, piece * PIECE, PIECE)?;
            o.flush()?;
        }
        let Frame::Text(bytes) = read_frame(self.input)? else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if self.pieces.len() >= PIECES_KEPT
            && let Some(oldest) = self.pieces.iter().min_by_key(|p| p.1.0).map(|p| *p.0)
        {
            self.pieces.remove(&oldest);
        }
        self.pieces.insert(piece, (0, bytes));
        Ok(())
    }
}

impl Read for Afar<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.len || buf.is_empty() {
            return Ok(0);
        }
        let piece = self.at / PIECE;
        if !self.pieces.contains_key(&piece) {
            self.fetch(piece)?;
        }
        self.uses += 1;
        let Some((used, bytes)) = self.pieces.get_mut(&piece) else {
            return Ok(0);
        };
        *used = self.uses;
        let rest = bytes.get((self.at % PIECE) as usize..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Afar<'_, '_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::Current(n) => self.at.checked_add_signed(n),
            SeekFrom::End(n) => self.len.checked_add_signed(n),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

//! Readers of hostile documents in a process of their own: one that takes too long is ended and started again, one that breaks
//! down takes nothing with it.
//!
//! The process is this program with arguments the caller gives; it runs [`serve_documents`] over its standard streams.
use ampleur_content::extract::{Direct, Frame, Kind, Risky, Unit, Why, read_frame, write_frame};
use std::{
    ffi::OsString,
    io::{self, BufReader, BufWriter, Read, Write},
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
        let mut process = match self.process.take() {
            Some(p) => p,
            None => Process::start(&self.how).map_err(|_| Why::Stopped)?,
        };
        let patience = self.how.patience + Duration::from_secs(bytes.len() as u64 >> 20);
        process.until(Some(Instant::now() + patience));
        match exchange(&mut process, kind, bytes, out) {
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
    kind: Kind,
    bytes: &[u8],
    out: &mut dyn FnMut(Unit<'_>),
) -> io::Result<Result<(), Why>> {
    write_frame(&mut p.to, Some(&Unit::Fields(&[(word(kind), bytes)])))?;
    p.to.flush()?;
    let mut last = None;
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
            Frame::Done => {
                return Ok(match last {
                    Some(w) => Err(w),
                    None => Ok(()),
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
            let kind = match &*name {
                "pdf" => Kind::Pdf,
                "zip" => Kind::Zip,
                "ole" => Kind::Ole,
                "7z" => Kind::SevenZip,
                "mail" => Kind::Mail,
                _ => Kind::Unknown,
            };
            let mut failed = None;
            let r = Direct.read(kind, &bytes, &mut |u| {
                if failed.is_none()
                    && let Err(e) = write_frame(output, Some(&u))
                {
                    failed = Some(e);
                }
            });
            if let Some(e) = failed {
                return Err(e);
            }
            if let Err(w) = r {
                write_frame(output, Some(&Unit::Why(w)))?;
            }
            write_frame(output, None)?;
            output.flush()?;
        }
    }
}

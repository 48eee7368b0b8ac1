//! Where generated records go: per source a short buffer in time order, then files cut by day or week, the old ones compressed.
//! What happens to logs in real life (rotation, loss, repeats, cut lines, edits) is done here, on finished records, and remembered,
//! so that the truth knows which proofs are gone. Memory holds a fixed number of bytes of each source;
//! what a slice of time has more is put aside on disk in order.
use crate::civil::{self, DAY, Ms};
use crate::pathology::Pathology;
use crate::rng::mix;
use crate::truth::{TGap, TRecords};
use flate2::{Compression, write::GzEncoder};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Marks a record as a proof (`tag`) of a session; 0 is nobody's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mark {
    pub tag: u32,
    pub session: u32,
}

/// What kind of text a source writes; decides which damage is possible without changing the number of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One record a line.
    Lines,
    /// A record may span lines (Windows XML, CSV).
    Spanning,
}

/// A source of the case.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Key in the truth, and the folder under `logs/`.
    pub key: String,
    pub stem: String,
    pub ext: &'static str,
    pub format: &'static str,
    pub shape: Shape,
    /// Days per file.
    pub days: i64,
    /// Nothing before this instant is kept.
    pub kept_from: Ms,
}

/// One line being written.
pub struct Line<'a> {
    pub b: &'a mut Vec<u8>,
    start: usize,
    hole: u32,
}

impl Line<'_> {
    pub fn s(&mut self, s: &str) -> &mut Self {
        self.b.extend_from_slice(s.as_bytes());
        self
    }
    pub fn n(&mut self, n: u64) -> &mut Self {
        civil::put_num(self.b, n, 1);
        self
    }
    /// The running number of the source goes here; it is only known when the records are in order.
    pub fn hole(&mut self) -> &mut Self {
        self.hole = (self.b.len() - self.start) as u32;
        self
    }
}

#[derive(Clone, Copy)]
struct Rec {
    t: Ms,
    n: u64,
    off: usize,
    len: u32,
    hole: u32,
    mark: Mark,
}

enum Out {
    Plain(BufWriter<File>),
    Gz(Box<GzEncoder<BufWriter<File>>>),
}
impl Write for Out {
    fn write(&mut self, b: &[u8]) -> io::Result<usize> {
        match self {
            Out::Plain(w) => w.write(b),
            Out::Gz(w) => w.write(b),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Plain(w) => w.flush(),
            Out::Gz(w) => w.flush(),
        }
    }
}

/// Records put aside on disk in order, because a slice of time outgrew memory.
struct Run {
    path: PathBuf,
    file: BufReader<File>,
    head: Option<(Rec, Vec<u8>)>,
}

impl Run {
    fn write(path: PathBuf, index: &mut [Rec], arena: &[u8]) -> io::Result<Run> {
        index.sort_unstable_by_key(|r| (r.t, r.n));
        let mut w = BufWriter::new(File::create(&path)?);
        for r in index.iter() {
            w.write_all(&r.t.to_le_bytes())?;
            w.write_all(&r.n.to_le_bytes())?;
            for k in [r.len, r.hole, r.mark.tag, r.mark.session] {
                w.write_all(&k.to_le_bytes())?;
            }
            w.write_all(&arena[r.off..r.off + r.len as usize])?;
        }
        w.flush()?;
        let file = BufReader::new(File::open(&path)?);
        let mut run = Run {
            path,
            file,
            head: None,
        };
        run.advance()?;
        Ok(run)
    }
    fn advance(&mut self) -> io::Result<()> {
        let mut h = [0u8; 32];
        self.head = match self.file.read_exact(&mut h) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(e) => return Err(e),
            Ok(()) => {
                let long = |a: usize| u64::from_le_bytes(std::array::from_fn(|i| h[a + i]));
                let short = |a: usize| u32::from_le_bytes(std::array::from_fn(|i| h[a + i]));
                let mark = Mark {
                    tag: short(24),
                    session: short(28),
                };
                let mut body = vec![0; short(16) as usize];
                self.file.read_exact(&mut body)?;
                let r = Rec {
                    t: long(0) as i64,
                    n: long(8),
                    off: 0,
                    len: short(16),
                    hole: short(20),
                    mark,
                };
                Some((r, body))
            }
        };
        Ok(())
    }
}

struct Src {
    runs: Vec<Run>,
    pushed: u64,
    spec: Spec,
    arena: Vec<u8>,
    index: Vec<Rec>,
    seq: u64,
    out: Option<(Out, i64, String)>,
    held: Option<Vec<u8>>,
    held_t: Ms,
    first: Option<Ms>,
    last: Ms,
}

/// What one pathology did to one source, gathered while writing.
#[derive(Debug, Default, Clone)]
pub struct Harm {
    pub lost: u64,
    pub from: Ms,
    pub to: Ms,
    pub sessions: BTreeSet<u32>,
}

/// All sources of one case.
pub struct Sink {
    root: PathBuf,
    end: Ms,
    sources: Vec<Src>,
    pub files: BTreeMap<String, TRecords>,
    lost: Vec<u32>,
    pathologies: Vec<Pathology>,
    pub harm: BTreeMap<(usize, usize), Harm>,
    /// Surviving records per (session, source).
    pub traces: BTreeMap<(u32, usize), u64>,
    /// Records older than what the source keeps.
    pub rotated: BTreeMap<usize, u64>,
    salt: u64,
    pub generated: u64,
    next_tag: u32,
    edited: BTreeMap<usize, u32>,
    /// Changes of the audit policy already written: (pathology, source, instant).
    changed: BTreeSet<(usize, usize, Ms)>,
    chunk: Vec<u8>,
    /// Bytes of one source kept in memory before they are put aside.
    slice: usize,
    asides: u64,
    error: Option<io::Error>,
}

impl Sink {
    pub fn new(case: &Path, end: Ms, pathologies: &[Pathology], seed: u64) -> Self {
        Sink {
            root: case.to_path_buf(),
            end,
            sources: Vec::new(),
            files: BTreeMap::new(),
            lost: Vec::new(),
            pathologies: pathologies.to_vec(),
            harm: BTreeMap::new(),
            traces: BTreeMap::new(),
            rotated: BTreeMap::new(),
            salt: mix(seed ^ 0xa11ce),
            generated: 0,
            next_tag: 0,
            edited: BTreeMap::new(),
            changed: BTreeSet::new(),
            chunk: Vec::new(),
            slice: 48 << 20,
            asides: 0,
            error: None,
        }
    }
    pub fn add(&mut self, spec: Spec) -> usize {
        let seq = 1_000 + mix(self.salt ^ self.sources.len() as u64) % 900_000;
        self.sources.push(Src {
            runs: Vec::new(),
            pushed: 0,
            spec,
            arena: Vec::new(),
            index: Vec::new(),
            seq,
            out: None,
            held: None,
            held_t: 0,
            first: None,
            last: 0,
        });
        self.sources.len() - 1
    }
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.sources.iter().map(|s| &s.spec)
    }
    pub fn source(&self, key: &str) -> Option<usize> {
        self.sources.iter().position(|s| s.spec.key == key)
    }
    /// A fresh proof number.
    pub fn tag(&mut self) -> u32 {
        self.next_tag += 1;
        self.next_tag
    }
    /// The clock error of a source, milliseconds added to what it writes.
    pub fn shift(&self, source: usize) -> Ms {
        let key = &self.sources[source].spec.key;
        self.pathologies
            .iter()
            .filter_map(|p| match p {
                Pathology::Clock { source, offset_s } if source == key => Some(offset_s * 1000),
                _ => None,
            })
            .sum()
    }
    /// Writes one record of `source` at `t`; `f` gets the line and the time as this source's clock shows it.
    pub fn push(&mut self, source: usize, t: Ms, mark: Mark, f: impl FnOnce(&mut Line<'_>, Ms)) {
        if t >= self.end {
            // The collection stopped: a later record is not part of the case.
            self.lose(mark.tag);
            return;
        }
        self.generated += 1;
        let shown = t + self.shift(source);
        let s = &mut self.sources[source];
        let start = s.arena.len();
        let mut line = Line {
            b: &mut s.arena,
            start,
            hole: u32::MAX,
        };
        f(&mut line, shown);
        let hole = line.hole;
        s.index.push(Rec {
            t,
            n: s.pushed,
            off: start,
            len: (s.arena.len() - start) as u32,
            hole,
            mark,
        });
        s.pushed += 1;
        if s.arena.len() > self.slice
            && let Err(e) = self.put_aside(source)
        {
            self.error.get_or_insert(e);
        }
    }
    fn put_aside(&mut self, i: usize) -> io::Result<()> {
        std::fs::create_dir_all(&self.root)?;
        self.asides += 1;
        let path = self.root.join(format!(".aside-{}", self.asides));
        let s = &mut self.sources[i];
        let run = Run::write(path, &mut s.index, &s.arena)?;
        s.index.clear();
        s.arena.clear();
        s.runs.push(run);
        Ok(())
    }
    fn lose(&mut self, tag: u32) {
        if tag != 0 {
            self.lost.push(tag);
        }
    }
    /// Writes out everything before `until`.
    pub fn flush(&mut self, until: Ms) {
        for i in 0..self.sources.len() {
            if let Err(e) = self.flush_one(i, until) {
                self.error.get_or_insert(e);
            }
        }
    }
    fn flush_one(&mut self, i: usize, until: Ms) -> io::Result<()> {
        let (index, arena) = {
            let s = &mut self.sources[i];
            (std::mem::take(&mut s.index), std::mem::take(&mut s.arena))
        };
        let (mut go, stay): (Vec<Rec>, Vec<Rec>) = index.into_iter().partition(|r| r.t < until);
        go.sort_unstable_by_key(|r| (r.t, r.n));
        {
            let s = &mut self.sources[i];
            for r in stay {
                let off = s.arena.len();
                s.arena
                    .extend_from_slice(&arena[r.off..r.off + r.len as usize]);
                s.index.push(Rec { off, ..r });
            }
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        let mut runs = std::mem::take(&mut self.sources[i].runs);
        let mut next = 0;
        loop {
            // The earliest of what is in memory and what was put aside.
            let aside = runs
                .iter()
                .enumerate()
                .filter_map(|(k, r)| r.head.as_ref().map(|h| ((h.0.t, h.0.n), k)))
                .min();
            let here = go.get(next).map(|r| (r.t, r.n));
            match (here, aside) {
                (h, Some((a, k))) if a.0 < until && h.is_none_or(|h| a < h) => {
                    if let Some((r, body)) = runs[k].head.take() {
                        self.number(i, &r, &body, &mut chunk)?;
                    }
                    runs[k].advance()?;
                }
                (Some(_), _) => {
                    let r = go[next];
                    next += 1;
                    self.number(i, &r, &arena[r.off..r.off + r.len as usize], &mut chunk)?;
                }
                _ => break,
            }
        }
        for r in runs {
            if r.head.is_some() {
                self.sources[i].runs.push(r);
            } else {
                std::fs::remove_file(&r.path)?;
            }
        }
        self.chunk = chunk;
        Ok(())
    }
    /// Gives the record its running number and writes it.
    fn number(&mut self, i: usize, r: &Rec, body: &[u8], chunk: &mut Vec<u8>) -> io::Result<()> {
        self.policy_changes(i, r.t)?;
        let off = self.pathologies.iter().any(|p| {
            matches!(p, Pathology::AuditOff { source, from, to } if *source == self.sources[i].spec.key && (*from..*to).contains(&r.t))
        });
        // What was never audited was never numbered.
        self.sources[i].seq += u64::from(!off);
        chunk.clear();
        if r.hole == u32::MAX {
            chunk.extend_from_slice(body);
        } else {
            chunk.extend_from_slice(&body[..r.hole as usize]);
            civil::put_num(chunk, self.sources[i].seq, 1);
            chunk.extend_from_slice(&body[r.hole as usize..]);
        }
        self.emit(i, r, chunk)
    }
    /// A Windows log says that its auditing was reduced, and that it came back: event 4719, written once each.
    fn policy_changes(&mut self, i: usize, now: Ms) -> io::Result<()> {
        if !self.sources[i].spec.format.starts_with("windows") {
            return Ok(());
        }
        for p in 0..self.pathologies.len() {
            let Pathology::AuditOff { source, from, to } = self.pathologies[p].clone() else {
                continue;
            };
            if source != self.sources[i].spec.key {
                continue;
            }
            for (at, change) in [(from - 1, "%%8448"), (to, "%%8449")] {
                if now < at || !self.changed.insert((p, i, at)) {
                    continue;
                }
                self.sources[i].seq += 1;
                let mut line = Vec::new();
                let put = |b: &mut Vec<u8>, s: &str| b.extend_from_slice(s.as_bytes());
                put(
                    &mut line,
                    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing' Guid='{54849625-5478-4994-A5BA-3E3B0328C30D}'/><EventID>4719</EventID><Version>0</Version><Level>0</Level><Task>13568</Task><Opcode>0</Opcode><Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='",
                );
                civil::put_iso_fine(&mut line, at + self.shift(i), 0, 4);
                put(&mut line, "'/><EventRecordID>");
                civil::put_num(&mut line, self.sources[i].seq, 1);
                put(
                    &mut line,
                    &format!(
                        "</EventRecordID><Correlation/><Execution ProcessID='640' ThreadID='1204'/><Channel>Security</Channel><Computer>{}.hosp.example</Computer><Security/></System><EventData><Data Name='SubjectUserSid'>S-1-5-18</Data><Data Name='SubjectUserName'>-</Data><Data Name='SubjectDomainName'>-</Data><Data Name='SubjectLogonId'>0x3e7</Data><Data Name='CategoryId'>%%8274</Data><Data Name='SubcategoryId'>%%12800</Data><Data Name='SubcategoryGuid'>{{0CCE921D-69AE-11D9-BED3-505054503030}}</Data><Data Name='AuditPolicyChanges'>{change}</Data></EventData></Event>",
                        self.sources[i].spec.key.to_uppercase()
                    ),
                );
                let r = Rec {
                    t: at,
                    n: 0,
                    off: 0,
                    len: line.len() as u32,
                    hole: u32::MAX,
                    mark: Mark::default(),
                };
                self.generated += 1;
                self.emit(i, &r, &mut line)?;
            }
        }
        Ok(())
    }
    fn emit(&mut self, i: usize, r: &Rec, body: &mut Vec<u8>) -> io::Result<()> {
        let shape = self.sources[i].spec.shape;
        if r.t < self.sources[i].spec.kept_from {
            self.lose(r.mark.tag);
            *self.rotated.entry(i).or_default() += 1;
            return Ok(());
        }
        let dice = mix(self.salt ^ mix(r.t as u64) ^ self.sources[i].seq);
        let unit = |k: u64| (mix(dice ^ k) >> 11) as f64 / (1u64 << 53) as f64;
        let (mut twice, mut hold, mut cut) = (false, false, None);
        for p in 0..self.pathologies.len() {
            let gone = match &self.pathologies[p] {
                Pathology::DropSource { source } => *source == self.sources[i].spec.key,
                Pathology::DropBurst { source, from, to }
                | Pathology::AuditOff { source, from, to }
                | Pathology::Erase { source, from, to } => {
                    *source == self.sources[i].spec.key && (*from..*to).contains(&r.t)
                }
                Pathology::Rotation { source, before } => {
                    *source == self.sources[i].spec.key && r.t < *before
                }
                Pathology::Edit { source, session } => {
                    let here = *source == self.sources[i].spec.key && r.mark.session != 0;
                    here && r.mark.session
                        == if *session == 0 {
                            // Session 0 stands for the first intruder session seen in that source.
                            *self.edited.entry(p).or_insert(r.mark.session)
                        } else {
                            *session
                        }
                }
                Pathology::Duplicate { share } => {
                    twice |= unit(1) < *share;
                    false
                }
                Pathology::Reorder { share } => {
                    hold |= unit(2) < *share;
                    false
                }
                Pathology::Truncate { share } => {
                    if shape == Shape::Lines && unit(3) < *share {
                        cut = Some(0.2 + 0.7 * unit(4));
                    }
                    false
                }
                Pathology::Clock { .. } => false,
            };
            if gone {
                let h = self.harm.entry((p, i)).or_default();
                if h.lost == 0 {
                    h.from = r.t;
                }
                h.lost += 1;
                h.to = r.t;
                if r.mark.session != 0 {
                    h.sessions.insert(r.mark.session);
                }
                self.lose(r.mark.tag);
                return Ok(());
            }
        }
        let mut broken = false;
        if let Some(share) = cut {
            let mut at = ((body.len() as f64 * share) as usize).max(8);
            while at < body.len() && body[at] & 0xc0 == 0x80 {
                at += 1;
            }
            if at < body.len() {
                body.truncate(at);
                broken = true;
                self.lose(r.mark.tag);
            }
        }
        if r.mark.session != 0 {
            *self.traces.entry((r.mark.session, i)).or_default() += 1;
        }
        body.push(b'\n');
        let shown = r.t + self.shift(i);
        self.open(i, shown, r.t)?;
        let s = &mut self.sources[i];
        s.first.get_or_insert(r.t);
        s.last = r.t;
        let Some((out, _, name)) = s.out.as_mut() else {
            return Ok(());
        };
        let stat = self.files.entry(name.clone()).or_default();
        stat.records += 1 + u64::from(twice);
        stat.duplicates += u64::from(twice);
        stat.broken += u64::from(broken) * (1 + u64::from(twice));
        if hold && s.held.is_none() {
            s.held = Some(body.repeat(1 + usize::from(twice)));
            s.held_t = r.t;
            return Ok(());
        }
        out.write_all(body)?;
        if twice {
            out.write_all(body)?;
        }
        if let Some(held) = s.held.take() {
            out.write_all(&held)?;
        }
        Ok(())
    }
    fn open(&mut self, i: usize, shown: Ms, _t: Ms) -> io::Result<()> {
        let s = &mut self.sources[i];
        let day = civil::local_day(shown);
        let period = day.div_euclid(s.spec.days);
        // A held record must not wait for a neighbour that is far away, nor cross into the next file.
        let far = s.held.is_some() && (shown - s.held_t).abs() > 5_000;
        let next_file = s.out.as_ref().is_some_and(|o| o.1 != period);
        if (far || next_file)
            && let (Some(h), Some((o, _, _))) = (s.held.take(), s.out.as_mut())
        {
            o.write_all(&h)?;
        }
        if s.out.as_ref().is_some_and(|o| o.1 == period) {
            return Ok(());
        }
        self.close(i)?;
        let s = &mut self.sources[i];
        let old = civil::day_start((period + 1) * s.spec.days) < self.end - 3 * DAY;
        let rel = format!(
            "logs/{}/{}-{}.{}{}",
            s.spec.key,
            s.spec.stem,
            civil::date_text(period * s.spec.days),
            s.spec.ext,
            if old { ".gz" } else { "" }
        );
        let path = self.root.join(&rel);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        // A clock that jumps back may reopen an earlier period: append then.
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)?;
        let w = BufWriter::with_capacity(1 << 16, file);
        let out = if old {
            Out::Gz(Box::new(GzEncoder::new(w, Compression::fast())))
        } else {
            Out::Plain(w)
        };
        let stat = self.files.entry(rel.clone()).or_default();
        stat.source.clone_from(&s.spec.key);
        stat.format = s.spec.format.to_string();
        s.out = Some((out, period, rel));
        Ok(())
    }
    fn close(&mut self, i: usize) -> io::Result<()> {
        let s = &mut self.sources[i];
        if let Some((mut out, _, _)) = s.out.take() {
            if let Some(h) = s.held.take() {
                out.write_all(&h)?;
            }
            match out {
                Out::Plain(mut w) => w.flush()?,
                Out::Gz(g) => g.finish()?.flush()?,
            }
        }
        Ok(())
    }
    /// Writes the rest and closes every file; returns the proofs that did not survive, sorted.
    pub fn finish(&mut self) -> io::Result<Vec<u32>> {
        self.flush(Ms::MAX);
        for i in 0..self.sources.len() {
            self.close(i)?;
        }
        if let Some(e) = self.error.take() {
            return Err(e);
        }
        let mut lost = std::mem::take(&mut self.lost);
        lost.sort_unstable();
        lost.dedup();
        Ok(lost)
    }
    /// Gaps that the pathologies tore, for the truth. `heartbeat` are the sources that speak every few minutes.
    pub fn gaps(&self, start: Ms, heartbeat: &[&str], numbered: &[&str]) -> Vec<TGap> {
        let mut gaps = Vec::new();
        for ((p, i), h) in &self.harm {
            let s = &self.sources[*i];
            let key = s.spec.key.as_str();
            let (from, to, kind, partial, why) = match &self.pathologies[*p] {
                Pathology::DropSource { .. } => (
                    start,
                    self.end,
                    "silence",
                    false,
                    "the source was never collected",
                ),
                Pathology::DropBurst { from, to, .. } => (
                    *from,
                    *to,
                    "silence",
                    false,
                    "records of this interval were lost",
                ),
                Pathology::Erase { from, to, .. } => (
                    *from,
                    *to,
                    "tamper",
                    false,
                    "somebody erased the records of this interval",
                ),
                Pathology::AuditOff { from, to, .. } => {
                    (*from, *to, "audit_off", false, "auditing was switched off")
                }
                Pathology::Rotation { before, .. } => (
                    start,
                    *before,
                    "rotation",
                    false,
                    "rotation removed the oldest records",
                ),
                Pathology::Edit { .. } => (
                    h.from,
                    h.to + 1000,
                    "tamper",
                    true,
                    "all records of one session were removed",
                ),
                _ => continue,
            };
            let whole = matches!(self.pathologies[*p], Pathology::DropSource { .. });
            let tells_itself = numbered.contains(&key)
                || (heartbeat.contains(&key) && !partial)
                || kind == "rotation";
            let tells_itself = if kind == "audit_off" {
                self.sources[*i].spec.format.starts_with("windows")
            } else {
                tells_itself
            };
            gaps.push(TGap {
                source: key.to_string(),
                files: (!whole).then(|| format!("logs/{key}/*")),
                from: civil::iso(from),
                to: civil::iso(to),
                kind: kind.into(),
                lost: Some(h.lost),
                detectable: tells_itself && !whole,
                partial,
                required: Some(tells_itself && !whole),
                why: why.into(),
            });
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn written(slice: usize) -> (Vec<Vec<u8>>, Vec<u32>) {
        let dir = tempfile::tempdir().unwrap();
        let start = civil::paris(2025, 3, 1, 0, 0);
        let mut sink = Sink::new(dir.path(), start + 3 * DAY, &Pathology::wear(), 5);
        sink.slice = slice;
        let i = sink.add(Spec {
            key: "a".into(),
            stem: "a".into(),
            ext: "log",
            format: "http-access",
            shape: Shape::Lines,
            days: 1,
            kept_from: start + DAY / 2,
        });
        let mut rng = Rng::new(3);
        for day in 0..3 {
            for k in 0..4_000u32 {
                let t = start + day * DAY + rng.range(0, 2 * DAY) / 1000 * 1000;
                let mark = Mark {
                    tag: k + 1,
                    session: 0,
                };
                sink.push(i, t, mark, |l, at| {
                    l.n(at as u64).s(" ").hole().s(" ").n(u64::from(k));
                });
            }
            sink.flush(start + (day + 1) * DAY);
        }
        let lost = sink.finish().unwrap();
        let names: Vec<PathBuf> = sink.files.keys().map(|f| dir.path().join(f)).collect();
        assert!(
            std::fs::read_dir(dir.path()).unwrap().count() == 1,
            "nothing put aside is left"
        );
        (
            names.iter().map(|p| std::fs::read(p).unwrap()).collect(),
            lost,
        )
    }

    #[test]
    fn what_is_put_aside_comes_back_in_its_place() {
        assert!(written(1 << 30) == written(3_000));
    }
}

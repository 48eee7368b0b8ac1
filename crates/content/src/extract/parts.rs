//! Delimited text, and the frames that carry [`Unit`]s between two processes.
use super::{Unit, Why, pst::Bookmark};
use crate::whose::Reader;
use std::io::{self, Read, Write};

/// A record longer than this is cut: a quote that never closes must not swallow a file.
const RECORD_MAX: usize = 1 << 20;

/// The delimiter of a table, when the first lines agree on one; `None` for text.
pub fn delimiter(head: &[u8]) -> Option<u8> {
    let head = match memchr::memrchr(b'\n', head) {
        Some(end) => &head[..end],
        None => head,
    };
    let lines: Vec<&[u8]> = head
        .split(|b| *b == b'\n')
        .map(|l| l.strip_suffix(b"\r").unwrap_or(l))
        .filter(|l| !l.is_empty())
        .take(40)
        .collect();
    if lines.len() < 2 {
        return None;
    }
    let mut best: Option<(usize, u8)> = None;
    for d in [b';', b'\t', b'|', b','] {
        let counts: Vec<usize> = lines.iter().map(|l| outside(l, d)).collect();
        // Most lines have as many as the most frequent count; a title line or two may differ.
        let mut sorted = counts.clone();
        sorted.sort_unstable();
        let usual = sorted[sorted.len() / 2];
        let like = counts.iter().filter(|c| **c == usual).count();
        let enough = if d == b',' { 2 } else { 1 };
        if usual >= enough && like * 10 >= counts.len() * 8 && best.is_none_or(|b| usual > b.0) {
            best = Some((usual, d));
        }
    }
    best.map(|b| b.1)
}

/// Delimiters outside quotes.
fn outside(line: &[u8], d: u8) -> usize {
    let mut quoted = false;
    let mut n = 0;
    for b in line {
        if *b == b'"' {
            quoted = !quoted;
        } else if *b == d && !quoted {
            n += 1;
        }
    }
    n
}

/// What takes the records of delimited text.
pub trait Rows {
    /// The cells of one, not all of them empty.
    fn row(&mut self, cells: &[&[u8]]);
    /// Many, as they stand in the file: no quote in them, each with its line end, of one or two signs; some may be empty.
    fn lines(&mut self, lines: &[u8], delimiter: u8);
}

impl Rows for Reader<'_> {
    fn row(&mut self, cells: &[&[u8]]) {
        Reader::row(self, cells);
    }
    fn lines(&mut self, lines: &[u8], delimiter: u8) {
        Reader::lines(self, lines, delimiter);
    }
}

/// Tells the records of `head` then `rest`, in order (RFC 4180 with any delimiter; a lone quote inside a bare cell is a sign like
/// others).
pub fn rows(head: &[u8], rest: &mut dyn Read, d: u8, to: &mut dyn Rows) -> io::Result<()> {
    let mut buf = head.to_vec();
    let mut from = 0;
    let mut end = false;
    let mut spare: Vec<u8> = vec![];
    let mut bounds: Vec<(u32, u32)> = vec![];
    let mut result = Ok(());
    loop {
        loop {
            // Records before the next quote, and not long enough to be cut.
            let near = &buf[from..buf.len().min(from + RECORD_MAX)];
            let near = &near[..memchr::memchr(b'"', near).unwrap_or(near.len())];
            if let Some(n) = memchr::memrchr(b'\n', near) {
                to.lines(&near[..=n], d);
                from += n + 1;
            }
            let Some(stop) = record_end(&buf[from..], d, end) else {
                break;
            };
            let record = &buf[from..from + stop.0];
            split(record, d, &mut spare, &mut bounds);
            let cells: Vec<&[u8]> = bounds
                .iter()
                .map(|(a, z)| &spare[*a as usize..*z as usize])
                .collect();
            if cells.iter().any(|c| !c.is_empty()) {
                to.row(&cells);
            }
            from += stop.1;
            if from >= buf.len() {
                break;
            }
        }
        if end {
            return result;
        }
        buf.drain(..from);
        from = 0;
        let old = buf.len();
        buf.resize(old + (1 << 18), 0);
        let n = loop {
            match rest.read(&mut buf[old..]) {
                Ok(n) => break n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    result = Err(e);
                    break 0;
                }
            }
        };
        buf.truncate(old + n);
        end = n == 0;
    }
}

/// Length of the record at the start, and with its line end; `None` when more is needed.
fn record_end(buf: &[u8], d: u8, end: bool) -> Option<(usize, usize)> {
    if buf.is_empty() {
        return None;
    }
    let trim = |n: usize| {
        if n > 0 && buf[n - 1] == b'\r' {
            n - 1
        } else {
            n
        }
    };
    let mut i = 0;
    let cap = buf.len().min(RECORD_MAX);
    // The usual record has no quote: one look for the line end, one for a quote before it.
    let line = memchr::memchr(b'\n', &buf[..cap]);
    if let Some(n) = line
        && memchr::memchr(b'"', &buf[..n]).is_none()
    {
        return Some((trim(n), n + 1));
    }
    let mut start = true;
    while i < cap {
        match buf[i] {
            b'"' if start => {
                // To the closing quote; doubled quotes are inside.
                i += 1;
                loop {
                    match memchr::memchr(b'"', &buf[i.min(cap)..cap]) {
                        Some(n) if buf.get(i + n + 1) == Some(&b'"') => i += n + 2,
                        Some(n) => {
                            i += n + 1;
                            break;
                        }
                        // A quote that does not close: the line end decides.
                        None if end || buf.len() >= RECORD_MAX => {
                            return Some(line.map_or((buf.len(), buf.len()), |n| (trim(n), n + 1)));
                        }
                        None => return None,
                    }
                }
                start = false;
            }
            b'\n' => return Some((trim(i), i + 1)),
            b => {
                start = b == d;
                i += 1;
            }
        }
    }
    if end || buf.len() >= RECORD_MAX {
        let n = i.min(buf.len());
        return Some((n, n.max(1)));
    }
    None
}

fn split(record: &[u8], d: u8, spare: &mut Vec<u8>, bounds: &mut Vec<(u32, u32)>) {
    spare.clear();
    bounds.clear();
    let mut i = 0;
    loop {
        let from = spare.len();
        if record.get(i) == Some(&b'"') {
            i += 1;
            while i < record.len() {
                if record[i] == b'"' {
                    if record.get(i + 1) == Some(&b'"') {
                        spare.push(b'"');
                        i += 2;
                        continue;
                    }
                    i += 1;
                    break;
                }
                spare.push(record[i]);
                i += 1;
            }
        }
        let to = memchr::memchr(d, &record[i..]).map_or(record.len(), |n| i + n);
        spare.extend_from_slice(&record[i..to]);
        bounds.push((from as u32, spare.len() as u32));
        if to >= record.len() {
            return;
        }
        i = to + 1;
    }
}

/// One [`Unit`] as it travels, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(Vec<u8>),
    End,
    Table,
    Row(Vec<Vec<u8>>),
    TableEnd,
    Fields(Vec<(String, Vec<u8>)>),
    Member(Vec<u8>),
    Why(Why),
    /// The reader of a store asks for so many bytes from a place on; the answer is a `Text`.
    Ask(u64, u64),
    /// Where the next step of a store begins.
    Next(Bookmark),
    /// The document is over.
    Done,
}

/// Largest frame accepted from the other side.
const FRAME_MAX: u64 = 1 << 30;

fn put(out: &mut dyn Write, tag: u8, parts: &[&[u8]]) -> io::Result<()> {
    let total: u64 = parts.iter().map(|p| p.len() as u64 + 4).sum();
    out.write_all(&[tag])?;
    out.write_all(&total.to_le_bytes())?;
    for p in parts {
        out.write_all(&(p.len() as u32).to_le_bytes())?;
        out.write_all(p)?;
    }
    Ok(())
}

/// Writes a unit, or the end of the document for `None`.
pub fn write_frame(out: &mut dyn Write, unit: Option<&Unit<'_>>) -> io::Result<()> {
    match unit {
        None => put(out, b'.', &[]),
        Some(Unit::Text(t)) => put(out, b't', &[*t]),
        Some(Unit::End) => put(out, b'e', &[]),
        Some(Unit::Table) => put(out, b'T', &[]),
        Some(Unit::Row(cells)) => put(out, b'r', cells),
        Some(Unit::TableEnd) => put(out, b'E', &[]),
        Some(Unit::Fields(f)) => {
            let parts: Vec<&[u8]> = f.iter().flat_map(|(n, v)| [n.as_bytes(), *v]).collect();
            put(out, b'f', &parts)
        }
        Some(Unit::Member(m)) => put(out, b'm', &[*m]),
        Some(Unit::Why(w)) => put(out, b'w', &[w.word().as_bytes()]),
    }
}

/// Asks for so many bytes of a store from a place on.
pub fn write_ask(out: &mut dyn Write, at: u64, bytes: u64) -> io::Result<()> {
    put(out, b'a', &[&at.to_le_bytes(), &bytes.to_le_bytes()])
}

/// Tells where the next step of a store begins.
pub fn write_next(out: &mut dyn Write, next: Bookmark) -> io::Result<()> {
    put(
        out,
        b'n',
        &[
            &next.node.to_le_bytes(),
            &next.work.to_le_bytes(),
            &next.told.to_le_bytes(),
        ],
    )
}

/// Reads a frame; anything malformed is an error.
pub fn read_frame(input: &mut dyn Read) -> io::Result<Frame> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "no frame");
    let mut head = [0u8; 9];
    input.read_exact(&mut head)?;
    let total = u64::from_le_bytes(head[1..].try_into().map_err(|_| bad())?);
    if total > FRAME_MAX {
        return Err(bad());
    }
    let mut body = vec![];
    input.take(total).read_to_end(&mut body)?;
    if body.len() as u64 != total {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut parts = vec![];
    let mut rest = &body[..];
    while !rest.is_empty() {
        let (n, tail) = rest.split_at_checked(4).ok_or_else(bad)?;
        let n = u32::from_le_bytes(n.try_into().map_err(|_| bad())?) as usize;
        let (p, tail) = tail.split_at_checked(n).ok_or_else(bad)?;
        parts.push(p.to_vec());
        rest = tail;
    }
    let one = |mut p: Vec<Vec<u8>>| p.pop().ok_or_else(bad);
    let numbers = |p: Vec<Vec<u8>>| -> io::Result<Vec<u64>> {
        let number = |x: &Vec<u8>| x[..].try_into().map(u64::from_le_bytes);
        p.iter().map(|x| number(x).map_err(|_| bad())).collect()
    };
    Ok(match head[0] {
        b't' => Frame::Text(one(parts)?),
        b'e' => Frame::End,
        b'T' => Frame::Table,
        b'r' => Frame::Row(parts),
        b'E' => Frame::TableEnd,
        b'f' => Frame::Fields(
            parts
                .chunks_exact(2)
                .map(|c| (String::from_utf8_lossy(&c[0]).into_owned(), c[1].clone()))
                .collect(),
        ),
        b'm' => Frame::Member(one(parts)?),
        b'w' => {
            let word = one(parts)?;
            Frame::Why(
                Why::ALL
                    .into_iter()
                    .find(|w| w.word().as_bytes() == word)
                    .ok_or_else(bad)?,
            )
        }
        b'a' => match numbers(parts)?[..] {
            [at, bytes] => Frame::Ask(at, bytes),
            _ => return Err(bad()),
        },
        b'n' => match numbers(parts)?[..] {
            [node, work, told] => Frame::Next(Bookmark { node, work, told }),
            _ => return Err(bad()),
        },
        b'.' => Frame::Done,
        _ => return Err(bad()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    impl Rows for Vec<Vec<String>> {
        fn row(&mut self, cells: &[&[u8]]) {
            let cells = cells.iter().map(|x| String::from_utf8_lossy(x).into());
            self.push(cells.collect());
        }
        fn lines(&mut self, lines: &[u8], delimiter: u8) {
            assert!(!lines.contains(&b'"') && lines.ends_with(b"\n"));
            for line in lines[..lines.len() - 1].split(|b| *b == b'\n') {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let cells: Vec<&[u8]> = line.split(|b| *b == delimiter).collect();
                if cells.iter().any(|c| !c.is_empty()) {
                    self.row(&cells);
                }
            }
        }
    }
    fn all(text: &[u8], d: u8) -> Vec<Vec<String>> {
        let mut out = vec![];
        let (head, mut rest) = text.split_at(text.len() / 2);
        rows(head, &mut rest, d, &mut out).unwrap();
        out
    }
    /// Record by record.
    fn slowly(mut text: &[u8], d: u8) -> Vec<Vec<String>> {
        let mut out: Vec<Vec<String>> = vec![];
        let (mut spare, mut bounds) = (vec![], vec![]);
        while let Some(stop) = record_end(text, d, true) {
            split(&text[..stop.0], d, &mut spare, &mut bounds);
            let cells: Vec<&[u8]> = bounds
                .iter()
                .map(|(a, z)| &spare[*a as usize..*z as usize])
                .collect();
            if cells.iter().any(|c| !c.is_empty()) {
                out.row(&cells);
            }
            text = &text[stop.1..];
        }
        out
    }
    #[test]
    fn a_long_record_is_cut_where_it_is_alone_too() {
        let mut text = b"a;b\n".repeat(100_000);
        for len in [
            RECORD_MAX - 2,
            RECORD_MAX - 1,
            RECORD_MAX,
            RECORD_MAX + 1,
            RECORD_MAX * 2,
        ] {
            text.extend(std::iter::repeat_n(b'x', len));
            text.extend(b"\nc;d\n");
        }
        assert_eq!(all(&text, b';'), slowly(&text, b';'));
    }
    #[test]
    fn tables_are_told_from_text() {
        assert_eq!(delimiter(b"nom;prenom\nA;B\nC;D\n"), Some(b';'));
        assert_eq!(delimiter(b"a,b,c\n\"1,5\",2,3\n1,2,3\n"), Some(b','));
        assert_eq!(
            delimiter(b"Bonjour, voici\nune lettre, sans table\nfin\n"),
            None
        );
        assert_eq!(delimiter(b"one line; only"), None);
    }
    #[test]
    fn quotes_line_ends_and_bare_quotes() {
        assert_eq!(
            all(b"a;\"b;\nc\"\"d\";e\r\n1;5\" x;3\n\nlast", b';'),
            [
                vec!["a", "b;\nc\"d", "e"],
                vec!["1", "5\" x", "3"],
                vec!["last"]
            ]
        );
        // A quote that never closes does not swallow the rest.
        assert_eq!(all(b"\"a;b\nc;d\n", b';').len(), 2);
    }
    proptest! {
        /// Agrees with the csv crate on what it can write.
        #[test]
        fn reads_what_a_csv_writer_writes(table in proptest::collection::vec(proptest::collection::vec("[a-z\",;\n é]{0,8}", 2..5), 1..20)) {
            let mut w = csv::WriterBuilder::new().delimiter(b';').flexible(true).from_writer(vec![]);
            for r in &table { w.write_record(r).unwrap(); }
            let text = String::from_utf8(w.into_inner().unwrap()).unwrap();
            let want: Vec<Vec<String>> = table.into_iter().filter(|r| r.iter().any(|c| !c.is_empty())).collect();
            // Cut inside a character at most once: the two halves of `all` are cut by bytes.
            let mut got: Vec<Vec<String>> = vec![];
            rows(text.as_bytes(), &mut io::empty(), b';', &mut got).unwrap();
            prop_assert_eq!(got, want);
        }
        #[test]
        fn many_records_at_once_are_those_one_by_one(text in "([a-z]{0,3}[;\",\r\n]){0,60}") {
            prop_assert_eq!(all(text.as_bytes(), b';'), slowly(text.as_bytes(), b';'));
        }
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let d = delimiter(&bytes).unwrap_or(b';');
            rows(&bytes, &mut io::empty(), d, &mut Vec::new()).unwrap();
            let _ = read_frame(&mut &bytes[..]);
        }
        #[test]
        fn frames_come_back(cells in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6), node in any::<u64>()) {
            let next = Bookmark { node, work: 7, told: 8 };
            let refs: Vec<&[u8]> = cells.iter().map(Vec::as_slice).collect();
            let mut out = vec![];
            write_frame(&mut out, Some(&Unit::Row(&refs))).unwrap();
            write_ask(&mut out, node, u64::MAX).unwrap();
            write_next(&mut out, next).unwrap();
            write_frame(&mut out, None).unwrap();
            let mut r = &out[..];
            prop_assert_eq!(read_frame(&mut r).unwrap(), Frame::Row(cells));
            prop_assert_eq!(read_frame(&mut r).unwrap(), Frame::Ask(node, u64::MAX));
            prop_assert_eq!(read_frame(&mut r).unwrap(), Frame::Next(next));
            prop_assert_eq!(read_frame(&mut r).unwrap(), Frame::Done);
        }
    }
}

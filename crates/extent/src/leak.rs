//! Published lists against the inventory: which files on them are really the hospital's (contract §D, §F).
//! Equal SHA-256 is proof; without one, equal path tail and size. A name alone proves nothing; lists contain decoys.
use crate::{
    files::Inventory,
    fold,
    identity::{IdentityError, open_text},
};
use std::path::Path;

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeakLine {
    /// File of the list, relative to the case, and line number from 1 (the header is line 1).
    pub list: String,
    pub line: u64,
    /// Folded.
    pub path: String,
    pub size: Option<u64>,
    /// Lower-case hex; empty when absent.
    pub sha256: String,
}

/// What a line proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeakMatch {
    /// This file was published.
    File(u32),
    /// One of these was; which one cannot be told.
    Among(Vec<u32>),
    /// None of ours.
    None,
}

/// Reads every list of a folder, in order of name. Columns are found by their header; a list without header is `path,size,sha256`.
pub fn load(dir: &Path) -> Result<Vec<LeakLine>, IdentityError> {
    let mut files: Vec<std::path::PathBuf> = match std::fs::read_dir(dir) {
        Ok(l) => l
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.is_file())
            .collect(),
        Err(_) => return Ok(vec![]),
    };
    files.sort();
    load_files(&files)
}

/// The lists of a case.
pub fn load_case(case: &ampleur_sources::case::Case) -> Result<Vec<LeakLine>, IdentityError> {
    let files = case.leaks().map_err(|e| IdentityError::Open {
        path: "leak".into(),
        message: e.to_string(),
    })?;
    load_files(&files)
}

/// The lists of these files, in the order given.
pub fn load_files(files: &[std::path::PathBuf]) -> Result<Vec<LeakLine>, IdentityError> {
    let mut out = vec![];
    for f in files {
        let name = format!(
            "leak/{}",
            f.file_name().unwrap_or_default().to_string_lossy()
        );
        let mut bytes = vec![];
        let open = open_text(f).map_err(|e| IdentityError::Open {
            path: name.clone(),
            message: e.to_string(),
        })?;
        // A listing is small; a quarter of a gigabyte is far above any.
        std::io::Read::read_to_end(&mut std::io::Read::take(open, 256 << 20), &mut bytes).map_err(
            |e| IdentityError::Read {
                path: name.clone(),
                line: 0,
                message: e.to_string(),
            },
        )?;
        out.extend(parse(&name, &bytes));
    }
    Ok(out)
}

/// Lines of one list: a table (`path,size,sha256` in any order), or what `sha256sum`, `ls -lR`, `find -ls`, `dir /s`, `tree`,
/// `tar tv`, `unzip -l`, `7z l` or `rclone lsl` print.
pub fn parse(list: &str, bytes: &[u8]) -> Vec<LeakLine> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let wide;
    let bytes = match ampleur_event::plain::utf16(bytes) {
        Some(big) => {
            wide = ampleur_event::plain::narrow(bytes, big).into_bytes();
            &wide[..]
        }
        None if of_dos(bytes) => {
            wide = bytes
                .iter()
                .map(|b| fold::cp850(*b))
                .collect::<String>()
                .into_bytes();
            &wide[..]
        }
        None => bytes,
    };
    match printed(bytes) {
        Some(by) => lines_printed(list, bytes, by),
        None => table(list, bytes),
    }
}

/// True for letters in code page 850 rather than in Windows-1252: those of French and of its neighbours are in 80 to A5 there, and
/// from C0 on here.
fn of_dos(bytes: &[u8]) -> bool {
    if std::str::from_utf8(bytes).is_ok() {
        return false;
    }
    let (mut dos, mut windows) = (0usize, 0usize);
    for w in bytes.windows(3) {
        let (before, b, after) = (w[0], w[1], w[2]);
        if before.is_ascii_alphabetic() || after.is_ascii_alphabetic() {
            dos += usize::from(matches!(b, 0x80..=0x91 | 0x93..=0x9d | 0xa0..=0xa5));
            windows += usize::from(matches!(b, 0x92 | 0xc0..));
        }
    }
    dos > windows
}

/// The program that printed a listing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Printed {
    Sums,
    Ls,
    Dir,
    Tree,
    /// `unzip -l`, `rclone lsl`: size, day, time, name.
    Sized,
    /// `7z l`: the names start in this column.
    Seven(usize),
}

fn printed(bytes: &[u8]) -> Option<Printed> {
    for line in bytes.split(|b| *b == b'\n').take(60) {
        let text = fold::text_of(line);
        let t = text.trim_end();
        if let Some((sum, rest)) = t.split_once("  ").or_else(|| t.split_once(" *"))
            && sum.len() == 64
            && sum.bytes().all(|b| b.is_ascii_hexdigit())
            && !rest.is_empty()
        {
            return Some(Printed::Sums);
        }
        if unix_entry(t).is_some() {
            return Some(Printed::Ls);
        }
        if t.contains("Directory of ") || folder_of_dir(t).is_some() {
            return Some(Printed::Dir);
        }
        if t.contains("├── ") || t.contains("└── ") {
            return Some(Printed::Tree);
        }
        if sized_entry(t).is_some() {
            return Some(Printed::Sized);
        }
        let words: Vec<&str> = t.split_whitespace().collect();
        if words == ["Date", "Time", "Attr", "Size", "Compressed", "Name"] {
            return t.find("Name").map(Printed::Seven);
        }
    }
    None
}

/// An entry of `ls -l`, of `find -ls` (an inode and blocks before it) or of `tar tv` (owner and group in one word): whether it is a
/// folder, its size where that is exact, its name.
fn unix_entry(t: &str) -> Option<(bool, Option<u64>, String)> {
    let mut rest = t.trim_start();
    let mut found = false;
    for _ in 0..2 {
        let word = rest.split(' ').next()?;
        if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
            rest = rest[word.len()..].trim_start();
            found = true;
        }
    }
    let mode = rest.get(..10)?;
    let mut m = mode.bytes();
    let kind = m.next()?;
    if !matches!(kind, b'-' | b'd' | b'l')
        || !m.all(|b| matches!(b, b'r' | b'w' | b'x' | b'-' | b's' | b't' | b'S' | b'T'))
    {
        return None;
    }
    let mut rest = rest.get(10..)?.trim_start_matches(['.', '+', '@']);
    let mut word = || -> Option<&str> {
        rest = rest.trim_start();
        let end = rest.find(' ')?;
        let word = &rest[..end];
        rest = &rest[end..];
        Some(word)
    };
    let first = word()?;
    // Links, owner, group, size, month, day, time; or owner and group, size, day, time. The name may hold blanks.
    let size = if first.contains('/') {
        let size = word()?;
        word()?;
        word()?;
        size
    } else {
        word()?;
        word()?;
        let size = word()?;
        word()?;
        word()?;
        word()?;
        size
    };
    let exact = size.parse().ok();
    // `ls -h` rounds.
    let rounded = || {
        size.trim_end_matches(['K', 'M', 'G', 'T'])
            .parse::<f64>()
            .is_ok()
    };
    if exact.is_none() && !rounded() {
        return None;
    }
    let name = rest.trim_start_matches(' ');
    let name = match found {
        true => name.replace("\\ ", " "),
        false => name.to_string(),
    };
    Some((kind == b'd', exact, name))
}

/// `  206456  2023-06-24 10:22   folder/name.pdf`: size and name; a folder ends with a slash.
fn sized_entry(t: &str) -> Option<(u64, &str)> {
    let (size, rest) = t.trim_start().split_once(' ')?;
    let (day, rest) = rest.trim_start().split_once(' ')?;
    let (time, name) = rest.trim_start().split_once(' ')?;
    let made_of = |t: &str, sign: u8| {
        t.bytes().filter(|b| *b == sign).count() > 0
            && t.bytes()
                .all(|b| b.is_ascii_digit() || b == sign || b == b'.')
    };
    let name = name.trim_start();
    let fits = day.len() == 10 && made_of(day, b'-') && made_of(time, b':') && !name.is_empty();
    size.parse().ok().filter(|_| fits).map(|s| (s, name))
}

/// `2023-06-24 10:22:33 ....A       206456       180000  folder/name.pdf` of `7z l`, whose names start in `column`: size and name;
/// nothing for a folder.
fn seven_entry(t: &str, column: usize) -> Option<(u64, &str)> {
    let (head, name) = (t.get(..column)?, t.get(column..)?);
    let words: Vec<&str> = head.split_whitespace().collect();
    let [day, time, attributes, size, ..] = words[..] else {
        return None;
    };
    // The last line adds them up and has no attributes.
    let marks = |b: u8| b == b'.' || b.is_ascii_alphabetic();
    let file = attributes.bytes().all(marks) && !attributes.starts_with('D');
    let fits = day.len() == 10 && time.contains(':') && file;
    size.parse()
        .ok()
        .filter(|_| fits && !name.is_empty())
        .map(|s| (s, name))
}

/// ` Directory of D:\\Partages`, ` Répertoire de D:\\Partages`.
fn folder_of_dir(t: &str) -> Option<&str> {
    let t = t.trim_start();
    ["Directory of ", "Répertoire de ", "R\u{fffd}pertoire de "]
        .iter()
        .find_map(|w| t.strip_prefix(w))
}

/// `24/06/2023  10:22           206 456 name.pdf`: size and name; folders have `<DIR>` or `<REP>` in place of a size.
fn dir_entry(t: &str) -> Option<(u64, String)> {
    let rest = t.trim_start();
    let date = rest.get(..10)?;
    if !date
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'/' | b'-' | b'.'))
    {
        return None;
    }
    let rest = rest[10..].trim_start();
    let time = rest.split(' ').next()?;
    if !time.contains(':') {
        return None;
    }
    let mut rest = rest[time.len()..].trim_start();
    for half in ["AM ", "PM "] {
        rest = rest.strip_prefix(half).unwrap_or(rest).trim_start();
    }
    let mut size = String::new();
    let mut end = 0;
    for (i, c) in rest.char_indices() {
        if c.is_ascii_digit() {
            size.push(c);
            end = i + 1;
        } else if matches!(c, ' ' | ',' | '.' | '\u{a0}' | '\u{202f}' | '\u{ff}')
            && !size.is_empty()
        {
            // A group of thousands goes on only with three digits and no fourth.
            let after = &rest[i + c.len_utf8()..];
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            let ends = after[digits..]
                .chars()
                .next()
                .is_none_or(|c| matches!(c, ' ' | ',' | '.' | '\u{a0}' | '\u{202f}' | '\u{ff}'));
            if digits != 3 || !ends {
                break;
            }
        } else {
            break;
        }
    }
    let name = rest.get(end..)?.trim_start();
    Some((size.parse().ok()?, name.to_string())).filter(|x| !x.1.is_empty())
}

fn lines_printed(list: &str, bytes: &[u8], by: Printed) -> Vec<LeakLine> {
    let mut out = vec![];
    let mut folder = String::new();
    // Folders above, for `tree`.
    let mut above: Vec<String> = vec![];
    for (n, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let text = fold::text_of(line);
        let t = text.trim_end();
        let mut push = |path: &str, size: Option<u64>, sha256: &str| {
            let path = fold::path(&ampleur_event::plain::read_back(path))
                .trim_start_matches(".\\")
                .trim_matches('\\')
                .to_string();
            if !path.is_empty() {
                out.push(LeakLine {
                    list: list.to_string(),
                    line: n as u64 + 1,
                    path,
                    size,
                    sha256: sha256.to_ascii_lowercase(),
                });
            }
        };
        match by {
            Printed::Sums => {
                if let Some((sum, path)) = t.split_once("  ").or_else(|| t.split_once(" *"))
                    && sum.len() == 64
                {
                    push(path.trim_start_matches('*'), None, sum);
                }
            }
            Printed::Ls => match unix_entry(t) {
                Some((false, size, name)) => push(&join(&folder, &name), size, ""),
                Some(_) => {}
                None => {
                    if let Some(f) = t.strip_suffix(':') {
                        folder = f.to_string();
                    }
                }
            },
            Printed::Dir => {
                if let Some(f) = folder_of_dir(t) {
                    folder = f.to_string();
                } else if let Some((size, name)) = dir_entry(t) {
                    push(&join(&folder, &name), Some(size), "");
                }
            }
            Printed::Sized => {
                if let Some((size, name)) = sized_entry(t).filter(|e| !e.1.ends_with('/')) {
                    push(name, Some(size), "");
                }
            }
            Printed::Seven(column) => {
                if let Some((size, name)) = seven_entry(t, column) {
                    push(name, Some(size), "");
                }
            }
            Printed::Tree => {
                let Some(at) = t.find("── ") else {
                    if out.is_empty() && above.is_empty() {
                        folder = t.to_string();
                    }
                    continue;
                };
                // Four signs a level.
                let depth = t[..at].chars().count() / 4;
                let name = &t[at + "── ".len()..];
                let (size, name) = match name.strip_prefix('[').and_then(|r| r.split_once(']')) {
                    Some((s, rest)) => (s.trim().parse().ok(), rest.trim_start()),
                    None => (None, name),
                };
                above.truncate(depth);
                let path = join(&folder, &join(&above.join("/"), name));
                above.push(name.to_string());
                push(&path, size, "");
            }
        }
    }
    out
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_string()
    } else {
        format!("{folder}/{name}")
    }
}

/// A table: columns by their header; without one `path,size,sha256`.
fn table(list: &str, bytes: &[u8]) -> Vec<LeakLine> {
    let head = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |c: u8| head.iter().filter(|b| **b == c).count();
    let delimiter = [b',', b';', b'\t', b'|']
        .into_iter()
        .max_by_key(|d| (count(*d), *d == b','))
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(bytes);
    let mut columns: Option<[Option<usize>; 3]> = None;
    let mut out = vec![];
    let mut record = csv::ByteRecord::new();
    while let Ok(true) = reader.read_byte_record(&mut record) {
        let line = record.position().map_or(0, csv::Position::line);
        let cells: Vec<String> = record
            .iter()
            .map(|c| fold::text_of(c).trim().to_string())
            .collect();
        let c = match columns {
            Some(c) => c,
            None => {
                let at = |names: &[&str]| {
                    cells
                        .iter()
                        .position(|c| names.contains(&c.to_lowercase().as_str()))
                };
                let found = [
                    at(&["path", "file", "filename", "name", "chemin", "fichier"]),
                    at(&["size", "bytes", "taille", "length"]),
                    at(&["sha256", "sha-256", "hash", "sha"]),
                ];
                if found.iter().any(Option::is_some) {
                    columns = Some(found);
                    continue;
                }
                let c = [Some(0), Some(1), Some(2)];
                columns = Some(c);
                c
            }
        };
        let cell = |i: usize| c[i].and_then(|k| cells.get(k)).map_or("", String::as_str);
        let path = fold::path(&ampleur_event::plain::read_back(cell(0)))
            .trim_matches('\\')
            .to_string();
        let sha256 = cell(2).to_ascii_lowercase();
        if path.is_empty() && sha256.is_empty() {
            continue;
        }
        out.push(LeakLine {
            list: list.to_string(),
            line,
            path,
            size: size_of(cell(1)),
            sha256,
        });
    }
    out
}

/// A size in bytes, with or without groups of thousands. Rounded sizes (`1.2 MB`) prove nothing and are left out.
fn size_of(text: &str) -> Option<u64> {
    let t = text.trim().trim_end_matches(['o', 'B', 'b']).trim_end();
    if let Ok(n) = t.parse() {
        return Some(n);
    }
    let groups: Vec<&str> = t.split([' ', ',', '\u{a0}', '\u{202f}', '\'']).collect();
    let grouped = groups.len() > 1
        && groups.iter().skip(1).all(|g| g.len() == 3)
        && groups
            .iter()
            .all(|g| !g.is_empty() && g.bytes().all(|b| b.is_ascii_digit()));
    grouped.then(|| groups.concat().parse().ok()).flatten()
}

/// True when two folded path components name one file whatever encoding the list went through: equal without accents, UTF-8
/// read as Windows-1252 read back, lost letters (`?`, `_`, the replacement sign) standing for any.
fn same_name(listed: &str, ours: &str) -> bool {
    if listed == ours {
        return true;
    }
    let plain = |t: &str| ampleur_event::plain::folded(t.as_bytes());
    let (a, b) = (plain(listed), plain(ours));
    if a == b {
        return true;
    }
    // A lost letter stands for one letter of ours, or for both bytes of it.
    if !listed.contains(['?', '_', '\u{fffd}']) {
        return false;
    }
    let (a, b): (Vec<char>, Vec<char>) = (listed.chars().collect(), ours.chars().collect());
    lost(&a, &b)
}

/// Matches with lost letters: where ours has a letter outside ASCII, the list may have one or two signs of loss.
fn lost(listed: &[char], ours: &[char]) -> bool {
    const LOST: [char; 3] = ['?', '_', '\u{fffd}'];
    // How many of our letters may be behind us after each sign of the list, one set carried along.
    let mut at = vec![false; ours.len() + 1];
    // Letters of ours whose first sign of two was just read.
    let mut half = vec![false; ours.len() + 1];
    at[0] = true;
    for x in listed {
        let mut next = vec![false; ours.len() + 1];
        let mut next_half = vec![false; ours.len() + 1];
        for (i, y) in ours.iter().enumerate() {
            if at[i] && x == y {
                next[i + 1] = true;
            }
            if !y.is_ascii() && LOST.contains(x) {
                if at[i] {
                    next[i + 1] = true;
                    next_half[i] = true;
                }
                if half[i] {
                    next[i + 1] = true;
                }
            }
        }
        (at, half) = (next, next_half);
    }
    at[ours.len()]
}

/// Path components a listed path and one of ours share, counted from their ends, encodings apart.
fn tail(listed: &str, ours: &str) -> usize {
    listed
        .rsplit('\\')
        .zip(ours.rsplit('\\'))
        .take_while(|(x, y)| same_name(x, y))
        .count()
}

/// Files with the listed path whose size or hash is another: what a decoy looks like, or a newer version of the file.
pub fn same_path(inventory: &Inventory, l: &LeakLine) -> Vec<u32> {
    let leaf = l.path.rsplit('\\').next().unwrap_or("");
    inventory
        .with_leaf(leaf)
        .iter()
        .copied()
        .filter(|f| tail_agrees(inventory, l, *f))
        .collect()
}

/// Either path must end in the whole of the other one: a different folder is a different file.
fn tail_agrees(inventory: &Inventory, l: &LeakLine, f: u32) -> bool {
    let ours = inventory.path_of(f);
    let n = tail(&l.path, ours);
    n > 0 && (n == ours.split('\\').count() || n == l.path.split('\\').count())
}

/// Which file of the inventory a line is.
pub fn find(inventory: &Inventory, l: &LeakLine) -> LeakMatch {
    let path_of = |f: u32| inventory.path_of(f);
    let sized = |known: &dyn Fn(u32) -> bool| -> Vec<u32> {
        let Some(size) = l.size else { return vec![] };
        inventory
            .with_size(size)
            .iter()
            .copied()
            .filter(|f| known(*f) && tail_agrees(inventory, l, *f))
            .collect()
    };
    let mut hits: Vec<u32> = if l.sha256.is_empty() {
        sized(&|_| true)
    } else {
        let same = inventory.with_sha(&l.sha256);
        // A copy of one content in two places: the path tells which, when it can.
        let here: Vec<u32> = same
            .iter()
            .copied()
            .filter(|f| tail_agrees(inventory, l, *f))
            .collect();
        if !here.is_empty() {
            here
        } else if !same.is_empty() {
            same.to_vec()
        } else {
            // The inventory may lack the hash of the file that path and size name.
            sized(&|f| inventory.files[f as usize].sha256 == 0)
        }
    };
    // Among several, the longest agreement wins.
    let longest = hits.iter().map(|f| tail(&l.path, path_of(*f))).max();
    hits.retain(|f| Some(tail(&l.path, path_of(*f))) == longest);
    if hits.len() > 1 {
        // The share's own name in front of the path tells shares apart.
        let named: Vec<u32> = hits
            .iter()
            .copied()
            .filter(|f| {
                let n = tail(&l.path, path_of(*f));
                let before = l.path.rsplit('\\').nth(n).unwrap_or("");
                let share = inventory.share_of(*f).rsplit('\\').next().unwrap_or("");
                !before.is_empty() && share.trim_end_matches('$') == before.trim_end_matches('$')
            })
            .collect();
        if named.len() == 1 {
            hits = named;
        }
    }
    match hits.len() {
        0 => LeakMatch::None,
        1 => LeakMatch::File(hits[0]),
        _ => LeakMatch::Among(hits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn hash_or_tail_and_size_but_never_the_name_alone() {
        let inv = Inventory::from_lines(
            r#"{"share":"\\\\FS\\RH$","path":"2023\\a.pdf","size":10,"sha256":"aa","subjects":[]}
{"share":"\\\\FS\\RH$","path":"2022\\a.pdf","size":10,"sha256":"bb","subjects":[]}
{"share":"\\\\FS\\Labo","path":"2022\\a.pdf","size":10,"sha256":"cc","subjects":[]}"#,
        );
        let lines = parse(
            "leak/x.csv",
            b"path,size,sha256\nRH/2023/a.pdf,10,\nRH/2023/a.pdf,11,\nRH/2023/a.pdf,10,dd\nq.bin,1,BB\n2022/a.pdf,10,\nRH/2022/a.pdf,10,\na.pdf,,\n",
        );
        let found: Vec<LeakMatch> = lines.iter().map(|l| find(&inv, l)).collect();
        assert_eq!(
            found,
            [
                LeakMatch::File(0),
                LeakMatch::None,
                LeakMatch::None,
                LeakMatch::File(1),
                LeakMatch::Among(vec![1, 2]),
                LeakMatch::File(1),
                LeakMatch::None,
            ]
        );
        assert_eq!(lines[0].line, 2);
    }
    #[test]
    fn any_column_may_be_missing() {
        let l = parse("l", b"sha256;path\nAA;x\\y\n");
        assert_eq!((l[0].sha256.as_str(), l[0].size), ("aa", None));
        assert_eq!(parse("l", b"a/b,5\n")[0].size, Some(5));
    }
    #[test]
    fn what_other_programs_print_is_read() {
        let read = |text: &[u8]| -> Vec<(String, Option<u64>)> {
            parse("l", text)
                .into_iter()
                .map(|l| (l.path, l.size))
                .collect()
        };
        let want = |size| vec![("rh\\2023\\paie de juin.pdf".to_string(), size)];
        for (text, size) in [
            (
                "drwxr-xr-x root/root         0 2023-06-24 10:22 rh/2023/\n-rw-r--r-- root/root    206456 2023-06-24 10:22 RH/2023/paie de juin.pdf\n",
                Some(206_456),
            ),
            (
                "Archive:  x.zip\n  Length      Date    Time    Name\n---------  ---------- -----   ----\n        0  2023-06-24 10:22   RH/2023/\n   206456  2023-06-24 10:22   RH/2023/paie de juin.pdf\n---------                     -------\n   206456                     2 files\n",
                Some(206_456),
            ),
            (
                "   206456 2023-06-24 10:22:33.000000000 RH/2023/paie de juin.pdf\n",
                Some(206_456),
            ),
            (
                "  1234   204 -rw-r--r--   1 root     root       206456 Jun 24 10:22 RH/2023/paie\\ de\\ juin.pdf\n",
                Some(206_456),
            ),
            (
                "RH/2023:\ntotal 204K\n-rw-r--r-- 1 root root 202K Jun 24 10:22 paie de juin.pdf\n",
                None,
            ),
            (
                "   Date      Time    Attr         Size   Compressed  Name\n------------------- ----- ------------ ------------  ------------------------\n2023-06-24 10:22:33 D....            0            0  RH\n2023-06-24 10:22:33 ....A       206456               RH/2023/paie de juin.pdf\n------------------- ----- ------------ ------------  ------------------------\n2023-06-24 10:22:33             206456       180000  1 files\n",
                Some(206_456),
            ),
        ] {
            assert_eq!(read(text.as_bytes()), want(size), "{text}");
        }
        // A French command line prints in code page 850, its thousands apart by a blank of its own.
        let dos = b" R\x82pertoire de D:\\RH\\Arr\x88t\x82s\r\n\r\n24/06/2023  10:22           206\xff456 d\x82cision \x85 No\x89l.pdf\r\n";
        assert_eq!(
            read(dos),
            [(
                "d:\\rh\\arrêtés\\décision à noël.pdf".to_string(),
                Some(206_456)
            )]
        );
    }
    #[test]
    fn names_survive_every_encoding_a_list_went_through() {
        let inv = Inventory::from_lines(
            "{\"share\":\"\\\\\\\\FS\\\\RH$\",\"path\":\"2023\\\\Arrêtés\\\\décision é.pdf\",\"size\":10,\"subjects\":[]}",
        );
        for name in [
            "2023/Arrêtés/décision é.pdf",
            "2023/Arre\u{302}te\u{301}s/de\u{301}cision e\u{301}.pdf",
            "2023/ArrÃªtÃ©s/dÃ©cision Ã©.pdf",
            "2023/Arr?t?s/d?cision ?.pdf",
            "2023/Arr__t__s/d__cision __.pdf",
            "2023/Arr\u{fffd}t\u{fffd}s/d\u{fffd}cision \u{fffd}.pdf",
        ] {
            let l = parse("l", format!("path,size\n{name},10\n").as_bytes());
            assert_eq!(find(&inv, &l[0]), LeakMatch::File(0), "{name}");
        }
        for name in ["2023/Arrêtés/d?c?s?on é.pdf", "2022/Arrêtés/décision é.pdf"] {
            let l = parse("l", format!("path,size\n{name},10\n").as_bytes());
            assert_eq!(find(&inv, &l[0]), LeakMatch::None, "{name}");
        }
    }
    #[test]
    fn what_programs_print_is_read() {
        let one = |t: &str| {
            let l = parse("l", t.as_bytes());
            (l.len(), l[0].path.clone(), l[0].size, l[0].sha256.len())
        };
        assert_eq!(
            one(
                "./RH/2023:\ntotal 4\n-rw-r--r-- 1 u g 206456 Jun 24 10:22 rib a.pdf\ndrwxr-xr-x 2 u g 4096 Jun 24 10:22 x\n"
            ),
            (1, "rh\\2023\\rib a.pdf".into(), Some(206_456), 0)
        );
        assert_eq!(
            one(
                " Répertoire de D:\\RH\\2023\r\n\r\n24/06/2023  10:22    <DIR>          .\r\n24/06/2023  10:22           206\u{a0}456 rib a.pdf\r\n"
            ),
            (1, "d:\\rh\\2023\\rib a.pdf".into(), Some(206_456), 0)
        );
        assert_eq!(
            one(&format!("{}  RH/a.pdf\n", "ab".repeat(32))),
            (1, "rh\\a.pdf".into(), None, 64)
        );
        assert_eq!(
            one("RH\n└── [206456]  a.pdf\n"),
            (1, "rh\\a.pdf".into(), Some(206_456), 0)
        );
        // As the console of a French Windows writes it.
        let l = parse(
            "l",
            b" R\x82pertoire de D:\\RH\\Arr\x88t\x82s\r\n\r\n24/06/2023  10:22           206\xff456 d\x82cision.pdf\r\n",
        );
        let same = parse("l", " Répertoire de D:\\RH\\Arrêtés\r\n\r\n24/06/2023  10:22           206\u{a0}456 décision.pdf\r\n".as_bytes());
        assert_eq!((&l, l[0].size), (&same, Some(206_456)));
        assert_eq!(
            (fold::cp850(0x80), fold::cp850(0xe9), fold::cp850(0xff)),
            ('Ç', 'Ú', '\u{a0}')
        );
        assert_eq!(size_of("206 456"), Some(206_456));
        assert_eq!(size_of("1.2 MB"), None);
    }
}

//! Published lists against the inventory: which files on them are really the hospital's (contract §D, §F).
//! Equal SHA-256 is proof; without one, equal path tail and size. A name alone proves nothing; lists contain decoys.
use crate::{
    files::{Inventory, common_tail},
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

fn load_files(files: &[std::path::PathBuf]) -> Result<Vec<LeakLine>, IdentityError> {
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

/// Lines of one list.
pub fn parse(list: &str, bytes: &[u8]) -> Vec<LeakLine> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
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
        let path = fold::path(cell(0)).trim_matches('\\').to_string();
        let sha256 = cell(2).to_ascii_lowercase();
        if path.is_empty() && sha256.is_empty() {
            continue;
        }
        out.push(LeakLine {
            list: list.to_string(),
            line,
            path,
            size: cell(1).parse().ok(),
            sha256,
        });
    }
    out
}

/// Which file of the inventory a line is.
pub fn find(inventory: &Inventory, l: &LeakLine) -> LeakMatch {
    let path_of = |f: u32| inventory.path_of(f);
    let tail_agrees = |f: u32| {
        let ours = path_of(f);
        let n = common_tail(&l.path, ours);
        // Either path must end in the whole of the other one: a different folder is a different file.
        n > 0 && (n == ours.split('\\').count() || n == l.path.split('\\').count())
    };
    let mut hits: Vec<u32> = if l.sha256.is_empty() {
        let leaf = l.path.rsplit('\\').next().unwrap_or("");
        match l.size {
            None => vec![],
            Some(size) => inventory
                .with_leaf(leaf)
                .iter()
                .copied()
                .filter(|f| inventory.files[*f as usize].size == Some(size) && tail_agrees(*f))
                .collect(),
        }
    } else {
        let same = inventory.with_sha(&l.sha256);
        // A copy of one content in two places: the path tells which, when it can.
        let here: Vec<u32> = same.iter().copied().filter(|f| tail_agrees(*f)).collect();
        if !here.is_empty() {
            here
        } else if !same.is_empty() {
            same.to_vec()
        } else {
            // The inventory may lack the hash of the file that path and size name.
            let leaf = l.path.rsplit('\\').next().unwrap_or("");
            inventory
                .with_leaf(leaf)
                .iter()
                .copied()
                .filter(|f| {
                    let row = &inventory.files[*f as usize];
                    row.sha256 == 0 && l.size.is_some() && row.size == l.size && tail_agrees(*f)
                })
                .collect()
        }
    };
    // Among several, the longest agreement wins.
    let longest = hits.iter().map(|f| common_tail(&l.path, path_of(*f))).max();
    hits.retain(|f| Some(common_tail(&l.path, path_of(*f))) == longest);
    if hits.len() > 1 {
        // The share's own name in front of the path tells shares apart.
        let named: Vec<u32> = hits
            .iter()
            .copied()
            .filter(|f| {
                let n = common_tail(&l.path, path_of(*f));
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
}

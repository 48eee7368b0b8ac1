//! Objects of JSON in an array or one behind the other, whatever their layout, each given to the decoder of a source as a line of its
//! own: the record is the element. The array is the file, or it stands in an object, as interfaces answer: `hits.hits` of Elasticsearch
//! and OpenSearch, `results` of Splunk, `events` of CloudWatch, `messages` of Graylog, `data.result[].values` of Loki (stamp and line),
//! `response.authlogs` of Duo, with the document out of what the store says of it (`_source`, `result`, `message`); rows whose columns
//! are named before them (`rows`, `datarows`: Log Analytics, Splunk, Graylog). Several answers may follow each other; an object that is no
//! answer is a record, and what is no object a reject.
use crate::{Decode, Decoded, Head, Reason, Setting, Source, envelope, reader, scan};
use memchr::memmem;

/// Arrays of an answer that are tried, and how many brackets may stand around one.
const ARRAYS: usize = 4;
const AROUND: usize = 4;
/// Elements that are looked at before an array is taken.
const SAMPLE: usize = 64;

/// The source of the elements, `format` if it is given, and their decoder.
pub(crate) fn open(
    head: &Head<'_>,
    setting: &Setting,
    format: Option<&'static dyn Source>,
) -> Option<(&'static dyn Source, Box<dyn Decode>)> {
    let start = scan::past_space(head.bytes, 0);
    let bytes = &head.bytes[start..];
    let arrays = match bytes.first() {
        Some(b'[') if scan::opens_json(bytes) || is_texts(bytes) => vec![String::new()],
        Some(b'{') => arrays(bytes),
        _ => return None,
    };
    let opened = arrays.into_iter().filter_map(|key| {
        let columns = columns(bytes, &key);
        let within = sample(bytes, &key, &columns);
        let inner = Head {
            bytes: &within,
            whole: head.whole,
        };
        let (source, decoder) = reader::claim_lines(&inner, setting, format)?;
        let told = reader::understood(
            &mut *reader::claim_lines(&inner, setting, format)?.1,
            &inner,
        );
        let sure = || format.is_none() && envelope::likely(&inner, setting).is_some();
        (told.0 > 0 || sure()).then_some((told, source, decoder, key, columns))
    });
    // Of equals the outermost.
    let (_, source, decoder, key, columns) =
        { opened }.reduce(|a, b| if b.0 > a.0 { b } else { a })?;
    let elements = Elements {
        inner: decoder,
        cut: Cut::new(&key),
        columns,
    };
    Some((source, Box::new(elements)))
}

/// An array of texts.
fn is_texts(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'[') && bytes.get(scan::past_space(bytes, 1)) == Some(&b'"')
}

/// The keys of arrays that make up most of the object at the front; an empty one where other objects follow it otherwise than on lines
/// of their own, or what it is about is an object in it.
fn arrays(bytes: &[u8]) -> Vec<String> {
    let mut found: Vec<(String, usize)> = vec![];
    // Of each open bracket, which array it is and where it began.
    let mut open: Vec<Option<(usize, usize)>> = vec![];
    let mut at = 0;
    while let Some(b) = bytes.get(at) {
        match b {
            b'"' => {
                let Some(end) = text_end(bytes, at) else {
                    break;
                };
                let key = &bytes[at + 1..end];
                at = end;
                let Some(from) = array_after(bytes, end + 1).flatten() else {
                    at += 1;
                    continue;
                };
                let named = std::str::from_utf8(key).ok().filter(|k| !k.is_empty());
                open.push(None);
                at = from;
                let Some(key) = named.filter(|_| open.len() <= AROUND + 1) else {
                    continue;
                };
                let known = found.iter().position(|(k, _)| k == key);
                let which = known.unwrap_or_else(|| {
                    found.push((key.to_string(), 0));
                    found.len() - 1
                });
                if let Some(last) = open.last_mut() {
                    *last = Some((which, from));
                }
                continue;
            }
            b'{' | b'[' => open.push(None),
            b'}' | b']' => {
                if let Some((which, from)) = open.pop().flatten() {
                    found[which].1 += at - from;
                }
                if open.is_empty() {
                    break;
                }
            }
            _ => {}
        }
        at += 1;
    }
    let closed = open.is_empty() && at > 0;
    for (which, from) in open.into_iter().flatten() {
        found[which].1 += at.saturating_sub(from);
    }
    let most = found.into_iter().filter(|(_, n)| n * 2 >= at);
    let mut keys: Vec<String> = most.map(|(key, _)| key).take(ARRAYS).collect();
    let behind = bytes.get(at + 1..).unwrap_or_default();
    let beside = behind.iter().find(|b| !matches!(b, b' ' | b',')) == Some(&b'{');
    let spans = memchr::memchr(b'\n', &bytes[..at.min(bytes.len())]).is_some();
    let whole = bytes.get(..=at).filter(|_| closed);
    let holds = whole.is_some_and(|object| kept(object).is_some());
    let follows = bytes.get(scan::past_space(bytes, at + 1)) == Some(&b'{');
    if holds || closed && (beside || spans && follows) {
        keys.push(String::new());
    }
    keys
}

/// Where the text that begins with the quote at `from` ends.
fn text_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

enum End {
    At(usize),
    /// What follows can be no part of it: it was cut.
    Cut(usize),
    More,
}

/// Where the object or array that begins at `from` ends.
fn end_of(bytes: &[u8], from: usize) -> End {
    let (mut depth, mut quoted, mut escaped) = (0u32, false, false);
    // Of the innermost brackets, the last one lowest: a bit for each that is an object's. And what stood last outside of texts.
    let (mut objects, mut before) = (0u128, 0);
    for (i, b) in bytes.iter().enumerate().skip(from) {
        match b {
            // No text goes over a line.
            b'\n' if quoted => return End::Cut(i + 1),
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => continue,
            b'{' if objects & 1 == 1 && before != b':' && bytes[i - 1] == b'\n' => {
                return End::Cut(i);
            }
            b'{' | b'[' => {
                depth += 1;
                objects = objects << 1 | u128::from(*b == b'{');
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                objects >>= 1;
                if depth == 0 {
                    return End::At(i + 1);
                }
            }
            _ => {}
        }
        if !b.is_ascii_whitespace() {
            before = *b;
        }
    }
    End::More
}

/// Under what key a store keeps the object it was given.
const KEPT_UNDER: [&[u8]; 3] = [b"_source", b"result", b"message"];

/// The object a store was given, out of what it says of it.
fn kept(object: &[u8]) -> Option<&[u8]> {
    let (mut at, mut depth) = (0, 0u32);
    while let Some(b) = object.get(at) {
        match b {
            b'"' => {
                let end = text_end(object, at)?;
                let key = &object[at + 1..end];
                at = end;
                if depth == 1 && KEPT_UNDER.contains(&key) {
                    let sign = scan::past_space(object, end + 1);
                    let from = scan::past_space(object, sign + 1);
                    if object.get(sign) == Some(&b':')
                        && object.get(from) == Some(&b'{')
                        && let End::At(end) = end_of(object, from)
                    {
                        return Some(&object[from..end]);
                    }
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Behind a key: the place behind the bracket of an array of objects or of arrays. `None`: more bytes may tell.
fn array_after(bytes: &[u8], at: usize) -> Option<Option<usize>> {
    let mut at = at;
    for sign in *b":[" {
        at = scan::past_space(bytes, at);
        if *bytes.get(at)? != sign {
            return Some(None);
        }
        at += 1;
    }
    let first = bytes.get(scan::past_space(bytes, at))?;
    Some(matches!(first, b'{' | b'[' | b'"').then_some(at))
}

/// What the columns of rows are called, where it is said before the array under `key`.
fn columns(bytes: &[u8], key: &str) -> Vec<String> {
    let mut cut = Cut::new(key);
    let Some(Piece::Around(end)) = cut.next(bytes, true).filter(|_| cut.inside) else {
        return vec![];
    };
    let before = &bytes[..end];
    let named = ["\"columns\"", "\"fields\"", "\"schema\""]
        .iter()
        .find_map(|name| {
            let at = memmem::rfind(before, name.as_bytes())?;
            let from = array_after(before, at + name.len()).flatten()?;
            let list = serde_json::Deserializer::from_slice(&before[from - 1..]);
            { list }.into_iter::<Vec<serde_json::Value>>().next()?.ok()
        });
    let names = named.unwrap_or_default().into_iter().map(|c| {
        let name = c
            .as_str()
            .or_else(|| c["name"].as_str())
            .or_else(|| c["field"].as_str());
        name.unwrap_or("").to_string()
    });
    names.collect()
}

/// The first elements, one a line.
fn sample(bytes: &[u8], key: &str, columns: &[String]) -> Vec<u8> {
    let mut cut = Cut::new(key);
    let (mut within, mut at, mut elements) = (vec![], 0, 0);
    while elements < SAMPLE {
        match cut.next(&bytes[at..], false) {
            Some(Piece::Element(from, to)) => {
                within.extend(flat(&bytes[at + from..at + to], columns));
                elements += 1;
                at += to;
            }
            Some(Piece::Around(to)) => at += to,
            Some(Piece::Waste(..)) | None => break,
        }
    }
    within
}

/// An element on one line: an object as it is, a row by its columns or, as Loki has it, of a stamp and a line, a text alone.
fn flat(element: &[u8], columns: &[String]) -> Vec<u8> {
    let made = match element.first() {
        Some(b'[') => {
            let row: Vec<serde_json::Value> = serde_json::from_slice(element).unwrap_or_default();
            match &row[..] {
                row if !row.is_empty() && row.len() == columns.len() => {
                    let cells = columns.iter().cloned().zip(row.iter().cloned());
                    Some(serde_json::Value::from_iter(cells))
                }
                [stamp, line, ..] => Some(serde_json::json!({"timestamp": stamp, "line": line})),
                _ => None,
            }
        }
        Some(b'"') => serde_json::from_slice(element)
            .ok()
            .map(|line: serde_json::Value| serde_json::json!({ "line": line })),
        _ => None,
    };
    if let Some(made) = made {
        return format!("{made}\n").into_bytes();
    }
    let element = kept(element).unwrap_or(element);
    // Line ends stand between the parts of JSON only, never inside a text.
    let mut line: Vec<u8> = (element.iter())
        .map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b })
        .collect();
    line.push(b'\n');
    line
}

enum Piece {
    /// From where to where an element goes, signs between elements passed over.
    Element(usize, usize),
    /// What stands around an array, up to there.
    Around(usize),
    /// Something else, up to there, and what is wrong with it.
    Waste(usize, Reason),
}

/// Cuts the elements of arrays under one key, or of the file.
struct Cut {
    /// With its quotes; nothing where the array is the file.
    key: String,
    inside: bool,
    /// Brackets of the answer that are open; 0 between answers.
    depth: u32,
}

impl Cut {
    fn new(key: &str) -> Cut {
        Cut {
            key: match key {
                "" => String::new(),
                _ => format!("\"{key}\""),
            },
            inside: key.is_empty(),
            depth: 0,
        }
    }
    /// The next piece; `None` when more bytes are needed, or nothing is there any more.
    fn next(&mut self, bytes: &[u8], last: bool) -> Option<Piece> {
        if !self.inside {
            return self.before(bytes, last);
        }
        let between = |b: &u8| match b {
            b'[' | b']' => self.key.is_empty(),
            _ => *b == b',' || b.is_ascii_whitespace(),
        };
        let from = bytes.iter().position(|b| !between(b))?;
        match bytes[from] {
            b']' => {
                self.inside = false;
                self.depth = self.depth.saturating_sub(1);
                return Some(Piece::Around(from + 1));
            }
            b'{' | b'[' => {}
            b'"' => {
                return match text_end(bytes, from) {
                    Some(end) => Some(Piece::Element(from, end + 1)),
                    None => last.then_some(Piece::Waste(bytes.len(), Reason::Truncated)),
                };
            }
            _ => {
                let stops = |b: &u8| matches!(b, b'{' | b'\n') || *b == b']' && !between(b);
                return match bytes[from..].iter().position(stops) {
                    Some(n) => Some(Piece::Waste(from + n.max(1), Reason::Shape)),
                    None => last.then_some(Piece::Waste(bytes.len(), Reason::Truncated)),
                };
            }
        }
        match end_of(bytes, from) {
            End::At(end) => return Some(Piece::Element(from, end)),
            End::Cut(end) => {
                // What follows may be the next answer.
                (self.inside, self.depth) = (self.key.is_empty(), 0);
                return Some(Piece::Waste(end, Reason::Truncated));
            }
            End::More => {}
        }
        last.then_some(Piece::Waste(bytes.len(), Reason::Truncated))
    }
    /// To the next array under the key, or the next object that has none.
    fn before(&mut self, bytes: &[u8], last: bool) -> Option<Piece> {
        let mut at = 0;
        if self.depth == 0 {
            let between = |b: &u8| matches!(b, b',' | b']' | b'}') || b.is_ascii_whitespace();
            at = bytes.iter().position(|b| !between(b))?;
            if bytes[at] != b'{' {
                return match memchr::memchr(b'\n', &bytes[at..]) {
                    Some(n) => Some(Piece::Waste(at + n + 1, Reason::Shape)),
                    None => last.then_some(Piece::Waste(bytes.len(), Reason::Shape)),
                };
            }
        }
        let (start, mut depth, mut empty) = (at, self.depth, false);
        while let Some(b) = bytes.get(at) {
            match b {
                b'"' => {
                    let Some(end) = text_end(bytes, at) else {
                        break;
                    };
                    if let Some(n) = memchr::memchr(b'\n', &bytes[at..end]) {
                        self.depth = 0;
                        return Some(Piece::Waste(at + n + 1, Reason::Truncated));
                    }
                    if &bytes[at..=end] == self.key.as_bytes() {
                        match array_after(bytes, end + 1) {
                            Some(Some(from)) => {
                                (self.inside, self.depth) = (true, depth + 1);
                                return Some(Piece::Around(from));
                            }
                            Some(None) => {
                                let sign = scan::past_space(bytes, end + 1);
                                let open = scan::past_space(bytes, sign + 1);
                                empty |= bytes.get(open) == Some(&b'[');
                            }
                            None if last => {}
                            None => break,
                        }
                    }
                    at = end;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(match self.depth == 0 && !empty {
                            true => Piece::Element(start, at + 1),
                            false => {
                                self.depth = 0;
                                Piece::Around(at + 1)
                            }
                        });
                    }
                }
                _ => {}
            }
            at += 1;
        }
        match (self.depth, last) {
            (0, true) => Some(Piece::Waste(bytes.len(), Reason::Truncated)),
            (0, false) => None,
            // Behind an array.
            (_, true) => (!bytes.is_empty()).then_some(Piece::Around(bytes.len())),
            (_, false) => {
                self.depth = depth;
                (at > 0).then_some(Piece::Around(at))
            }
        }
    }
}

struct Elements {
    inner: Box<dyn Decode>,
    cut: Cut,
    columns: Vec<String>,
}

impl Decode for Elements {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let mut at = 0;
        loop {
            match self.cut.next(&bytes[at..], last) {
                Some(Piece::Element(from, to)) => {
                    let mut found = Decoded::default();
                    let element = flat(&bytes[at + from..at + to], &self.columns);
                    self.inner.decode(&element, true, &mut found);
                    self.inner.finish(&mut found);
                    out.carried(&found, (bytes, at + from, to - from), |_| {});
                    at += to;
                }
                Some(Piece::Around(to)) => at += to,
                Some(Piece::Waste(to, reason)) => {
                    out.reject(bytes, at, to, reason);
                    at += to;
                }
                // What is left holds no element, or not all of one.
                None if last => return bytes.len(),
                None => return at,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_an_array_are_records_however_they_lie() {
        let one = |user: &str| {
            format!(
                r#"{{"time":"2025-03-03T10:00:01+01:00","remote_addr":"192.0.2.8","remote_user":"{user}","request":"GET /a[}}] HTTP/1.1","status":200,"body_bytes_sent":7}}"#
            )
        };
        let pretty = |user: &str| one(user).replace(",\"", ",\n  \"");
        for text in [
            format!("[{},{},{}]", one("a"), one("b"), one("c")),
            format!("[\n{},\n{},\n{}\n]\n", one("a"), one("b"), one("c")),
            format!(
                "[\n{},\n{},\n{}\n]\n",
                pretty("a"),
                pretty("b"),
                pretty("c")
            ),
        ] {
            for block in [1 << 20, 7] {
                let mut all = reader::Collect::default();
                let limits = reader::Limits {
                    block_bytes: block,
                    ..reader::Limits::default()
                };
                let setting = Setting::default();
                let r = reader::read_bytes(text.as_bytes(), 0, None, &setting, &limits, &mut all)
                    .expect("read");
                let users: Vec<&str> = all.events.iter().map(|e| &*e.user).collect();
                assert_eq!((users.join(" "), r.rejects), ("a b c".into(), 0), "{text}");
                for e in &all.events {
                    let (from, len) = (e.offset as usize, e.len as usize);
                    assert!(text[from..from + len].starts_with('{'));
                    assert!(text[from..from + len].ends_with('}'));
                }
            }
        }
        // What was cut is one record that cannot be read.
        let text = format!("[{},{}", one("a"), &one("b")[..40]);
        let mut all = reader::Collect::default();
        let setting = Setting::default();
        let limits = reader::Limits::default();
        let r = reader::read_bytes(text.as_bytes(), 0, None, &setting, &limits, &mut all)
            .expect("read");
        assert_eq!((r.events, r.rejects, r.records), (1, 1, 2));
    }

    const LINE: &str = r#"192.0.2.9 - marie [14/Sep/2025:01:00:36 +0200] "GET /p?q=\"hits\":[{ HTTP/1.1" 200 51 "-" "curl/8""#;

    /// Whoever asked an interface has its whole answer, on one line or many, or several of them.
    #[test]
    fn records_of_an_answer_are_read_one_by_one() {
        let line = |user: &str| serde_json::Value::String(LINE.replace("marie", user)).to_string();
        let three = |f: &dyn Fn(&str) -> String| ["a", "b", "c"].map(f).join(",");
        let hit = |u: &str| {
            format!(
                r#"{{"_index":"x","_source":{{"message":{}}},"sort":[{{"n":1}}]}}"#,
                line(u)
            )
        };
        let raw = |u: &str| format!(r#"{{"_raw":{}}}"#, line(u));
        let event = |u: &str| format!(r#"{{"timestamp":1757811636000,"message":{}}}"#, line(u));
        let message = |u: &str| {
            format!(
                r#"{{"message":{{"message":{},"source":"web1"}},"index":"g"}}"#,
                line(u)
            )
        };
        let value = |u: &str| format!(r#"["1757811636000000000",{}]"#, line(u));
        for answer in [
            format!(
                r#"{{"took":5,"hits":{{"total":{{"value":3}},"hits":[{}]}},"aggregations":{{}}}}"#,
                three(&hit)
            ),
            format!(
                r#"{{"preview":false,"messages":[],"results":[{}]}}"#,
                three(&raw)
            ),
            format!(
                r#"{{"events":[{}],"searchedLogStreams":[]}}"#,
                three(&event)
            ),
            format!(
                r#"{{"query":"*","messages":[{}],"fields":["source"]}}"#,
                three(&message)
            ),
            format!(
                r#"{{"fields":["_raw","_time"],"rows":[[{},"2025-09-14"],[{},"2025-09-14"],[{},"2025-09-14"]]}}"#,
                line("a"),
                line("b"),
                line("c")
            ),
            format!(
                r#"{{"tables":[{{"columns":[{{"name":"TimeGenerated"}},{{"name":"SyslogMessage"}}],"rows":[["2025-09-14T00:00:00Z",{}],[0,{}],[0,{}]]}}]}}"#,
                line("a"),
                line("b"),
                line("c")
            ),
            format!(r#"{{"log":[{}]}}"#, three(&line)),
            format!(
                r#"{{"status":"success","data":{{"result":[{{"stream":{{"job":"n"}},"values":[{},{}]}},{{"stream":{{"job":"m"}},"values":[{}]}}]}}}}"#,
                value("a"),
                value("b"),
                value("c")
            ),
        ] {
            let value: serde_json::Value = serde_json::from_str(&answer).expect("an answer");
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            for (text, users) in [
                (answer.clone(), "a b c"),
                (pretty, "a b c"),
                (format!("{answer}\n{answer}\n"), "a b c a b c"),
            ] {
                for block in [1 << 20, 5] {
                    let mut all = reader::Collect::default();
                    let limits = reader::Limits {
                        block_bytes: block,
                        ..reader::Limits::default()
                    };
                    let setting = Setting::default();
                    let r =
                        reader::read_bytes(text.as_bytes(), 0, None, &setting, &limits, &mut all)
                            .expect("read");
                    let found: Vec<&str> = all.events.iter().map(|e| &*e.user).collect();
                    assert_eq!(
                        (found.join(" "), r.rejects, r.skipped),
                        (users.into(), 0, 0),
                        "{text}"
                    );
                    assert_eq!(all.bytes, text.as_bytes());
                    for e in &all.events {
                        let (from, len) = (e.offset as usize, e.len as usize);
                        assert!(text[from..from + len].contains("/p?q="));
                    }
                }
            }
            // Cut in the middle of the last record: it is one that cannot be read, and the others are there.
            let cut = answer
                .rfind("marie")
                .or_else(|| answer.rfind(" - c "))
                .expect("the last");
            let mut all = reader::Collect::default();
            let (setting, limits) = (Setting::default(), reader::Limits::default());
            let r = reader::read_bytes(
                &answer.as_bytes()[..cut],
                0,
                None,
                &setting,
                &limits,
                &mut all,
            )
            .expect("read");
            assert_eq!((r.events, r.rejects), (2, 1), "{answer}");
        }
    }

    proptest::proptest! {
        /// However JSON is laid out, it ends where it ends; what is cut within a line is seen to be.
        #[test]
        fn an_element_ends_where_it_ends(seed in proptest::collection::vec(0usize..9, 1..40), cut in 0usize..1000) {
            let mut seed = seed.into_iter();
            let value = serde_json::json!({"a": made(&mut seed, 0), "b": made(&mut seed, 0)});
            let indent = |text: &str| text.lines().map(|l| format!("{}\n", l.trim_start())).collect::<String>();
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            for text in [value.to_string(), indent(&pretty).trim_end().to_string(), pretty.clone()] {
                let found = end_of(text.as_bytes(), 0);
                proptest::prop_assert!(matches!(found, End::At(n) if n == text.len()), "{}", text);
                // An object behind one that was cut between two of its fields, or in a text.
                let cut = 1 + cut % (text.len() - 1);
                let inside = text.as_bytes()[..cut].iter().filter(|b| **b == b'[').count() == 0;
                if inside && text.is_char_boundary(cut) && !text[..cut].trim_end().ends_with(':') {
                    let both = format!("{}\n{text}", &text[..cut]);
                    let found = end_of(both.as_bytes(), 0);
                    proptest::prop_assert!(matches!(found, End::Cut(n) if n == cut + 1), "{}", both);
                }
            }
        }
    }

    /// A value made from numbers.
    fn made(seed: &mut impl Iterator<Item = usize>, depth: u32) -> serde_json::Value {
        use serde_json::json;
        match seed.next() {
            Some(0 | 1) if depth < 4 => json!([made(seed, depth + 1), made(seed, depth + 1)]),
            Some(2 | 3) if depth < 4 => {
                json!({"k": made(seed, depth + 1), "l": made(seed, depth + 1)})
            }
            Some(4) => json!("a\"]}{[\\"),
            Some(5) => json!("é\n{"),
            Some(6) => json!(17),
            Some(7) => json!([]),
            _ => json!(null),
        }
    }

    /// What a store says of a document is not the document.
    #[test]
    fn documents_are_taken_out_of_what_a_store_says_of_them() {
        let document = |user: &str| {
            format!(
                r#"{{"time":"2025-03-03T10:00:01+01:00","remote_addr":"192.0.2.8","remote_user":"{user}","request":"GET /a HTTP/1.1","status":200,"body_bytes_sent":7}}"#
            )
        };
        for key in ["_source", "result", "message"] {
            let hit = |user: &str| format!(r#"{{"_id":"{key}\"{{","{key}": {}}}"#, document(user));
            for text in [
                ["a", "b", "c"].map(hit).join("\n"),
                format!("[{}]", ["a", "b", "c"].map(hit).join(",\n")),
                format!(
                    r#"{{"n":3,"hits":[{}]}}"#,
                    ["a", "b", "c"].map(hit).join(",")
                ),
            ] {
                let mut all = reader::Collect::default();
                let (setting, limits) = (Setting::default(), reader::Limits::default());
                let r = reader::read_bytes(text.as_bytes(), 0, None, &setting, &limits, &mut all)
                    .expect("read");
                let found: Vec<&str> = all.events.iter().map(|e| &*e.user).collect();
                assert_eq!((found.join(" "), r.rejects), ("a b c".into(), 0), "{text}");
            }
        }
    }

    /// Objects that follow each other on one line, or over several; what was cut ends where the next begins.
    #[test]
    fn objects_need_no_lines_of_their_own() {
        let object = |user: &str| {
            format!(
                "{{\"message\":{},\"a\":{{\"b\":[1]}}}}",
                serde_json::Value::String(LINE.replace("marie", user))
            )
        };
        let pretty = |user: &str| {
            object(user)
                .replace(",\"a\":{", ",\n  \"a\": {\n    ")
                .replace("{\"message", "{\n  \"message")
        };
        let cut = pretty("x");
        let cut = &cut[..cut.len() - 9];
        for (text, users, rejects) in [
            (["a", "b", "c"].map(object).concat(), "a b c", 0),
            (["a", "b", "c"].map(pretty).join("\n"), "a b c", 0),
            (
                [&pretty("a"), cut, &pretty("b"), &pretty("c")]
                    .map(|t| format!("{t}\n"))
                    .concat(),
                "a b c",
                1,
            ),
        ] {
            for block in [1 << 20, 5] {
                let mut all = reader::Collect::default();
                let limits = reader::Limits {
                    block_bytes: block,
                    ..reader::Limits::default()
                };
                let setting = Setting::default();
                let r = reader::read_bytes(text.as_bytes(), 0, None, &setting, &limits, &mut all)
                    .expect("read");
                let found: Vec<&str> = all.events.iter().map(|e| &*e.user).collect();
                assert_eq!(
                    (found.join(" "), r.rejects, r.skipped),
                    (users.into(), rejects, 0),
                    "{text}"
                );
            }
        }
    }

    /// Whatever follows an answer is a record or a reject, never nothing.
    #[test]
    fn what_stands_around_answers_is_not_lost() {
        let line = |user: &str| serde_json::Value::String(LINE.replace("marie", user)).to_string();
        let raw = |user: &str| format!("{{\"_raw\":{}}}", line(user));
        let answer = |users: &str| {
            let all: Vec<String> = users.split(' ').map(raw).collect();
            format!(
                "{{\"n\":{{\"m\":[1]}},\"results\":[{}],\"end\":true}}",
                all.join(",")
            )
        };
        for (text, users, rejects) in [
            (
                format!("{}\n{}\n{}\n", answer("a b"), raw("c"), raw("d")),
                "a b c d",
                0,
            ),
            (
                format!("{}\nwhat is no JSON\n{}\n", answer("a b"), answer("c d")),
                "a b c d",
                1,
            ),
            (
                format!("{}\n{{\"results\":[]}}\n{}", answer("a b"), answer("c")),
                "a b c",
                0,
            ),
            (
                format!(
                    "{}\n{}\n",
                    &answer("a b x")[..answer("a b x").len() - 30],
                    answer("c d")
                ),
                "a b c d",
                1,
            ),
        ] {
            for block in [1 << 20, 5] {
                let mut all = reader::Collect::default();
                let limits = reader::Limits {
                    block_bytes: block,
                    ..reader::Limits::default()
                };
                let setting = Setting::default();
                let r = reader::read_bytes(text.as_bytes(), 0, None, &setting, &limits, &mut all)
                    .expect("read");
                let found: Vec<&str> = all.events.iter().map(|e| &*e.user).collect();
                assert_eq!(
                    (found.join(" "), r.rejects),
                    (users.into(), rejects),
                    "{text}"
                );
            }
        }
    }

    /// Records that hold arrays of objects are no answers.
    #[test]
    fn records_with_arrays_stay_what_they_are() {
        for text in [
            r#"{"a":[{"b":1},{"b":2}]}"#,
            "{\"user\":\"x\",\"list\":[{\"message\":\"hello\"}]}\n",
        ] {
            let head = Head {
                bytes: text.as_bytes(),
                whole: true,
            };
            assert!(open(&head, &Setting::default(), None).is_none(), "{text}");
        }
        assert_eq!(
            arrays(br#"{"a":[{"b":[{"c":"]\"}, that is most of it"}]}],"d":1}"#),
            ["a", "b"]
        );
        assert_eq!(
            arrays(br#"{"long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","a":[{"b":1}]}"#),
            [""; 0]
        );
    }
}

//! JSON (RFC 8259) as one flat list of what is in a document; texts stay where they lie. It takes what `serde_json` takes, a number
//! of any size too; tests hold it to that.
use wide::u8x16;

/// Arrays and objects within each other; deeper is no document.
const DEEPEST: usize = 127;

/// Why a document cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It breaks off.
    Ends,
    /// It is no JSON, or larger than 4 GiB.
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `null`, `true`, `false`.
    Nothing,
    Number,
    String,
    /// A text whose escapes are taken out: it lies in [`Tape::plain`].
    Plain,
    Array,
    /// Its members one behind the other, each a text and a value.
    Object,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    /// Where a text or number starts.
    from: u32,
    /// Where it ends; of an array or object the node behind all that is in it.
    to: u32,
}

/// The documents one after the other are read into the same memory.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    plain: String,
    open: Vec<usize>,
}

/// A value in a document; one that is not there is nothing.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    tape: &'a Tape,
    text: &'a str,
    at: usize,
}

impl Tape {
    /// Reads a whole document.
    pub fn read<'a>(&'a mut self, text: &'a [u8]) -> Result<Value<'a>, Wrong> {
        // What breaks off within a character breaks off.
        let text = std::str::from_utf8(text).map_err(|e| match e.error_len() {
            None => Wrong::Ends,
            Some(_) => Wrong::Broken,
        })?;
        if u32::try_from(text.len()).is_err() {
            return Err(Wrong::Broken);
        }
        self.nodes.clear();
        self.plain.clear();
        self.open.clear();
        self.document(text)?;
        Ok(Value {
            tape: self,
            text,
            at: 0,
        })
    }

    fn document(&mut self, text: &str) -> Result<(), Wrong> {
        let b = text.as_bytes();
        let mut i = blanks(b, 0);
        loop {
            // A value starts here.
            let begun = self.nodes.len();
            match *b.get(i).ok_or(Wrong::Ends)? {
                open @ (b'{' | b'[') => {
                    if self.open.len() == DEEPEST {
                        return Err(Wrong::Broken);
                    }
                    let (kind, close) = match open {
                        b'{' => (Kind::Object, b'}'),
                        _ => (Kind::Array, b']'),
                    };
                    self.nodes.push(Node {
                        kind,
                        from: 0,
                        to: begun as u32 + 1,
                    });
                    i = blanks(b, i + 1);
                    if *b.get(i).ok_or(Wrong::Ends)? == close {
                        i += 1;
                    } else {
                        self.open.push(begun);
                        if kind == Kind::Object {
                            i = self.key(text, i)?;
                        }
                        continue;
                    }
                }
                b'"' => i = self.string(text, i)?,
                b'-' | b'0'..=b'9' => {
                    let end = number(b, i)?;
                    self.nodes.push(Node {
                        kind: Kind::Number,
                        from: i as u32,
                        to: end as u32,
                    });
                    i = end;
                }
                first => {
                    let word: &[u8] = match first {
                        b'n' => b"null",
                        b't' => b"true",
                        b'f' => b"false",
                        _ => return Err(Wrong::Broken),
                    };
                    for w in word {
                        if b.get(i).ok_or(Wrong::Ends)? != w {
                            return Err(Wrong::Broken);
                        }
                        i += 1;
                    }
                    self.nodes.push(Node {
                        kind: Kind::Nothing,
                        from: 0,
                        to: 0,
                    });
                }
            }
            // It is over: what holds it goes on, or is over too.
            loop {
                i = blanks(b, i);
                let Some(holds) = self.open.last().copied() else {
                    return match b.get(i) {
                        None => Ok(()),
                        Some(_) => Err(Wrong::Broken),
                    };
                };
                let kind = self.nodes[holds].kind;
                match (*b.get(i).ok_or(Wrong::Ends)?, kind) {
                    (b',', Kind::Object) => {
                        i = self.key(text, blanks(b, i + 1))?;
                        break;
                    }
                    (b',', _) => {
                        i = blanks(b, i + 1);
                        break;
                    }
                    (b'}', Kind::Object) | (b']', Kind::Array) => {
                        self.nodes[holds].to = self.nodes.len() as u32;
                        self.open.pop();
                        i += 1;
                    }
                    _ => return Err(Wrong::Broken),
                }
            }
        }
    }

    /// The name of a member and the sign behind it; returns where its value starts.
    fn key(&mut self, text: &str, at: usize) -> Result<usize, Wrong> {
        let b = text.as_bytes();
        match b.get(at) {
            None => return Err(Wrong::Ends),
            Some(b'"') => {}
            Some(_) => return Err(Wrong::Broken),
        }
        let i = blanks(b, self.string(text, at)?);
        match b.get(i) {
            None => Err(Wrong::Ends),
            Some(b':') => Ok(blanks(b, i + 1)),
            Some(_) => Err(Wrong::Broken),
        }
    }

    /// The text whose quote is at `at`; returns where it ends, its quotes included.
    fn string(&mut self, text: &str, at: usize) -> Result<usize, Wrong> {
        let b = text.as_bytes();
        let end = stop(b, at + 1);
        match b.get(end) {
            None => Err(Wrong::Ends),
            Some(b'"') => {
                self.nodes.push(Node {
                    kind: Kind::String,
                    from: at as u32 + 1,
                    to: end as u32,
                });
                Ok(end + 1)
            }
            Some(b'\\') => self.escaped(text, at + 1, end),
            Some(_) => Err(Wrong::Broken),
        }
    }

    /// A text that starts at `from` and whose first escape is at `escape`.
    fn escaped(&mut self, text: &str, from: usize, escape: usize) -> Result<usize, Wrong> {
        let b = text.as_bytes();
        let begun = self.plain.len() as u32;
        let (mut from, mut i) = (from, escape);
        loop {
            self.plain.push_str(&text[from..i]);
            match b.get(i) {
                None => return Err(Wrong::Ends),
                Some(b'"') => break,
                Some(b'\\') => {
                    let (c, end) = character(b, i + 1)?;
                    self.plain.push(c);
                    from = end;
                    i = stop(b, end);
                }
                Some(_) => return Err(Wrong::Broken),
            }
        }
        self.nodes.push(Node {
            kind: Kind::Plain,
            from: begun,
            to: self.plain.len() as u32,
        });
        Ok(i + 1)
    }
}

/// Behind the blanks.
#[inline]
fn blanks(b: &[u8], mut i: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = b.get(i) {
        i += 1;
    }
    i
}

/// The first place from `i` on of a quote, a backslash or a control character; the end where there is none.
#[inline]
fn stop(b: &[u8], mut i: usize) -> usize {
    while let Some(lane) = b.get(i..).and_then(|r| r.first_chunk::<16>()) {
        let v = u8x16::new(*lane);
        let low = v.min(u8x16::splat(0x1f)).simd_eq(v);
        let found = low | v.simd_eq(u8x16::splat(b'"')) | v.simd_eq(u8x16::splat(b'\\'));
        let bits = found.to_bitmask();
        if bits != 0 {
            return i + bits.trailing_zeros() as usize;
        }
        i += 16;
    }
    while b
        .get(i)
        .is_some_and(|b| !matches!(b, b'"' | b'\\' | 0..=0x1f))
    {
        i += 1;
    }
    i
}

/// Where the number ends that starts at `i`.
fn number(b: &[u8], mut i: usize) -> Result<usize, Wrong> {
    let digits = |mut i: usize| {
        if !b.get(i).ok_or(Wrong::Ends)?.is_ascii_digit() {
            return Err(Wrong::Broken);
        }
        while b.get(i).is_some_and(u8::is_ascii_digit) {
            i += 1;
        }
        Ok(i)
    };
    i += usize::from(b[i] == b'-');
    if b.get(i) == Some(&b'0') {
        i += 1;
        if b.get(i).is_some_and(u8::is_ascii_digit) {
            return Err(Wrong::Broken);
        }
    } else {
        i = digits(i)?;
    }
    if b.get(i) == Some(&b'.') {
        i = digits(i + 1)?;
    }
    if matches!(b.get(i), Some(b'e' | b'E')) {
        i += 1;
        i += usize::from(matches!(b.get(i), Some(b'+' | b'-')));
        i = digits(i)?;
    }
    Ok(i)
}

/// The character an escape stands for, whose sign behind the backslash is at `i`, and where it ends.
fn character(b: &[u8], i: usize) -> Result<(char, usize), Wrong> {
    let c = match *b.get(i).ok_or(Wrong::Ends)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = unit(b, i + 1)?;
            if !(0xd800..0xe000).contains(&first) {
                let c = char::from_u32(first).ok_or(Wrong::Broken)?;
                return Ok((c, i + 5));
            }
            // A character beyond the first plane is two halves.
            for (k, sign) in [b'\\', b'u'].into_iter().enumerate() {
                if *b.get(i + 5 + k).ok_or(Wrong::Ends)? != sign {
                    return Err(Wrong::Broken);
                }
            }
            let second = unit(b, i + 7)?;
            if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
                return Err(Wrong::Broken);
            }
            let whole = 0x1_0000 + ((first - 0xd800) << 10 | (second - 0xdc00));
            return Ok((char::from_u32(whole).ok_or(Wrong::Broken)?, i + 11));
        }
        _ => return Err(Wrong::Broken),
    };
    Ok((c, i + 1))
}

fn unit(b: &[u8], at: usize) -> Result<u32, Wrong> {
    let four = b.get(at..at + 4).ok_or(Wrong::Ends)?;
    four.iter().try_fold(0, |n, d| {
        let d = char::from(*d).to_digit(16).ok_or(Wrong::Broken)?;
        Ok(n << 4 | d)
    })
}

impl<'a> Value<'a> {
    const NONE: usize = usize::MAX;
    fn node(self) -> Option<Node> {
        self.tape.nodes.get(self.at).copied()
    }
    fn is(self, kind: Kind) -> bool {
        self.node().is_some_and(|n| n.kind == kind)
    }
    pub fn is_array(self) -> bool {
        self.is(Kind::Array)
    }
    pub fn is_object(self) -> bool {
        self.is(Kind::Object)
    }
    /// What a text says.
    pub fn as_str(self) -> Option<&'a str> {
        let n = self.node()?;
        let range = n.from as usize..n.to as usize;
        match n.kind {
            Kind::String => self.text.get(range),
            Kind::Plain => self.tape.plain.get(range),
            _ => None,
        }
    }
    /// A number as it is written.
    pub fn as_number(self) -> Option<&'a str> {
        let n = self.node().filter(|n| n.kind == Kind::Number)?;
        self.text.get(n.from as usize..n.to as usize)
    }
    fn at(self, at: usize) -> Value<'a> {
        Value { at, ..self }
    }
    /// The node behind this value and all that is in it.
    fn behind(self) -> usize {
        match self.node() {
            Some(n) if matches!(n.kind, Kind::Array | Kind::Object) => n.to as usize,
            _ => self.at.saturating_add(1),
        }
    }
    fn inside(self, kind: Kind) -> std::ops::Range<usize> {
        match self.node() {
            Some(n) if n.kind == kind => self.at + 1..n.to as usize,
            _ => 0..0,
        }
    }
    /// The values of an array; none of anything else.
    pub fn items(self) -> impl Iterator<Item = Value<'a>> {
        let all = self.inside(Kind::Array);
        let mut next = all.start;
        std::iter::from_fn(move || {
            let v = self.at(next);
            (next < all.end).then(|| {
                next = v.behind();
                v
            })
        })
    }
    /// The members of an object in its order, one that is there twice twice; none of anything else.
    pub fn members(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.named()
            .map(move |(name, v)| (self.at(name).as_str().unwrap_or_default(), v))
    }
    /// The members, and where their names are.
    #[inline]
    fn named(self) -> impl Iterator<Item = (usize, Value<'a>)> {
        let all = self.inside(Kind::Object);
        let mut next = all.start;
        std::iter::from_fn(move || {
            let (name, v) = (next, self.at(next + 1));
            (next < all.end).then(|| {
                next = v.behind();
                (name, v)
            })
        })
    }
    /// The bytes of a text.
    #[inline]
    fn bytes(self) -> &'a [u8] {
        let of = |text: &'a str, n: Node| text.as_bytes().get(n.from as usize..n.to as usize);
        let bytes = match self.node() {
            Some(n) if n.kind == Kind::String => of(self.text, n),
            Some(n) if n.kind == Kind::Plain => of(&self.tape.plain, n),
            _ => None,
        };
        bytes.unwrap_or_default()
    }
    /// The member of this name, the last of equals; nothing where there is none.
    pub fn get(self, name: &str) -> Value<'a> {
        let [found] = self.pick([name]);
        found
    }
    /// The members of these names, each as [`Value::get`].
    #[inline]
    pub fn pick<const N: usize>(self, names: [&str; N]) -> [Value<'a>; N] {
        let mut found = [Value::NONE; N];
        for (at, v) in self.named() {
            let this = self.at(at).bytes();
            for (found, name) in found.iter_mut().zip(names) {
                if name.as_bytes() == this {
                    *found = v.at;
                }
            }
        }
        found.map(|at| self.at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    /// A value written in one way, numbers as a floating number.
    fn ours(v: Value<'_>, out: &mut String) {
        if let Some(s) = v.as_str() {
            let _ = write!(out, "{s:?}");
        } else if let Some(n) = v.as_number() {
            let _ = write!(out, "{:.8e}", n.parse::<f64>().unwrap());
        } else if v.is_array() {
            out.push('[');
            v.items().for_each(|x| ours(x, out));
            out.push(']');
        } else if v.is_object() {
            out.push('{');
            let mut all: Vec<(&str, String)> = vec![];
            for (k, _) in v.members() {
                let mut last = String::new();
                ours(v.get(k), &mut last);
                // The last of equals stands for all, as there.
                all.retain(|o| o.0 != k);
                all.push((k, last));
            }
            all.sort();
            all.iter()
                .for_each(|(k, t)| out.push_str(&format!("{k:?}:{t}")));
            out.push('}');
        } else {
            out.push('-');
        }
    }
    fn theirs(v: &serde_json::Value, out: &mut String) {
        use serde_json::Value as V;
        match v {
            V::String(s) => out.push_str(&format!("{s:?}")),
            V::Number(n) => out.push_str(&format!("{:.8e}", n.as_f64().unwrap())),
            V::Array(a) => {
                out.push('[');
                a.iter().for_each(|x| theirs(x, out));
                out.push(']');
            }
            V::Object(m) => {
                out.push('{');
                let mut all: Vec<_> = m.iter().collect();
                all.sort_by(|a, b| a.0.cmp(b.0));
                for (k, x) in all {
                    out.push_str(&format!("{k:?}:"));
                    theirs(x, out);
                }
                out.push('}');
            }
            V::Null | V::Bool(_) => out.push('-'),
        }
    }
    fn same(bytes: &[u8]) -> Result<(), TestCaseError> {
        let mut tape = Tape::default();
        let _ = tape.read(b"{\"left\":[\"over\\n\"");
        match (
            tape.read(bytes),
            serde_json::from_slice::<serde_json::Value>(bytes),
        ) {
            (Ok(a), Ok(b)) => {
                let (mut x, mut y) = (String::new(), String::new());
                ours(a, &mut x);
                theirs(&b, &mut y);
                prop_assert_eq!(x, y);
            }
            (Err(_), Err(e)) if e.to_string().contains("out of range") => {}
            (Err(a), Err(b)) => {
                // A text that breaks off within a character may be called broken there.
                let text = std::str::from_utf8(bytes).is_ok();
                prop_assert!(!text || (a == Wrong::Ends) == b.is_eof(), "{:?} {}", a, b);
            }
            (Ok(_), Err(e)) => {
                prop_assert!(e.to_string().contains("out of range"), "only there: {}", e)
            }
            (Err(a), Ok(_)) => prop_assert!(false, "only here: {:?}", a),
        }
        Ok(())
    }
    fn tree() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            (-1e9f64..1e9).prop_map(Into::into),
            ".{0,40}".prop_map(Into::into),
            "[a-z\"\\\\\n\t\u{1F600}é]{0,30}".prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec(("[a-cé\n]{0,3}", inner), 0..6)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }
    #[test]
    fn depth_and_halves_are_as_there() {
        for n in [1, 126, 127, 128, 200] {
            let deep = "[".repeat(n) + &"]".repeat(n);
            same(deep.as_bytes()).unwrap();
            same("[".repeat(n).as_bytes()).unwrap();
        }
        for t in [
            r#""😀""#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ude00""#,
            r#""\ud83dA""#,
            r#""\ud83d\u"#,
            r#""\u00"#,
            "01",
            "-",
            "-0",
            "1.",
            "1.5e",
            "1e+",
            "1E-2",
            "tru",
            "nul x",
            "{\"a\" 1}",
            "{\"a\":1,}",
            "[1,]",
            "[,]",
            "{,}",
            "\"\u{1}\"",
            "\"a\nb\"",
            "1 2",
            "",
            "  ",
            "{\"a\":1,\"a\":2}",
            "\"\\x\"",
        ] {
            same(t.as_bytes()).unwrap();
        }
    }
    proptest! {
        #[test]
        fn documents_are_those_of_a_plain_reader(v in tree(), pretty in any::<bool>(), cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), sign in prop::sample::select(b"\"\\{}[],:0-. e\nu\x01\xe9".to_vec())) {
            let text = if pretty { serde_json::to_vec_pretty(&v) } else { serde_json::to_vec(&v) }.unwrap();
            same(&text)?;
            same(&text[..cut.index(text.len())])?;
            let mut bent = text.clone();
            bent[at.index(text.len())] = sign;
            same(&bent)?;
        }
        #[test]
        fn any_signs_are_read(text in prop::collection::vec(prop::sample::select(b"\"\\{}[],:019-.eE+ \nuntrfalsd8c\xc3\xa9".to_vec()), 0..40)) {
            same(&text)?;
        }
    }
}

//! The named values of one record: which names a mapping asks for, and readers that keep only those.
use super::plan::{CsvLayout, CsvShape, KvShape};
use crate::{
    kv,
    scan::{self, Tag, Word, Xml, XmlStop},
};
use rustc_hash::FxHashMap;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;

/// Field names a mapping mentions, each with its slot.
#[derive(Default)]
pub(super) struct Names {
    of: FxHashMap<Box<str>, u16>,
    list: Vec<Box<str>>,
}

impl Names {
    pub(super) fn slot(&mut self, name: &str) -> u16 {
        if let Some(i) = self.of.get(name) {
            return *i;
        }
        let i = self.list.len().min(usize::from(u16::MAX)) as u16;
        self.list.push(name.into());
        self.of.insert(name.into(), i);
        i
    }
    #[inline]
    pub(super) fn find(&self, name: &str) -> Option<u16> {
        self.of.get(name).copied()
    }
    pub(super) fn list(&self) -> &[Box<str>] {
        &self.list
    }
}

/// Values of one record by slot; empty means absent. The first value given to a slot stays.
#[derive(Default)]
pub(super) struct Slots<'a> {
    v: Vec<Slot<'a>>,
    /// Values that do not stand in the record as they are.
    made: Vec<String>,
    /// Slots filled from the record itself (not the envelope).
    pub filled: usize,
    /// Which slots may hold something.
    have: SlotSet,
}

/// A set of slots, their numbers taken modulo its bits: what is in two sets may be in both only when [`SlotSet::meets`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SlotSet([u64; 4]);

impl SlotSet {
    pub(super) fn of(slots: &[u16]) -> SlotSet {
        let mut all = SlotSet::default();
        slots.iter().for_each(|s| all.add(*s));
        all
    }
    #[inline(always)]
    fn add(&mut self, slot: u16) {
        self.0[usize::from(slot) / 64 % 4] |= 1 << (slot % 64);
    }
    /// False when no slot is in both.
    #[inline(always)]
    pub(super) fn meets(&self, other: &SlotSet) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        (a & e) | (b & f) | (c & g) | (d & h) != 0
    }
}

#[derive(Clone, Copy, Default)]
struct Slot<'a> {
    text: &'a str,
    /// Number of the value among those that were made, from 1; 0 when `text` is the value.
    made: u32,
}

impl<'a> Slots<'a> {
    /// Of `n` slots, in the memory of an earlier record.
    pub(super) fn new(memory: Slots<'_>, n: usize) -> Self {
        let (mut v, mut made) = (memory.v, memory.made);
        v.clear();
        made.clear();
        // Collecting an empty iterator of equal layout in place keeps the allocation.
        let mut v: Vec<Slot<'a>> = v.into_iter().map(|_| Slot::default()).collect();
        v.resize(n, Slot::default());
        Slots {
            v,
            made,
            filled: 0,
            have: SlotSet::default(),
        }
    }
    /// The memory for the next record.
    pub(super) fn recycle(self) -> Slots<'static> {
        Slots::new(self, 0)
    }
    #[inline]
    fn made(&self, slot: &Slot<'_>) -> Option<&str> {
        let i = (slot.made as usize).checked_sub(1)?;
        self.made.get(i).map(String::as_str)
    }
    #[inline]
    pub(super) fn get(&self, i: u16) -> &str {
        let slot = &self.v[usize::from(i)];
        self.made(slot).unwrap_or(slot.text)
    }
    #[inline]
    pub(super) fn cow(&self, i: u16) -> Cow<'a, str> {
        let slot = &self.v[usize::from(i)];
        match self.made(slot) {
            Some(text) => Cow::Owned(text.to_string()),
            None => Cow::Borrowed(slot.text),
        }
    }
    /// False when nothing stands in any of these slots.
    #[inline(always)]
    pub(super) fn may_have(&self, any: &SlotSet) -> bool {
        self.have.meets(any)
    }
    /// True when nothing stands in the slot: what was made is never empty.
    #[inline]
    pub(super) fn lacks(&self, i: u16) -> bool {
        let slot = &self.v[usize::from(i)];
        slot.text.is_empty() && slot.made == 0
    }
    /// The same as [`Slots::put`], of a value that stands in the record as it is.
    #[inline]
    pub(super) fn put_text(&mut self, i: u16, text: &'a str) {
        let slot = &mut self.v[usize::from(i)];
        if slot.text.is_empty() && slot.made == 0 && !text.is_empty() {
            slot.text = text;
            self.filled += 1;
            self.have.add(i);
        }
    }
    #[inline]
    pub(super) fn put(&mut self, i: u16, v: Cow<'a, str>) {
        self.filled += usize::from(self.give(i, v));
    }
    #[inline]
    pub(super) fn put_envelope(&mut self, i: u16, v: Cow<'a, str>) {
        self.give(i, v);
    }
    #[inline]
    fn give(&mut self, i: u16, v: Cow<'a, str>) -> bool {
        let free = self.lacks(i) && !v.is_empty();
        if free {
            self.have.add(i);
            let slot = &mut self.v[usize::from(i)];
            match v {
                Cow::Borrowed(text) => slot.text = text,
                Cow::Owned(text) => {
                    self.made.push(text);
                    slot.made = self.made.len() as u32;
                }
            }
        }
        free
    }
    /// One more line of a slot that keeps every value.
    fn append(&mut self, i: u16, v: &str) {
        if v.is_empty() {
            return;
        }
        if self.lacks(i) {
            return self.put(i, Cow::Owned(v.to_string()));
        }
        let slot = &mut self.v[usize::from(i)];
        if slot.made == 0 {
            self.made.push(slot.text.to_string());
            slot.made = self.made.len() as u32;
        }
        if let Some(s) = self.made.get_mut(slot.made as usize - 1) {
            s.push('\n');
            s.push_str(v);
        }
    }
}

// --------------------------------------------------------------------------------------------------------------- json

/// The names as paths through JSON: `a.b.c`; `a[]` every element of an array, one a line; `a[Name=x].Value` the element whose
/// `Name` is `x`; `a.@json.b` inside a text that holds JSON. A key with dots in it is found too.
#[derive(Default)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    slot: Option<u16>,
    many: Option<u16>,
    kids: FxHashMap<Box<str>, u32>,
    picks: Vec<(Box<str>, Box<str>, u32)>,
    json: Option<u32>,
}

const DEPTH_MAX: usize = 8;

impl Trie {
    pub(super) fn of(names: &Names) -> Trie {
        let mut t = Trie {
            nodes: vec![Node::default()],
        };
        for (i, name) in names.list().iter().enumerate() {
            t.insert(name, i as u16);
        }
        t
    }
    fn add(&mut self) -> u32 {
        self.nodes.push(Node::default());
        (self.nodes.len() - 1) as u32
    }
    fn kid(&mut self, of: u32, key: &str) -> u32 {
        if let Some(k) = self.nodes[of as usize].kids.get(key) {
            return *k;
        }
        let k = self.add();
        self.nodes[of as usize].kids.insert(key.into(), k);
        k
    }
    fn insert(&mut self, path: &str, slot: u16) {
        let mut at = 0u32;
        let mut many = false;
        let mut rest = path;
        while !rest.is_empty() {
            // A segment ends at a dot outside brackets.
            let mut depth = 0usize;
            let end = rest
                .bytes()
                .position(|b| {
                    match b {
                        b'[' => depth += 1,
                        b']' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    b == b'.' && depth == 0
                })
                .unwrap_or(rest.len());
            let segment = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or("");
            if segment == "@json" {
                at = match self.nodes[at as usize].json {
                    Some(j) => j,
                    None => {
                        let j = self.add();
                        self.nodes[at as usize].json = Some(j);
                        j
                    }
                };
                continue;
            }
            let (key, inside) = match segment.split_once('[') {
                Some((k, i)) if i.ends_with(']') => (k, Some(&i[..i.len() - 1])),
                _ => (segment, None),
            };
            at = self.kid(at, key);
            match inside {
                Some("") => many = true,
                Some(i) => {
                    let (k, v) = i.split_once('=').unwrap_or(("Name", i));
                    let found = self.nodes[at as usize]
                        .picks
                        .iter()
                        .find(|(a, b, _)| **a == *k && **b == *v)
                        .map(|p| p.2);
                    at = match found {
                        Some(n) => n,
                        None => {
                            let n = self.add();
                            self.nodes[at as usize].picks.push((k.into(), v.into(), n));
                            n
                        }
                    };
                }
                None => {}
            }
        }
        let node = &mut self.nodes[at as usize];
        if many {
            node.many = node.many.or(Some(slot));
        } else {
            node.slot = node.slot.or(Some(slot));
        }
    }
    /// The node a key leads to, the key itself or its parts between dots.
    fn step(&self, from: u32, key: &str) -> Option<u32> {
        let node = &self.nodes[from as usize];
        if let Some(k) = node.kids.get(key) {
            return Some(*k);
        }
        memchr::memchr(b'.', key.as_bytes())?;
        let mut at = from;
        for part in key.split('.') {
            at = *self.nodes[at as usize].kids.get(part)?;
        }
        Some(at)
    }
    /// Reads one JSON object. Returns how many bytes the value took.
    pub(super) fn json<'a>(
        &self,
        text: &'a str,
        slots: &mut Slots<'a>,
    ) -> Result<usize, serde_json::Error> {
        let mut stream = serde_json::Deserializer::from_str(text);
        self.walk(slots).deserialize(&mut stream)?;
        // What follows the object is the caller's business.
        Ok(text.len())
    }
    /// Takes the fields of one object, whatever it is written in.
    pub(super) fn walk<'a>(&self, slots: &mut Slots<'a>) -> impl DeserializeSeed<'a, Value = ()> {
        Walk {
            trie: self,
            node: 0,
            slots,
            depth: 0,
        }
    }
    fn give<'a>(&self, node: u32, v: Cow<'a, str>, slots: &mut Slots<'a>, depth: usize) {
        let n = &self.nodes[node as usize];
        if let Some(j) = n.json
            && depth < DEPTH_MAX
            && v.trim_start().starts_with('{')
        {
            match &v {
                Cow::Borrowed(s) => {
                    let s: &'a str = s;
                    let mut de = serde_json::Deserializer::from_str(s);
                    let _ = Walk {
                        trie: self,
                        node: j,
                        slots,
                        depth: depth + 1,
                    }
                    .deserialize(&mut de);
                }
                Cow::Owned(s) => {
                    if let Ok(pairs) = crate::scan::flatten(s) {
                        for (k, v) in pairs {
                            self.give_path(j, &k, Cow::Owned(v.into_owned()), slots, depth + 1);
                        }
                    }
                }
            }
        }
        if let Some(m) = n.many {
            slots.append(m, &v);
        }
        if let Some(s) = n.slot {
            slots.put(s, v);
        }
    }
    fn give_path<'a>(
        &self,
        from: u32,
        path: &str,
        v: Cow<'a, str>,
        slots: &mut Slots<'a>,
        depth: usize,
    ) {
        if depth < DEPTH_MAX
            && let Some(n) = self.step(from, path)
        {
            self.give(n, v, slots, depth);
        }
    }
}

struct Walk<'t, 's, 'a> {
    trie: &'t Trie,
    node: u32,
    slots: &'s mut Slots<'a>,
    depth: usize,
}

impl<'a> DeserializeSeed<'a> for Walk<'_, '_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, d: D) -> Result<(), D::Error> {
        let n = &self.trie.nodes[self.node as usize];
        if n.kids.is_empty()
            && n.slot.is_none()
            && n.many.is_none()
            && n.picks.is_empty()
            && n.json.is_none()
        {
            return d.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        if self.depth == 0 && self.node == 0 {
            d.deserialize_map(self)
        } else {
            d.deserialize_any(self)
        }
    }
}

impl<'a> Visitor<'a> for Walk<'_, '_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }
    fn visit_borrowed_str<E>(self, v: &'a str) -> Result<(), E> {
        self.trie
            .give(self.node, Cow::Borrowed(v), self.slots, self.depth);
        Ok(())
    }
    fn visit_str<E>(self, v: &str) -> Result<(), E> {
        self.trie
            .give(self.node, Cow::Owned(v.to_string()), self.slots, self.depth);
        Ok(())
    }
    fn visit_bool<E>(self, v: bool) -> Result<(), E> {
        let v = if v { "true" } else { "false" };
        self.trie
            .give(self.node, Cow::Borrowed(v), self.slots, self.depth);
        Ok(())
    }
    fn visit_i64<E>(self, v: i64) -> Result<(), E> {
        self.trie
            .give(self.node, Cow::Owned(v.to_string()), self.slots, self.depth);
        Ok(())
    }
    fn visit_u64<E>(self, v: u64) -> Result<(), E> {
        self.trie
            .give(self.node, Cow::Owned(v.to_string()), self.slots, self.depth);
        Ok(())
    }
    fn visit_f64<E>(self, v: f64) -> Result<(), E> {
        self.trie
            .give(self.node, Cow::Owned(v.to_string()), self.slots, self.depth);
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Walk {
            trie,
            node,
            slots,
            depth,
        } = self;
        if trie.nodes[node as usize].picks.is_empty() {
            while seq
                .next_element_seed(Walk {
                    trie,
                    node,
                    slots: &mut *slots,
                    depth: depth + 1,
                })?
                .is_some()
            {}
            return Ok(());
        }
        while let Some(Element(pairs)) = seq.next_element::<Element<'a>>()? {
            for (key, value, pick) in &trie.nodes[node as usize].picks {
                if pairs.iter().any(|(k, v)| **k == **key && **v == **value) {
                    for (k, v) in &pairs {
                        trie.give_path(*pick, k, v.clone(), slots, depth + 1);
                    }
                }
            }
            for (k, v) in pairs {
                if k.is_empty() {
                    trie.give(node, v, slots, depth + 1);
                } else {
                    trie.give_path(node, &k, v, slots, depth + 1);
                }
            }
        }
        Ok(())
    }
    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Walk {
            trie,
            node,
            slots,
            depth,
        } = self;
        while let Some(Word(key)) = map.next_key::<Word<'a>>()? {
            match trie.step(node, &key) {
                Some(n) => map.next_value_seed(Walk {
                    trie,
                    node: n,
                    slots: &mut *slots,
                    depth: depth + 1,
                })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// An element of an array, flattened; a scalar has an empty key.
struct Element<'a>(crate::scan::Pairs<'a>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Element<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut pairs = vec![];
        crate::scan::Flat::inner(&mut pairs).deserialize(d)?;
        Ok(Element(pairs))
    }
}

// ----------------------------------------------------------------------------------------------------- key=value, CEF, LEEF

/// `key=value` text as the mapping describes it, by default as [`kv::Pairs`] reads it.
pub(super) fn pairs<'a>(
    text: &'a str,
    shape: Option<&KvShape>,
    mut take: impl FnMut(&'a str, &'a str, bool),
) {
    let Some(shape) = shape else {
        for (k, v) in kv::Pairs::new(text) {
            take(k, v, true);
        }
        return;
    };
    let between = |rest: &str| {
        shape
            .between
            .iter()
            .find(|b| rest.starts_with(b.as_str()))
            .map(|b| b.len())
    };
    let mut at = 0;
    while at < text.len() {
        while let Some(n) = between(&text[at..]).filter(|n| *n > 0) {
            at += n;
        }
        let sign = shape
            .pair
            .iter()
            .filter_map(|p| text[at..].find(p.as_str()).map(|i| (at + i, p.as_str())))
            .min_by_key(|(i, _)| *i);
        let Some((eq, sign)) = sign else {
            break;
        };
        // The key begins after the last separator before the sign.
        let key = &text[at..eq];
        let key = shape
            .between
            .iter()
            .filter_map(|b| key.rfind(b.as_str()).map(|i| &key[i + b.len()..]))
            .min_by_key(|k| k.len())
            .unwrap_or(key);
        let mut from = eq + sign.len();
        while sign != " "
            && text[from..].starts_with(' ')
            && !shape.between.iter().any(|b| b == " ")
        {
            from += 1;
        }
        let quote = text[from..]
            .chars()
            .next()
            .filter(|c| shape.quotes.contains(*c));
        let (value, next) = match quote {
            Some(q) => {
                let inner = from + q.len_utf8();
                let mut end = inner;
                loop {
                    match text[end..].find(q) {
                        None => break (&text[inner..], text.len()),
                        Some(i) => {
                            end += i;
                            let escaped = end > inner && text.as_bytes()[end - 1] == b'\\';
                            let after = end + q.len_utf8();
                            // The bracket around the whole record may stand behind its last value.
                            let over = matches!(text[after..].trim_end(), "" | "]");
                            if !escaped && (over || between(&text[after..]).is_some()) {
                                break (&text[inner..end], after);
                            }
                            end = after;
                        }
                    }
                }
            }
            None => {
                let mut end = text.len();
                // A separator may end the record without the blank that follows it elsewhere.
                for b in shape.between.iter().map(|b| b.trim_end()) {
                    if !b.is_empty() && text.ends_with(b) {
                        end = end.min(text.len() - b.len());
                    }
                }
                end = end.max(from);
                for b in shape.between.iter().filter(|b| !b.is_empty()) {
                    if let Some(i) = text[from..].find(b.as_str()) {
                        end = end.min(from + i);
                    }
                }
                (&text[from..end], end)
            }
        };
        let key = key.trim().trim_matches(|c| shape.quotes.contains(c));
        if !key.is_empty() {
            take(key, value.trim(), quote.is_some());
        }
        at = next.max(at + 1);
        while at < text.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
}

/// `LEEF:1.0|vendor|product|version|id|` or `LEEF:2.0|vendor|product|version|id|delimiter|`, then pairs. Gives vendor, product,
/// version and id, the delimiter and where the pairs begin.
pub(super) fn leef(text: &str) -> Option<([&str; 4], char, &str)> {
    let body = text.strip_prefix("LEEF:")?;
    let mut parts = body.splitn(6, '|');
    let version = parts.next()?;
    let head = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let rest = parts.next().unwrap_or("");
    if !version.starts_with('2') {
        let d = if barred(rest) { '|' } else { '\t' };
        return Some((head, d, rest));
    }
    match rest.split_once('|') {
        Some((d, r)) if d.len() <= 4 => {
            let hex = d.strip_prefix("0x").or_else(|| d.strip_prefix('x'));
            let c = match hex
                .and_then(|h| u32::from_str_radix(h, 16).ok())
                .and_then(char::from_u32)
            {
                Some(c) => c,
                None => d.chars().next().unwrap_or('\t'),
            };
            Some((head, c, r))
        }
        _ => Some((head, '\t', rest)),
    }
}

/// LEEF 1 has tabs between its pairs; some templates put the bar of the header there.
fn barred(rest: &str) -> bool {
    let key = |p: &str| {
        let k = p.split_once('=').map_or("", |(k, _)| k);
        !k.is_empty() && k.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    !rest.contains('\t') && rest.contains('|') && rest.split('|').take(3).all(key)
}

/// Pairs of a LEEF record: separated by the delimiter, which collectors turn into spaces or `#011` at times.
pub(super) fn leef_pairs<'a>(
    text: &'a str,
    delimiter: char,
    mut take: impl FnMut(&'a str, &'a str),
) {
    if delimiter == '\t' && !text.contains('\t') {
        if text.contains("#011") {
            for p in text.split("#011") {
                if let Some((k, v)) = p.split_once('=') {
                    take(k.trim(), v);
                }
            }
            return;
        }
        // Values hold spaces: a pair ends where the next one begins, as in CEF.
        for (k, v) in kv::Cef::extension(text) {
            take(k, v);
        }
        return;
    }
    for p in text.split(delimiter) {
        if let Some((k, v)) = p.split_once('=') {
            take(k.trim(), v);
        }
    }
}

// ----------------------------------------------------------------------------------------------------------------- cells

/// Cells of one row. A quote inside a quoted cell is doubled (or escaped); blanks around a quoted cell are passed over.
pub(super) fn cells<'a>(
    row: &'a str,
    delimiter: u8,
    quote: Option<u8>,
    out: &mut Vec<Cow<'a, str>>,
) {
    out.clear();
    let b = row.as_bytes();
    let mut at = 0;
    loop {
        let mut open = at;
        while delimiter != b' ' && b.get(open) == Some(&b' ') {
            open += 1;
        }
        if let (Some(q), Some(c)) = (quote, b.get(open))
            && q == *c
        {
            let from = open + 1;
            let mut end = from;
            let mut doubled = false;
            loop {
                match memchr::memchr(q, &b[end.min(b.len())..]) {
                    None => {
                        end = b.len();
                        break;
                    }
                    Some(i) => {
                        end += i;
                        if b.get(end + 1) == Some(&q) {
                            doubled = true;
                            end += 2;
                        } else if end > from
                            && b[end - 1] == b'\\'
                            && b.get(end + 1).is_some_and(|c| *c != delimiter)
                        {
                            end += 1;
                        } else {
                            break;
                        }
                    }
                }
            }
            let end = end.min(b.len());
            let cell = &row[from..end];
            out.push(if doubled {
                let q = char::from(q).to_string();
                Cow::Owned(cell.replace(&format!("{q}{q}"), &q))
            } else {
                Cow::Borrowed(cell)
            });
            match memchr::memchr(delimiter, &b[(end + 1).min(b.len())..]) {
                Some(i) => at = end + 1 + i + 1,
                None => return,
            }
        } else {
            match memchr::memchr(delimiter, &b[at..]) {
                Some(i) => {
                    out.push(Cow::Borrowed(&row[at..at + i]));
                    at += i + 1;
                }
                None => {
                    out.push(Cow::Borrowed(&row[at..]));
                    return;
                }
            }
        }
        if out.len() >= 4096 {
            return;
        }
    }
}

/// The layout whose condition a row meets.
pub(super) fn layout_of<'p>(shape: &'p CsvShape, cells: &[Cow<'_, str>]) -> Option<&'p CsvLayout> {
    shape.layouts.iter().find(|l| match &l.at {
        None => true,
        Some((i, tests)) => cells
            .get(*i)
            .is_some_and(|c| tests.iter().any(|t| t.holds(c.trim()))),
    })
}

/// Deepest element that is looked into.
const ELEMENTS_DEEP: usize = 32;

/// The texts of one XML element by the path of names below it (`Session.User`), its attributes (`@id`, `Session@id`), and the elements
/// that carry a `Name` by it (`Data[SubjectUserName]`).
pub(super) fn markup<'a>(
    text: &'a str,
    names: &Names,
    slots: &mut Slots<'a>,
) -> Result<(), XmlStop> {
    let mut xml = Xml::new(text);
    let mut path = String::new();
    // Of each open element: its name, where the path of its parent ends, the name it carries.
    let mut open: Vec<(&str, usize, &str)> = vec![];
    let mut value: Cow<'a, str> = Cow::Borrowed("");
    while let Some(tag) = xml.next()? {
        match tag {
            Tag::Open(name, raw, closed) => {
                value = Cow::Borrowed("");
                let parent = path.len();
                if !open.is_empty() {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name);
                }
                let own = path.len();
                let mut carried = "";
                for (key, text) in scan::attributes(raw) {
                    if key.eq_ignore_ascii_case("name") {
                        carried = text;
                    }
                    path.push('@');
                    path.push_str(key);
                    if let Some(slot) = names.find(&path) {
                        slots.put(slot, scan::unescape(text)?);
                    }
                    path.truncate(own);
                }
                if closed {
                    path.truncate(parent);
                } else if open.len() >= ELEMENTS_DEEP {
                    return Err(XmlStop::Shape);
                } else {
                    open.push((name, parent, carried));
                }
            }
            Tag::Text(raw) if value.is_empty() => value = scan::unescape(raw)?,
            Tag::Text(raw) => value.to_mut().push_str(&scan::unescape(raw)?),
            Tag::Literal(raw) if value.is_empty() => value = Cow::Borrowed(raw),
            Tag::Literal(raw) => value.to_mut().push_str(raw),
            Tag::Close(name) => {
                let Some((_, parent, carried)) = open.pop().filter(|o| o.0 == name) else {
                    return Err(XmlStop::Shape);
                };
                let text = trimmed(std::mem::take(&mut value));
                if !text.is_empty() && !path.is_empty() {
                    let own = path.len();
                    if !carried.is_empty() {
                        path.push('[');
                        path.push_str(carried);
                        path.push(']');
                        if let Some(slot) = names.find(&path) {
                            slots.put(slot, text.clone());
                        }
                        path.truncate(own);
                    }
                    if let Some(slot) = names.find(&path) {
                        slots.put(slot, text);
                    }
                }
                path.truncate(parent);
            }
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(XmlStop::Truncated)
    }
}

fn trimmed(v: Cow<'_, str>) -> Cow<'_, str> {
    match v {
        Cow::Borrowed(s) => Cow::Borrowed(s.trim()),
        Cow::Owned(s) if s.trim().len() == s.len() => Cow::Owned(s),
        Cow::Owned(s) => Cow::Owned(s.trim().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(names: &[&str], json: &str) -> Vec<String> {
        let mut n = Names::default();
        for x in names {
            n.slot(x);
        }
        let t = Trie::of(&n);
        let mut s = Slots::new(Slots::default(), names.len());
        t.json(json, &mut s).unwrap();
        (0..names.len())
            .map(|i| s.get(i as u16).to_string())
            .collect()
    }

    #[test]
    fn paths_lead_through_objects_arrays_and_texts() {
        assert_eq!(
            read(
                &[
                    "a.b",
                    "x[].id",
                    "p[Name=UA].Value",
                    "m.@json.u",
                    "e.f",
                    "x.id",
                    "o.@json.k"
                ],
                r#"{"a":{"b":1,"c":[{}]},"x":[{"id":"1"},{"id":"2"}],"p":[{"Value":"ff","Name":"UA"},{"Name":"z","Value":"q"}],
                "m":"{\"u\":\"é\"}","e.f":true,"o":"{\"k\":\"v\"}"}"#
            ),
            ["1", "1\n2", "ff", "é", "true", "1", "v"]
        );
    }

    #[test]
    fn cells_keep_quotes_and_delimiters() {
        let mut out = vec![];
        cells(r#"a,"b,c", "d ""e""",,f"#, b',', Some(b'"'), &mut out);
        assert_eq!(out, ["a", "b,c", "d \"e\"", "", "f"]);
        cells("", b',', Some(b'"'), &mut out);
        assert_eq!(out, [""]);
        cells("\"open", b',', Some(b'"'), &mut out);
        assert_eq!(out, ["open"]);
    }

    #[test]
    fn pairs_follow_the_declared_shape() {
        let shape = |pair: &str, between: &str| KvShape {
            regex: None,
            pair: vec![pair.into()],
            between: vec![between.into()],
            quotes: "\"".into(),
        };
        let all = |t: &str, s: &KvShape| {
            let mut v = vec![];
            pairs(t, Some(s), |k, x, _| v.push(format!("{k}={x}")));
            v
        };
        assert_eq!(
            all("SrcIP: 1.2.3.4, User: No Auth, Bytes: 7", &shape(":", ", ")),
            ["SrcIP=1.2.3.4", "User=No Auth", "Bytes=7"]
        );
        assert_eq!(
            all(
                r#"action:"Accept"; src:"1.2.3.4"; x:"a; b""#,
                &shape(":", "; ")
            ),
            ["action=Accept", "src=1.2.3.4", "x=a; b"]
        );
        let (_, d, _) = leef("LEEF:1.0|V|P|1|id|cat=A|src=192.0.2.1|rule=a b").unwrap();
        assert_eq!(d, '|');
        let (_, d, _) = leef("LEEF:1.0|V|P|1|id|cat=A url=x|y").unwrap();
        assert_eq!(d, '\t');
        let (h, d, rest) = leef("LEEF:2.0|V|P|1|id|^|a=1^b=two words").unwrap();
        let mut v = vec![];
        leef_pairs(rest, d, |k, x| v.push((k, x)));
        assert_eq!(
            (h, v),
            (["V", "P", "1", "id"], vec![("a", "1"), ("b", "two words")])
        );
    }

    fn marked<'a>(text: &'a str, asked: &[&str]) -> Result<Vec<Cow<'a, str>>, XmlStop> {
        let mut names = Names::default();
        for n in asked {
            names.slot(n);
        }
        let mut slots = Slots::new(Slots::default(), asked.len());
        markup(text, &names, &mut slots)?;
        Ok((0..asked.len()).map(|i| slots.cow(i as u16)).collect())
    }

    #[test]
    fn an_element_is_read_by_paths_attributes_and_carried_names() {
        let text = "<x:R id='7'><S at=\"now\"><User> a &amp; b </User><User>second</User></S><D Name='Acc'>c<![CDATA[<d>]]></D><E/></x:R>";
        let got = marked(text, &["@id", "S@at", "S.User", "D[Acc]", "D", "E", "S"]).unwrap();
        assert_eq!(got, ["7", "now", "a & b", "c<d>", "c<d>", "", ""]);
    }

    #[test]
    fn broken_markup_is_no_record() {
        assert_eq!(marked("<R><a>1</a>", &["a"]), Err(XmlStop::Truncated));
        assert_eq!(marked("<R><a>1</b></R>", &["a"]), Err(XmlStop::Shape));
        assert_eq!(
            marked("<R><a>&xxe;</a></R>", &["a"]),
            Err(XmlStop::Forbidden)
        );
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        assert_eq!(marked(&deep, &["a"]), Err(XmlStop::Shape));
    }
}

//! One row ([`Event`]) and many rows as columns ([`EventBatch`]), with the Arrow schema they are stored in.
use crate::{
    account::{Account, System},
    time::{NO_TIME, Nanos, TimeNote},
    words::{Outcome, Verb},
};
use arrow_array::{
    Array, ArrayRef, Int64Array, LargeStringArray, RecordBatch, StringArray, UInt8Array,
    UInt64Array,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

/// Text of a row: borrowed from the evidence where possible. Empty means absent.
pub type Text<'a> = Cow<'a, str>;

/// Absent number. Every numeric column uses it, so that a row stays plain data.
pub const NONE: u64 = u64::MAX;

/// Key of `extra`: the machine that wrote the record, where `host` is no more than that.
pub const OBSERVER: &str = "observer";
/// Key of `extra`: the host a request asked for, where `host` is another.
pub const HTTP_HOST: &str = "http_host";

macro_rules! row {
    (text { $($(#[$tmeta:meta])* $t:ident,)+ } number { $($(#[$nmeta:meta])* $n:ident,)+ }) => {
        /// One normalised row of a source, pointing back to the evidence it came from.
        ///
        /// Absent text is empty, absent numbers are [`NONE`], an absent time is [`NO_TIME`]. Times are UTC nanoseconds.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Event<'a> {
            /// Number of the record in its file, from 1; blank and comment lines have numbers too.
            pub record: u64,
            /// Byte offset of the record in the decompressed file.
            pub offset: u64,
            /// Length of the record in bytes.
            pub len: u64,
            pub time: Nanos,
            /// The other reading of an ambiguous local time, or [`NO_TIME`].
            pub time_alt: Nanos,
            pub time_note: TimeNote,
            pub verb: Verb,
            pub outcome: Outcome,
            /// System of `user`; with `domain` it makes the account.
            pub system: System,
            /// The patient as the record writes it, for showing a row just decoded. Never a column: clear identifiers are not stored,
            /// `subjects` has the patients in their one form.
            pub patient: Text<'a>,
            $($(#[$tmeta])* pub $t: Text<'a>,)+
            $($(#[$nmeta])* pub $n: u64,)+
        }
        impl Default for Event<'_> {
            fn default() -> Self {
                Event { record: 0, offset: 0, len: 0, time: NO_TIME, time_alt: NO_TIME, time_note: TimeNote::Missing, verb: Verb::Other,
                    outcome: Outcome::Unknown, system: System::Unknown, patient: Cow::Borrowed(""), $($t: Cow::Borrowed(""),)+ $($n: NONE,)+ }
            }
        }
        impl<'a> Event<'a> {
            /// The same row owning its text.
            pub fn into_owned(self) -> Event<'static> {
                Event { record: self.record, offset: self.offset, len: self.len, time: self.time, time_alt: self.time_alt, time_note: self.time_note,
                    verb: self.verb, outcome: self.outcome, system: self.system,
                    patient: Cow::Owned(self.patient.into_owned()),
                    $($t: Cow::Owned(self.$t.into_owned()),)+ $($n: self.$n,)+ }
            }
            /// Text columns by name, in schema order.
            pub fn texts(&self) -> [(&'static str, &str); TEXTS] { [$((stringify!($t), &*self.$t),)+] }
            /// Numeric columns by name, in schema order; [`NONE`] where absent.
            pub fn numbers(&self) -> [(&'static str, u64); NUMBERS] { [$((stringify!($n), self.$n),)+] }
        }
        const TEXT_NAMES: &[&str] = &[$(stringify!($t),)+];
        const NUMBER_NAMES: &[&str] = &[$(stringify!($n),)+];
        const TEXTS: usize = TEXT_NAMES.len();
        const NUMBERS: usize = NUMBER_NAMES.len();

        /// Many rows of one file, as columns. Shape: one entry per event, in file order.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct EventBatch {
            record: Vec<u64>, offset: Vec<u64>, len: Vec<u64>,
            time: Vec<i64>, time_alt: Vec<i64>,
            time_note: Vec<u8>, verb: Vec<u8>, outcome: Vec<u8>, system: Vec<u8>,
            $($t: TextColumn,)+
            $($n: NumberColumn,)+
            /// Rows that name a patient, in order, and the names, one behind the other; left behind when the batch becomes Arrow.
            patient: Vec<(usize, std::ops::Range<usize>)>,
            patients: String,
        }
        impl EventBatch {
            pub fn push(&mut self, e: &Event<'_>) {
                if !e.patient.is_empty() {
                    let from = self.patients.len();
                    self.patients.push_str(&e.patient);
                    self.patient.push((self.record.len(), from..self.patients.len()));
                }
                self.record.push(e.record); self.offset.push(e.offset); self.len.push(e.len);
                self.time.push(e.time); self.time_alt.push(e.time_alt);
                self.time_note.push(e.time_note as u8); self.verb.push(e.verb as u8);
                self.outcome.push(e.outcome as u8); self.system.push(e.system as u8);
                $(self.$t.push(&e.$t);)+
                $(self.$n.push(e.$n);)+
            }
            /// Row `i`, borrowing the batch. Panics when out of range.
            pub fn get(&self, i: usize) -> Event<'_> {
                Event { record: self.record[i], offset: self.offset[i], len: self.len[i], time: self.time[i], time_alt: self.time_alt[i],
                    time_note: TimeNote::from_code(self.time_note[i]), verb: Verb::from_code(self.verb[i]),
                    outcome: Outcome::from_code(self.outcome[i]), system: System::from_code(self.system[i]),
                    patient: Cow::Borrowed(self.patient_of(i)),
                    $($t: Cow::Borrowed(self.$t.get(i)),)+ $($n: self.$n.get(i),)+ }
            }
            /// The patient row `i` names in clear; empty when it names none.
            fn patient_of(&self, i: usize) -> &str {
                // Where every row before names one, it stands at its own place.
                let at = match self.patient.get(i) {
                    Some(p) if p.0 == i => i,
                    _ => match self.patient.binary_search_by_key(&i, |p| p.0) {
                        Ok(at) => at,
                        Err(_) => return "",
                    },
                };
                &self.patients[self.patient[at].1.clone()]
            }
            /// Empties the batch and keeps its memory.
            pub fn clear(&mut self) {
                self.record.clear(); self.offset.clear(); self.len.clear(); self.time.clear(); self.time_alt.clear();
                self.time_note.clear(); self.verb.clear(); self.outcome.clear(); self.system.clear();
                $(self.$t.clear();)+ $(self.$n.clear();)+
                self.patient.clear();
                self.patients.clear();
            }
            /// Bytes held, to bound memory.
            pub fn bytes(&self) -> usize { self.len() * (5 * 8 + 4) $(+ self.$t.bytes())+ $(+ self.$n.values.len() * 8)+ }
            /// Mutable access to one text column by name, for tokenising and sealing values before they are stored.
            pub fn text_mut(&mut self, name: &str) -> Option<&mut TextColumn> {
                match name { $(stringify!($t) => Some(&mut self.$t),)+ _ => None }
            }
            pub fn text(&self, name: &str) -> Option<&TextColumn> {
                match name { $(stringify!($t) => Some(&self.$t),)+ _ => None }
            }
            /// One column of [`EventBatch::schema`] by name.
            pub fn column(&self, name: &str) -> Option<Column<'_>> {
                Some(match name {
                    "record" => Column::Numbers(&self.record), "offset" => Column::Numbers(&self.offset), "len" => Column::Numbers(&self.len),
                    "time" => Column::Times(&self.time), "time_alt" => Column::Times(&self.time_alt),
                    "time_note" => Column::Codes(&self.time_note), "verb" => Column::Codes(&self.verb),
                    "outcome" => Column::Codes(&self.outcome), "system" => Column::Codes(&self.system),
                    $(stringify!($t) => Column::Text(&self.$t),)+
                    $(stringify!($n) => self.$n.column(),)+
                    _ => return None,
                })
            }
            /// As Arrow, schema [`EventBatch::schema`]; moves the columns, copies nothing.
            pub fn into_arrow(self) -> RecordBatch {
                let columns: Vec<ArrayRef> = vec![
                    Arc::new(UInt64Array::from(self.record)), Arc::new(UInt64Array::from(self.offset)), Arc::new(UInt64Array::from(self.len)),
                    Arc::new(Int64Array::from(self.time)), Arc::new(Int64Array::from(self.time_alt)),
                    Arc::new(UInt8Array::from(self.time_note)), Arc::new(UInt8Array::from(self.verb)),
                    Arc::new(UInt8Array::from(self.outcome)), Arc::new(UInt8Array::from(self.system)),
                    $(self.$t.into_arrow(),)+
                    $(self.$n.into_arrow(),)+
                ];
                RecordBatch::try_new(EventBatch::schema(), columns).expect("columns follow the schema")
            }
            /// From Arrow. Columns are found by name; a missing one (an older file) reads as absent.
            pub fn from_arrow(b: &RecordBatch) -> EventBatch {
                let n = b.num_rows();
                EventBatch {
                    record: number(b, "record", n), offset: number(b, "offset", n), len: number(b, "len", n),
                    time: instant(b, "time", n), time_alt: instant(b, "time_alt", n),
                    time_note: code(b, "time_note", n), verb: code(b, "verb", n), outcome: code(b, "outcome", n), system: code(b, "system", n),
                    $($t: TextColumn::from_arrow(b, stringify!($t), n),)+
                    $($n: NumberColumn::from_arrow(b, stringify!($n), n),)+
                    patient: vec![],
                    patients: String::new(),
                }
            }
        }
    };
}

row! {
    text {
        /// The source's own word for what happened (`tunnel-up`, `LOGIN`, `4624`).
        action,
        user,
        domain,
        /// Stable id of the user in its system (UUID, SID).
        user_id,
        /// Clear name of the user, where the source carries one.
        user_name,
        /// Account acted upon, when it is not the actor (`system:name` or the source's text).
        target,
        src_ip,
        dst_ip,
        /// `X-Forwarded-For` or equivalent, as received: client first.
        forwarded,
        /// Address lent by a tunnel, NAT or lease.
        inner_ip,
        src_country,
        /// Id that holds rows of one use together: tunnel id, LogonId, sid, backend id.
        session_id,
        /// Id shared by two logs of one request.
        request_id,
        /// Token id (`jti`), opaque token tail or authorisation code.
        token,
        /// User agent, client machine name, MAC or device id.
        device,
        /// The machine or service that recorded or served (server name, virtual host, Computer).
        host,
        /// Program or process (application_name, Image, client_id).
        process,
        http_method,
        /// Path and query as requested. May hold identifiers: sealed before it is stored.
        url,
        /// Search criteria or SQL statement, decoded. May hold identifiers: sealed before it is stored.
        query,
        file_path,
        /// Share root as the source gives it (`\\*\RH$`, `\\FS01\Dentaire`).
        share,
        /// Resource, table, database, study or other object named.
        object,
        /// Data subjects named by the row, `authority|id` or `Patient/id`, one per line.
        subjects,
        /// Values before and after of a change: `field\u{1f}before\u{1f}after`, one per line.
        changes,
        /// Why, as the source says (reason code, purpose of use, error text without personal data).
        reason,
        /// Anything else worth keeping: `key=value`, one per line, sorted by key.
        extra,
    }
    number {
        src_port,
        dst_port,
        bytes_in,
        bytes_out,
        status,
        /// Results returned, where the source tells.
        count,
        duration_ms,
        /// The source's own running number (EventRecordID, event.sequence, session line number).
        seq,
        /// The source's own event code (Windows EventID, FortiGate logid).
        code,
        /// Access mask of a file open.
        mask,
        /// Windows logon type.
        logon_type,
        pid,
    }
}

/// One column of an [`EventBatch`].
#[derive(Debug, Clone, Copy)]
pub enum Column<'b> {
    Text(&'b TextColumn),
    /// [`NONE`] where absent.
    Numbers(&'b [u64]),
    /// A column of numbers no row has one in.
    NoNumbers,
    /// [`NO_TIME`] where absent.
    Times(&'b [i64]),
    Codes(&'b [u8]),
}

/// A column of text: one buffer and offsets, the layout Arrow uses. Most columns of a batch are empty throughout: those are a
/// number of rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextColumn {
    rows: usize,
    /// One more than rows; none at all while there is no text.
    offsets: Vec<i32>,
    text: String,
}

impl TextColumn {
    #[inline(always)]
    pub fn push(&mut self, s: &str) {
        self.rows += 1;
        if !s.is_empty() || !self.offsets.is_empty() {
            self.put(s);
        }
    }
    /// A value of the last row, in a column that is not blank.
    fn put(&mut self, s: &str) {
        if self.offsets.is_empty() {
            self.offsets.resize(self.rows, 0);
        }
        self.text.push_str(s);
        let end =
            i32::try_from(self.text.len()).expect("a batch holds less than 2 GiB of one column");
        self.offsets.push(end);
    }
    #[inline(always)]
    pub fn get(&self, i: usize) -> &str {
        if self.offsets.is_empty() {
            assert!(i < self.rows, "row {i} of {}", self.rows);
            return "";
        }
        let ends = &self.offsets[i..i + 2];
        let (a, b) = (ends[0] as usize, ends[1] as usize);
        // Only whole strings are ever appended, so every range is one.
        self.text.get(a..b).unwrap_or("")
    }
    /// True when every value is empty.
    pub fn is_blank(&self) -> bool {
        self.offsets.is_empty()
    }
    /// All values, one behind the other, and where each ends, 0 first; no ends when [`TextColumn::is_blank`].
    pub fn parts(&self) -> (&str, &[i32]) {
        (&self.text, &self.offsets)
    }
    pub fn len(&self) -> usize {
        self.rows
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    fn clear(&mut self) {
        self.rows = 0;
        self.offsets.clear();
        self.text.clear();
    }
    fn bytes(&self) -> usize {
        self.text.len() + self.offsets.len() * 4
    }
    /// Replaces every non-empty value.
    pub fn map(&mut self, mut f: impl FnMut(&str) -> String) {
        let mut out = TextColumn::default();
        for i in 0..self.len() {
            let s = self.get(i);
            if s.is_empty() {
                out.push("")
            } else {
                out.push(&f(s))
            }
        }
        *self = out;
    }
    fn into_arrow(self) -> ArrayRef {
        let offsets = if self.is_blank() {
            OffsetBuffer::new_zeroed(self.rows)
        } else {
            OffsetBuffer::new(ScalarBuffer::from(self.offsets))
        };
        Arc::new(StringArray::new(
            offsets,
            Buffer::from_vec(self.text.into_bytes()),
            None,
        ))
    }
    /// The values in one piece; `None` when something stands where a value is absent.
    fn of_whole(a: &StringArray) -> Option<TextColumn> {
        let offsets = a.value_offsets();
        let first = *offsets.first()?;
        let absent = |i: usize| a.is_null(i) && offsets[i] != offsets[i + 1];
        if a.null_count() > 0 && (0..a.len()).any(absent) {
            return None;
        }
        let bytes = a
            .value_data()
            .get(first as usize..*offsets.last()? as usize)?;
        if bytes.is_empty() {
            return Some(TextColumn {
                rows: a.len(),
                ..TextColumn::default()
            });
        }
        Some(TextColumn {
            rows: a.len(),
            offsets: offsets.iter().map(|o| o - first).collect(),
            text: str::from_utf8(bytes).ok()?.to_string(),
        })
    }
    fn from_arrow(b: &RecordBatch, name: &str, n: usize) -> TextColumn {
        let mut c = TextColumn::default();
        match b.column_by_name(name).map(|a| a.as_any()) {
            Some(any) if any.is::<StringArray>() => {
                let a = any.downcast_ref::<StringArray>().expect("checked");
                if let Some(whole) = TextColumn::of_whole(a) {
                    return whole;
                }
                for i in 0..n {
                    c.push(if a.is_null(i) { "" } else { a.value(i) });
                }
            }
            Some(any) if any.is::<LargeStringArray>() => {
                let a = any.downcast_ref::<LargeStringArray>().expect("checked");
                for i in 0..n {
                    c.push(if a.is_null(i) { "" } else { a.value(i) });
                }
            }
            _ => c.rows = n,
        }
        c
    }
}

/// A column of numbers. Most of them have none in a whole batch: those are a number of rows.
#[derive(Debug, Clone, Default, PartialEq)]
struct NumberColumn {
    rows: usize,
    /// One for each row, or none at all.
    values: Vec<u64>,
}

impl NumberColumn {
    #[inline]
    fn push(&mut self, n: u64) {
        if n != NONE && self.values.is_empty() {
            self.values.resize(self.rows, NONE);
        }
        if n != NONE || !self.values.is_empty() {
            self.values.push(n);
        }
        self.rows += 1;
    }
    #[inline(always)]
    fn get(&self, i: usize) -> u64 {
        if self.values.is_empty() {
            assert!(i < self.rows, "row {i} of {}", self.rows);
            return NONE;
        }
        self.values[i]
    }
    fn column(&self) -> Column<'_> {
        match self.values.is_empty() {
            true => Column::NoNumbers,
            false => Column::Numbers(&self.values),
        }
    }
    fn clear(&mut self) {
        self.rows = 0;
        self.values.clear();
    }
    fn into_arrow(self) -> ArrayRef {
        let values = match self.values.is_empty() {
            true => vec![NONE; self.rows],
            false => self.values,
        };
        Arc::new(UInt64Array::from(values))
    }
    fn from_arrow(b: &RecordBatch, name: &str, n: usize) -> NumberColumn {
        let column = b.column_by_name(name);
        let column = column.and_then(|a| a.as_any().downcast_ref::<UInt64Array>());
        let values = column.map_or(&[][..], |a| a.values());
        NumberColumn {
            rows: n,
            values: match values.iter().all(|v| *v == NONE) {
                true => vec![],
                false => values.to_vec(),
            },
        }
    }
}

fn number(b: &RecordBatch, name: &str, n: usize) -> Vec<u64> {
    match b
        .column_by_name(name)
        .and_then(|a| a.as_any().downcast_ref::<UInt64Array>())
    {
        Some(a) => a.values().to_vec(),
        None => vec![NONE; n],
    }
}
fn instant(b: &RecordBatch, name: &str, n: usize) -> Vec<i64> {
    match b
        .column_by_name(name)
        .and_then(|a| a.as_any().downcast_ref::<Int64Array>())
    {
        Some(a) => a.values().to_vec(),
        None => vec![NO_TIME; n],
    }
}
fn code(b: &RecordBatch, name: &str, n: usize) -> Vec<u8> {
    match b
        .column_by_name(name)
        .and_then(|a| a.as_any().downcast_ref::<UInt8Array>())
    {
        Some(a) => a.values().to_vec(),
        None => vec![0; n],
    }
}

impl EventBatch {
    pub fn len(&self) -> usize {
        self.record.len()
    }
    pub fn is_empty(&self) -> bool {
        self.record.is_empty()
    }
    pub fn iter(&self) -> impl Iterator<Item = Event<'_>> {
        (0..self.len()).map(|i| self.get(i))
    }
    /// Numbers its records as those that follow so many others.
    pub fn renumber(&mut self, before: u64) {
        self.record.iter_mut().for_each(|r| *r += before);
    }
    pub fn times(&self) -> &[Nanos] {
        &self.time
    }
    pub fn verbs(&self) -> &[u8] {
        &self.verb
    }
    /// The Arrow schema of stored events, without the columns the lake adds.
    pub fn schema() -> SchemaRef {
        static SCHEMA: OnceLock<SchemaRef> = OnceLock::new();
        SCHEMA
            .get_or_init(|| {
                let mut f = vec![];
                for n in ["record", "offset", "len"] {
                    f.push(Field::new(n, DataType::UInt64, false));
                }
                for n in ["time", "time_alt"] {
                    f.push(Field::new(n, DataType::Int64, false));
                }
                for n in ["time_note", "verb", "outcome", "system"] {
                    f.push(Field::new(n, DataType::UInt8, false));
                }
                for n in TEXT_NAMES {
                    f.push(Field::new(*n, DataType::Utf8, false));
                }
                for n in NUMBER_NAMES {
                    f.push(Field::new(*n, DataType::UInt64, false));
                }
                Arc::new(Schema::new(f))
            })
            .clone()
    }
}

impl Event<'_> {
    /// The acting account, named as the contract says; `None` when the row names nobody.
    pub fn account(&self) -> Option<Account> {
        Account::new(self.system, &self.domain, &self.user)
    }
    /// Subjects named by the row.
    pub fn subject_list(&self) -> impl Iterator<Item = &str> {
        self.subjects.split('\n').filter(|s| !s.is_empty())
    }
    /// The host a web request asked for: the `Host` header, or its like, where the source gives it. `None` when the row only tells who
    /// wrote it ([`OBSERVER`]), or nothing.
    pub fn host_asked(&self) -> Option<&str> {
        let told = |v: &&str| !v.is_empty();
        self.extra_value(HTTP_HOST).filter(told).or_else(|| {
            let host = Some(&*self.host).filter(told)?;
            (self.extra_value(OBSERVER) != Some(host)).then_some(host)
        })
    }
    /// Value of one key of `extra`.
    pub fn extra_value(&self, key: &str) -> Option<&str> {
        self.extra
            .split('\n')
            .find_map(|l| l.split_once('=').filter(|(k, _)| *k == key).map(|(_, v)| v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn sample() -> Event<'static> {
        Event {
            record: 3,
            offset: 120,
            len: 40,
            time: 5,
            verb: Verb::Search,
            outcome: Outcome::Success,
            system: System::Rpps,
            user: "810101234567".into(),
            query: "family=MART".into(),
            subjects: "a|1\nb|2".into(),
            bytes_out: 12,
            ..Event::default()
        }
    }
    #[test]
    fn rows_survive_columns_and_arrow() {
        let mut b = EventBatch::default();
        b.push(&sample());
        b.push(&Event::default());
        assert_eq!(b.get(0), sample());
        let arrow = b.clone().into_arrow();
        assert_eq!(EventBatch::from_arrow(&arrow), b);
        assert_eq!(arrow.schema(), EventBatch::schema());
    }
    #[test]
    fn rows_name_account_and_subjects() {
        let e = sample();
        assert_eq!(
            e.account().map(|a| a.to_string()).as_deref(),
            Some("rpps:10101234567")
        );
        assert_eq!(e.subject_list().collect::<Vec<_>>(), ["a|1", "b|2"]);
    }
}

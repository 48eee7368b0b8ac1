//! FHIR AuditEvent: R4 as NDJSON, Bundle or single resource, JSON or XML; IHE BALP; the French "Traçabilité des événements"
//! profile; R5 and the DSTU form. Standard: HL7 FHIR R4 §6.4 AuditEvent; IHE ITI BALP §3:5.7. Times: `period.start`, else
//! `occurred[x]`, else `recorded`, always with an offset.
//! Not here: what an answer contained. A search row is a question; the patients it names may be criteria or results.
use crate::{
    Capability, Confidence, Decode, Decoded, Head, Reason, Setting, Source, Standard,
    changed::Changes,
    lines,
    quick::{self, Pull, Quick, pulled},
    scan::{self, Elements, Extra, Seen, Tag, Values, Word, Xml, XmlStop},
};
use ampleur_event::{Event, GapSign, Outcome, Proof, Silence, System, Verb, batch::NONE};
use base64::Engine;
use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, marker::PhantomData};

pub(crate) struct FhirAuditEvent;

impl Source for FhirAuditEvent {
    fn name(&self) -> &'static str {
        "fhir-auditevent"
    }
    fn about(&self) -> &'static str {
        "FHIR AuditEvent (IHE BALP, French TDE profile): who read, searched or changed which resource of which patient"
    }
    fn standard(&self) -> Standard {
        Standard {
            name: "HL7 FHIR R4",
            section: "AuditEvent",
        }
    }
    fn capability(&self) -> Capability {
        HEALTH
    }
    fn sniff(&self, head: &Head<'_>) -> Confidence {
        let b = head.bytes;
        let has = |s: &str| memchr::memmem::find(b, s.as_bytes()).is_some();
        let start = scan::past_space(b, if b.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 });
        match b.get(start) {
            Some(b'{' | b'[') if has("\"AuditEvent\"") && has("\"resourceType\"") => {
                Confidence::Certain
            }
            Some(b'<') if has("<AuditEvent") && has("http://hl7.org/fhir") => Confidence::Certain,
            Some(_) if wrapped(head) => Confidence::Certain,
            _ => Confidence::No,
        }
    }
    fn open(&self, head: &Head<'_>, setting: &Setting) -> Box<dyn Decode> {
        let b = head.bytes;
        let start = scan::past_space(b, if b.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 });
        if !matches!(b.get(start), Some(b'{' | b'[')) && wrapped(head) {
            Box::new(InLines {
                setting: setting.clone(),
            })
        } else if b.get(start) == Some(&b'<') {
            Box::new(InXml {
                setting: setting.clone(),
                elements: Elements::new("<AuditEvent", "</AuditEvent>"),
            })
        } else {
            Box::new(InJson {
                setting: setting.clone(),
                values: Values::new("entry"),
            })
        }
    }
}

/// Most lines are one AuditEvent each, behind a header (syslog, a container's name).
fn wrapped(head: &Head<'_>) -> bool {
    let (mut all, mut of_them) = (0, 0);
    for line in lines::sample(head).take(16) {
        all += 1;
        let json = memchr::memchr(b'{', line).map_or(&[][..], |at| &line[at..]);
        let has = |s: &str| memchr::memmem::find(json, s.as_bytes()).is_some();
        of_them += usize::from(
            json.len() < line.len() && has("\"AuditEvent\"") && has("\"resourceType\""),
        );
    }
    of_them * 2 > all
}

/// What a health audit proves, FHIR or DICOM alike.
pub(crate) const HEALTH: Capability = Capability {
    rows: &[
        (Verb::Read, Proof::Access),
        (Verb::Search, Proof::Question),
        (Verb::Create, Proof::Change),
        (Verb::Update, Proof::Change),
        (Verb::Delete, Proof::Change),
        (Verb::Export, Proof::Access),
        (Verb::BreakGlass, Proof::Attempt),
        (Verb::Login, Proof::Presence),
        (Verb::Logout, Proof::Presence),
        (Verb::Token, Proof::Presence),
        (Verb::AuditOff, Proof::Health),
        (Verb::AuditOn, Proof::Health),
        (Verb::Restart, Proof::Health),
        (Verb::Config, Proof::Change),
    ],
    // Whether every kind of access leaves a row is a fact of the installation; only `[[source]] tells` can say it.
    silence: Silence::Nothing,
    names_results: false,
    gap: GapSign::RateOnly,
};

/// One or many: arrays, single objects and null all read.
#[cfg_attr(test, derive(Debug, PartialEq))]
struct Many<T>(Vec<T>);
impl<T> Default for Many<T> {
    fn default() -> Self {
        Many(Vec::new())
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for V<T> {
            type Value = Many<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("one or many")
            }
            fn visit_unit<E>(self) -> Result<Many<T>, E> {
                Ok(Many(Vec::new()))
            }
            fn visit_borrowed_str<E: serde::de::Error>(self, v: &'de str) -> Result<Many<T>, E> {
                T::deserialize(serde::de::value::BorrowedStrDeserializer::new(v))
                    .map(|t| Many(vec![t]))
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Many<T>, E> {
                T::deserialize(serde::de::value::StrDeserializer::new(v)).map(|t| Many(vec![t]))
            }
            fn visit_map<A: MapAccess<'de>>(self, a: A) -> Result<Many<T>, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(a))
                    .map(|t| Many(vec![t]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut a: A) -> Result<Many<T>, A::Error> {
                let mut all = Vec::with_capacity(a.size_hint().unwrap_or(0).min(16));
                while let Some(t) = a.next_element()? {
                    all.push(t);
                }
                Ok(Many(all))
            }
        }
        d.deserialize_any(V(PhantomData))
    }
}

/// A code, however the version wrote it: text, Coding, CodeableConcept, or an array of them (the first counts).
#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default)]
struct Coded<'a> {
    system: Cow<'a, str>,
    code: Cow<'a, str>,
}
impl<'de: 'a, 'a> Deserialize<'de> for Coded<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Coded<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a code")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Coded<'de>, E> {
                Ok(Coded {
                    code: Cow::Borrowed(v),
                    ..Coded::default()
                })
            }
            fn visit_str<E>(self, v: &str) -> Result<Coded<'de>, E> {
                Ok(Coded {
                    code: Cow::Owned(v.to_string()),
                    ..Coded::default()
                })
            }
            fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Coded<'de>, E> {
                self.visit_str(&v.to_string())
            }
            fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Coded<'de>, E> {
                self.visit_str(&v.to_string())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Coded<'de>, E> {
                Ok(Coded::default())
            }
            fn visit_bool<E>(self, _: bool) -> Result<Coded<'de>, E> {
                Ok(Coded::default())
            }
            fn visit_unit<E>(self) -> Result<Coded<'de>, E> {
                Ok(Coded::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut a: A) -> Result<Coded<'de>, A::Error> {
                let mut first = Coded::default();
                while let Some(c) = a.next_element::<Coded<'de>>()? {
                    if first.code.is_empty() {
                        first = c;
                    }
                }
                Ok(first)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut a: A) -> Result<Coded<'de>, A::Error> {
                let mut c = Coded::default();
                let mut text = Word::default();
                while let Some(k) = a.next_key::<Word<'de>>()? {
                    match &*k {
                        "system" => c.system = a.next_value::<Word<'de>>()?.0,
                        "code" | "coding" => {
                            let inner: Coded<'de> = a.next_value()?;
                            if c.system.is_empty() {
                                c.system = inner.system;
                            }
                            if !inner.code.is_empty() {
                                c.code = inner.code;
                            }
                        }
                        "text" => text = a.next_value()?,
                        _ => {
                            a.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                if c.code.is_empty() {
                    c.code = text.0;
                }
                Ok(c)
            }
        }
        d.deserialize_any(V)
    }
}

/// An identifier: an object with system and value, a bare text, or an array of them (the first with a value counts).
#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Clone)]
struct Ident<'a> {
    system: Cow<'a, str>,
    value: Cow<'a, str>,
}
impl<'de: 'a, 'a> Deserialize<'de> for Ident<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Ident<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an identifier")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Ident<'de>, E> {
                Ok(Ident {
                    value: Cow::Borrowed(v),
                    ..Ident::default()
                })
            }
            fn visit_str<E>(self, v: &str) -> Result<Ident<'de>, E> {
                Ok(Ident {
                    value: Cow::Owned(v.to_string()),
                    ..Ident::default()
                })
            }
            fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Ident<'de>, E> {
                self.visit_str(&v.to_string())
            }
            fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Ident<'de>, E> {
                self.visit_str(&v.to_string())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Ident<'de>, E> {
                Ok(Ident::default())
            }
            fn visit_bool<E>(self, _: bool) -> Result<Ident<'de>, E> {
                Ok(Ident::default())
            }
            fn visit_unit<E>(self) -> Result<Ident<'de>, E> {
                Ok(Ident::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut a: A) -> Result<Ident<'de>, A::Error> {
                let mut first = Ident::default();
                while let Some(i) = a.next_element::<Ident<'de>>()? {
                    if first.value.is_empty() {
                        first = i;
                    }
                }
                Ok(first)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut a: A) -> Result<Ident<'de>, A::Error> {
                let mut i = Ident::default();
                while let Some(k) = a.next_key::<Word<'de>>()? {
                    match &*k {
                        "system" => i.system = a.next_value::<Word<'de>>()?.0,
                        "value" => i.value = a.next_value::<Word<'de>>()?.0,
                        _ => {
                            a.next_value::<serde::de::IgnoredAny>()?;
                        }
                    }
                }
                Ok(i)
            }
        }
        d.deserialize_any(V)
    }
}

#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reference<'a> {
    #[serde(borrow)]
    reference: Word<'a>,
    #[serde(borrow)]
    identifier: Ident<'a>,
    #[serde(borrow)]
    display: Word<'a>,
}

#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Deserialize)]
#[serde(default)]
struct Network<'a> {
    #[serde(borrow, alias = "identifier")]
    address: Word<'a>,
    #[serde(borrow, rename = "type")]
    kind: Coded<'a>,
}

#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Agent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Coded<'a>,
    #[serde(borrow, deserialize_with = "Tolerant::reference")]
    who: Reference<'a>,
    #[serde(borrow)]
    user_id: Ident<'a>,
    #[serde(borrow)]
    reference: Word<'a>,
    #[serde(borrow)]
    name: Word<'a>,
    #[serde(borrow)]
    alt_id: Word<'a>,
    #[serde(borrow)]
    requestor: Word<'a>,
    #[serde(borrow)]
    network: Network<'a>,
    #[serde(borrow)]
    network_string: Word<'a>,
    #[serde(borrow)]
    network_uri: Word<'a>,
    #[serde(borrow)]
    policy: Many<Word<'a>>,
    #[serde(borrow)]
    purpose_of_use: Many<Coded<'a>>,
    #[serde(borrow)]
    authorization: Many<Coded<'a>>,
    #[serde(borrow)]
    role: Many<Coded<'a>>,
}

impl<'a> Agent<'a> {
    /// Identifier, else display, name or reference: what names the agent.
    fn id(&self) -> Cow<'a, str> {
        for v in [
            &self.who.identifier.value,
            &self.user_id.value,
            &self.who.display.0,
            &self.name.0,
            &self.who.reference.0,
            &self.reference.0,
            &self.alt_id.0,
        ] {
            if !v.is_empty() {
                return v.clone();
            }
        }
        Cow::Borrowed("")
    }
    fn address(&self) -> &str {
        [
            &self.network.address,
            &self.network_string,
            &self.network_uri,
        ]
        .into_iter()
        .find(|v| !v.is_empty())
        .map_or("", |v| v)
    }
    fn asks(&self) -> bool {
        &*self.requestor == "true"
    }
}

#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail<'a> {
    #[serde(borrow, rename = "type")]
    kind: Coded<'a>,
    #[serde(borrow, rename = "valueString", alias = "valueInteger")]
    text: Word<'a>,
    #[serde(borrow, rename = "valueBase64Binary", alias = "value")]
    binary: Word<'a>,
}

#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entity<'a> {
    #[serde(borrow, alias = "reference", deserialize_with = "Tolerant::reference")]
    what: Reference<'a>,
    #[serde(borrow)]
    identifier: Ident<'a>,
    #[serde(borrow, rename = "type")]
    kind: Coded<'a>,
    #[serde(borrow)]
    role: Coded<'a>,
    #[serde(borrow)]
    description: Word<'a>,
    #[serde(borrow)]
    query: Word<'a>,
    #[serde(borrow)]
    detail: Many<Detail<'a>>,
}

#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Deserialize)]
#[serde(default)]
struct Observer<'a> {
    #[serde(borrow, deserialize_with = "Tolerant::reference")]
    site: Reference<'a>,
    #[serde(borrow, deserialize_with = "Tolerant::reference")]
    observer: Reference<'a>,
    #[serde(borrow)]
    identifier: Ident<'a>,
}

#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Deserialize)]
#[serde(default)]
struct Period<'a> {
    #[serde(borrow)]
    start: Word<'a>,
}

/// The `event` part of DSTU messages.
#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OldEvent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Coded<'a>,
    #[serde(borrow)]
    subtype: Many<Coded<'a>>,
    #[serde(borrow)]
    action: Word<'a>,
    #[serde(borrow)]
    date_time: Word<'a>,
    #[serde(borrow)]
    outcome: Coded<'a>,
    #[serde(borrow)]
    purpose_of_event: Many<Coded<'a>>,
}

#[cfg_attr(test, derive(Debug, PartialEq))]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Audit<'a> {
    #[serde(borrow)]
    resource_type: Word<'a>,
    #[serde(borrow)]
    event: OldEvent<'a>,
    #[serde(borrow, rename = "type")]
    kind: Coded<'a>,
    #[serde(borrow)]
    category: Many<Coded<'a>>,
    #[serde(borrow)]
    code: Coded<'a>,
    #[serde(borrow)]
    subtype: Many<Coded<'a>>,
    #[serde(borrow)]
    action: Word<'a>,
    #[serde(borrow)]
    period: Period<'a>,
    #[serde(borrow)]
    occurred_period: Period<'a>,
    #[serde(borrow)]
    occurred_date_time: Word<'a>,
    #[serde(borrow)]
    recorded: Word<'a>,
    #[serde(borrow)]
    outcome: Coded<'a>,
    #[serde(borrow, alias = "authorization")]
    purpose_of_event: Many<Coded<'a>>,
    #[serde(borrow, deserialize_with = "Tolerant::reference")]
    patient: Reference<'a>,
    #[serde(borrow, alias = "participant")]
    agent: Many<Agent<'a>>,
    #[serde(borrow)]
    source: Observer<'a>,
    #[serde(borrow, alias = "object")]
    entity: Many<Entity<'a>>,
}

// The short way, for records as servers write them; see `quick`. It mirrors the long way above, key by key.

pulled!(Reference { 0 "reference" => reference, 1 "identifier" => identifier, 2 "display" => display });
pulled!(Network { 0 "address" | "identifier" => address, 1 "type" => kind });
pulled!(Agent {
    0 "type" => kind,
    1 "who" => who = reference,
    2 "userId" => user_id,
    3 "reference" => reference,
    4 "name" => name,
    5 "altId" => alt_id,
    6 "requestor" => requestor,
    7 "network" => network,
    8 "networkString" => network_string,
    9 "networkUri" => network_uri,
    10 "policy" => policy,
    11 "purposeOfUse" => purpose_of_use,
    12 "authorization" => authorization,
    13 "role" => role,
});
pulled!(Detail {
    0 "type" => kind,
    1 "valueString" | "valueInteger" => text,
    2 "valueBase64Binary" | "value" => binary,
});
pulled!(Entity {
    0 "what" | "reference" => what = reference,
    1 "identifier" => identifier,
    2 "type" => kind,
    3 "role" => role,
    4 "description" => description,
    5 "query" => query,
    6 "detail" => detail,
});
pulled!(Observer {
    0 "site" => site = reference,
    1 "observer" => observer = reference,
    2 "identifier" => identifier,
});
pulled!(Period { 0 "start" => start });
pulled!(OldEvent {
    0 "type" => kind,
    1 "subtype" => subtype,
    2 "action" => action,
    3 "dateTime" => date_time,
    4 "outcome" => outcome,
    5 "purposeOfEvent" => purpose_of_event,
});
pulled!(Audit {
    0 "resourceType" => resource_type,
    1 "event" => event,
    2 "type" => kind,
    3 "category" => category,
    4 "code" => code,
    5 "subtype" => subtype,
    6 "action" => action,
    7 "period" => period,
    8 "occurredPeriod" => occurred_period,
    9 "occurredDateTime" => occurred_date_time,
    10 "recorded" => recorded,
    11 "outcome" => outcome,
    12 "purposeOfEvent" | "authorization" => purpose_of_event,
    13 "patient" => patient = reference,
    14 "agent" | "participant" => agent,
    15 "source" => source,
    16 "entity" | "object" => entity,
});

/// As [`Tolerant::reference`].
fn reference<'a>(to: &mut Reference<'a>, q: &mut Quick<'a>) -> Option<()> {
    match q.next()? {
        b'"' => to.display.pull(q),
        b'{' => to.pull(q),
        _ => q.literal()?.is_none().then_some(()),
    }
}

impl<'a, T: Pull<'a>> Pull<'a> for Many<T> {
    fn pull(&mut self, q: &mut Quick<'a>) -> Option<()> {
        // Most have one.
        let mut add = |q: &mut Quick<'a>| {
            if self.0.capacity() == 0 {
                self.0.reserve_exact(1);
            }
            self.0.push(T::default());
            self.0.last_mut()?.pull(q)
        };
        match q.next()? {
            b'"' => {
                let mut one = T::default();
                one.of_text(q.string()?)?;
                self.0.push(one);
                Some(())
            }
            b'{' => add(q),
            b'[' => q.array(add),
            _ => q.literal()?.is_none().then_some(()),
        }
    }
}

impl<'a> Pull<'a> for Coded<'a> {
    fn pull(&mut self, q: &mut Quick<'a>) -> Option<()> {
        match q.next()? {
            b'"' | b'0'..=b'9' => word(&mut self.code, q),
            b'[' => q.array(|q| {
                if !self.code.is_empty() {
                    return Coded::default().pull(q);
                }
                // One without a code gives way to the next.
                *self = Coded::default();
                self.pull(q)
            }),
            b'{' => {
                let mut text = Cow::default();
                q.object(|q, key| match key {
                    "system" => word(&mut self.system, q),
                    "code" | "coding" => {
                        let mut inner = Coded::default();
                        inner.pull(q)?;
                        if self.system.is_empty() {
                            self.system = inner.system;
                        }
                        if !inner.code.is_empty() {
                            self.code = inner.code;
                        }
                        Some(())
                    }
                    "text" => word(&mut text, q),
                    _ => q.skip(),
                })?;
                if self.code.is_empty() {
                    self.code = text;
                }
                Some(())
            }
            _ => q.literal().map(drop),
        }
    }
    fn of_text(&mut self, text: &'a str) -> Option<()> {
        self.code = Cow::Borrowed(text);
        Some(())
    }
}

impl<'a> Pull<'a> for Ident<'a> {
    fn pull(&mut self, q: &mut Quick<'a>) -> Option<()> {
        match q.next()? {
            b'"' | b'0'..=b'9' => word(&mut self.value, q),
            b'[' => q.array(|q| {
                if !self.value.is_empty() {
                    return Ident::default().pull(q);
                }
                // One without a value gives way to the next.
                *self = Ident::default();
                self.pull(q)
            }),
            b'{' => q.object(|q, key| match key {
                "system" => word(&mut self.system, q),
                "value" => word(&mut self.value, q),
                _ => q.skip(),
            }),
            _ => q.literal().map(drop),
        }
    }
}

/// What stands for a text, as [`Word`] reads it.
#[inline]
fn word<'a>(to: &mut Cow<'a, str>, q: &mut Quick<'a>) -> Option<()> {
    let mut word = Word::default();
    word.pull(q)?;
    *to = word.0;
    Some(())
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    resource: Audit<'a>,
}

// `site` and DSTU `reference` are text in one version and an object in another.
struct Tolerant;
impl Tolerant {
    fn reference<'de, D: Deserializer<'de>>(d: D) -> Result<Reference<'de>, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Reference<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a reference")
            }
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Reference<'de>, E> {
                Ok(Reference {
                    display: Word(Cow::Borrowed(v)),
                    ..Reference::default()
                })
            }
            fn visit_str<E>(self, v: &str) -> Result<Reference<'de>, E> {
                Ok(Reference {
                    display: Word(Cow::Owned(v.to_string())),
                    ..Reference::default()
                })
            }
            fn visit_unit<E>(self) -> Result<Reference<'de>, E> {
                Ok(Reference::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, a: A) -> Result<Reference<'de>, A::Error> {
                Reference::deserialize(serde::de::value::MapAccessDeserializer::new(a))
            }
        }
        d.deserialize_any(V)
    }
}

/// Decodes base64 that may carry line ends or miss its padding.
pub(crate) fn base64_text(b64: &str) -> Option<String> {
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LOOSE: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let clean: Cow<'_, str> = if b64.bytes().any(|b| b.is_ascii_whitespace()) {
        Cow::Owned(b64.split_ascii_whitespace().collect())
    } else {
        Cow::Borrowed(b64)
    };
    let bytes = LOOSE.decode(clean.as_bytes()).ok()?;
    Some(match String::from_utf8(bytes) {
        Ok(s) => s,
        Err(e) => scan::text(e.as_bytes()).into_owned(),
    })
}

/// A request as an audit keeps it: a request line with headers and body, a bare URL, or criteria alone.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Asked {
    pub method: String,
    pub url: String,
    /// Criteria only (`family=X&birthdate=Y`); for messages that are no HTTP (HL7 v2, v3) the whole text.
    pub criteria: String,
}

pub(crate) fn asked(text: &str) -> Asked {
    let mut a = Asked::default();
    let first = text.lines().next().unwrap_or("").trim();
    let mut words = first.split_ascii_whitespace();
    let (w1, w2) = (words.next().unwrap_or(""), words.next());
    let is_method = matches!(
        w1,
        "GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "HEAD" | "OPTIONS"
    );
    let target = match (is_method, w2) {
        (true, Some(t)) => {
            a.method = w1.to_string();
            t
        }
        _ if w2.is_none()
            && (first.contains("://") || first.starts_with('/') || first.contains('?')) =>
        {
            first
        }
        _ if w2.is_none()
            && first.contains('=')
            && !first.starts_with('<')
            && text.lines().count() <= 1 =>
        {
            a.criteria = first.to_string();
            return a;
        }
        _ => {
            // Not a request line: HL7 v2 or v3 message, kept whole.
            a.criteria = text.trim_end().to_string();
            return a;
        }
    };
    // Path and query as a server would log them, without scheme and authority.
    let path = match target.find("://") {
        Some(i) => match target[i + 3..].find('/') {
            Some(j) => &target[i + 3 + j..],
            None => "/",
        },
        None => target,
    };
    a.url = path.to_string();
    let in_url = path.split_once('?').map_or("", |(_, q)| q);
    let body = text
        .find("\r\n\r\n")
        .map(|i| i + 4)
        .or_else(|| text.find("\n\n").map(|i| i + 2))
        .map_or("", |i| text[i..].trim());
    a.criteria = match (in_url.is_empty(), body.is_empty()) {
        (false, false) => format!("{in_url}&{body}"),
        (false, true) => in_url.to_string(),
        _ => body.to_string(),
    };
    a
}

/// A patient identifier in canonical form: CX (`id^^^&OID&ISO^PI`) becomes `urn:oid:OID|id`; anything else stays.
pub(crate) fn patient_id(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if !text.contains('^') {
        return Cow::Borrowed(text);
    }
    // Senders once wrote the entity of XML inside JSON.
    let text = if text.contains("&amp;") {
        Cow::Owned(text.replace("&amp;", "&"))
    } else {
        Cow::Borrowed(text)
    };
    let mut parts = text.split('^');
    let id = parts.next().unwrap_or("").to_string();
    let authority = parts.nth(2).unwrap_or("");
    let mut sub = authority.split('&');
    let (name, oid) = (sub.next().unwrap_or(""), sub.next().unwrap_or(""));
    if !oid.is_empty() {
        Cow::Owned(if oid.starts_with(|c: char| c.is_ascii_digit()) {
            format!("urn:oid:{oid}|{id}")
        } else {
            format!("{oid}|{id}")
        })
    } else if !name.is_empty() {
        Cow::Owned(format!("{name}|{id}"))
    } else {
        Cow::Owned(id)
    }
}

/// `Type/id` of a reference, absolute or not, without version.
fn relative(reference: &str) -> &str {
    if reference.is_empty() {
        return reference;
    }
    let r = reference.split("/_history/").next().unwrap_or(reference);
    if !r.contains("://") {
        return r;
    }
    let cut = r.rfind('/').and_then(|i| r[..i].rfind('/'));
    cut.map_or(r, |i| &r[i + 1..])
}

/// The patient as the record names it: by reference, else by the value of the identifier.
fn as_written<'a>(reference: &str, ident: &Ident<'a>) -> Cow<'a, str> {
    if reference.is_empty() {
        ident.value.clone()
    } else {
        Cow::Owned(reference.to_string())
    }
}

/// Adds a line to a list unless it is there.
pub(crate) fn add(list: &mut String, line: &str) {
    let line = line.trim();
    if line.is_empty() || line.contains('\n') || list.split('\n').any(|l| l == line) {
        return;
    }
    if !list.is_empty() {
        list.push('\n');
    }
    list.push_str(line);
}

/// RPPS numbers are 11 digits; the card form puts an 8 in front.
pub(crate) fn user_system(user: &str, issuer: &str, setting: &Setting) -> System {
    if let Some(s) = setting.accounts {
        return s;
    }
    let digits = user.bytes().all(|b| b.is_ascii_digit());
    let rpps = digits && (user.len() == 11 || (user.len() == 12 && user.starts_with('8')));
    if rpps || (digits && !user.is_empty() && issuer.to_ascii_lowercase().contains("rpps")) {
        System::Rpps
    } else {
        System::Web
    }
}

/// The verb of a health audit: class of event, its subtypes, the action, and the URL asked for.
pub(crate) fn health_verb<'c>(
    class: &str,
    subtypes: impl Iterator<Item = &'c str> + Clone,
    action: &str,
    url: &str,
    asked: bool,
) -> Verb {
    for s in subtypes.clone() {
        match s {
            "110127" | "110138" => return Verb::BreakGlass,
            "110122" => return Verb::Login,
            "110123" => return Verb::Logout,
            "110133" => return Verb::AuditOff,
            "110134" => return Verb::AuditOn,
            "110120" | "110121" => return Verb::Restart,
            "110129" | "110136" | "110137" => return Verb::Config,
            _ => {}
        }
    }
    let path = url.split('?').next().unwrap_or("");
    if path.ends_with("/$export") {
        return Verb::Export;
    }
    match class {
        "110106" if action != "C" => return Verb::Export,
        "110112" => return Verb::Search,
        "110101" => return Verb::Read,
        "110105" => return Verb::Delete,
        "110107" => return Verb::Create,
        "110114" => {
            // A token request is neither login nor logout.
            if subtypes.clone().any(|s| s.contains("ITI-71")) {
                return Verb::Token;
            }
            return Verb::Login;
        }
        "110113" => return Verb::Other,
        _ => {}
    }
    for s in subtypes {
        match s {
            "read" | "vread" | "history" | "history-instance" | "history-type"
            | "history-system" => return Verb::Read,
            "search" | "search-type" | "search-system" => return Verb::Search,
            "create" => return Verb::Create,
            "update" | "patch" => return Verb::Update,
            "delete" => return Verb::Delete,
            "operation" => {
                return if path.ends_with("/$everything") {
                    Verb::Read
                } else {
                    Verb::Search
                };
            }
            "capabilities" => return Verb::Other,
            _ => {}
        }
    }
    match action {
        "C" => Verb::Create,
        "R" => Verb::Read,
        "U" => Verb::Update,
        "D" => Verb::Delete,
        "E" if asked => Verb::Search,
        _ => Verb::Other,
    }
}

/// 0 and "success" are success; 4, 8, 12 and other words are failures; nothing is unknown.
pub(crate) fn health_outcome(code: &str) -> Outcome {
    match code {
        "" => Outcome::Unknown,
        "0" | "success" | "ok" => Outcome::Success,
        _ => Outcome::Failure,
    }
}

/// Fills an event that is empty so far. Errors leave it in part.
fn event<'a>(a: &Audit<'a>, setting: &Setting, e: &mut Event<'a>) -> Result<(), Reason> {
    if !a.resource_type.is_empty() && &*a.resource_type != "AuditEvent" {
        return Err(Reason::Field("resourceType"));
    }
    let mut x = Extra::default();
    let first = |all: &[&Word<'a>]| {
        all.iter()
            .find(|w| !w.is_empty())
            .map_or(Cow::Borrowed(""), |w| w.0.clone())
    };
    let time = first(&[
        &a.period.start,
        &a.occurred_period.start,
        &a.occurred_date_time,
        &a.recorded,
        &a.event.date_time,
    ]);
    if time.is_empty() {
        return Err(Reason::Field("recorded"));
    }
    scan::stamp(&time, setting).ok_or(Reason::Time)?.put(e);
    if *time != *a.recorded {
        x.put("recorded", &a.recorded);
    }

    // R4 has type and subtype, R5 category and code, DSTU both inside `event`.
    let class = [
        &a.event.kind.code,
        &a.kind.code,
        a.category.0.first().map_or(&a.kind.code, |c| &c.code),
    ]
    .into_iter()
    .find(|c| !c.is_empty())
    .cloned()
    .unwrap_or_default();
    let subtypes = || {
        a.event
            .subtype
            .0
            .iter()
            .chain(a.subtype.0.iter())
            .map(|c| &*c.code)
            .chain([&*a.code.code])
            .filter(|c| !c.is_empty())
    };
    e.action = a
        .event
        .subtype
        .0
        .iter()
        .chain(a.subtype.0.iter())
        .chain([&a.code])
        .map(|c| &c.code)
        .find(|c| !c.is_empty())
        .unwrap_or(&class)
        .clone();
    x.put("class", &class);
    let letter = first(&[&a.action, &a.event.action]);
    let letter = match &*letter {
        "" => Cow::Borrowed(""),
        l if l.len() == 1 => letter,
        l => Cow::Owned(l[..l.chars().next().map_or(0, char::len_utf8)].to_ascii_uppercase()),
    };
    let outcome = if a.outcome.code.is_empty() {
        &a.event.outcome.code
    } else {
        &a.outcome.code
    };
    e.outcome = health_outcome(outcome);

    // Query, patients and resources.
    let mut subjects = String::new();
    let mut objects = String::new();
    let mut asks: Option<Asked> = None;
    let mut changes = String::new();
    for n in &a.entity.0 {
        let kind = &*n.kind.code;
        let role = &*n.role.code;
        let ident = if n.what.identifier.value.is_empty() {
            &n.identifier
        } else {
            &n.what.identifier
        };
        if kind == "XrequestId" || kind == "X-Request-Id" {
            e.request_id = ident.value.clone();
            continue;
        }
        let mut changed = Changes::default();
        for d in &n.detail.0 {
            let value = if d.text.is_empty() {
                &d.binary
            } else {
                &d.text
            };
            match &*d.kind.code {
                "total" | "count" | "Bundle.total" => {
                    let n = value
                        .parse::<u64>()
                        .ok()
                        .or_else(|| base64_text(value).and_then(|t| t.trim().parse().ok()));
                    e.count = n.unwrap_or(NONE);
                }
                "X-Request-Id" | "XrequestId" => e.request_id = value.0.clone(),
                name if d.text.is_empty() => {
                    changed.take(name, base64_text(value).as_deref().unwrap_or(value));
                }
                name => changed.take(name, value),
            }
        }
        changed.write(&mut changes);
        if !n.query.is_empty() {
            let text = base64_text(&n.query).unwrap_or_else(|| n.query.to_string());
            asks = Some(asked(&text));
        } else if role == "24" && asks.is_none() && !n.description.is_empty() {
            asks = Some(asked(&n.description));
        }
        let reference = relative(&n.what.reference);
        let patient = reference.starts_with("Patient/");
        if e.patient.is_empty() && (patient || role == "1" || (kind == "1" && role.is_empty())) {
            e.patient = as_written(reference, ident);
        }
        if patient {
            add(&mut subjects, reference);
        } else if (kind == "1" && matches!(role, "1" | "")) || role == "1" {
            if !reference.is_empty() && ident.value.is_empty() {
                add(&mut subjects, reference);
            }
            add_ident(&mut subjects, ident);
        } else if role != "24" {
            if kind == "21" && !ident.value.is_empty() {
                e.request_id = ident.value.clone();
                continue;
            }
            add(&mut objects, reference);
            if reference.is_empty() {
                add_ident(&mut objects, ident);
            }
        }
        if patient && !ident.value.is_empty() && (role == "1" || kind == "1") {
            add_ident(&mut subjects, ident);
        }
    }
    let r5 = relative(&a.patient.reference);
    if e.patient.is_empty() {
        e.patient = as_written(r5, &a.patient.identifier);
    }
    add(&mut subjects, r5);
    if r5.is_empty() && !a.patient.identifier.value.is_empty() {
        add_ident(&mut subjects, &a.patient.identifier);
    }
    e.verb = health_verb(
        &class,
        subtypes(),
        &letter,
        asks.as_ref().map_or("", |q| &q.url),
        asks.is_some(),
    );
    if let Some(q) = asks {
        e.http_method = Cow::Owned(q.method);
        e.url = Cow::Owned(q.url);
        e.query = Cow::Owned(q.criteria);
    }
    e.subjects = Cow::Owned(subjects);
    e.object = Cow::Owned(objects);
    if matches!(e.verb, Verb::Create | Verb::Update | Verb::Delete) {
        e.changes = Cow::Owned(changes);
    }

    // The requestor is the user. Without one, the first agent that is named.
    let agents = &a.agent.0;
    // On a read the client is the destination of data, on anything else its source. A server is often known by its URL:
    // when the roles say that a URL asked an address, they were written the other way round.
    let ip = |g: &&Agent<'a>| scan::is_address(scan::address(g.address()));
    let in_role = |role: &str| agents.iter().find(|g| g.kind.code == role);
    let (mut client_role, mut server_role) = if matches!(e.verb, Verb::Read) {
        ("110152", "110153")
    } else {
        ("110153", "110152")
    };
    if in_role(client_role).is_some_and(|g| g.address().contains("://"))
        && in_role(server_role).is_some_and(|g| ip(&g))
    {
        std::mem::swap(&mut client_role, &mut server_role);
    }
    let user = agents
        .iter()
        .find(|g| g.asks() && !g.id().is_empty())
        .or_else(|| agents.iter().find(|g| !g.id().is_empty()));
    if let Some(u) = user {
        e.user = u.id();
        let name = if u.name.is_empty() {
            &u.who.display
        } else {
            &u.name
        };
        if *name.0 != *e.user {
            e.user_name = name.0.clone();
        }
        e.system = user_system(&e.user, &u.who.identifier.system, setting);
        x.put("issuer", &u.who.identifier.system);
        if let Some(p) = u.policy.0.iter().find(|p| !p.is_empty()) {
            e.token = match p.0.clone() {
                Cow::Borrowed(p) => {
                    Cow::Borrowed(p.strip_prefix("urn:ietf:params:oauth:jti:").unwrap_or(p))
                }
                Cow::Owned(p) => Cow::Owned(p.replacen("urn:ietf:params:oauth:jti:", "", 1)),
            };
        }
        for r in &u.role.0 {
            x.put("role", &r.code);
        }
        let mut why = String::new();
        for c in u
            .purpose_of_use
            .0
            .iter()
            .chain(&u.authorization.0)
            .chain(&a.purpose_of_event.0)
            .chain(&a.event.purpose_of_event.0)
        {
            add(&mut why, &c.code);
        }
        e.reason = Cow::Owned(why.replace('\n', " "));
    }
    // The client's address: the requestor's own, else that of the client role, else the only one there is.
    let client = in_role(client_role);
    let from = user
        .filter(|u| ip(u))
        .or_else(|| client.filter(|c| ip(c)))
        .or_else(|| agents.iter().find(|g| ip(g) && g.kind.code != server_role));
    if let Some(g) = from {
        e.src_ip = Cow::Owned(scan::address(g.address()).to_string());
    }
    if let Some(g) = agents.iter().find(|g| {
        g.network.kind.code == "1" && !g.address().is_empty() && g.kind.code != server_role
    }) {
        e.device = Cow::Owned(g.address().to_string());
    }
    if let Some(c) = client.filter(|c| !c.asks()) {
        e.process = c.id();
    } else if let Some(c) = agents.iter().find(|g| g.kind.code == "110150" && !g.asks()) {
        e.process = c.id();
    }
    // Who recorded: the observer's own name, else its site, else a reference to it. A label with spaces is no machine name.
    let o = &a.source;
    let site = if o.site.display.is_empty() {
        &o.site.identifier.value
    } else {
        &o.site.display.0
    };
    let label = &o.observer.display.0;
    let (name, label) = if label.contains(' ') {
        (site, label)
    } else {
        (label, site)
    };
    e.host = [
        &o.observer.identifier.value,
        name,
        label,
        &o.identifier.value,
        &o.observer.reference.0,
    ]
    .into_iter()
    .find(|v| !v.is_empty())
    .cloned()
    .unwrap_or_default();
    x.put("site", site);
    if let Some(s) = in_role(server_role) {
        x.put("server", s.address());
    }
    e.extra = x.done();
    Ok(())
}

fn add_ident(list: &mut String, i: &Ident<'_>) {
    if i.value.is_empty() {
        return;
    }
    if i.value.contains('^') || i.system.is_empty() {
        add(list, &patient_id(&i.value));
    } else {
        add(list, &format!("{}|{}", i.system, i.value));
    }
}

/// An event, or a reject with the time that can be read of it.
fn account(
    a: &Audit<'_>,
    setting: &Setting,
    bytes: &[u8],
    at: usize,
    len: usize,
    out: &mut Decoded,
) {
    let mut e = Event::default();
    match event(a, setting, &mut e) {
        Ok(()) => out.next(&mut e, at, len),
        Err(reason) => {
            let time = scan::stamp(&a.recorded, setting).map(|s| s.time);
            out.reject_at(bytes, at, len, reason, time);
        }
    }
}

struct InJson {
    setting: Setting,
    values: Values,
}

impl Decode for InJson {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let setting = &self.setting;
        self.values
            .run(bytes, last, out, |value, at, len, entry, out| {
                let text = scan::text(value);
                let mut a = Audit::default();
                let parsed = if entry {
                    serde_json::from_str::<Entry<'_>>(&text).map(|e| a = e.resource)
                } else if quick::whole(&text, &mut a).is_some() {
                    Ok(())
                } else {
                    serde_json::from_str(&text).map(|all| a = all)
                };
                match parsed {
                    Ok(()) if !entry && &*a.resource_type == "Bundle" => return Seen::Container,
                    Ok(()) => account(&a, setting, bytes, at, len, out),
                    Err(e) if e.is_eof() => return Seen::Cut,
                    Err(_) if !entry && is_bundle(&text) => return Seen::Container,
                    Err(_) => out.reject(bytes, at, len, Reason::Shape),
                }
                Seen::Done
            })
    }
    fn cut(&self, bytes: &[u8], most: usize) -> Option<usize> {
        self.values.cut(bytes, most)
    }
    fn apart(&self) -> Option<Box<dyn Decode>> {
        Some(Box::new(InJson {
            setting: self.setting.clone(),
            values: self.values.apart()?,
        }))
    }
}

/// One AuditEvent a line, behind a header that says nothing the event does not say itself.
struct InLines {
    setting: Setting,
}

impl Decode for InLines {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let setting = &self.setting;
        lines::each(bytes, last, out, |line, at, len, finished, out| {
            let text = lines::text(line);
            let Some(from) = text.find('{') else {
                return out.reject(bytes, at, len, Reason::Shape);
            };
            match serde_json::from_str::<Audit<'_>>(&text[from..]) {
                Ok(a) => account(&a, setting, bytes, at, len, out),
                Err(e) if e.is_eof() && !finished => {
                    out.reject(bytes, at, len, Reason::Truncated);
                }
                Err(_) => out.reject(bytes, at, len, Reason::Shape),
            }
        })
    }
    fn cut(&self, bytes: &[u8], most: usize) -> Option<usize> {
        lines::cut(bytes, most)
    }
    fn apart(&self) -> Option<Box<dyn Decode>> {
        Some(Box::new(InLines {
            setting: self.setting.clone(),
        }))
    }
}

fn is_bundle(text: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind<'a> {
        #[serde(borrow)]
        resource_type: Word<'a>,
    }
    serde_json::from_str::<Kind<'_>>(text).is_ok_and(|k| &*k.resource_type == "Bundle")
}

struct InXml {
    setting: Setting,
    elements: Elements,
}

/// FHIR XML as FHIR JSON: `value` attributes become text, repeated elements arrays. Narrative and extensions are left out.
fn json_of(text: &str) -> Result<String, XmlStop> {
    enum Node<'a> {
        Text(Cow<'a, str>),
        Object(Vec<(&'a str, Node<'a>)>),
    }
    fn write(n: &Node<'_>, out: &mut String) {
        match n {
            Node::Text(t) => {
                out.push_str(&serde_json::Value::String(t.to_string()).to_string());
            }
            Node::Object(all) => {
                out.push('{');
                let mut done: Vec<&str> = Vec::new();
                for (name, _) in all {
                    if done.contains(name) {
                        continue;
                    }
                    if !done.is_empty() {
                        out.push(',');
                    }
                    done.push(name);
                    out.push('"');
                    out.push_str(&name.replace(['"', '\\'], ""));
                    out.push_str("\":");
                    let same: Vec<_> = all.iter().filter(|(n, _)| n == name).collect();
                    if same.len() == 1 {
                        write(&same[0].1, out);
                    } else {
                        out.push('[');
                        for (i, (_, n)) in same.iter().enumerate() {
                            if i > 0 {
                                out.push(',');
                            }
                            write(n, out);
                        }
                        out.push(']');
                    }
                }
                out.push('}');
            }
        }
    }
    let mut x = Xml::new(text);
    let mut stack: Vec<(&str, Node<'_>)> = Vec::new();
    let mut skip = 0usize;
    let mut elements = 0usize;
    while let Some(tag) = x.next()? {
        match tag {
            Tag::Open(name, raw, closed) => {
                if skip > 0 {
                    skip += usize::from(!closed);
                    continue;
                }
                if stack.len() == 1 && matches!(name, "text" | "contained" | "extension") {
                    skip = usize::from(!closed);
                    continue;
                }
                elements += 1;
                if stack.len() > 40 || elements > 20_000 {
                    return Err(XmlStop::Shape);
                }
                let value = scan::attributes(raw).find(|(n, _)| *n == "value");
                let node = match value {
                    Some((_, v)) => Node::Text(scan::unescape(v)?),
                    None => Node::Object(Vec::new()),
                };
                if closed {
                    if let Some((_, Node::Object(all))) = stack.last_mut() {
                        all.push((name, node));
                    }
                } else {
                    stack.push((name, node));
                }
            }
            Tag::Close(name) => {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                match stack.pop() {
                    Some((n, node)) if n == name => match stack.last_mut() {
                        Some((_, Node::Object(all))) => all.push((n, node)),
                        Some(_) => {}
                        None => {
                            let mut out = String::with_capacity(text.len());
                            write(&node, &mut out);
                            return Ok(out);
                        }
                    },
                    _ => return Err(XmlStop::Shape),
                }
            }
            Tag::Text(raw) => {
                if skip == 0 {
                    scan::unescape(raw)?;
                }
            }
            Tag::Literal(_) => {}
        }
    }
    Err(XmlStop::Truncated)
}

impl Decode for InXml {
    fn decode(&mut self, bytes: &[u8], last: bool, out: &mut Decoded) -> usize {
        let setting = &self.setting;
        self.elements.run(
            bytes,
            last,
            out,
            |element, at, out| {
                let text = scan::text(element);
                let json = match json_of(&text) {
                    Ok(j) => j,
                    Err(stop) => return out.reject(bytes, at, element.len(), stop.reason()),
                };
                match serde_json::from_str::<Audit<'_>>(&json) {
                    Ok(a) => account(&a, setting, bytes, at, element.len(), out),
                    Err(_) => out.reject(bytes, at, element.len(), Reason::Shape),
                }
            },
            |all, at, len, out| {
                let text = scan::text(&all[at..at + len]);
                let time = text
                    .find("<recorded value=\"")
                    .and_then(|i| text[i + 17..].split('"').next())
                    .and_then(|t| scan::stamp(t, setting))
                    .map(|s| s.time);
                out.reject_at(all, at, len, Reason::Truncated, time);
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is left of a broken container ends with its line, in however many pieces it comes; what stands behind it is read.
    #[test]
    fn a_bundle_broken_behind_its_records_costs_no_line_more() {
        let event = "{\"resourceType\":\"AuditEvent\",\"recorded\":\"2025-10-31T00:00:13.270+01:00\",\"action\":\"R\"}";
        let text = format!(
            "{{\"resourceType\":\"Bundle\",\"entry\":[\n{{\"resource\":{event}}}],\n  \"link\": \"torn\n  \"total\": 1,\n  \"id\": 4}}\n{event}\n"
        );
        let bytes = text.as_bytes();
        let read = |cuts: &[usize]| {
            crate::reader::decode_cut(&FhirAuditEvent, bytes, &Setting::default(), cuts)
        };
        let whole = read(&[]);
        assert_eq!(
            (whole.events.len(), whole.reject_count),
            (2, 3),
            "{:?}",
            whole.rejects
        );
        for cut in 1..bytes.len() {
            let parts = read(&[cut]);
            assert_eq!(
                (&parts.events, &parts.rejects),
                (&whole.events, &whole.rejects),
                "{cut}"
            );
        }
    }

    /// JSON of the keys an AuditEvent has, in places where they belong and where they do not.
    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            6 => "[a-zA-Z0-9:/. é|^&=?-]{0,12}".prop_map(|t| format!("\"{t}\"")),
            1 => Just("\"2025-10-31T00:00:13.270+01:00\"".to_string()),
            1 => Just("\"R0VUIC9yNC9QYXRpZW50P2ZhbWlseT1C\"".to_string()),
            1 => prop_oneof![
                Just("true"), Just("false"), Just("null"), Just("0"), Just("12"), Just("007"), Just("-3"), Just("1.5"), Just("1e3"),
                Just("\"a\\u0041\\n\""), Just("[]"), Just("{}"), Just("tru"), Just("123456789012345678901"),
            ]
            .prop_map(str::to_string),
        ];
        let key = prop::sample::select(vec![
            "resourceType",
            "event",
            "type",
            "category",
            "code",
            "subtype",
            "action",
            "period",
            "occurredPeriod",
            "occurredDateTime",
            "recorded",
            "outcome",
            "purposeOfEvent",
            "authorization",
            "patient",
            "agent",
            "participant",
            "source",
            "entity",
            "object",
            "who",
            "userId",
            "reference",
            "name",
            "altId",
            "requestor",
            "network",
            "networkString",
            "networkUri",
            "policy",
            "purposeOfUse",
            "role",
            "address",
            "identifier",
            "display",
            "system",
            "value",
            "coding",
            "text",
            "what",
            "description",
            "query",
            "detail",
            "valueString",
            "valueInteger",
            "valueBase64Binary",
            "site",
            "observer",
            "start",
            "dateTime",
            "meta",
        ]);
        leaf.prop_recursive(5, 60, 6, move |inner| {
            let space = prop::sample::select(vec!["", "", "", " "]);
            prop_oneof![
                3 => prop::collection::vec((key.clone(), inner.clone(), space), 0..6).prop_map(|all| {
                    let all: Vec<String> = all.iter().map(|(k, v, s)| format!("{s}\"{k}\"{s}:{s}{v}{s}")).collect();
                    format!("{{{}}}", all.join(","))
                }),
                1 => prop::collection::vec(inner, 0..3).prop_map(|all| format!("[{}]", all.join(","))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn the_short_way_reads_what_the_long_way_reads(text in json(), cut in 0usize..400) {
            let text: String = if cut < 40 { text.chars().take(cut).collect() } else { text };
            let mut a = Audit::default();
            if quick::whole(&text, &mut a).is_some() {
                prop_assert_eq!(a, serde_json::from_str::<Audit<'_>>(&text).expect("the long way reads it"));
            }
        }
    }

    #[test]
    fn plain_records_go_the_short_way() {
        let text = r#"{"resourceType":"AuditEvent","recorded":"2025-10-31T00:00:13.270+01:00","outcome":"0","agent":[{"who":{"identifier":{"value":"a"}},"requestor":false},{"type":{"coding":[{"system":"s","code":"IRCP"}]},"who":{"display":"B"},"requestor":true,"policy":["p"]}],"source":{"site":"X","observer":{"display":"o"}},"entity":[{"role":{"code":"24"},"query":"R0VU","detail":[{"type":"total","valueInteger":3}]}]}"#;
        let mut quick = Audit::default();
        assert!(quick::whole(text, &mut quick).is_some());
        assert_eq!(Some(&quick), serde_json::from_str(text).ok().as_ref());
        assert_eq!(quick.agent.0.len(), 2);
    }
    #[test]
    fn requests_are_taken_apart() {
        let a = asked(
            "POST https://sri.example/fhir/Patient/_search HTTP/1.1\nContent-Type: x\n\nfamily=Cis&_count=20",
        );
        assert_eq!(
            (a.method.as_str(), a.url.as_str()),
            ("POST", "/fhir/Patient/_search")
        );
        assert_eq!(a.criteria, "family=Cis&_count=20");
        let a = asked("http://host:8087/app/fhir/Patient?family=x");
        assert_eq!(
            (a.url.as_str(), a.criteria.as_str()),
            ("/app/fhir/Patient?family=x", "family=x")
        );
        let a = asked("MSH|^~\\&|A|B\rQPD|IHE PDQ Query|1|@PID.5.1^meier\r");
        assert!(a.criteria.starts_with("MSH|") && a.url.is_empty());
        assert_eq!(
            asked("family=X&birthdate=Y").criteria,
            "family=X&birthdate=Y"
        );
    }
    #[test]
    fn patient_ids_have_one_form() {
        assert_eq!(patient_id("7^^^&1.2.250.1&ISO^PI"), "urn:oid:1.2.250.1|7");
        assert_eq!(
            patient_id("7^^^MPI&amp;1.2.250.1&amp;ISO^PI"),
            "urn:oid:1.2.250.1|7"
        );
        assert_eq!(patient_id("7^^^MPI"), "MPI|7");
        assert_eq!(patient_id("Patient/7"), "Patient/7");
    }
    #[test]
    fn references_become_relative() {
        assert_eq!(relative("https://h/r4/Patient/7/_history/2"), "Patient/7");
        assert_eq!(relative("Patient/7"), "Patient/7");
        assert_eq!(relative("urn:uuid:1"), "urn:uuid:1");
    }
}

//! Data subjects and establishments of one answer, as numbers; names only when written.
use crate::{
    files::subject_text,
    identity::{IdentityBase, PersonId, VersionId, oid},
    strings::{Strings, Sym},
};
use ampleur_event::Context;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Number of a data subject: the persons of the identity base first, then those only an inventory or an audit names.
pub type Who = u32;
/// Number of an establishment.
pub type PlaceId = u16;

/// Establishments by id and by the identifier authorities they own.
#[derive(Debug, Default, Clone)]
pub struct Places {
    pub ids: Vec<String>,
    by_id: BTreeMap<String, PlaceId>,
    by_authority: BTreeMap<String, PlaceId>,
}

impl Places {
    pub fn new(context: &Context) -> Places {
        let mut p = Places::default();
        for e in &context.establishments {
            let id = p.intern(&e.id);
            for a in &e.authorities {
                p.by_authority.entry(oid(a)).or_insert(id);
            }
        }
        p
    }
    pub fn intern(&mut self, id: &str) -> PlaceId {
        if let Some(n) = self.by_id.get(id) {
            return *n;
        }
        let n = PlaceId::try_from(self.ids.len()).unwrap_or(PlaceId::MAX);
        self.ids.push(id.to_string());
        self.by_id.insert(id.to_string(), n);
        n
    }
    pub fn find(&self, id: &str) -> Option<PlaceId> {
        self.by_id.get(id).copied()
    }
    pub fn owner(&self, authority: &str) -> Option<PlaceId> {
        self.by_authority.get(&oid(authority)).copied()
    }
    pub fn id(&self, p: PlaceId) -> &str {
        self.ids.get(p as usize).map_or("", String::as_str)
    }
    /// The establishment of a record version: its managing organisation, else the owner of one of its identifiers' authorities.
    pub fn of_version(&self, b: &IdentityBase, v: VersionId) -> Option<PlaceId> {
        let org = b.text(b.version(v).organization);
        self.find(org).or_else(|| {
            b.id_rows(v)
                .iter()
                .find_map(|i| self.owner(b.text(i.system)))
        })
    }
}

/// Data subjects: persons of the base, and others by their text.
#[derive(Debug)]
pub struct People<'a> {
    pub base: &'a IdentityBase,
    extra: Strings,
    extra_ids: FxHashMap<Sym, Who>,
    extra_names: Vec<Sym>,
}

impl<'a> People<'a> {
    pub fn new(base: &'a IdentityBase) -> People<'a> {
        People {
            base,
            extra: Strings::default(),
            extra_ids: FxHashMap::default(),
            extra_names: vec![],
        }
    }
    pub fn is_known(&self, w: Who) -> bool {
        w < self.base.person_count()
    }
    /// Everybody numbered so far.
    pub fn count(&self) -> u32 {
        self.base.person_count() + self.extra_names.len() as u32
    }
    /// The number of a subject text; a person of the base when the text names one there.
    pub fn of_subject(&mut self, subject: &str) -> Option<Who> {
        if let Some(p) = self.person_named(subject) {
            return Some(p);
        }
        let text = subject_text(subject.trim());
        // A logical id is no name of a person outside the base.
        if !text.contains('|') || text.starts_with("Patient/") {
            return None;
        }
        let s = self.extra.try_intern(&text)?;
        let next = self.count();
        let names = &mut self.extra_names;
        Some(*self.extra_ids.entry(s).or_insert_with(|| {
            names.push(s);
            next
        }))
    }
    pub fn person_named(&self, subject: &str) -> Option<PersonId> {
        let r = self.base.records_named(subject);
        let first = self.base.person_of(*r.first()?);
        r.iter()
            .all(|x| self.base.person_of(*x) == first)
            .then_some(first)
    }
    /// The text of somebody outside the base.
    pub fn extra_name(&self, w: Who) -> &str {
        w.checked_sub(self.base.person_count())
            .and_then(|i| self.extra_names.get(i as usize))
            .map_or("", |s| self.extra.get(*s))
    }
    /// How the answer names a person in an establishment.
    pub fn name(&self, w: Who, place: PlaceId, places: &Places) -> String {
        if !self.is_known(w) {
            return self.extra_name(w).to_string();
        }
        self.base.name_for(
            w,
            &|v| places.of_version(self.base, v) == Some(place),
            &|system| places.owner(system) == Some(place),
        )
    }
}

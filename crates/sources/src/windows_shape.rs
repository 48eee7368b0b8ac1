//! Event XML by the shape of events before it. A log repeats a few shapes: the same tags and names around other values. Where the
//! text between the values is, byte for byte, that of an event read before, the values stand where they stood there, and no tag is
//! taken apart again. Whatever fits no shape is read tag by tag ([`from_xml`]), which also says what a shape is held to.
use crate::{
    scan::{self, Tag, Xml, XmlStop},
    windows_security::{Fields, from_xml, trimmed},
};
use std::borrow::Cow;

/// Shapes kept; a domain controller's log has about forty kinds of events, a few of them frequent.
const KEPT: usize = 32;
/// Text of a shape at most: an event above it is rare and long.
const LITERAL_MAX: usize = 1 << 14;
/// Elements of its header, and names of attributes of each.
const NAMES_MAX: usize = 64;

/// Shapes of one file. Only a memory: what is read does not depend on it.
#[derive(Default)]
pub(crate) struct Shapes {
    /// The one used last stands first.
    known: Vec<Shape>,
    /// Where the values of the event at hand stand.
    places: Vec<(usize, usize)>,
    fitted: u32,
    learned: u32,
}

struct Shape {
    /// All text between values, one piece behind the other.
    literal: Box<str>,
    slots: Vec<Slot>,
}

struct Slot {
    /// Where the text in front of it ends in `literal`.
    from: usize,
    /// What the value ends at: the quote around it, or the next tag.
    end: u8,
    what: What,
}

#[derive(Clone, PartialEq)]
enum What {
    Nothing,
    Provider,
    Time,
    Pid,
    UserId,
    Id,
    Record,
    Computer,
    Channel,
    Keywords,
    Data(Box<str>),
}

impl Shapes {
    /// What [`from_xml`] gives.
    pub fn fields<'a>(&'a mut self, text: &'a str) -> Result<Fields<'a>, XmlStop> {
        for i in 0..self.known.len() {
            if self.known[i].fits(text, &mut self.places) {
                self.known[..=i].rotate_right(1);
                self.fitted = self.fitted.saturating_add(1);
                return self.known[0].fields(text, &self.places);
            }
        }
        let fields = from_xml(text)?;
        // A log in which nothing comes back is not learnt from for ever.
        if self.learned < 2 * KEPT as u32 || self.fitted / 8 > self.learned {
            self.learned = self.learned.saturating_add(1);
            if let Some(shape) = learn(text).filter(|s| s.gives(text, &fields)) {
                self.known.truncate(KEPT - 1);
                self.known.insert(0, shape);
            }
        }
        Ok(fields)
    }
}

impl Shape {
    fn fits(&self, text: &str, places: &mut Vec<(usize, usize)>) -> bool {
        let (bytes, literal) = (text.as_bytes(), self.literal.as_bytes());
        let (mut at, mut from) = (0, 0);
        places.clear();
        for slot in &self.slots {
            let before = &literal[from..slot.from];
            if !bytes[at..].starts_with(before) {
                return false;
            }
            at += before.len();
            from = slot.from;
            let Some(len) = memchr::memchr(slot.end, &bytes[at..]) else {
                return false;
            };
            places.push((at, at + len));
            at += len;
        }
        bytes[at..] == literal[from..]
    }
    fn fields<'a>(
        &'a self,
        text: &'a str,
        places: &[(usize, usize)],
    ) -> Result<Fields<'a>, XmlStop> {
        let mut f = Fields::default();
        f.data.reserve(self.slots.len());
        for (slot, (from, to)) in self.slots.iter().zip(places) {
            let raw = &text[*from..*to];
            let value = || scan::unescape(raw);
            match &slot.what {
                // Also of what nobody asks for an entity is refused, where text is unescaped as it comes.
                What::Nothing if slot.end == b'<' => drop(value()?),
                What::Nothing => {}
                What::Provider => f.provider = value()?,
                What::Time => f.time = value()?,
                What::Pid => f.pid = Cow::Borrowed(raw),
                What::UserId => f.user_id = Cow::Borrowed(raw),
                What::Id => f.id = trimmed(value()?),
                What::Record => f.record = trimmed(value()?),
                What::Computer => f.computer = trimmed(value()?),
                What::Channel => f.channel = trimmed(value()?),
                What::Keywords => f.keywords = trimmed(value()?),
                What::Data(name) => f.data.push((Cow::Borrowed(&**name), value()?)),
            }
        }
        Ok(f)
    }
    /// Of the event it was learnt from it must give what reading tag by tag gave.
    fn gives(&self, text: &str, expected: &Fields<'_>) -> bool {
        let mut places = vec![];
        self.fits(text, &mut places)
            && self
                .fields(text, &places)
                .is_ok_and(|fields| fields == *expected)
    }
}

/// The shape of an event, when every value in it stands alone: in an element that holds nothing else, or in an attribute.
fn learn(text: &str) -> Option<Shape> {
    let mut literal = String::new();
    let mut slots = vec![];
    let mut from = 0;
    // `value` is a part of `text`.
    let mut slot = |value: &str, what: What| {
        let at = value.as_ptr() as usize - text.as_ptr() as usize;
        literal.push_str(text.get(from..at)?);
        from = at + value.len();
        let end = *text.as_bytes().get(from)?;
        slots.push(Slot {
            from: literal.len(),
            end,
            what,
        });
        Some(())
    };
    let mut x = Xml::new(text);
    let mut path: Vec<&str> = vec![];
    let mut seen: Vec<&str> = vec![];
    let (mut name, mut unnamed) = ("", 0);
    // The text of the element opened last, while nothing else stood in it.
    let mut alone: Option<&str> = None;
    let mut filled = false;
    while let Some(tag) = x.next().ok()? {
        match tag {
            Tag::Open(tag, raw, closed) => {
                name = "";
                if path.last() == Some(&"System") {
                    // Of two of a kind the last counts, whatever it has.
                    if seen.contains(&tag) || seen.len() >= NAMES_MAX {
                        return None;
                    }
                    seen.push(tag);
                    let mut names = vec![];
                    for (attribute, value) in scan::attributes(raw) {
                        if names.len() >= NAMES_MAX {
                            return None;
                        }
                        let what = match (tag, attribute) {
                            // The first of a name counts.
                            _ if names.contains(&attribute) => What::Nothing,
                            ("Provider", "Name") => What::Provider,
                            ("TimeCreated", "SystemTime") => What::Time,
                            ("Execution", "ProcessID") => What::Pid,
                            ("Security", "UserID") => What::UserId,
                            _ => What::Nothing,
                        };
                        names.push(attribute);
                        slot(value, what)?;
                    }
                } else if tag == "Data" {
                    name = scan::attribute(raw, "Name");
                }
                alone = None;
                if !closed {
                    if tag == "UserData" || path.len() > 32 {
                        return None;
                    }
                    path.push(tag);
                    alone = Some(x.here());
                    filled = false;
                }
            }
            Tag::Text(raw) => {
                if alone.is_some() {
                    if filled {
                        return None;
                    }
                    (alone, filled) = (Some(raw), true);
                }
            }
            Tag::Literal(_) => return None,
            Tag::Close(tag) => {
                path.pop();
                let parent = path.last().copied();
                let Some(value) = alone.take() else {
                    if matches!(parent, Some("System" | "EventData")) {
                        return None;
                    }
                    continue;
                };
                let what = match (parent, tag) {
                    (Some("System"), "EventID") => What::Id,
                    (Some("System"), "EventRecordID") => What::Record,
                    (Some("System"), "Computer") => What::Computer,
                    (Some("System"), "Channel") => What::Channel,
                    (Some("System"), "Keywords") => What::Keywords,
                    (Some("System"), "EventName") => What::Data(tag.into()),
                    (Some("EventData"), _) if !name.is_empty() => What::Data(name.into()),
                    (Some("EventData"), "Data") => {
                        unnamed += 1;
                        What::Data(format!("param{unnamed}").into())
                    }
                    _ => What::Nothing,
                };
                slot(value, what)?;
            }
        }
    }
    literal.push_str(text.get(from..)?);
    let alike = literal.len() <= LITERAL_MAX && slots.iter().all(|s| b"<'\"".contains(&s.end));
    alike.then_some(Shape {
        literal: literal.into(),
        slots,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVENT: &str = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='P'/><EventID Qualifiers=''>4624</EventID>\
        <TimeCreated SystemTime=\"2025-09-01T00:00:00Z\"/><EventRecordID> 12 </EventRecordID><Correlation/><Execution ProcessID='712' ThreadID='8'/>\
        <Channel>Security</Channel><Computer>FS01</Computer><Security UserID='S-1'/></System>\n<EventData>\n<Data Name='TargetUserName'>u1</Data> <Data>two</Data>\
        <Data Name='Empty'></Data><Data Name='Closed'/><Binary>00</Binary></EventData><RenderingInfo Culture='fr'><Message>x</Message></RenderingInfo></Event>";

    /// Pieces a value or the text around it may be changed by.
    const PIECES: &[&str] = &[
        "",
        "a",
        "é",
        "&amp;",
        "&#65;",
        "&bad;",
        "&",
        "<",
        ">",
        "'",
        "\"",
        " ",
        "</Data>",
        "<Data>",
        "<b/>",
        "<!-- c -->",
        "<![CDATA[x]]>",
        "<UserData>",
        "</Event>",
        "<TimeCreated/>",
        "SystemTime='1'",
        "=",
        "/",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// Events changed at random places, one after the other: each gives what reading it tag by tag gives.
        #[test]
        fn a_shape_gives_what_the_tags_give(
            changes in prop::collection::vec((0usize..900, 0usize..12, 0..PIECES.len(), any::<bool>()), 1..24)
        ) {
            let mut shapes = Shapes::default();
            let mut text = EVENT.to_string();
            for (at, len, piece, keep) in changes {
                let mut changed = text.clone();
                let floor = |mut i: usize| {
                    i = i.min(changed.len());
                    while !changed.is_char_boundary(i) {
                        i -= 1;
                    }
                    i
                };
                let (from, to) = (floor(at), floor(at + len));
                changed.replace_range(from..to, PIECES[piece]);
                prop_assert_eq!(shapes.fields(EVENT).ok(), from_xml(EVENT).ok());
                prop_assert_eq!(shapes.fields(&changed), from_xml(&changed), "{}", changed);
                if keep {
                    text = changed;
                }
            }
        }
    }

    #[test]
    fn other_values_in_a_known_shape_are_not_taken_apart_again() {
        let mut shapes = Shapes::default();
        for (user, record) in [("u1", "1"), ("", "2"), ("a&amp;b é", "3")] {
            let text = EVENT
                .replace(">u1<", &format!(">{user}<"))
                .replace(" 12 ", record);
            assert_eq!(shapes.fields(&text), from_xml(&text));
        }
        assert_eq!((shapes.learned, shapes.fitted), (1, 2));
    }
}

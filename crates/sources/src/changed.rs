//! Values before and after a change, as the details of an audit record give them.
//!
//! No standard names such details, so that each product has its own words; read are those that say by themselves which value is the
//! former one and which the latter. Anything else is left alone: a change without values is still a change.
use serde_json::Value;
use std::borrow::Cow;

/// What the details of one thing changed say: one row for each field, in order.
#[derive(Default)]
pub(crate) struct Changes {
    /// The field that a detail of its own named last.
    field: String,
    rows: Vec<Row>,
}

#[derive(Default)]
struct Row {
    field: String,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Field,
    Before,
    After,
}

impl Part {
    /// What a word says is meant, whatever its case and separators: `oldValue`, `old_value`, `OLD VALUE`.
    fn of(word: &str) -> Option<Part> {
        // The longest of the words below.
        if word.len() > 24 {
            return None;
        }
        let letters: String = (word.chars())
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        Some(match &*letters {
            "field" | "fieldname" | "path" | "fhirpath" | "element" | "attribute" | "property"
            | "champ" => Part::Field,
            "before" | "old" | "oldvalue" | "valueold" | "previous" | "previousvalue"
            | "valuebefore" | "beforevalue" | "avant" | "valeuravant" | "anciennevaleur" => {
                Part::Before
            }
            "after" | "new" | "newvalue" | "valuenew" | "valueafter" | "aftervalue" | "après"
            | "apres" | "valeuraprès" | "valeurapres" | "nouvellevaleur" => Part::After,
            _ => return None,
        })
    }
    /// The same of a value, never of a name.
    fn value(word: &str) -> Option<Part> {
        Part::of(word).filter(|p| *p != Part::Field)
    }
    /// `Appointment.start.before`, `Appointment.start:old`, `old:Appointment.start`: the field and what is told of it.
    fn beside(name: &str) -> Option<(&str, Part)> {
        const BETWEEN: [char; 4] = ['.', ':', '/', '#'];
        let behind = (name.rsplit_once(BETWEEN)).and_then(|(f, w)| Some((f, Part::value(w)?)));
        let ahead = || (name.split_once(BETWEEN)).and_then(|(w, f)| Some((f, Part::value(w)?)));
        behind.or_else(ahead).filter(|(f, _)| !f.is_empty())
    }
}

impl Changes {
    /// One detail: its name and its value.
    pub fn take(&mut self, name: &str, value: &str) {
        let value = value.trim();
        match Part::of(name) {
            Some(Part::Field) => {
                // Named behind its values.
                for r in self.rows.iter_mut().filter(|r| r.field.is_empty()) {
                    value.clone_into(&mut r.field);
                }
                value.clone_into(&mut self.field);
            }
            Some(part) => {
                if let Some(all) = object(value) {
                    for (field, v) in &all {
                        self.put(field, part, &scalar(v));
                    }
                } else if let Some((field, v)) = value.split_once('=').filter(|(f, _)| path(f)) {
                    self.put(field, part, v);
                } else {
                    let field = std::mem::take(&mut self.field);
                    self.put(&field, part, value);
                    self.field = field;
                }
            }
            None => {
                if let Some((field, part)) = Part::beside(name) {
                    self.put(field, part, value);
                } else if path(name) {
                    self.both(name, value);
                }
            }
        }
    }

    /// A field's detail that holds both values.
    fn both(&mut self, field: &str, value: &str) {
        if let Some(all) = object(value) {
            for (word, v) in &all {
                if let Some(part) = Part::value(word) {
                    self.put(field, part, &scalar(v));
                }
            }
            return;
        }
        for arrow in [" -> ", " => ", " → "] {
            if let Some((before, after)) = value.split_once(arrow)
                && !after.contains(arrow)
            {
                self.put(field, Part::Before, before);
                self.put(field, Part::After, after);
                return;
            }
        }
    }

    fn put(&mut self, field: &str, part: Part, value: &str) {
        let free = |r: &&mut Row| {
            r.field == field
                && match part {
                    Part::Before => r.before.is_none(),
                    _ => r.after.is_none(),
                }
        };
        if self.rows.iter_mut().rev().find(free).is_none() {
            self.rows.push(Row {
                field: field.to_string(),
                ..Row::default()
            });
        }
        if let Some(row) = self.rows.iter_mut().rev().find(free) {
            let at = match part {
                Part::Before => &mut row.before,
                _ => &mut row.after,
            };
            *at = Some(value.to_string());
        }
    }

    /// As the column `changes` has them: `field\u{1f}before\u{1f}after`, one a line.
    pub fn write(&self, out: &mut String) {
        for r in &self.rows {
            if !out.is_empty() {
                out.push('\n');
            }
            let value = |v: &Option<String>| plain(v.as_deref().unwrap_or(""));
            for (i, text) in [plain(&r.field), value(&r.before), value(&r.after)]
                .into_iter()
                .enumerate()
            {
                if i > 0 {
                    out.push('\u{1f}');
                }
                out.push_str(&text);
            }
        }
    }
}

/// Text without what parts the column.
fn plain(text: &str) -> String {
    (text.chars())
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// `Appointment.start`, `Patient.name[0].family`: a type, then elements.
fn path(text: &str) -> bool {
    let mut parts = text.split('.');
    let word = |p: &str| p.starts_with(|c: char| c.is_ascii_alphabetic());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '[' | ']' | '_' | '-');
    text.contains('.') && parts.all(|p| word(p) && p.chars().all(allowed))
}

fn object(value: &str) -> Option<serde_json::Map<String, Value>> {
    if !value.starts_with('{') {
        return None;
    }
    match serde_json::from_str(value) {
        Ok(Value::Object(m)) => Some(m),
        _ => None,
    }
}

fn scalar(v: &Value) -> Cow<'_, str> {
    match v {
        Value::String(s) => Cow::Borrowed(s),
        Value::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(details: &[(&str, &str)]) -> String {
        let mut c = Changes::default();
        for (name, value) in details {
            c.take(name, value);
        }
        let mut out = String::new();
        c.write(&mut out);
        out.replace('\u{1f}', "|")
    }

    #[test]
    fn the_former_and_the_latter_value_are_told_apart() {
        let one = "Appointment.start|9:00|14:00";
        for details in [
            &[
                ("field", "Appointment.start"),
                ("before", "9:00"),
                ("after", "14:00"),
            ][..],
            &[
                ("before", "9:00"),
                ("after", "14:00"),
                ("Path", "Appointment.start"),
            ],
            &[
                ("path", "Appointment.start"),
                ("oldValue", "9:00"),
                ("new_value", "14:00"),
            ],
            &[
                ("Appointment.start.before", "9:00"),
                ("Appointment.start.after", "14:00"),
            ],
            &[
                ("Appointment.start:old", "9:00"),
                ("Appointment.start:new", "14:00"),
            ],
            &[
                ("old:Appointment.start", "9:00"),
                ("new:Appointment.start", "14:00"),
            ],
            &[(
                "Appointment.start",
                r#"{"before": "9:00", "after": "14:00"}"#,
            )],
            &[("Appointment.start", "9:00 -> 14:00")],
            &[
                ("before", r#"{"Appointment.start": "9:00"}"#),
                ("after", r#"{"Appointment.start": "14:00"}"#),
            ],
            &[
                ("before", "Appointment.start=9:00"),
                ("after", "Appointment.start=14:00"),
            ],
        ] {
            assert_eq!(told(details), one, "{details:?}");
        }
    }

    #[test]
    fn several_fields_stay_apart() {
        let two = [
            ("field", "Patient.birthDate"),
            ("before", "1970-01-01"),
            ("after", "1971-01-01"),
            ("field", "Patient.gender"),
            ("after", "female"),
        ];
        assert_eq!(
            told(&two),
            "Patient.birthDate|1970-01-01|1971-01-01\nPatient.gender||female"
        );
        let json = [
            ("before", r#"{"a.b": 1, "a.c": null}"#),
            ("after", r#"{"a.b": 2, "a.c": "x\ny"}"#),
        ];
        assert_eq!(told(&json), "a.b|1|2\na.c||x y");
    }

    #[test]
    fn what_does_not_say_which_value_is_the_former_is_left_alone() {
        for details in [
            &[("total", "3")][..],
            &[("Appointment.start", "14:00")],
            &[("note", "9:00 -> 14:00")],
            &[("Appointment.start", "a -> b -> c")],
            &[("X-Request-Id", "old")],
            &[("field", "Appointment.start")],
        ] {
            assert_eq!(told(details), "", "{details:?}");
        }
    }
}

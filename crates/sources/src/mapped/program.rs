//! Records read by a program in VRL, the language of Vector (`container = "vrl"`); behind the feature `vrl`.
//!
//! The program gets a record as `.message` and leaves its fields in `.`; the rest of the mapping goes on from there as for JSON.
//! Equal bytes give equal fields: a program has the functions of [`language::FUNCTIONS`] and no other, so it reaches no clock, network,
//! file, variable of the environment, chance or zone of the machine. Its steps and the size of its result are bounded.
use super::plan::MappingError;
use std::{fs, path::Path};

/// Most bytes of a program.
pub(super) const TEXT_MAX: u64 = 256 << 10;

/// What the table `[vrl]` says.
pub(super) struct Program {
    text: String,
    /// What an error calls it: the name of its file, or the key that holds it.
    place: String,
    /// Line of the mapping file on which the program begins, when it stands there as it is.
    first_line: Option<usize>,
    /// `abort`, and a result of nothing, mean that the line is no record.
    pub abort_skips: bool,
    #[cfg(feature = "vrl")]
    made: std::sync::OnceLock<Option<vrl::compiler::Program>>,
}

impl Program {
    pub(super) fn new(
        text: String,
        file: Option<&str>,
        mapping: &str,
        abort_skips: bool,
    ) -> Program {
        let first_line = match file {
            Some(_) => None,
            None => mapping
                .find(text.trim_end())
                .filter(|_| !text.trim().is_empty())
                .map(|i| 1 + mapping[..i].matches('\n').count()),
        };
        Program {
            text,
            place: file.unwrap_or("vrl.program").to_string(),
            first_line,
            abort_skips,
            #[cfg(feature = "vrl")]
            made: std::sync::OnceLock::new(),
        }
    }
}

/// Reads the file of a program, which must lie beside its mapping.
pub(super) fn read(name: &str, folder: Option<&Path>) -> Result<String, MappingError> {
    let wrong = |what: String| {
        Err(MappingError {
            key: "vrl.program_file".into(),
            what,
        })
    };
    let plain = name.ends_with(".vrl") && !name.starts_with('.') && !name.contains(['/', '\\']);
    if !plain {
        return wrong(format!(
            "`{name}`: the name of a file beside the mapping is expected, ending in `.vrl`"
        ));
    }
    let Some(folder) = folder else {
        return wrong("this mapping has no folder; write the program into `program`".into());
    };
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Err(e) => wrong(format!("read {}: {e}", path.display())),
        Ok(m) if !m.is_file() => wrong(format!("{} is no regular file", path.display())),
        Ok(m) if m.len() > TEXT_MAX => wrong(format!(
            "{} is larger than {TEXT_MAX} bytes",
            path.display()
        )),
        Ok(_) => match fs::read_to_string(&path) {
            Ok(text) => Ok(text),
            Err(e) => wrong(format!("read {}: {e}", path.display())),
        },
    }
}

#[cfg(not(feature = "vrl"))]
impl Program {
    /// Without the language no mapping with a program is taken.
    pub(super) fn check(&self) -> Result<(), MappingError> {
        Err(MappingError {
            key: "container".into(),
            what: "`vrl` asks for a build with the feature `vrl` (`cargo build --release --features vrl`); this one has no VRL, \
                   and the other containers have no need of it"
                .into(),
        })
    }
    pub(super) fn text(&self) -> &str {
        // Named so that both builds use the same fields.
        let _ = (&self.place, self.first_line, self.abort_skips);
        &self.text
    }
}

#[cfg(feature = "vrl")]
pub(super) mod language {
    //! The part that knows the language.
    use super::{MappingError, Program};
    use crate::{
        Reason,
        mapped::fields::{Slots, Trie},
        sink::Stop,
    };
    use serde::{
        de::{
            self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor,
            value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer},
        },
        forward_to_deserialize_any,
    };
    use std::{ops::ControlFlow, panic};
    use vrl::{
        compiler::{
            TargetValue, TimeZone, compile,
            runtime::{Runtime, Terminate},
        },
        diagnostic::{Diagnostic, DiagnosticMessage, Severity},
        value::{KeyString, Secrets, Value},
    };

    /// Expressions evaluated for one record; a real program stays far below.
    const STEPS_MAX: u32 = 10_000;
    /// Records one line may give.
    pub const RESULTS_MAX: usize = 1000;
    /// Values in one result, and levels of one inside another.
    const VALUES_MAX: usize = 50_000;
    const DEPTH_MAX: usize = 128;
    /// Bytes of text in one result.
    const BYTES_MAX: usize = 16 << 20;

    /// The functions a program has, sorted. A new release of the language adds none by itself: a test says that it knows another.
    pub const FUNCTIONS: &[&str] = &[
        "abs",
        "append",
        "array",
        "assert",
        "assert_eq",
        "basename",
        "bool",
        "camelcase",
        "ceil",
        "chunks",
        "compact",
        "contains",
        "contains_all",
        "decode_base16",
        "decode_base64",
        "decode_charset",
        "decode_mime_q",
        "decode_percent",
        "decode_punycode",
        "del",
        "dirname",
        "downcase",
        "encode_base16",
        "encode_base64",
        "encode_csv",
        "encode_json",
        "encode_key_value",
        "encode_logfmt",
        "encode_percent",
        "ends_with",
        "exists",
        "filter",
        "find",
        "flatten",
        "float",
        "floor",
        "for_each",
        "format_int",
        "format_number",
        "from_entries",
        "from_unix_timestamp",
        "get",
        "includes",
        "int",
        "ip_aton",
        "ip_cidr_contains",
        "ip_ntoa",
        "ip_ntop",
        "ip_pton",
        "ip_subnet",
        "ip_to_ipv6",
        "ipv6_to_ipv4",
        "is_array",
        "is_boolean",
        "is_empty",
        "is_float",
        "is_integer",
        "is_ipv4",
        "is_ipv6",
        "is_json",
        "is_null",
        "is_nullish",
        "is_object",
        "is_regex",
        "is_string",
        "is_timestamp",
        "join",
        "kebabcase",
        "keys",
        "length",
        "map_keys",
        "map_values",
        "match",
        "match_any",
        "match_array",
        "merge",
        "mod",
        "object",
        "object_from_array",
        "parse_bytes",
        "parse_cef",
        "parse_csv",
        "parse_duration",
        "parse_float",
        "parse_int",
        "parse_json",
        "parse_key_value",
        "parse_logfmt",
        "parse_query_string",
        "parse_regex",
        "parse_regex_all",
        "parse_tokens",
        "parse_url",
        "pascalcase",
        "pop",
        "push",
        "range",
        "remove",
        "replace",
        "replace_with",
        "round",
        "screamingsnakecase",
        "set",
        "sieve",
        "slice",
        "snakecase",
        "split",
        "split_path",
        "starts_with",
        "string",
        "strip_ansi_escape_codes",
        "strip_whitespace",
        "strlen",
        "tally",
        "tally_value",
        "timestamp",
        "to_bool",
        "to_entries",
        "to_float",
        "to_int",
        "to_string",
        "to_syslog_facility",
        "to_syslog_facility_code",
        "to_syslog_level",
        "to_syslog_severity",
        "to_unix_timestamp",
        "truncate",
        "type_def",
        "unique",
        "unnest",
        "upcase",
        "values",
        "zip",
    ];

    const CLOCK: &str = "it reads the clock of the machine, and equal logs must give equal events";
    const CHANCE: &str = "it gives another value each time, and equal logs must give equal events";
    const OUTSIDE: &str = "a program reaches no network, file, variable or name of the machine";
    const ZONES: &str = "leave the stamp as text and name it in `time` of the mapping, which knows the zone of the source";
    const BOUNDS: &str = "a crafted line could make it take time or memory without bound";
    const UNUSED: &str = "reading a log has no need of it";

    /// Functions of the language left out, and why.
    pub const LEFT_OUT: &[(&str, &[&str])] = &[
        (
            CLOCK,
            &[
                "now",
                "parse_klog",
                "parse_linux_authorization",
                "parse_syslog",
                "uuid_v7",
            ],
        ),
        (
            CHANCE,
            &[
                "random_bool",
                "random_bytes",
                "random_float",
                "random_int",
                "uuid_v4",
            ],
        ),
        (
            OUTSIDE,
            &[
                "dns_lookup",
                "find_enrichment_table_records",
                "get_enrichment_table_record",
                "get_env_var",
                "get_hostname",
                "get_timezone_name",
                "http_request",
                "log",
                "parse_etld",
                "parse_proto",
                "encode_proto",
                "reverse_dns",
                "validate_json_schema",
            ],
        ),
        (
            ZONES,
            &[
                "format_timestamp",
                "parse_apache_log",
                "parse_aws_alb_log",
                "parse_aws_cloudwatch_log_subscription_message",
                "parse_aws_vpc_flow_log",
                "parse_common_log",
                "parse_glog",
                "parse_nginx_log",
                "parse_timestamp",
            ],
        ),
        (
            BOUNDS,
            &[
                "decode_gzip",
                "decode_lz4",
                "decode_snappy",
                "decode_zlib",
                "decode_zstd",
                "parse_cbor",
                "parse_grok",
                "parse_groks",
                "parse_influxdb",
                "parse_ruby_hash",
                "parse_user_agent",
                "parse_xml",
                "parse_yaml",
                "to_regex",
                "unflatten",
            ],
        ),
        (
            UNUSED,
            &[
                "community_id",
                "encode_charset",
                "encode_gzip",
                "encode_lz4",
                "encode_punycode",
                "encode_snappy",
                "encode_zlib",
                "encode_zstd",
                "haversine",
                "match_datadog_query",
                "redact",
                "shannon_entropy",
                "tag_types_externally",
                "uuid_from_friendly_id",
            ],
        ),
    ];

    impl Program {
        pub(in crate::mapped) fn text(&self) -> &str {
            &self.text
        }

        /// Compiles the program. The error names its file, line and column, what is wrong and what helps.
        pub(in crate::mapped) fn check(&self) -> Result<(), MappingError> {
            let made = self.compile()?;
            self.made.get_or_init(|| Some(made));
            Ok(())
        }

        fn compile(&self) -> Result<vrl::compiler::Program, MappingError> {
            let functions: Vec<_> = vrl::stdlib::all()
                .into_iter()
                .filter(|f| FUNCTIONS.binary_search(&f.identifier()).is_ok())
                .collect();
            // The compiler is as little ours as the program.
            let made =
                panic::catch_unwind(panic::AssertUnwindSafe(|| compile(&self.text, &functions)));
            match made {
                Ok(Ok(made)) => Ok(made.program),
                Ok(Err(list)) => Err(self.fault(
                    list.iter()
                        .find(|d| matches!(d.severity(), Severity::Error | Severity::Bug)),
                )),
                Err(_) => Err(self.fault(None)),
            }
        }

        fn fault(&self, found: Option<&Diagnostic>) -> MappingError {
            let Some(d) = found else {
                return MappingError {
                    key: self.place.clone(),
                    what: "the compiler of the language failed on this program".into(),
                };
            };
            let labels = d.labels();
            let primary = labels.iter().find(|l| l.primary).or(labels.first());
            let mut what = d.message().to_string();
            let mut key = self.place.clone();
            if let Some(l) = primary {
                let at = self.text.floor_char_boundary(l.span.start());
                let end = self.text.floor_char_boundary(l.span.end()).max(at);
                let before = &self.text[..at];
                let line = 1 + before.matches('\n').count();
                let column = 1 + before.rsplit('\n').next().unwrap_or("").chars().count();
                key = format!("{key}, line {line}, column {column}");
                if let Some(first) = self.first_line {
                    key = format!("{key} (line {} of the mapping)", first + line - 1);
                }
                let word = &self.text[at..end];
                if let Some((why, _)) = LEFT_OUT.iter().find(|(_, names)| names.contains(&word)) {
                    what = format!("no function `{word}` here: {why}");
                    return MappingError { key, what };
                }
            }
            for l in labels {
                if !l.message.is_empty() && l.message != what {
                    what.push_str(if what.ends_with(':') { " " } else { "; " });
                    what.push_str(&l.message.replace('\n', " "));
                }
            }
            if d.message().contains("fallible") || d.code == 103 {
                what.push_str(
                    "; `f!(…)` rejects the line when f fails, `f(…) ?? other` goes on with another value",
                );
            }
            MappingError { key, what }
        }

        /// Runs the program on one record. `Err` says why there is none: never with a value of the record in it.
        pub(in crate::mapped) fn run(&self, message: &str) -> Result<Results, Reason> {
            let Some(program) = self.made.get_or_init(|| self.compile().ok()) else {
                return Err(Reason::UnknownFormat);
            };
            // Never the zone of the machine, which is the default.
            let Some(zone) = TimeZone::parse("UTC") else {
                return Err(Reason::UnknownFormat);
            };
            let mut steps = 0u32;
            let mut control = || {
                steps += 1;
                if steps > STEPS_MAX {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let mut target = TargetValue {
                value: Value::Object([(KeyString::from("message"), Value::from(message))].into()),
                metadata: Value::Object(Default::default()),
                secrets: Secrets::default(),
            };
            let done = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                Runtime::default().resolve_with_control(&mut target, program, &zone, &mut control)
            }));
            let stop = |stop, line| Err(Reason::Program { stop, line });
            match done {
                Ok(Ok(_)) => {}
                Ok(Err(Terminate::Interrupted)) => return stop(Stop::Steps, 0),
                Ok(Err(Terminate::Abort(e))) => return stop(Stop::Aborted, self.line(&e)),
                Ok(Err(Terminate::Error(e))) => return stop(Stop::Failed, self.line(&e)),
                Err(_) => return stop(Stop::Failed, 0),
            }
            let results = match target.value {
                Value::Array(all) => Results(all),
                Value::Null => Results(vec![]),
                one => Results(vec![one]),
            };
            if results.0.is_empty() {
                return stop(Stop::Nothing, 0);
            }
            let mut room = Room {
                values: VALUES_MAX,
                bytes: BYTES_MAX,
            };
            if results.0.len() > RESULTS_MAX || !results.0.iter().all(|v| room.holds(v, 0)) {
                return stop(Stop::Large, 0);
            }
            Ok(results)
        }

        /// Line of the program an error is about; 0 when it says none.
        fn line(&self, e: &vrl::compiler::ExpressionError) -> u32 {
            let labels = e.labels();
            let Some(l) = labels.iter().find(|l| l.primary).or(labels.first()) else {
                return 0;
            };
            let at = self.text.floor_char_boundary(l.span.start());
            1 + self.text[..at].matches('\n').count() as u32
        }
    }

    /// What a program made of one line: an object, or several.
    pub(in crate::mapped) struct Results(pub Vec<Value>);

    /// How much more a result may hold.
    struct Room {
        values: usize,
        bytes: usize,
    }

    impl Room {
        fn holds(&mut self, v: &Value, depth: usize) -> bool {
            let bytes = match v {
                Value::Bytes(b) => b.len(),
                Value::String(s) => s.len(),
                Value::Object(o) => o.keys().map(|k| k.len()).sum(),
                _ => 0,
            };
            if depth > DEPTH_MAX || self.values == 0 || self.bytes < bytes {
                return false;
            }
            self.values -= 1;
            self.bytes -= bytes;
            match v {
                Value::Object(o) => o.values().all(|v| self.holds(v, depth + 1)),
                Value::Array(a) => a.iter().all(|v| self.holds(v, depth + 1)),
                _ => true,
            }
        }
    }

    impl Trie {
        /// Takes the fields of one result as those of a JSON record. `Err`: it is no object.
        pub(in crate::mapped) fn value<'a>(
            &self,
            value: &'a Value,
            slots: &mut Slots<'a>,
        ) -> Result<(), Reason> {
            if !matches!(value, Value::Object(_)) {
                return Err(Reason::Program {
                    stop: Stop::NoObject,
                    line: 0,
                });
            }
            self.walk(slots)
                .deserialize(Field(value))
                .map_err(|_| Reason::Shape)
        }
    }

    /// A value of the language as what JSON has.
    struct Field<'a>(&'a Value);

    impl<'a> IntoDeserializer<'a, de::value::Error> for Field<'a> {
        type Deserializer = Field<'a>;
        fn into_deserializer(self) -> Field<'a> {
            self
        }
    }

    impl<'de> Deserializer<'de> for Field<'de> {
        type Error = de::value::Error;
        fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            match self.0 {
                Value::String(s) => visitor.visit_borrowed_str(s),
                Value::Bytes(b) => match std::str::from_utf8(b) {
                    Ok(s) => visitor.visit_borrowed_str(s),
                    Err(_) => visitor.visit_str(&crate::lines::text(b)),
                },
                Value::Regex(r) => visitor.visit_borrowed_str(r.as_str()),
                Value::Integer(i) => visitor.visit_i64(*i),
                Value::Float(f) => visitor.visit_f64(f.into_inner()),
                Value::Boolean(b) => visitor.visit_bool(*b),
                Value::Timestamp(_) => visitor.visit_str(&self.0.to_string_lossy()),
                Value::Null => visitor.visit_unit(),
                Value::Array(a) => visitor.visit_seq(SeqDeserializer::new(a.iter().map(Field))),
                Value::Object(o) => visitor
                    .visit_map(MapDeserializer::new(o.iter().map(|(k, v)| {
                        (BorrowedStrDeserializer::new(k.as_str()), Field(v))
                    }))),
            }
        }
        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }
}

//! How much of an answer went out, by what servers and proxies say of connections that ended early: nginx and its kin (499), load
//! balancers (460), HAProxy (termination state), Envoy (response flags), Squid (result code), IIS (Win32 status), and the fields of
//! Apache (`%X`) and nginx (`$request_completion`) that say it.
use ampleur_event::{Event, batch::NONE};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// All of it, as far as the log tells.
    Whole,
    /// The beginning, nobody knows how much of what was asked for.
    Part,
    /// Nothing: the other end was gone before the first byte.
    Nothing,
}

impl Sent {
    /// What the line of a request says.
    pub(super) fn of(e: &Event<'_>) -> Sent {
        // A word of the server's own about a failure is no part of the answer.
        if matches!(e.status, 300..=459 | 461..=498 | 500..=599) {
            return Sent::Whole;
        }
        if !gone(e.status) && !ended_early(e) {
            return Sent::Whole;
        }
        match e.bytes_in {
            0 => Sent::Nothing,
            _ => Sent::Part,
        }
    }
}

/// Codes for "the client was gone": no server sends them, and what had been sent by then stays sent. Zero stands where no code was sent.
fn gone(status: u64) -> bool {
    matches!(status, 0 | 460 | 499)
}

/// A change whose end the log does not tell: whoever asked was gone, or whoever was asked did not answer in time, or sends on to a page
/// that says how it went. The server may have done it all the same.
pub(super) fn may_be_done(e: &Event<'_>) -> bool {
    e.status == NONE
        || gone(e.status)
        || matches!(e.status, 302 | 303 | 502 | 504)
        || ended_early(e)
}

/// A connection that ended while the answer was under way, or before it.
fn ended_early(e: &Event<'_>) -> bool {
    let says = |key: &str, early: &dyn Fn(&str) -> bool| e.extra_value(key).is_some_and(early);
    // HAProxy: who ended the session, and in which state; nothing is known to have failed where the first is a dash.
    says(
        "termination",
        &|t| matches!(t.as_bytes(), [who, state, ..] if *who != b'-' && *state != b'-'),
    ) || says("flags", &|f| {
        f.split(',').any(|f| ENVOY.contains(&f.trim()))
    }) || says("cache", &|c| {
        c.ends_with("_ABORTED") || c.ends_with("_TIMEDOUT")
    }) || says("win32", &|w| {
        // An HRESULT made of a Win32 code ends in it.
        let code = w.parse::<u64>().unwrap_or(0);
        let code = if code >> 16 == 0x8007 {
            code & 0xffff
        } else {
            code
        };
        IIS.contains(&code)
    }) || says("ended", &|e| e == "early")
}

/// Ends of either connection of Envoy (short names, then the long ones of newer versions).
const ENVOY: &[&str] = &[
    "DC",
    "UC",
    "UR",
    "LR",
    "SI",
    "DT",
    "UMSDR",
    "DPE",
    "UPE",
    "OM",
    "DR",
    "DownstreamConnectionTermination",
    "UpstreamConnectionTermination",
    "UpstreamRemoteReset",
    "LocalReset",
    "StreamIdleTimeout",
    "DurationTimeout",
    "UpstreamMaxStreamDurationReached",
    "DownstreamProtocolError",
    "UpstreamProtocolError",
    "OverloadManagerTerminated",
    "DownstreamRemoteReset",
];
/// The name is gone, the wait was over, the work was called off, the connection is no more (by peer, by us, invalid, aborted).
const IIS: &[u64] = &[64, 121, 995, 1229, 1236, 10053, 10054];

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[track_caller]
    fn check(status: u64, bytes_in: u64, extra: &'static str, expect: Sent) {
        let e = Event {
            status,
            bytes_in,
            extra: Cow::Borrowed(extra),
            ..Event::default()
        };
        assert_eq!(Sent::of(&e), expect, "{status} {bytes_in} {extra}");
    }

    #[test]
    fn servers_say_in_their_own_ways_that_a_client_was_gone() {
        use Sent::{Nothing, Part, Whole};
        check(200, 17206, "", Whole);
        check(499, 17206, "", Part);
        check(499, NONE, "", Part);
        check(499, 0, "", Nothing);
        check(460, 100, "", Part);
        check(0, 0, "flags=DC", Nothing);
        check(200, 900, "flags=DC", Part);
        check(200, 900, "flags=UH,UC", Part);
        check(200, 900, "flags=-", Whole);
        check(200, 900, "backend=b\ntermination=CD--", Part);
        check(NONE, 0, "termination=CH--", Nothing);
        check(200, 900, "termination=SD--", Part);
        check(200, 900, "termination=----", Whole);
        check(200, 900, "termination=--VN", Whole);
        check(200, 900, "termination=\u{fffd}D--", Part);
        check(200, 900, "termination=S\u{fffd}--", Part);
        check(504, 900, "termination=sH--", Whole);
        check(200, 900, "cache=TCP_MISS_ABORTED", Part);
        check(0, 0, "cache=NONE_NONE_ABORTED", Nothing);
        check(200, 900, "cache=TCP_MISS", Whole);
        check(200, 900, "win32=64", Part);
        check(200, 900, "win32=2147942464", Part);
        check(200, 900, "win32=0", Whole);
        check(200, 900, "ended=early", Part);
        check(403, 900, "win32=64", Whole);
    }
}

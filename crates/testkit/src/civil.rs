//! Civil time of Europe/Paris without tables: UTC+1, and UTC+2 from the last Sunday of March to the last Sunday of October, 01:00 UTC.
//! All instants are UTC milliseconds.

/// UTC milliseconds since 1970.
pub type Ms = i64;
pub const SEC: Ms = 1000;
pub const MIN: Ms = 60 * SEC;
pub const HOUR: Ms = 60 * MIN;
pub const DAY: Ms = 24 * HOUR;

pub fn days_from_civil(y: i64, m: i64, d: i64) -> i64 {
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

pub fn civil_from_days(z: i64) -> (i64, i64, i64) {
    let z = z + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(m <= 2),
        m,
        doy - (153 * mp + 2) / 5 + 1,
    )
}

fn last_sunday(y: i64, m: i64) -> i64 {
    let d = days_from_civil(y, m, 31);
    d - (d + 4).rem_euclid(7)
}

/// Offset of Paris at this instant, in milliseconds.
pub fn offset(t: Ms) -> Ms {
    let (y, _, _) = civil_from_days(t.div_euclid(DAY));
    let summer = last_sunday(y, 3) * DAY + HOUR..last_sunday(y, 10) * DAY + HOUR;
    if summer.contains(&t) { 2 * HOUR } else { HOUR }
}

/// Local date and time in Paris to an instant; in the repeated hour, the first.
pub fn paris(y: i64, m: i64, d: i64, h: i64, mi: i64) -> Ms {
    let local = days_from_civil(y, m, d) * DAY + h * HOUR + mi * MIN;
    let first = local - 2 * HOUR;
    if offset(first) == 2 * HOUR {
        first
    } else {
        local - HOUR
    }
}

/// Local day number in Paris.
pub fn local_day(t: Ms) -> i64 {
    (t + offset(t)).div_euclid(DAY)
}
/// 00:00 Paris of a local day number.
pub fn day_start(day: i64) -> Ms {
    let (y, m, d) = civil_from_days(day);
    paris(y, m, d, 0, 0)
}
/// 0 = Monday.
pub fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}
/// This local day at this local hour and minute.
pub fn at(day: i64, h: i64, mi: i64) -> Ms {
    let (y, m, d) = civil_from_days(day + h.div_euclid(24));
    paris(y, m, d, h.rem_euclid(24), mi)
}
pub fn date_text(day: i64) -> String {
    let (y, m, d) = civil_from_days(day);
    format!("{y:04}-{m:02}-{d:02}")
}
/// RFC 3339, UTC, milliseconds.
pub fn iso(t: Ms) -> String {
    let mut b = Vec::new();
    put_iso(&mut b, t);
    String::from_utf8(b).unwrap_or_default()
}
/// RFC 3339 with the offset of Paris, seconds.
pub fn iso_local(t: Ms) -> String {
    let mut b = Vec::new();
    put_iso_paris(&mut b, t);
    String::from_utf8(b).unwrap_or_default()
}

pub fn put_num(b: &mut Vec<u8>, n: u64, width: usize) {
    let mut tmp = [0u8; 20];
    let (mut i, mut n) = (20, n);
    loop {
        i -= 1;
        tmp[i] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    while 20 - i < width {
        i -= 1;
        tmp[i] = b'0';
    }
    b.extend_from_slice(&tmp[i..]);
}
fn put_ymd(b: &mut Vec<u8>, day: i64) {
    let (y, m, d) = civil_from_days(day);
    put_num(b, y as u64, 4);
    b.push(b'-');
    put_num(b, m as u64, 2);
    b.push(b'-');
    put_num(b, d as u64, 2);
}
fn put_hms(b: &mut Vec<u8>, ms: i64) {
    put_num(b, (ms / HOUR) as u64, 2);
    b.push(b':');
    put_num(b, (ms / MIN % 60) as u64, 2);
    b.push(b':');
    put_num(b, (ms / SEC % 60) as u64, 2);
}
/// `2025-10-05T02:14:07.412` of a local or UTC clock reading.
fn put_stamp(b: &mut Vec<u8>, reading: i64, separator: u8) {
    let (day, ms) = (reading.div_euclid(DAY), reading.rem_euclid(DAY));
    put_ymd(b, day);
    b.push(separator);
    put_hms(b, ms);
    b.push(b'.');
    put_num(b, (ms % SEC) as u64, 3);
}
pub fn put_iso(b: &mut Vec<u8>, t: Ms) {
    put_stamp(b, t, b'T');
    b.push(b'Z');
}
/// UTC with more digits (Windows has 7, Keycloak 9); `fill` are the digits after the milliseconds.
pub fn put_iso_fine(b: &mut Vec<u8>, t: Ms, fill: u64, digits: usize) {
    put_stamp(b, t, b'T');
    put_num(b, fill % 10u64.pow(digits as u32), digits);
    b.push(b'Z');
}
pub fn put_iso_paris(b: &mut Vec<u8>, t: Ms) {
    let o = offset(t);
    put_stamp(b, t + o, b'T');
    b.extend_from_slice(if o == HOUR { b"+01:00" } else { b"+02:00" });
}
/// `2025-10-05 02:14:07.412 CEST`
pub fn put_pg(b: &mut Vec<u8>, t: Ms) {
    let o = offset(t);
    put_stamp(b, t + o, b' ');
    b.extend_from_slice(if o == HOUR { b" CET" } else { b" CEST" });
}
/// `05/Oct/2025:02:14:07 +0200`
pub fn put_clf(b: &mut Vec<u8>, t: Ms) {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let o = offset(t);
    let (day, ms) = ((t + o).div_euclid(DAY), (t + o).rem_euclid(DAY));
    let (y, m, d) = civil_from_days(day);
    put_num(b, d as u64, 2);
    b.push(b'/');
    b.extend_from_slice(MONTHS[(m - 1) as usize].as_bytes());
    b.push(b'/');
    put_num(b, y as u64, 4);
    b.push(b':');
    put_hms(b, ms);
    b.extend_from_slice(if o == HOUR { b" +0100" } else { b" +0200" });
}
/// `date=2025-10-05 time=02:14:07` and the zone as `+0200`.
pub fn put_forti(b: &mut Vec<u8>, t: Ms) -> &'static str {
    let o = offset(t);
    b.extend_from_slice(b"date=");
    put_ymd(b, (t + o).div_euclid(DAY));
    b.extend_from_slice(b" time=");
    put_hms(b, (t + o).rem_euclid(DAY));
    if o == HOUR { "+0100" } else { "+0200" }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn paris_changes_its_clock_like_the_tables_say() {
        let z = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
        for t in (0..2_000).map(|i| 1_600_000_000_000 + i * 91 * HOUR + i * 7 * MIN) {
            let ts = jiff::Timestamp::from_millisecond(t).unwrap();
            assert_eq!(
                i64::from(z.to_offset(ts).seconds()) * 1000,
                offset(t),
                "{ts}"
            );
        }
        assert_eq!(iso(paris(2025, 10, 26, 2, 30)), "2025-10-26T00:30:00.000Z");
        assert_eq!(iso(paris(2025, 10, 27, 2, 30)), "2025-10-27T01:30:00.000Z");
        assert_eq!(date_text(local_day(paris(2024, 2, 29, 0, 0))), "2024-02-29");
        assert_eq!(weekday(local_day(paris(2025, 11, 24, 12, 0))), 0);
    }
}

//! When a schedule is due: cron patterns read in a time zone.

use anyhow::{Context, ensure};
use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::str::FromStr;
use time::OffsetDateTime;

/// The first moment after `after` that `cron` (five fields) names on a clock of `time_zone` (an IANA name). A time that the change to
/// summer time skips comes when the clock is put forward; one that occurs twice comes once.
pub fn next_run(cron: &str, time_zone: &str, after: OffsetDateTime) -> anyhow::Result<OffsetDateTime> {
    ensure!(
        cron.split_whitespace().count() == 5,
        "`{cron}` is not a cron pattern of five fields: minute hour day month weekday, as in `0 3 * * *`"
    );
    let pattern = Cron::from_str(cron).with_context(|| format!("`{cron}` is not a cron pattern"))?;
    let zone = TimeZone::get(time_zone)
        .with_context(|| format!("`{time_zone}` is not a time zone such as Europe/Berlin or UTC"))?;
    let after = Timestamp::from_second(after.unix_timestamp())?;
    let next: Zoned = pattern
        .find_next_occurrence(&after.to_zoned(zone), false)
        .with_context(|| format!("`{cron}` never comes"))?;
    Ok(OffsetDateTime::from_unix_timestamp(next.timestamp().as_second())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn patterns_are_read_in_their_time_zone() {
        let check = |cron: &str, zone: &str, after, expect| {
            let next = next_run(cron, zone, after).map_err(|error| format!("{error:#}"));
            assert_eq!(next, Ok(expect), "{cron} {zone}");
        };
        let winter = datetime!(2026-01-15 12:00 UTC);
        check("0 3 * * *", "UTC", winter, datetime!(2026-01-16 03:00 UTC));
        check(
            "0 3 * * *",
            "Europe/Berlin",
            winter,
            datetime!(2026-01-16 02:00 UTC),
        );
        check(
            "30 8 * * 1",
            "America/New_York",
            winter,
            datetime!(2026-01-19 13:30 UTC),
        );
        check("*/15 * * * *", "UTC", winter, datetime!(2026-01-15 12:15 UTC));
        // Summer time begins: the clock of Berlin goes from 02:00 to 03:00.
        let eve = datetime!(2026-03-28 12:00 UTC);
        check("0 4 * * *", "Europe/Berlin", eve, datetime!(2026-03-29 02:00 UTC));
    }

    #[test]
    fn what_is_no_pattern_or_zone_is_named() {
        let check = |cron: &str, zone: &str, expect: &str| {
            let error =
                next_run(cron, zone, OffsetDateTime::UNIX_EPOCH).map_err(|error| format!("{error:#}"));
            assert!(
                error.as_ref().is_err_and(|text| text.contains(expect)),
                "{error:?}"
            );
        };
        check("daily", "UTC", "five fields");
        check("61 * * * *", "UTC", "not a cron pattern");
        check("0 3 * * *", "Mars/Olympus", "not a time zone");
        check("0 0 31 2 *", "UTC", "never comes");
    }
}

//! How parameters are read.

use super::*;

#[test]
fn whole_numbers_are_read_however_they_are_written() {
    for (written, number) in [
        ("5", Some(5)),
        ("5.0", Some(5)),
        ("5e3", Some(5000)),
        ("28640280889800019968", Some(u64::MAX)),
        ("1e400", Some(u64::MAX)),
        ("0", Some(0)),
        ("5.5", None),
        ("-1", None),
        ("", None),
        ("x", None),
        ("NaN", None),
    ] {
        assert_eq!(whole(written), number, "{written}");
    }
}

//! What a caller takes: `Accept` with its quality values (RFC 9110, section 12.5.1).

use actix_web::http::header::{ACCEPT, HeaderMap};

/// Media ranges that count.
const MOST_RANGES: usize = 100;

/// The media ranges a caller names; none means that everything is welcome.
#[derive(Debug, Clone)]
pub(crate) struct Accept(Vec<Range>);

/// One media range: `text/plain`, `text/*` or `*/*`, in lower case.
#[derive(Debug, Clone)]
struct Range {
    kind: String,
    subtype: String,
    /// In thousandths.
    quality: u16,
}

impl Accept {
    /// What the headers say.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(ACCEPT);
        let ranges = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(Range::parse);
        Self(ranges.take(MOST_RANGES).collect())
    }

    /// How welcome a media type is, in thousandths; 0 is not at all. The range that names it most exactly counts.
    pub(crate) fn quality(&self, media_type: &str) -> u16 {
        if self.0.is_empty() {
            return 1000;
        }
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let lower = essence.to_ascii_lowercase();
        let (kind, subtype) = lower.split_once('/').unwrap_or((&lower, ""));
        let fitting = self.0.iter().filter_map(|range| {
            let exactness = range.exactness(kind, subtype)?;
            Some((exactness, range.quality))
        });
        fitting.max().map_or(0, |(_, quality)| quality)
    }

    /// How welcome the most welcome type of a kind (`image`) is.
    pub(crate) fn quality_of_kind(&self, kind: &str) -> u16 {
        if self.0.is_empty() {
            return 1000;
        }
        let of_kind = self.0.iter().filter(|range| range.kind == kind);
        let named = of_kind.map(|range| range.quality).max();
        named.unwrap_or_else(|| self.quality(&format!("{kind}/*")))
    }

    /// The most welcome of these; the first of several.
    pub(crate) fn best<'o>(&self, offers: impl Iterator<Item = &'o str>) -> Option<&'o str> {
        let mut best: Option<(u16, &str)> = None;
        for offer in offers {
            let quality = self.quality(offer);
            if quality > best.map_or(0, |(quality, _)| quality) {
                best = Some((quality, offer));
            }
        }
        best.map(|(_, offer)| offer)
    }
}

impl Range {
    fn parse(written: &str) -> Option<Self> {
        let mut parts = written.split(';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let quality = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then(|| thousandths(value.trim()))?
        });
        Some(Self {
            kind: kind.to_ascii_lowercase(),
            subtype: subtype.to_ascii_lowercase(),
            quality: quality.unwrap_or(1000),
        })
    }

    /// How exactly this range names a type, if it does.
    fn exactness(&self, kind: &str, subtype: &str) -> Option<u8> {
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(0),
            (named, "*") if named == kind => Some(1),
            (named, of) if named == kind && of == subtype => Some(2),
            _ => None,
        }
    }
}

/// A quality value, `0` to `1` with up to three decimals, in thousandths.
fn thousandths(written: &str) -> Option<u16> {
    let (whole, decimals) = written.split_once('.').unwrap_or((written, ""));
    let digits = decimals.bytes().all(|byte| byte.is_ascii_digit()) && decimals.len() <= 3;
    if !digits || !matches!(whole, "0" | "1") {
        return None;
    }
    let padded = format!("{whole}{decimals:0<3}");
    padded.parse().ok().map(|value: u16| value.min(1000))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn accept(written: &'static str) -> Accept {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(written));
        Accept::of(&headers)
    }

    #[test]
    fn the_most_exact_range_counts() {
        let accept = accept("text/*;q=0.3, text/plain;q=0.7, */*;q=0.5, image/PNG");
        for (media_type, quality) in [
            ("text/plain; charset=utf-8", 700),
            ("text/html", 300),
            ("application/json", 500),
            ("image/png", 1000),
        ] {
            assert_eq!(accept.quality(media_type), quality, "{media_type}");
        }
    }

    #[test]
    fn the_first_of_equals_is_best_and_zero_is_never() {
        let offers = || ["application/json", "text/plain", "image/png"].into_iter();
        for (written, best) in [
            ("*/*", Some("application/json")),
            (
                "text/event-stream, application/json",
                Some("application/json"),
            ),
            ("application/json;q=0.5, text/plain", Some("text/plain")),
            ("application/json;q=0, */*", Some("text/plain")),
            ("application/xml", None),
            ("", Some("application/json")),
        ] {
            assert_eq!(accept(written).best(offers()), best, "{written}");
        }
    }

    #[test]
    fn quality_values_are_read_as_written() {
        for (written, value) in [
            ("1", Some(1000)),
            ("0.5", Some(500)),
            ("0.001", Some(1)),
            ("1.000", Some(1000)),
            ("2", None),
            ("0.1234", None),
            ("x", None),
        ] {
            assert_eq!(thousandths(written), value, "{written}");
        }
    }
}

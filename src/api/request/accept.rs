//! The media types that a client accepts, and which of several it prefers (`Accept`, RFC 9110, section 12.5.1).

use actix_web::http::header::{ACCEPT, HeaderMap, Quality, QualityItem};
use actix_web::mime::{Mime, STAR};

/// Media ranges that are looked at.
const MAX_RANGES: usize = 100;

/// The media ranges a client names; with none, everything is acceptable. A range that cannot be read is left out; a quality that
/// cannot be read (`q=.2`: `HttpURLConnection` of Java 8) counts as 1.
#[derive(Debug, Clone)]
pub(crate) struct Accept(Vec<QualityItem<Mime>>);

impl Accept {
    /// As the headers say.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let lines = headers
            .get_all(ACCEPT)
            .filter_map(|line| line.to_str().ok());
        let ranges = lines.flat_map(|line| line.split(',')).filter_map(range);
        Self(ranges.take(MAX_RANGES).collect())
    }

    /// How acceptable a media type is, by the most specific range that matches it.
    pub(crate) fn quality(&self, media_type: &str) -> Quality {
        if self.0.is_empty() {
            return Quality::MAX;
        }
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let matches = self.0.iter().filter_map(|range| {
            let specificity = specificity(&range.item, essence)?;
            Some((specificity, range.quality))
        });
        matches.max().map_or(Quality::ZERO, |(_, quality)| quality)
    }

    /// How acceptable the most acceptable media type of this top-level type (`image`) is.
    pub(crate) fn quality_of_kind(&self, kind: &str) -> Quality {
        let of_kind = self.0.iter().filter(|range| range.item.type_() == kind);
        let named = of_kind.map(|range| range.quality).max();
        named.unwrap_or_else(|| self.quality(&format!("{kind}/*")))
    }

    /// The most acceptable of these; the first of equals.
    pub(crate) fn best<'o>(&self, offers: impl Iterator<Item = &'o str>) -> Option<&'o str> {
        let mut best: Option<(Quality, &str)> = None;
        for offer in offers {
            let quality = self.quality(offer);
            if quality > best.map_or(Quality::ZERO, |(quality, _)| quality) {
                best = Some((quality, offer));
            }
        }
        best.map(|(_, offer)| offer)
    }
}

/// A media range and its quality: that of the first `q` that can be read, whatever other parameters look like.
fn range(written: &str) -> Option<QualityItem<Mime>> {
    let mut parts = written.split(';');
    let media_range = parts.next()?.trim().parse().ok()?;
    let quality = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_quality = name.trim().eq_ignore_ascii_case("q");
        let any: Option<QualityItem<Mime>> = format!("*/*;q={}", value.trim()).parse().ok();
        any.filter(|_| is_quality).map(|any| any.quality)
    });
    Some(QualityItem::new(
        media_range,
        quality.unwrap_or(Quality::MAX),
    ))
}

/// How specific a media range is for a media type, if it matches.
fn specificity(range: &Mime, essence: &str) -> Option<u8> {
    let kind = essence.split('/').next().unwrap_or_default();
    if range.essence_str().eq_ignore_ascii_case(essence) {
        Some(2)
    } else if range.subtype() == STAR && range.type_() == kind {
        Some(1)
    } else if range.subtype() == STAR && range.type_() == STAR {
        Some(0)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderValue, q};

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
            ("text/plain; charset=utf-8", q(0.7)),
            ("text/html", q(0.3)),
            ("application/json", q(0.5)),
            ("image/png", q(1.0)),
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
            ("nonsense, text/plain; q=2", Some("text/plain")),
            (
                "text/html, image/gif, *; q=.2, */*; q=.2",
                Some("application/json"),
            ),
            ("text/xml, application/json;q=.8", Some("application/json")),
            (
                "text/plain; q = 0.5;a, application/json;q=0.8",
                Some("application/json"),
            ),
            ("text/plain;, application/json;q=0.5", Some("text/plain")),
        ] {
            assert_eq!(accept(written).best(offers()), best, "{written}");
        }
    }
}

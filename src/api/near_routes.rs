//! The routes that a path without a route was probably meant for. Pure: two paths are compared segment by segment.

use actix_web::http::Method;
use strsim::levenshtein;

/// A method and the path of a route.
pub(crate) type Near = (Method, &'static str);

/// Routes that are suggested at most. Where more are equally near, none of them is.
const MOST: usize = 3;
/// Segments, and bytes of one, that are compared: no route has more.
const SEGMENTS: usize = 12;
const SEGMENT: usize = 64;

/// What makes a path different from a route, from least to most. Up to `FAR` together, a route is near.
const MISSPELT: usize = 1;
const OTHER_METHOD: usize = 2;
const ONE_MORE: usize = 2;
const ANOTHER: usize = 3;
const FAR: usize = 3;

/// Those of `routes` that are nearest to `path`.
pub(crate) fn near<'r>(
    routes: impl Iterator<Item = (&'r Method, &'static str)>,
    method: &Method,
    path: &str,
) -> Vec<Near> {
    let wanted = segments(path);
    if wanted.len() > SEGMENTS || wanted.iter().any(|segment| segment.is_empty()) {
        return Vec::new();
    }
    let mut nearest: Vec<Near> = Vec::new();
    let mut least = FAR;
    for (of_route, route) in routes {
        let mut cost = distance(&wanted, &segments(route));
        if of_route != method {
            cost += OTHER_METHOD;
        }
        if cost < least {
            nearest.clear();
        }
        if cost <= least {
            least = cost;
            nearest.push((of_route.clone(), route));
        }
    }
    if nearest.len() > MOST {
        nearest.clear();
    }
    nearest
}

fn segments(path: &str) -> Vec<&str> {
    path.trim_matches('/').split('/').collect()
}

/// The edit distance of two lists of segments.
fn distance(wanted: &[&str], route: &[&str]) -> usize {
    let mut row: Vec<usize> = (0..=route.len())
        .map(|missing| missing * ONE_MORE)
        .collect();
    for segment in wanted {
        let mut diagonal = row.first().copied().unwrap_or_default();
        let mut left = diagonal + ONE_MORE;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (above, expected) in row.iter_mut().skip(1).zip(route) {
            let cost = (diagonal + difference(segment, expected))
                .min(*above + ONE_MORE)
                .min(left + ONE_MORE);
            diagonal = std::mem::replace(above, cost);
            left = cost;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn difference(segment: &str, expected: &str) -> usize {
    // The rest of a path says nothing of the route.
    let is_variable = expected.starts_with('{') && expected != "{file}";
    if segment == expected || is_variable {
        return 0;
    }
    if segment.len() > SEGMENT {
        return ANOTHER;
    }
    let segment = segment.to_lowercase();
    let is_part = segment.len() >= 4 && expected.contains(&segment);
    if is_part || levenshtein(&segment, expected) <= expected.len() / 3 {
        MISSPELT
    } else {
        ANOTHER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: [Near; 11] = [
        (Method::GET, "/swagger-ui/{file}"),
        (Method::GET, "/api/list-servers"),
        (Method::GET, "/api/mcp/{server}/tools"),
        (Method::GET, "/api/mcp/{server}/tools/{tool}"),
        (Method::POST, "/api/mcp/{server}/tools/{tool}/execute"),
        (Method::POST, "/api/mcp/{server}/rpc"),
        (Method::GET, "/api/tools"),
        (Method::GET, "/health"),
        (Method::GET, "/livez"),
        (Method::GET, "/readyz"),
        (Method::GET, "/openapi.json"),
    ];

    fn found(method: &Method, path: &str) -> Vec<&'static str> {
        let routes = ROUTES.iter().map(|(method, path)| (method, *path));
        let near = near(routes, method, path);
        near.into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn a_slip_leads_to_the_route() {
        for (method, path, expected) in [
            (Method::GET, "/api/mcp/s/tool", "/api/mcp/{server}/tools"),
            (
                Method::POST,
                "/api/mcp/s/tools/echo/exec",
                "/api/mcp/{server}/tools/{tool}/execute",
            ),
            (
                Method::POST,
                "/api/mcp/s/echo/execute",
                "/api/mcp/{server}/tools/{tool}/execute",
            ),
            (
                Method::POST,
                "/mcp/s/tools/echo/execute",
                "/api/mcp/{server}/tools/{tool}/execute",
            ),
            (
                Method::POST,
                "/api/mcp/s/tools/echo/call",
                "/api/mcp/{server}/tools/{tool}/execute",
            ),
            (Method::GET, "/api/servers", "/api/list-servers"),
            (Method::GET, "/API/Tools", "/api/tools"),
            (Method::GET, "/openapi", "/openapi.json"),
        ] {
            assert_eq!(found(&method, path), [expected], "{path}");
        }
    }

    #[test]
    fn what_is_near_to_nothing_or_to_much_leads_nowhere() {
        let long = format!("/api/{}/tools/x/y/z", "x".repeat(10_000));
        let deep = "/a".repeat(10_000);
        for path in ["/", "/foo", "/x/y/z", "/wp-login.php", &long, &deep] {
            assert_eq!(found(&Method::GET, path), Vec::<&str>::new());
        }
    }
}

//! Takes the files of Swagger UI that are served out of the vendored archive, as gzip files for `include_bytes!`.
//!
//! Nothing is compressed anew: a member of a zip archive is a raw deflate stream, and so is a gzip file between its header and its trailer.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED as ARCHIVE;

const WANTED: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

const END_OF_DIRECTORY: &[u8] = b"PK\x05\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const DEFLATE: usize = 8;
/// No name, no time, no flags; maximum compression, made on Unix (RFC 1952, section 2.3.1).
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var("OUT_DIR")?;
    for name in WANTED {
        let file = gzip_file(name).ok_or_else(|| format!("{name} is not in the archive"))?;
        fs::write(Path::new(&folder).join(format!("{name}.gz")), file)?;
    }
    Ok(())
}

/// A member of the archive, found by the central directory (APPNOTE 4.3.12 and 4.3.16), as a gzip file.
fn gzip_file(name: &str) -> Option<Vec<u8>> {
    let end = last_position(END_OF_DIRECTORY)?;
    let mut place = number::<4>(end + 16)?;
    while bytes(place, 4)? == ENTRY {
        let length_of_name = number::<2>(place + 28)?;
        let path = bytes(place + 46, length_of_name)?;
        if path.ends_with(format!("/dist/{name}").as_bytes()) {
            return member(place);
        }
        place += 46 + length_of_name + number::<2>(place + 30)? + number::<2>(place + 32)?;
    }
    None
}

fn member(entry: usize) -> Option<Vec<u8>> {
    if number::<2>(entry + 10)? != DEFLATE {
        return None;
    }
    let header = number::<4>(entry + 42)?;
    let data = header + 30 + number::<2>(header + 26)? + number::<2>(header + 28)?;
    let (checksum, size) = (bytes(entry + 16, 4)?, bytes(entry + 24, 4)?);
    let deflated = bytes(data, number::<4>(entry + 20)?)?;
    Some([&GZIP_HEADER, deflated, checksum, size].concat())
}

fn bytes(place: usize, length: usize) -> Option<&'static [u8]> {
    ARCHIVE.get(place..place.checked_add(length)?)
}

/// A little-endian number of so many bytes.
fn number<const LENGTH: usize>(place: usize) -> Option<usize> {
    let digits = bytes(place, LENGTH)?.iter().rev();
    Some(digits.fold(0, |number, digit| number * 256 + usize::from(*digit)))
}

fn last_position(signature: &[u8]) -> Option<usize> {
    ARCHIVE
        .windows(signature.len())
        .rposition(|window| window == signature)
}

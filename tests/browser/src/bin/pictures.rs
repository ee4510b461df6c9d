//! Makes the pictures of the page that the repository shows: two minutes of a real service with customers, in light,
//! dark and on a phone.
//!
//! ```text
//! cargo run --release -p failfast-browser-tests --bin pictures
//! ```
//!
//! With Debian's fonts-inter on the machine the pictures have that typeface, which the page asks for first.

use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use failfast_browser_tests::service::{build, free_port, Customers, Service};
use failfast_browser_tests::webdriver::{find_or_install, Browser};

/// Larger ones have no place in a repository.
const LARGEST: usize = 200_000;

/// What happens before the pictures are taken: the second, and the dial that is turned.
const SCRIPT: [(u64, &str); 6] = [
    (0, "inventory/fail?rate=0.12"),
    (25, "payment/fail"),
    (36, "payment/recover"),
    (62, "notification/slow"),
    (75, "notification/recover"),
    (104, "shipping/fail"),
];

fn main() -> Result<(), String> {
    find_or_install()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/checkout/pictures");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let service = Service::start(&build(), free_port());
    let _customers = Customers::start(&service.url(), 6, Duration::from_millis(60));
    let browser = Browser::open();
    browser.size(1360, 980, 1.0);
    browser.prefer("prefers-color-scheme", "light");
    browser.go(&service.url());
    let start = Instant::now();
    for (second, dial) in SCRIPT {
        let then = start + Duration::from_secs(second);
        thread::sleep(then.saturating_duration_since(Instant::now()));
        println!("{second} s: {dial}");
        let turned = ureq::post(format!("{}dependencies/{dial}", service.url())).send_empty();
        turned.map_err(|error| format!("{dial}: {error}"))?;
    }
    let shipping = "document.querySelectorAll('.card')[2]";
    browser.shows(
        "shipping's open time well on its way",
        &format!("{shipping}.querySelector('.since').textContent.match(/probe in 1\\d/)"),
    );
    for (name, theme, (width, height), pixels) in [
        ("light", "light", (1280, 1290), 1.0),
        ("dark", "dark", (1280, 1290), 1.0),
        ("phone", "light", (360, 740), 2.0),
    ] {
        browser.prefer("prefers-color-scheme", theme);
        browser.size(width, height, pixels);
        if name == "phone" {
            browser.run(&format!("{shipping}.scrollIntoView()"));
        }
        let picture = smaller(&browser.picture())?;
        println!("{name}.png: {} bytes", picture.len());
        if picture.len() > LARGEST {
            return Err(format!("{name}.png is too large"));
        }
        fs::write(folder.join(format!("{name}.png")), picture)
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The same picture, packed for flat areas.
fn smaller(picture: &[u8]) -> Result<Vec<u8>, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let mut reader = png::Decoder::new(Cursor::new(picture)).read_info().map_err(|e| words(&e))?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("too large a picture")?];
    let info = reader.next_frame(&mut pixels).map_err(|e| words(&e))?;
    let mut packed = Vec::new();
    let mut encoder = png::Encoder::new(&mut packed, info.width, info.height);
    encoder.set_color(info.color_type);
    encoder.set_depth(info.bit_depth);
    encoder.set_compression(png::Compression::High);
    // `High` brings filters of its own.
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().map_err(|e| words(&e))?;
    writer.write_image_data(&pixels[..info.buffer_size()]).map_err(|e| words(&e))?;
    writer.finish().map_err(|e| words(&e))?;
    Ok(packed)
}

//! Reading and checking a configuration takes memory and work in proportion to its size, whatever its shape.

use allocation_counter::measure;
use failfast::clock::ManualClock;
use failfast::config::{BreakerConfig, Config, InvalidConfig};
use failfast::Registry;

/// A chain of so many templates, and as many breakers at its far end.
fn chain(templates: u32) -> Config {
    let entry = BreakerConfig::default;
    let mut config = Config::default().with_template("t0", entry().min_calls(9));
    for number in 1..templates {
        let base = entry().template(format!("t{}", number - 1));
        config = config.with_template(format!("t{number}"), base);
    }
    for number in 0..templates {
        let last = entry().template(format!("t{}", templates - 1));
        config = config.with_breaker(format!("b{number}"), last);
    }
    config
}

/// Four times the entries: four times the allocations, and some for what grows slower; squared it would be sixteen.
#[track_caller]
fn is_linear(work: impl Fn(u32) -> Box<dyn FnOnce()>) {
    let [few, many] = [200, 800].map(|size| {
        let work = work(size);
        measure(work).count_total
    });
    assert!(few > 0 && many < 6 * few, "{few} allocations, and {many} for four times as much");
}

#[test]
fn a_check_follows_no_template_twice() {
    is_linear(|size| {
        let config = chain(size);
        Box::new(move || config.validate().unwrap())
    });
}

#[test]
fn an_apply_follows_no_template_twice() {
    is_linear(|size| {
        let registry = Registry::with_clock(ManualClock::new());
        for number in 0..size {
            registry.breaker(&format!("b{number}")).unwrap();
        }
        registry.apply(chain(size)).unwrap();
        Box::new(move || drop(registry.apply(chain(size).with_bulkhead("payment", 1)).unwrap()))
    });
}

/// The largest text that is read.
const LARGEST: usize = 256 << 10;

/// As many pieces as there is room for between two ends; the pieces are numbered, for keys that must differ.
fn text([begin, end]: [&str; 2], piece: impl Fn(usize) -> String) -> String {
    let mut text = begin.to_owned();
    for piece in (0..).map(piece) {
        if text.len() + piece.len() + end.len() > LARGEST {
            break;
        }
        text += &piece;
    }
    text + end
}

/// Shapes of text that make a parser hold much: each in a few bytes begins a table, a list, a pair, a token.
#[test]
fn no_text_takes_more_memory_than_is_said() {
    type Read = fn(&str) -> Result<Config, InvalidConfig>;
    let same = |ends, piece: &str| text(ends, |_| piece.to_owned());
    let keyed = |ends, rest: &str| text(ends, |number| format!("{number:x}{rest}"));
    let formats: [(&str, Read, usize, &[String]); 3] = [
        (
            "TOML",
            Config::from_toml,
            150 << 20,
            &[
                keyed(["", ""], &format!("{}=1\n", ".a".repeat(14))),
                keyed(["", ""], &format!("{}=1\n", ".a".repeat(78))),
                text(["", ""], |number| format!("[{number:x}{}]\n", ".a".repeat(60))),
                same(["a=[", "]"], "{a.a.a.a.a.a=1},"),
                same(["a=[", "]"], "1,"),
                same(["a=", ""], "["),
                same(["", ""], "[[a]]\n"),
                same(["", ""], "[\n"),
                same(["", ""], "\n"),
            ],
        ),
        (
            "JSON",
            Config::from_json,
            20 << 20,
            &[
                same(["[[]", "]"], ",[]"),
                same(["[{}", "]"], ",{}"),
                same(["", ""], "["),
                text(["{\"x\":1", "}"], |number| format!(",\"{number:x}\":1")),
                same(["1", ""], "\n"),
            ],
        ),
        (
            "YAML",
            Config::from_yaml,
            100 << 20,
            &[
                same(["[", "]"], ": ,"),
                same(["[", "]"], "a: 1,"),
                same(["[", "]"], "[[a: ]],"),
                same(["[", "]"], "1,"),
                same(["", ""], "["),
                same(["", ""], "- a:\n"),
                same(["a: &a 1\nb: [", "]"], "*a,"),
                text(["[", "]"], |number| format!("&{number:x} 1,")),
                keyed(["", ""], ":\n"),
            ],
        ),
    ];
    for (format, read, most, texts) in formats {
        for text in texts {
            let peak = measure(|| drop(read(text))).bytes_max as usize;
            let begin = text.get(..20).unwrap_or(text);
            println!("{format} {begin:?}: {} KiB", peak >> 10);
            assert!(peak < most, "{format} {begin:?}: {peak} bytes");
        }
    }
    // What is a configuration takes far less.
    let entry = |number| format!("[breakers.b{number}]\nfailure_rate = 0.5\n");
    let breakers = text(["", ""], entry);
    let peak = measure(|| assert!(Config::from_toml(&breakers).is_ok())).bytes_max as usize;
    assert!(peak < 30 << 20, "{peak} bytes");
}

//! What is measured on the page as it is drawn: colours and contrasts.

use failfast_browser_tests::webdriver::Browser;

/// The least contrasts on the page, with what has them.
pub(crate) struct Contrasts {
    /// Whether the page was live.
    pub(crate) live: bool,
    pub(crate) text: (f64, String),
    pub(crate) mark: (f64, String),
    pub(crate) texts: u64,
    pub(crate) marks: u64,
}

/// WCAG 2's contrast of every visible text with what is behind it, and of every mark that says something.
///
/// Colours as computed, whatever notation they are in (a canvas turns them into bytes); backgrounds blended up to the
/// first opaque one; `grayscale(1)` of an ancestor applied to both.
pub(crate) fn contrasts(browser: &Browser) -> Contrasts {
    let found = browser.look(
        r#"
        const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
            .getContext("2d", { willReadFrequently: true });
        const bytes = color => {
            pen.clearRect(0, 0, 1, 1); pen.fillStyle = color; pen.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
            return [r, g, b, a / 255];
        };
        const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
        const lineage = element => { const all = []; for (let e = element; e; e = e.parentElement) all.push(e); return all };
        const behind = element => lineage(element).reverse()
            .map(e => bytes(getComputedStyle(e).backgroundColor))
            .reduce((below, color) => over(color, below), [255, 255, 255, 1]);
        const gray = element => lineage(element).some(e => getComputedStyle(e).filter.includes("grayscale"));
        const drain = ([r, g, b]) => { const y = .2126 * r + .7152 * g + .0722 * b; return [y, y, y] };
        const light = rgb => {
            const [r, g, b] = rgb.slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
            return .2126 * r + .7152 * g + .0722 * b;
        };
        const contrast = (element, color, ground) => {
            let front = over(bytes(color), ground), back = ground;
            if (gray(element)) [front, back] = [drain(front), drain(back)];
            const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
            return (a + .05) / (b + .05);
        };
        const live = !document.documentElement.matches(".stale");
        const result = { live, text: [99, ""], mark: [99, ""], texts: 0, marks: 0 };
        const note = (kind, value, what) => {
            result[kind + "s"]++;
            if (value < result[kind][0]) result[kind] = [value, what];
        };
        for (const element of document.body.querySelectorAll("*")) {
            if (!element.checkVisibility({ visibilityProperty: true }) || element.closest("dialog:not([open]), .unseen, noscript")) continue;
            const style = getComputedStyle(element);
            const own = [...element.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
            if (own) note("text", contrast(element, style.color, behind(element)), `${element.tagName}.${element.className} ${element.textContent.slice(0, 30)}`);
            const what = element.matches?.(".trace, .limit, .switch path, .chip path") ? style.stroke
                : element.matches?.(".strip rect[data-state], .window rect:not(.base)") ? style.fill : null;
            if (what && !element.closest(".stale")) note("mark", contrast(element, what, behind(element)), `${element.tagName}.${element.getAttribute("class")}`);
        }
        return result;
        "#,
    );
    let least = |kind: &str| {
        let of = found[kind][1].as_str().unwrap_or("").to_string();
        (found[kind][0].as_f64().expect("a contrast"), of)
    };
    let number = |kind: &str| found[kind].as_u64().expect("a count");
    Contrasts {
        live: found["live"] == true,
        text: least("text"),
        mark: least("mark"),
        texts: number("texts"),
        marks: number("marks"),
    }
}

/// A breaker's state in a word, and what a person would call the colour of that word.
pub(crate) fn word_and_color(browser: &Browser, breaker: usize) -> (String, &'static str) {
    let found = browser.look(&format!(
        r#"
        const word = document.querySelectorAll(".card .state span")[{breaker}];
        const pen = document.createElement("canvas").getContext("2d");
        pen.fillStyle = getComputedStyle(word).color;
        pen.fillRect(0, 0, 1, 1);
        return [word.textContent, ...pen.getImageData(0, 0, 1, 1).data];
        "#
    ));
    let word = found[0].as_str().unwrap_or_else(|| panic!("no word: {found}"));
    let part = |at: usize| found[at].as_i64().unwrap_or_else(|| panic!("no colour: {found}"));
    let (red, green, blue) = (part(1), part(2), part(3));
    let color = match () {
        () if red > green + 60 && red > blue + 60 => "red",
        () if green > red + 40 && green > blue + 20 => "green",
        () if red > blue + 60 && green > blue + 40 => "amber",
        () => "none of red, green, amber",
    };
    (word.to_string(), color)
}

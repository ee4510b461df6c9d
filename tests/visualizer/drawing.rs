//! Drawings: golden ones, and that none goes beyond its area.

use std::fs;
use std::path::Path;

use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use ratatui::Terminal;

use crate::boards::{busy, by_hand, extreme};
use crate::draw::{draw, Colours, Letters, Paper};
use crate::lines;
use crate::model::{Board, View};
use crate::picture;

const COLOURED: Paper = Paper { colours: Colours::Ansi, letters: Letters::Unicode };
const PALE: Paper = Paper { colours: Colours::None, letters: Letters::Unicode };
const ASCII: Paper = Paper { colours: Colours::None, letters: Letters::Ascii };

/// As the program draws it.
fn drawn(board: &Board, view: &View, paper: Paper, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(board, view, paper, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

/// The letters, and below them a letter for how each looks: capitals are bold, `.` is faint.
fn with_inks(buffer: &Buffer) -> String {
    let mut text = picture::text(buffer);
    text.push_str("--\n");
    for row in buffer.content.chunks(usize::from(buffer.area.width)) {
        let line: String = row.iter().map(ink).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn ink(cell: &Cell) -> char {
    let letter = match cell.fg {
        _ if cell.symbol() == " " => ' ',
        Color::Green => 'g',
        Color::Yellow => 'y',
        Color::Red => 'r',
        Color::Cyan => 'c',
        _ if cell.modifier.contains(Modifier::DIM) => '.',
        _ => 'p',
    };
    if cell.modifier.contains(Modifier::BOLD) {
        letter.to_ascii_uppercase()
    } else {
        letter
    }
}

fn hold_against_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/visualizer/golden").join(name);
    if std::env::var_os("GOLDEN").is_some_and(|what| what == "write") {
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(golden == text, "{name} is no longer drawn so; now:\n{text}");
}

#[test]
fn closed_open_half_open_and_a_consecutive_window() {
    let board = busy();
    for (size, name) in [((80, 24), "80x24"), ((120, 40), "120x40"), ((60, 15), "60x15")] {
        let coloured = drawn(&board, &View::default(), COLOURED, size);
        hold_against_golden(&format!("busy-{name}.txt"), &with_inks(&coloured));
        let ascii = drawn(&board, &View::default(), ASCII, size);
        hold_against_golden(&format!("busy-{name}-ascii.txt"), &picture::text(&ascii));
        // Without colours the same letters say the same.
        let pale = drawn(&board, &View::default(), PALE, size);
        assert_eq!(picture::text(&pale), picture::text(&coloured));
        assert!(pale.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        assert!(picture::text(&ascii).is_ascii());
    }
}

#[test]
fn states_that_an_operator_sets() {
    let board = by_hand();
    let view = View { selected: 2, ..View::default() };
    for (size, name) in [((80, 24), "80x24"), ((120, 40), "120x40")] {
        let coloured = drawn(&board, &view, COLOURED, size);
        hold_against_golden(&format!("by-hand-{name}.txt"), &with_inks(&coloured));
    }
    let ascii = drawn(&board, &view, ASCII, (80, 24));
    hold_against_golden("by-hand-80x24-ascii.txt", &picture::text(&ascii));
}

#[test]
fn help_pause_and_what_a_script_says() {
    let board = busy();
    let help = View { help: true, ..View::default() };
    hold_against_golden("help-80x24.txt", &with_inks(&drawn(&board, &help, COLOURED, (80, 24))));
    let ascii = drawn(&board, &help, ASCII, (80, 24));
    hold_against_golden("help-80x24-ascii.txt", &picture::text(&ascii));
    let header = |view: View| picture::text(&drawn(&board, &view, PALE, (80, 24)));
    let paused = header(View { paused: true, ..View::default() });
    assert!(paused.lines().next().unwrap().ends_with("paused at 0:40; calls go on"), "{paused}");
    let noted = header(View { note: "payment fails", ..View::default() });
    assert!(noted.lines().next().unwrap().ends_with("payment fails     0:40"), "{noted}");
}

#[test]
fn everything_essential_is_there_at_80_by_24() {
    let text = picture::text(&drawn(&busy(), &View::default(), ASCII, (80, 24)));
    for words in [
        "payment      _ closed",
        "inventory    # open",
        "3.2 s left",
        "3.2 s of 5.0 s left",
        "shipping     ? half-open",
        ":41001",
        "curl -X POST http://127.0.0.1:41001/fail",
        "20.0 calls/s",
        "20.0 refused/s",
        "40 of 50 %",
        "15 of 50 %",
        "run 2 of 3",
        "8 failed",
        "10 of 20 calls were slow",
        "fail 30%",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
}

#[test]
fn a_board_without_breakers_and_one_with_many_are_drawn() {
    let none = picture::text(&drawn(&Board::default(), &View::default(), ASCII, (80, 24)));
    assert!(none.contains("0 breakers"), "{none}");
    let mut many = busy();
    many.watched = many.watched.iter().cycle().take(11).cloned().collect();
    let view = View { selected: 10, ..View::default() };
    let text = picture::text(&drawn(&many, &view, ASCII, (80, 24)));
    assert!(text.contains(">  shipping"), "the selected one is shown:\n{text}");
}

#[test]
fn no_size_and_no_figure_makes_it_panic_or_write_beyond_its_area() {
    let boards = [busy(), by_hand(), extreme(), Board::default()];
    let mut gone = View { selected: usize::MAX, ..View::default() };
    gone.note =
        "a note that is longer than the header of any terminal, and by far, as notes may well be";
    let views = [View::default(), View { help: true, ..View::default() }, gone];
    for width in 0..=200_u16 {
        for height in 0..=60_u16 {
            // Around the sizes at which the drawing changes all of them, elsewhere some.
            let near = width.abs_diff(80) < 3 && height.abs_diff(24) < 4;
            if !near && width % 40 != 0 && height % 30 != 0 {
                continue;
            }
            let area = Rect::new(3, 2, width, height);
            let canvas = Rect::new(0, 0, width + 6, height + 4);
            for (number, board) in boards.iter().enumerate() {
                let view = &views[(number + usize::from(width + height)) % views.len()];
                let mut buffer = Buffer::filled(canvas, Cell::new("~"));
                for position in area.positions() {
                    buffer[position].reset();
                }
                draw(
                    board,
                    view,
                    if number % 2 == 0 { COLOURED } else { ASCII },
                    area,
                    &mut buffer,
                );
                for position in canvas.positions().filter(|&position| !area.contains(position)) {
                    assert_eq!(buffer[position].symbol(), "~", "{width}x{height} at {position}");
                }
            }
        }
    }
    // An area that the buffer does not have.
    let mut small = Buffer::empty(Rect::new(0, 0, 10, 3));
    draw(&boards[0], &views[0], COLOURED, Rect::new(5, 1, 200, 60), &mut small);
    draw(&boards[0], &views[0], COLOURED, Rect::new(u16::MAX, u16::MAX, 80, 24), &mut small);
}

#[test]
fn nothing_that_is_shown_can_steer_the_terminal() {
    let text = picture::text(&drawn(&extreme(), &View::default(), COLOURED, (120, 40)));
    assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
}

#[test]
fn lines_say_in_words_what_the_picture_shows() {
    let board = busy();
    assert_eq!(
        lines::second(&board),
        "  0:40.0  payment closed 20.0/s 40 % failed 15 % slow | inventory open 3.2 s left 0.0/s 20.0 refused/s | \
         shipping half-open 2.0/s 18.0 refused/s | notification closed 20.0/s\n"
    );
    let newest: Vec<String> =
        board.newest().take(3).map(|event| lines::event(&board, event)).collect();
    assert_eq!(
        newest.concat(),
        "  0:40.0  * shipping: dial > hang\n  0:40.0  * inventory: dial > slow\n  0:40.0  * payment: dial > fail 30%\n"
    );
    assert!(
        lines::opening(&board).contains("curl -X POST http://127.0.0.1:41003/fail    # shipping")
    );
    for board in [by_hand(), extreme(), Board::default()] {
        assert!(lines::second(&board).ends_with('\n') && !lines::opening(&board).is_empty());
    }
}

#[test]
fn a_picture_is_whole_and_small_in_both_forms() {
    let buffer = drawn(&busy(), &View::default(), COLOURED, (100, 33));
    let text = picture::text(&buffer);
    assert_eq!(text.lines().count(), 33);
    assert!(text.lines().all(|line| line.chars().count() <= 100 && line.trim_end() == line));
    let svg = picture::svg(&buffer);
    assert!(
        svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.len() < 60_000,
        "{}",
        svg.len()
    );
    assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count());
    assert!(!svg.contains('█') && svg.contains("payment"), "blocks are shapes, words are text");
    let mut marked = Buffer::empty(Rect::new(0, 0, 5, 1));
    marked.set_string(0, 0, "a<&>b", ratatui::style::Style::new());
    assert!(picture::svg(&marked).contains("a&lt;&amp;&gt;b"));
    assert_eq!(picture::text(&Buffer::empty(Rect::ZERO)), "");
    assert!(picture::svg(&Buffer::empty(Rect::ZERO)).ends_with("</svg>\n"));
}

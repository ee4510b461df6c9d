//! Keys.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::dependency::Position;
use crate::keys::{take, Wish};
use crate::model::View;

fn press(view: &mut View, code: KeyCode) -> Option<Wish> {
    take(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)), view, 4)
}

#[test]
fn letters_turn_the_selected_dial() {
    let mut view = View { selected: 2, ..View::default() };
    for (letter, position) in
        [('f', Position::Fail), ('s', Position::Slow), ('h', Position::Hang), ('r', Position::Well)]
    {
        assert_eq!(press(&mut view, KeyCode::Char(letter)), Some(Wish::Turn(2, position)));
    }
    assert_eq!(press(&mut view, KeyCode::Char('R')), Some(Wish::Heal));
    let nobody = take(&Event::Key(KeyCode::Char('f').into()), &mut view, 0);
    assert_eq!(nobody, None, "there is nothing to turn");
}

#[test]
fn arrows_go_round_and_digits_go_straight() {
    let mut view = View::default();
    for (code, selected) in [
        (KeyCode::Down, 1),
        (KeyCode::Right, 2),
        (KeyCode::Tab, 3),
        (KeyCode::Char('j'), 0),
        (KeyCode::Up, 3),
        (KeyCode::Char('k'), 2),
        (KeyCode::Home, 0),
        (KeyCode::End, 3),
        (KeyCode::Char('2'), 1),
    ] {
        assert_eq!(press(&mut view, code), Some(Wish::Draw));
        assert_eq!(view.selected, selected, "{code:?}");
    }
    assert_eq!(press(&mut view, KeyCode::Char('9')), None, "there are four");
    assert_eq!(press(&mut view, KeyCode::Char('0')), None);
    assert_eq!(view.selected, 1);
    let mut nobody = View::default();
    for code in [KeyCode::Down, KeyCode::Up, KeyCode::End, KeyCode::Char('1')] {
        assert_eq!(take(&Event::Key(code.into()), &mut nobody, 0), None, "{code:?}");
    }
}

#[test]
fn the_picture_pauses_and_goes_on() {
    let mut view = View::default();
    press(&mut view, KeyCode::Char('p'));
    assert!(view.paused);
    press(&mut view, KeyCode::Char(' '));
    assert!(!view.paused);
}

#[test]
fn the_key_that_closes_the_help_does_nothing_else() {
    let mut view = View::default();
    assert_eq!(press(&mut view, KeyCode::Char('?')), Some(Wish::Draw));
    assert!(view.help);
    assert_eq!(press(&mut view, KeyCode::Char('f')), Some(Wish::Draw));
    assert!(!view.help);
    press(&mut view, KeyCode::Char('?'));
    assert_eq!(press(&mut view, KeyCode::Char('q')), Some(Wish::Quit));
}

#[test]
fn what_ends_it_and_what_means_nothing() {
    let mut view = View::default();
    let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
    assert_eq!(take(&Event::Key(control('c')), &mut view, 4), Some(Wish::Quit));
    assert_eq!(take(&Event::Key(control('f')), &mut view, 4), None);
    assert_eq!(press(&mut view, KeyCode::Esc), Some(Wish::Quit));
    let alt = KeyEvent::new(KeyCode::Char('f'), KeyModifiers::ALT);
    assert_eq!(take(&Event::Key(alt), &mut view, 4), None);
    let release = KeyEvent { kind: KeyEventKind::Release, ..KeyCode::Char('q').into() };
    assert_eq!(take(&Event::Key(release), &mut view, 4), None);
    assert_eq!(take(&Event::Resize(0, 0), &mut view, 4), Some(Wish::Draw));
    assert_eq!(take(&Event::FocusLost, &mut view, 4), None);
    assert_eq!(view, View::default());
}

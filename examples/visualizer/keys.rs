//! What the keys mean.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::dependency::Position;
use crate::model::View;

/// What a key asks the loop to do; what it changes in the view is already done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Draw again.
    Draw,
    /// Turn the dial of the dependency at this place.
    Turn(usize, Position),
    /// Turn all dials to well.
    Heal,
    Quit,
}

/// Takes an event of the terminal; `None` where it means nothing.
pub(crate) fn take(event: &Event, view: &mut View, breakers: usize) -> Option<Wish> {
    match event {
        // Some terminals tell of the release of a key too.
        Event::Key(key) if key.kind != KeyEventKind::Release => press(key, view, breakers),
        Event::Resize(..) => Some(Wish::Draw),
        _ => None,
    }
}

fn press(key: &KeyEvent, view: &mut View, breakers: usize) -> Option<Wish> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Wish::Quit);
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    if view.help {
        view.help = false;
        // The key that closes the help does nothing else, but for the one that ends everything.
        return Some(if key.code == KeyCode::Char('q') { Wish::Quit } else { Wish::Draw });
    }
    let turn = |position| (breakers > 0).then_some(Wish::Turn(view.selected, position));
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Quit),
        KeyCode::Char('f') => turn(Position::Fail),
        KeyCode::Char('s') => turn(Position::Slow),
        KeyCode::Char('h') => turn(Position::Hang),
        KeyCode::Char('r') => turn(Position::Well),
        KeyCode::Char('R') => Some(Wish::Heal),
        KeyCode::Char('p' | ' ') => {
            view.paused = !view.paused;
            Some(Wish::Draw)
        }
        KeyCode::Char('?') | KeyCode::F(1) => {
            view.help = true;
            Some(Wish::Draw)
        }
        KeyCode::Up | KeyCode::Left | KeyCode::BackTab | KeyCode::Char('k') => {
            select(view, view.selected.checked_sub(1).or(breakers.checked_sub(1)), breakers)
        }
        KeyCode::Down | KeyCode::Right | KeyCode::Tab | KeyCode::Char('j') => {
            select(view, (view.selected + 1).checked_rem(breakers), breakers)
        }
        KeyCode::Home => select(view, Some(0), breakers),
        KeyCode::End => select(view, breakers.checked_sub(1), breakers),
        KeyCode::Char(digit @ '1'..='9') => {
            select(view, Some(digit as usize - '1' as usize), breakers)
        }
        _ => None,
    }
}

fn select(view: &mut View, place: Option<usize>, breakers: usize) -> Option<Wish> {
    view.selected = place.filter(|&place| place < breakers)?;
    Some(Wish::Draw)
}

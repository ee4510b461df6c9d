//! The dials, by the service and at the dependency's own port.

use std::io::Write;
use std::net::TcpStream;

use ureq::Agent;

use crate::dependency::{Dependency, Dial, Position};
use crate::stand::{wait_until, Stand};

#[test]
fn unknown_names_and_dials_are_answered_with_the_known_ones() {
    let stand = Stand::open();
    let answer = stand.post("dependencies/paymet/fail");
    assert_eq!(answer.status, 404);
    assert!(answer.text.contains(r#"["payment","inventory","shipping","notification"]"#));
    let answer = stand.post("dependencies/payment/break");
    assert_eq!(answer.status, 404);
    assert!(answer.text.contains(r#"["fail","slow","hang","recover"]"#));
    assert_eq!(stand.post("dependencies/payment").status, 404);
    assert_eq!(stand.get("dependencies/payment/fail").status, 405);
}

#[test]
fn settings_of_a_dial_that_make_no_sense_are_refused_and_change_nothing() {
    let stand = Stand::open();
    for query in ["ms=-1", "ms=x", "ms=600001", "ms=", "rate=1.1", "rate=nan", "rate=-1", "often=1"]
    {
        let answer = stand.post(&format!("dependencies/payment/slow?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body["error"].as_str().unwrap().contains("allowed is"), "{query}");
    }
    assert_eq!(stand.post("dependencies/payment/fail?ms=5").status, 400);
    assert_eq!(stand.line("payment").dependency.dial(), Dial::WELL);
    let answer = stand.post("dependencies/payment/slow?rate=0.5&ms=20");
    assert_eq!(
        answer.text,
        r#"{"dependency":"payment","dial":{"position":"slow","rate":0.5,"ms":20}}"#
    );
}

#[test]
fn the_dependency_has_the_same_dials_on_its_own_port() {
    let payment = Dependency::start("payment", None, |number| number.to_string()).unwrap();
    let agent = Agent::config_builder().proxy(None).http_status_as_error(false).build().new_agent();
    let url = |path: &str| format!("http://{}/{path}", payment.address());
    let post = |path: &str| agent.post(url(path)).send_empty().unwrap().status().as_u16();

    assert_eq!((post("fail"), payment.dial().position), (200, Position::Fail));
    assert_eq!(
        (post("charge/1"), agent.get(url("ping")).call().unwrap().status().as_u16()),
        (500, 500)
    );
    assert_eq!((post("recover"), post("charge/1"), payment.asked()), (200, 200, 2));
    assert_eq!(post("fail?rate=2"), 400);
    assert_eq!(agent.get(url("fail")).call().unwrap().status().as_u16(), 405);
    assert_eq!(payment.dial(), Dial::WELL);
}

#[test]
fn a_hang_ends_when_the_dial_is_turned_and_when_the_dependency_is_dropped() {
    let payment = Dependency::start("payment", None, |_| "1".into()).unwrap();
    let url = format!("http://{}/charge", payment.address());
    let agent = Agent::config_builder().proxy(None).http_status_as_error(false).build().new_agent();
    let ask = || agent.get(&url).call().map(|answer| answer.status().as_u16());
    for (dial, status) in [(Dial::WELL, Some(200)), (Dial::at(Position::Fail), Some(500))] {
        payment.turn(Dial::at(Position::Hang));
        let asked = payment.asked();
        std::thread::scope(|scope| {
            let asking = scope.spawn(ask);
            wait_until("it is asked", || payment.asked() > asked);
            payment.turn(dial);
            assert_eq!(asking.join().unwrap().ok(), status);
        });
    }
    payment.turn(Dial::at(Position::Hang));
    let (address, asked) = (payment.address(), payment.asked());
    std::thread::scope(|scope| {
        let asking = scope.spawn(ask);
        wait_until("it is asked", || payment.asked() > asked);
        drop(payment);
        assert!(asking.join().unwrap().is_err());
    });
    assert!(TcpStream::connect(address).is_err(), "somebody still listens");
}

#[test]
fn clients_that_have_gone_keep_no_place_of_a_dependency_that_hangs() {
    let payment = Dependency::start("payment", None, |_| "1".into()).unwrap();
    payment.turn(Dial::at(Position::Hang));
    // More than it has places.
    for _ in 0..300 {
        let mut stream = TcpStream::connect(payment.address()).unwrap();
        let _ = stream.write_all(b"POST /charge HTTP/1.1\r\n\r\n");
    }
    wait_until("one of them has asked", || payment.asked() > 0);
    let agent = Agent::config_builder().proxy(None).build().new_agent();
    let recover = format!("http://{}/recover", payment.address());
    wait_until("there is a place", || agent.post(&recover).send_empty().is_ok());
    assert_eq!(payment.dial(), Dial::WELL);
}

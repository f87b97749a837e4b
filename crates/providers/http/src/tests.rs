//! The client against a socket that says what a test tells it to.

use std::{sync::Arc, time::Duration};

use novacron_provider::{ErrorKind, retry::RetryPolicy};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Mutex,
};

use super::*;

/// Gives the answers in turn, one a connection, and keeps what was asked.
async fn server(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 8192];
            let mut len = 0;
            while !head[..len].windows(4).any(|w| w == b"\r\n\r\n") {
                len += stream.read(&mut head[len..]).await.unwrap();
            }
            seen.lock().await.push(String::from_utf8_lossy(&head[..len]).into_owned());
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (base, asked)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

fn limits(attempts: u32) -> Limits {
    let ms = Duration::from_millis;
    let retry = RetryPolicy { attempts, first_pause: ms(1), longest_pause: ms(2), ..RetryPolicy::default() };
    Limits { per_second: 1000.0, body: 1000, attempt: Duration::from_secs(20), retry, ..Limits::default() }
}

async fn get(answers: Vec<String>) -> (Result<Value>, Vec<String>) {
    let (base, asked) = server(answers.clone()).await;
    let client = HttpClient::new("Prices", &base, limits(answers.len() as u32)).unwrap();
    let client = client.with_secret("x-goog-api-key", SecretString::from("hunter2")).unwrap();
    let result = client.json("/a?b=c").await;
    (result, asked.lock().await.clone())
}

#[tokio::test]
async fn broken_answers_are_asked_for_again() {
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{}", r#"{"a""#);
    let half = answer("200 OK", "", r#"{"a": [1"#);
    let late = answer("429 Too Many Requests", "retry-after: 0\r\n", "slow down");
    let down = answer("500 Internal Server Error", "", "");
    let (result, asked) = get(vec![cut, half, late, down, answer("200 OK", "", r#"{"a": 1}"#)]).await;
    assert_eq!(result.unwrap()["a"], 1);
    assert_eq!(asked.len(), 5);
    assert!(
        asked[0].starts_with("GET /a?b=c HTTP/1.1") && asked[0].contains("x-goog-api-key: hunter2"),
        "{}",
        asked[0]
    );
}

#[tokio::test]
async fn what_cannot_succeed_is_asked_once_and_shows_no_key() {
    for (status, kind) in [
        ("403 Forbidden", ErrorKind::Unauthorised),
        ("400 Bad Request", ErrorKind::Invalid),
        ("302 Found", ErrorKind::Invalid),
    ] {
        let headers = "location: http://127.0.0.1:1/\r\n";
        let answers = vec![answer(status, headers, "the key hunter2 is wrong"), answer("200 OK", "", "{}")];
        let (result, asked) = get(answers).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind, asked.len()), (kind, 1), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn bodies_are_bounded() {
    let (result, _) = get(vec![answer("200 OK", "", &format!("\"{}\"", "x".repeat(1000)))]).await;
    let error = result.unwrap_err();
    assert!(error.kind == ErrorKind::Invalid && error.message.contains("larger"), "{error}");
}

#[tokio::test]
async fn an_origin_that_is_not_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = HttpClient::new("Prices", &base, limits(2)).unwrap();
    let error = client.json::<Value>("/").await.unwrap_err();
    assert!(error.kind == ErrorKind::Unavailable && error.message.contains("can't be reached"), "{error}");
}

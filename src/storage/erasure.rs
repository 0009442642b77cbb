//! What erasing a person does to stored words of others.

use super::{Result, StoreError};
use serde_json::Value;
use stoa_protocol::UserId;

/// Milliseconds of a day; retention counts days of 24 hours.
pub const DAY_MS: i64 = 24 * 3600 * 1000;

/// A stored body whose `mentions` do not name the user.
///
/// # Errors
/// [`StoreError::Damaged`] when the body is not JSON.
pub fn without_mention(body: &str, user: &UserId) -> Result<String> {
    let mut body: Value =
        serde_json::from_str(body).map_err(|error| StoreError::Damaged(format!("a stored body: {error}")))?;
    if let Some(Value::Array(mentions)) = body.get_mut("mentions") {
        mentions.retain(|mentioned| mentioned.as_str() != Some(user.as_str()));
    }
    Ok(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_taken_out_and_nothing_else() {
        let ann = UserId::new("ann").expect("legal");
        let body = r#"{"type":"chat.sent","text":"ann","mentions":["ben","ann"],"data":{"mentions":["ann"]}}"#;
        let left: Value = serde_json::from_str(&without_mention(body, &ann).expect("JSON")).expect("JSON");
        let want = serde_json::json!({
            "type": "chat.sent", "text": "ann", "mentions": ["ben"], "data": {"mentions": ["ann"]}
        });
        assert_eq!(left, want);
    }
}

//! Times are stored as text, with as many digits of a second as they have.

use jiff::Timestamp;

/// What sorts before every stored time of that second and after every earlier one: nothing goes too early for its digits.
pub(super) fn before_text(before: Timestamp) -> String {
    before.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

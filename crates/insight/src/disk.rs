//! For how long a disk suffices, when as much comes each day as of late and what has had its time is dropped.

/// Days that are looked ahead: ten years.
const HORIZON: u32 = 3_650;

/// Something that is dropped after some days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// From now.
    pub days: u32,
    /// Bytes.
    pub bytes: f64,
}

/// In how many days `free` bytes are used up, if `growth` bytes come each day and are dropped after `kept` days (within the
/// week after), and the `shares` that are there after theirs. None if not within ten years.
pub fn days_left(free: f64, growth: f64, kept: u32, shares: &[Share]) -> Option<u32> {
    let mut left = free;
    for day in 1..=HORIZON {
        left -= growth;
        if day > kept.saturating_add(7) {
            left += growth;
        }
        left += shares.iter().filter(|share| share.days.max(1) == day).map(|share| share.bytes).sum::<f64>();
        if left < 0.0 {
            return Some(day);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_dropping_the_disk_lasts_as_long_as_it_is_divided() {
        assert_eq!(days_left(100.0, 10.0, 10_000, &[]), Some(11));
        assert_eq!(days_left(100.0, 0.0, 30, &[]), None);
    }

    #[test]
    fn what_is_dropped_makes_room() {
        // Thirty-seven days at ten bytes are all that is ever kept.
        assert_eq!(days_left(371.0, 10.0, 30, &[]), None);
        assert_eq!(days_left(369.0, 10.0, 30, &[]), Some(37));
        assert_eq!(days_left(100.0, 10.0, 10_000, &[Share { days: 5, bytes: 50.0 }]), Some(16));
    }
}

//! Fields of a packed word: each width is written once, shift and mask follow from it.

/// A run of bits in a `u64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    shift: u32,
    width: u32,
}

impl Field {
    /// The lowest field of a word.
    pub(crate) const fn first(width: u32) -> Self {
        Field { shift: 0, width }
    }

    /// The field right above this one.
    pub(crate) const fn then(self, width: u32) -> Self {
        let next = Field { shift: self.shift + self.width, width };
        assert!(next.shift + next.width <= u64::BITS, "the fields do not fit a word");
        next
    }

    /// The field right above this one, which ends at the word's top bit: no bit is left over.
    pub(crate) const fn last(self, width: u32) -> Self {
        let last = self.then(width);
        assert!(last.shift + last.width == u64::BITS, "a bit is left over");
        last
    }

    pub(crate) const fn width(self) -> u32 {
        self.width
    }

    /// The largest value, and the mask of a value before it is shifted.
    pub(crate) const fn max(self) -> u64 {
        u64::MAX >> (u64::BITS - self.width)
    }

    /// This field's value in `word`.
    #[inline]
    pub(crate) const fn get(self, word: u64) -> u64 {
        (word >> self.shift) & self.max()
    }

    /// `value` in this field's place, everything else zero. Bits that do not fit are cut off.
    #[inline]
    pub(crate) const fn put(self, value: u64) -> u64 {
        (value & self.max()) << self.shift
    }

    /// `word` with this field set to `value`. Bits that do not fit are cut off.
    #[inline]
    pub(crate) const fn set(self, word: u64, value: u64) -> u64 {
        (word & !(self.max() << self.shift)) | self.put(value)
    }
}

/// The full value whose low `width` bits are `low` and that lies nearest to `near`.
///
/// Right as long as the true value and `near` are less than half a turn of the low bits apart.
#[inline]
pub(crate) const fn widen(low: u64, width: u32, near: u64) -> u64 {
    let unused = u64::BITS - width;
    // The distance from `near`, as a signed number of `width` bits.
    let ahead = ((low.wrapping_sub(near) << unused) as i64) >> unused;
    near.wrapping_add(ahead as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let low = Field::first(3);
        let middle = low.then(20);
        let high = middle.last(41);
        for (field, others) in [(low, [middle, high]), (middle, [low, high]), (high, [low, middle])]
        {
            for value in [0, 1, field.max()] {
                for around in [0, u64::MAX] {
                    let word = field.set(around, value);
                    assert_eq!(field.get(word), value);
                    for other in others {
                        assert_eq!(other.get(word), other.get(around));
                    }
                }
            }
        }
        assert_eq!(low.set(0, 8), 0, "bits that do not fit are cut off");
    }

    #[test]
    fn widening_finds_the_nearest_value() {
        for width in [8, 17, 21, 48] {
            let half = 1_u64 << (width - 1);
            for near in [0, 1, half - 1, half, 2 * half, 7 * half + 3, 1 << 60] {
                for distance in [0, 1, 2, half - 1] {
                    let ahead = near + distance;
                    assert_eq!(widen(ahead & (2 * half - 1), width, near), ahead);
                    if let Some(behind) = near.checked_sub(distance) {
                        assert_eq!(widen(behind & (2 * half - 1), width, near), behind);
                    }
                }
            }
        }
    }
}

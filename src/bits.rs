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

/// That a word's fields hold for all 2^64 values.
///
/// `get` and `put` are a shift and a mask: each bit of the answer is one bit of the argument, or zero. Such a function
/// is linear over exclusive or, and a linear function is known from what it does to the 64 words of a single bit. `set`
/// masks the word and joins what was put: `set(word, value)` is `set(word, 0) ^ put(value)`, linear in each of the two.
/// So it is enough to try every word of one bit, and every pair of word and value of one bit each; zero is given.
#[cfg(test)]
pub(crate) mod packing {
    use super::Field;

    const BITS: [u64; 64] = {
        let mut bits = [0; 64];
        let mut at = 0;
        while at < 64 {
            bits[at] = 1 << at;
            at += 1;
        }
        bits
    };

    /// Proves that `fields`, from the lowest bit up, do not overlap, leave `spare` bits at the top and no other, and can
    /// be read and written each without the others.
    pub(crate) fn prove(fields: &[Field], spare: u32) {
        let mut from = 0;
        for field in fields {
            assert_eq!(field.shift, from, "a gap or an overlap below {field:?}");
            from += field.width;
        }
        assert_eq!(from + spare, u64::BITS, "the bits that are left over");
        for word in BITS {
            // Each bit belongs to one field, or is spare.
            let owners: Vec<&Field> = fields.iter().filter(|field| field.get(word) != 0).collect();
            match owners[..] {
                [] => assert!(word.trailing_zeros() >= u64::BITS - spare, "nobody reads {word:#x}"),
                [owner] => assert_eq!(owner.put(owner.get(word)), word, "taken out and put back"),
                _ => panic!("{word:#x} belongs to {owners:?}"),
            }
            for field in fields {
                assert_eq!(field.get(field.put(word)), word & field.max(), "put in and taken out");
                for value in [0, u64::MAX].into_iter().chain(BITS) {
                    let set = field.set(word, value);
                    assert_eq!(set, field.set(word, 0) ^ field.put(value));
                    assert_eq!(field.get(set), value & field.max());
                    for other in fields.iter().filter(|other| *other != field) {
                        assert_eq!(other.get(set), other.get(word), "{other:?} by {field:?}");
                    }
                }
            }
        }
        linear(fields);
    }

    /// Shift and mask are linear by what they are; this is the check of that sentence, on every two bits.
    fn linear(fields: &[Field]) {
        for field in fields {
            for a in BITS {
                for b in BITS {
                    assert_eq!(field.get(a ^ b), field.get(a) ^ field.get(b));
                    assert_eq!(field.put(a ^ b), field.put(a) ^ field.put(b));
                }
            }
        }
    }

    /// Surroundings of a field in which a carry or a borrow would show: nothing, everything, and each bit of the two
    /// alone.
    pub(crate) fn around() -> impl Iterator<Item = u64> {
        [0, u64::MAX].into_iter().chain(BITS).chain(BITS.map(|bit| !bit))
    }

    /// Proves that `step` takes `field` from each of `values` to what `to` says, and leaves all other bits but those of
    /// `also` as they were.
    pub(crate) fn prove_step(
        field: Field,
        also: &[Field],
        values: impl Iterator<Item = u64>,
        step: impl Fn(u64) -> u64,
        to: impl Fn(u64) -> u64,
    ) {
        let masked = |word| also.iter().fold(field.set(word, 0), |word, field| field.set(word, 0));
        for value in values {
            for around in around() {
                let word = field.set(around, value);
                let after = step(word);
                assert_eq!(field.get(after), to(value), "from {value} in {word:#x}");
                assert_eq!(masked(after), masked(word), "carried out of {field:?} in {word:#x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_fits_a_word_is_proved() {
        for width in 1..u64::BITS {
            packing::prove(&[Field::first(width)], u64::BITS - width);
            let low = Field::first(width);
            packing::prove(&[low, low.last(u64::BITS - width)], 0);
        }
    }

    #[test]
    fn widening_is_right_for_every_distance_below_half_a_turn() {
        // Of `near` only its low bits and the two ends of its range matter: the distance is taken modulo the width.
        for width in 1..=8 {
            let half = 1_i64 << (width - 1);
            for near in (0..1 << width).flat_map(|low| [low, low + (1 << 40), u64::MAX - low]) {
                for distance in -half..half {
                    let value = near.wrapping_add_signed(distance);
                    assert_eq!(widen(value & Field::first(width).max(), width, near), value);
                }
            }
        }
    }

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

//! Amounts of all resources, four side by side in the wide registers of the machine.

/// Four resources; those of a problem are `K` times four, 0 beyond its own.
pub(crate) type Four = wide::f64x4;

#[inline(always)]
pub(super) fn add(a: Four, b: Four) -> Four {
    a + b
}

#[inline(always)]
pub(super) fn less(a: Four, b: Four) -> Four {
    a - b
}

#[inline(always)]
pub(super) fn times(a: Four, b: Four) -> Four {
    a * b
}

/// The sum of amounts above 0, each by its weight.
#[inline(always)]
pub(super) fn weighed<const K: usize>(weights: &[Four; K], amount: impl Fn(usize) -> Four) -> f64 {
    let mut sum = Four::ZERO;
    for (k, &weights) in weights.iter().enumerate() {
        sum += weights * amount(k).fast_max(Four::ZERO);
    }
    let [a, b, c, d] = sum.to_array();
    (a + b) + (c + d)
}

/// Resource `r` of them.
#[inline(always)]
pub(super) fn at<const K: usize>(of: &[Four; K], r: usize) -> f64 {
    of[r / 4].to_array()[r % 4]
}

/// Of all resources.
pub(super) fn all<const K: usize>(of: impl Fn(usize) -> f64) -> [Four; K] {
    std::array::from_fn(|k| Four::from(std::array::from_fn::<f64, 4, _>(|i| of(4 * k + i))))
}

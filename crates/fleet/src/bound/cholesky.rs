//! A dense symmetric system, factored.

/// The lower triangle, line by line.
pub(super) struct Factor {
    size: usize,
    lower: Vec<f64>,
}

impl Factor {
    pub fn zero(size: usize) -> Self {
        Self { size, lower: vec![0.0; size * (size + 1) / 2] }
    }

    pub fn add(&mut self, i: usize, j: usize, by: f64) {
        let (i, j) = if i >= j { (i, j) } else { (j, i) };
        self.lower[i * (i + 1) / 2 + j] += by;
    }

    /// Takes away `v vᵗ / by`, where `v` has these values in these places.
    pub fn subtract(&mut self, places: &[u32], values: &[f64], by: f64) {
        for (n, (&i, &v)) in places.iter().zip(values).enumerate() {
            let part = v / by;
            for (&j, &w) in places[..=n].iter().zip(values) {
                self.add(i as usize, j as usize, -part * w);
            }
        }
    }

    /// `L` with `L Lᵗ` the matrix. `false` when it has lost its meaning.
    pub fn factor(&mut self) -> bool {
        let most = (0..self.size).map(|i| self.lower[i * (i + 1) / 2 + i]).fold(0.0, f64::max);
        if !most.is_finite() {
            return false;
        }
        for i in 0..self.size {
            let (before, line) = self.lower.split_at_mut(i * (i + 1) / 2);
            let line = &mut line[..=i];
            for j in 0..i {
                let other = &before[j * (j + 1) / 2..][..=j];
                line[j] = (line[j] - dot(&line[..j], &other[..j])) / other[j];
            }
            let rest = line[i] - dot(&line[..i], &line[..i]);
            // What rounding left of a line that depends on the others: it is held where it is.
            line[i] = if rest > 1e-14 * line[i].abs().max(1e-30) { rest.sqrt() } else { 1e64 };
        }
        true
    }

    pub fn solve(&self, mut right: Vec<f64>) -> Vec<f64> {
        for i in 0..self.size {
            let line = &self.lower[i * (i + 1) / 2..][..=i];
            right[i] = (right[i] - dot(&line[..i], &right[..i])) / line[i];
        }
        for i in (0..self.size).rev() {
            let line = &self.lower[i * (i + 1) / 2..][..=i];
            right[i] /= line[i];
            let value = right[i];
            right[..i].iter_mut().zip(line).for_each(|(r, l)| *r -= value * l);
        }
        right
    }
}

/// In eight sums, so that they are added side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (mut sums, n) = ([0.0; 8], a.len().min(b.len()) / 8 * 8);
    for (a, b) in a[..n].chunks_exact(8).zip(b[..n].chunks_exact(8)) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + a[n..].iter().zip(&b[n..]).map(|(a, b)| a * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_of_twenty() {
        let size = 20;
        let mut factor = Factor::zero(size);
        let at = |i: usize, j: usize| if i == j { 30.0 + i as f64 } else { ((i * j) % 7) as f64 / 7.0 };
        (0..size).for_each(|i| (0..=i).for_each(|j| factor.add(i, j, at(i, j))));
        assert!(factor.factor());
        let solved = factor.solve((0..size).map(|i| i as f64).collect());
        for i in 0..size {
            let left: f64 = (0..size).map(|j| at(i.max(j), i.min(j)) * solved[j]).sum();
            assert!((left - i as f64).abs() < 1e-9);
        }
    }
}

//! Statistics of answers, as far as needed to compare means: count, mean and variance of latencies, and the calls in
//! flight when they began.

/// A difference of more standard errors than this is not chance.
const SURE: f64 = 3.0;

/// Seconds that no caller notices: an answer that is slower by less counts as equally fast.
pub const LITTLE: f64 = 0.003;

/// Share of the mean. If the calls in flight deviate by less than this, answers cannot be compared by them.
const ALIKE_LEVELS: f64 = 0.15;

/// Number of answers that a running mean covers.
const REMEMBERED: u32 = 1024;

/// Sums over answers.
#[derive(Debug, Default, Clone, Copy)]
pub struct Answers {
    pub count: u32,
    seconds: f64,
    squares: f64,
    /// Sum of the calls in flight when they began.
    level: f64,
    /// Sum of the squares of the calls in flight, and of their products with the seconds.
    levels: f64,
    products: f64,
}

impl Answers {
    pub fn add(&mut self, level: f64, seconds: f64) {
        self.count += 1;
        self.seconds += seconds;
        self.squares += seconds * seconds;
        self.level += level;
        self.levels += level * level;
        self.products += level * seconds;
    }

    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.seconds += other.seconds;
        self.squares += other.squares;
        self.level += other.level;
        self.levels += other.levels;
        self.products += other.products;
    }

    pub fn mean(&self) -> f64 {
        self.seconds / f64::from(self.count.max(1))
    }

    /// Returns whether its mean is more than `times` the other mean, and not by chance.
    pub fn is_over(&self, times: f64, other: &Self) -> bool {
        self.mean() - times * other.mean() > LITTLE + SURE * self.error(times, other)
    }

    pub fn is_under(&self, times: f64, other: &Self) -> bool {
        times * other.mean() + LITTLE - self.mean() >= self.error(times, other)
    }

    /// Returns the standard error of the difference.
    fn error(&self, times: f64, other: &Self) -> f64 {
        (self.variance() + times * times * other.variance()).sqrt()
    }

    /// Returns the seconds above which a single answer is slower than `times` the mean, and not by chance.
    pub fn outlier(&self, times: f64) -> f64 {
        let deviation = (self.variance() * f64::from(self.count)).sqrt();
        self.mean() * times + LITTLE + SURE * deviation
    }

    /// Variance of the mean.
    fn variance(&self) -> f64 {
        let count = f64::from(self.count.max(1));
        (self.squares / count - self.mean().powi(2)).max(0.0) / count
    }

    /// Halves the weight of what is known once there are many answers, so that new ones count.
    pub fn forget(&mut self) {
        if self.count >= REMEMBERED {
            self.count /= 2;
            for sum in [
                &mut self.seconds,
                &mut self.squares,
                &mut self.level,
                &mut self.levels,
                &mut self.products,
            ] {
                *sum /= 2.0;
            }
        }
    }

    pub fn level(&self) -> f64 {
        self.level / f64::from(self.count.max(1))
    }

    /// Returns the relative growth of the latency per relative growth of the calls in flight: 0 if they do not matter,
    /// 1 if each call waits for all others. `None` if the calls in flight were about equal.
    pub fn elasticity(&self) -> Option<f64> {
        let count = f64::from(self.count.max(1));
        let (level, seconds) = (self.level(), self.mean());
        let spread = self.levels / count - level * level;
        if spread < (ALIKE_LEVELS * level).powi(2) || seconds <= 0.0 {
            return None;
        }
        let slope = (self.products / count - level * seconds) / spread;
        Some(slope * level / seconds)
    }
}
